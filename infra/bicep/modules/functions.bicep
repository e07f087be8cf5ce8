// The Function App on Flex Consumption. Its settings are in settings.bicep, because they name registrations that in turn
// name this app's address.

@description('Name of the Function App, unique in the world.')
param name string

@description('Name of its plan.')
param planName string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Resource id of the managed identity it runs as, and by which its package is read.')
param identityId string

@description('Address of the blob container that holds the deployed packages.')
param deploymentUrl string

@description('Memory of one instance in MB; what is paid for is memory times time.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int

@description('How many instances there are at most.')
@minValue(1)
@maxValue(1000)
param maximumInstances int

@description('Instances that always wait for HTTP requests, so that none begins cold. Each costs the whole month.')
@minValue(0)
param alwaysReady int

@description('Subnet that its outgoing requests go through; empty: none.')
param subnetId string

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  // checkov:skip=CKV_AZURE_225: zones would need instances that always run; work that is cut off is done again from its queue
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2024-11-01' = {
  // checkov:skip=CKV_AZURE_222: browsers, Azure Monitor, Event Grid and ticket systems call it; every route asks for a token or a signed secret
  // checkov:skip=CKV_AZURE_17: callers prove themselves with Entra tokens, which browsers have and certificates they have not
  // checkov:skip=CKV_AZURE_212: it goes down to none when there is nothing to do; alwaysReady is the parameter for more
  // checkov:skip=CKV_AZURE_213: a health check by the platform would keep an instance awake; GET /service/health is for monitors
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstances
        alwaysReady: alwaysReady == 0 ? [] : [
          {
            name: 'http'
            instanceCount: alwaysReady
          }
        ]
      }
    }
    // The platform's own list of CORS origins stays empty: the application answers for PORTAL_URL itself, because the
    // platform's cannot expose headers (ETag, Location, Retry-After) and would put itself in its place.
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      remoteDebuggingEnabled: false
    }
  }
}

// Nobody signs in to the deployment site with a password: azd and pipelines come with an Entra token.
resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noDeploymentPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'scm'
  properties: {
    allow: false
  }
}

@description('Name.')
output name string = site.name

@description('Address of the API: PUBLIC_API_URL.')
output apiUrl string = 'https://${site.properties.defaultHostName}/api'
