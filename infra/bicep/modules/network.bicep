// The network of a private deployment: one subnet that the Function App's requests leave through, one for private
// endpoints, and nothing that comes in from outside.

@description('Name of the virtual network.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('First three numbers of its addresses, a /24.')
param prefix string

// Azure's own rules are enough: nothing comes in from the internet, all within the network talks to each other.
resource closed 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: '${name}-nsg'
  location: location
  tags: tags
  properties: {
    securityRules: []
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '${prefix}.0/24'
      ]
    }
    subnets: [
      {
        // Flex Consumption takes one address for every instance or so: a /25 for some hundred.
        name: 'functions'
        properties: {
          addressPrefix: '${prefix}.0/25'
          networkSecurityGroup: {
            id: closed.id
          }
          delegations: [
            {
              name: 'functions'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '${prefix}.128/27'
          networkSecurityGroup: {
            id: closed.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

@description('Resource id of the network.')
output id string = network.id

@description('Subnet for the Function App.')
output functionsSubnetId string = '${network.id}/subnets/functions'

@description('Subnet for private endpoints.')
output endpointsSubnetId string = '${network.id}/subnets/endpoints'
