// Fill in a copy of this folder, then: az deployment sub create --location westeurope --parameters main.bicepparam

using 'main.bicep'

param providerTenantId = '00000000-0000-0000-0000-000000000000'
param providerPrincipalId = '00000000-0000-0000-0000-000000000000'
param providerPrincipalName = 'Tenantry'
param actOn = [
  'Virtual Machine Contributor'
]
param eventsUrl = readEnvironmentVariable('EVENTS_URL', '')
param location = 'westeurope'
param resourceGroupName = 'rg-tenantry-events'
