// The storage account: tables and queues of the application, blobs of the Functions host and its packages.
// Nobody has a key: every request carries an Entra token.

@description('Name of the storage account: 3 to 24 lower-case letters and digits.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('How copies are kept: within one data centre (LRS), over zones (ZRS), or also in the paired region (GRS, GZRS).')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param sku string

@description('Container of the deployed packages.')
param deploymentContainer string

@description('Disabled: reachable through private endpoints only.')
@allowed([
  'Disabled'
  'Enabled'
])
param publicNetworkAccess string

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35: closed by the parameter privateNetwork, which costs four endpoints; without it every request still needs an Entra token
  // checkov:skip=CKV_AZURE_206: the copies are the parameter storageSku, whose default is the cheapest
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicNetworkAccess == 'Disabled' ? 'Deny' : 'Allow'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: deploymentContainer
  properties: {
    publicAccess: 'None'
  }
}

@description('Resource id.')
output id string = account.id

@description('Name: AzureWebJobsStorage__accountName.')
output name string = account.name

@description('Address of the container of the deployed packages.')
output deploymentUrl string = '${account.properties.primaryEndpoints.blob}${packages.name}'
