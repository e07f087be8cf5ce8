// The vault of every secret that others give us: refresh tokens, keys of ticket systems. The application itself has none.

@description('Name of the vault: 3 to 24 letters, digits and hyphens, unique in the world.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Days a deleted secret, or the deleted vault, can be recovered; it cannot be purged before. Fixed once the vault is made.')
@minValue(7)
@maxValue(90)
param softDeleteDays int

@description('Disabled: reachable through private endpoints only.')
@allowed([
  'Disabled'
  'Enabled'
])
param publicNetworkAccess string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  // checkov:skip=CKV_AZURE_109: closed by the parameter privateNetwork; without it every request still needs an Entra token
  // checkov:skip=CKV_AZURE_189: closed by the parameter privateNetwork; without it every request still needs an Entra token
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: softDeleteDays
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicNetworkAccess == 'Disabled' ? 'Deny' : 'Allow'
    }
  }
}

@description('Resource id.')
output id string = vault.id

@description('Name.')
output name string = vault.name

@description('Address: KEY_VAULT_URL.')
output url string = vault.properties.vaultUri
