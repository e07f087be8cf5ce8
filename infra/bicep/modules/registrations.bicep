// The three app registrations and their service principals. What is the same in every deployment (roles, scope,
// permissions) is in registrations.json, which the scripted way (infra/hooks/registrations.py) reads too.

extension microsoftGraphV1

@description('Put behind the name of each registration, so that two deployments in one tenant do not share them.')
param suffix string

@description('Address of the API, ends with /api.')
param apiUrl string

@description('Address of the portal, without a trailing slash.')
param portalUrl string

@description('Object id of the managed identity that stands for the multi-tenant registration.')
param identityPrincipalId string

@description('Object id of the person or group who administers Tenantry; empty: nobody yet.')
param administratorId string

var shared = loadJsonContent('../registrations.json')
var clouds = loadJsonContent('../clouds.json')
var cloud = clouds[environment().name]
var administrator = filter(shared.appRoles, role => role.value == 'Integration.Admin')[0]

resource portal 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: '${shared.names.portal}-${suffix}'
  displayName: 'Tenantry portal (${suffix})'
  signInAudience: 'AzureADMyOrg'
  spa: {
    redirectUris: [
      '${portalUrl}/'
    ]
  }
}

resource api 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: '${shared.names.api}-${suffix}'
  displayName: 'Tenantry API (${suffix})'
  signInAudience: 'AzureADMyOrg'
  appRoles: shared.appRoles
  api: {
    requestedAccessTokenVersion: 2
    oauth2PermissionScopes: [
      shared.scope
    ]
  }
}

// Once more, with what can be said only when the registration is there: its address, which carries the client id, and
// who may use its scope unasked, because Microsoft Graph refuses a scope there that the same request defines. The name
// is written out: before 0.44.1 Bicep takes a resource's property for none that is known at the start.
resource addressedApi 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: '${shared.names.api}-${suffix}'
  displayName: 'Tenantry API (${suffix})'
  signInAudience: 'AzureADMyOrg'
  identifierUris: [
    'api://${api.appId}'
  ]
  appRoles: shared.appRoles
  api: {
    requestedAccessTokenVersion: 2
    oauth2PermissionScopes: [
      shared.scope
    ]
    preAuthorizedApplications: [
      {
        appId: portal.appId
        delegatedPermissionIds: [
          shared.scope.id
        ]
      }
    ]
  }
}

resource partner 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: '${shared.names.partner}-${suffix}'
  displayName: 'Tenantry (${suffix})'
  signInAudience: 'AzureADMultipleOrgs'
  requiredResourceAccess: shared.requiredResourceAccess
  web: {
    redirectUris: [
      '${apiUrl}/connections/callback'
    ]
  }
}

resource credential 'Microsoft.Graph/applications/federatedIdentityCredentials@v1.0' = {
  name: '${partner.uniqueName}/managed-identity'
  description: 'The identity that Tenantry runs as, in place of a secret.'
  issuer: '${cloud.login}/${tenant().tenantId}/v2.0'
  subject: identityPrincipalId
  audiences: [
    cloud.federation
  ]
}

resource portalPrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: portal.appId
}

resource apiPrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: addressedApi.appId
}

resource partnerPrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: partner.appId
}

resource administration 'Microsoft.Graph/appRoleAssignedTo@v1.0' = if (!empty(administratorId)) {
  appRoleId: administrator.id
  principalId: administratorId
  resourceId: apiPrincipal.id
}

@description('Client id of the API: API_CLIENT_ID.')
output apiClientId string = addressedApi.appId

@description('Client id of the portal: PORTAL_CLIENT_ID.')
output portalClientId string = portal.appId

@description('Client id of the multi-tenant registration: PARTNER_CLIENT_ID.')
output partnerClientId string = partner.appId

@description('Object id of its service principal: whom clients delegate to.')
output partnerPrincipalId string = partnerPrincipal.id
