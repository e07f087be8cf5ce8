// Azure Lighthouse: roles on this subscription for a service principal or group of the provider's tenant. No account is made here, and the
// client can take it back at any time.

targetScope = 'subscription'

@description('Entra tenant id of the provider.')
param providerTenantId string

@description('Object id of the provider\'s service principal or group.')
param providerPrincipalId string

@description('How that is shown to the client.')
param providerPrincipalName string

@description('Names of the roles that are given beside those that always are.')
param actOn array

var roles = loadJsonContent('../roles.json')
var given = concat(roles.always, filter(roles.onDemand, role => contains(actOn, role.name)))

resource definition 'Microsoft.ManagedServices/registrationDefinitions@2022-10-01' = {
  name: guid(providerTenantId, providerPrincipalId)
  properties: {
    registrationDefinitionName: 'Tenantry'
    description: 'Lets the provider see the resources of this subscription and their health, and start, stop and restart them.'
    managedByTenantId: providerTenantId
    authorizations: [for role in given: {
      principalId: providerPrincipalId
      principalIdDisplayName: providerPrincipalName
      roleDefinitionId: role.id
    }]
  }
}

resource assignment 'Microsoft.ManagedServices/registrationAssignments@2022-10-01' = {
  name: guid(subscription().id, providerTenantId, providerPrincipalId)
  properties: {
    registrationDefinitionId: definition.id
  }
}

@description('Resource id of the delegation.')
output id string = assignment.id
