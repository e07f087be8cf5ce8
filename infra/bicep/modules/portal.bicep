// The Static Web App of the portal: static files and nothing else. The API is no backend of it; the browser calls the
// Function App itself.

@description('Name of the Static Web App.')
param name string

@description('Azure region of its management; the files are served from all over the world.')
@allowed([
  'centralus'
  'eastasia'
  'eastus2'
  'westeurope'
  'westus2'
])
param location string

@description('Tags of every resource.')
param tags object

@description('Free, or Standard for a service level agreement.')
@allowed([
  'Free'
  'Standard'
])
param sku string

resource site 'Microsoft.Web/staticSites@2024-11-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'portal' })
  sku: {
    name: sku
    tier: sku
  }
  properties: {
    allowConfigFileUpdates: true
    stagingEnvironmentPolicy: 'Disabled'
  }
}

@description('Name.')
output name string = site.name

@description('Address: PORTAL_URL.')
output url string = 'https://${site.properties.defaultHostname}'
