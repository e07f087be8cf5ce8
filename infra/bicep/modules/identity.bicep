// The identity the application runs as. Everything it may do is in roles.bicep; it has no secret.

@description('Name of the managed identity.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id: what the Function App names as its identity.')
output id string = identity.id

@description('Client id: MANAGED_IDENTITY_CLIENT_ID.')
output clientId string = identity.properties.clientId

@description('Object id: the principal of role assignments, and the subject of the federated credential.')
output principalId string = identity.properties.principalId
