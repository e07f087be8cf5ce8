// What a client runs once in each subscription: it lets the provider see its resources and act on them (Azure
// Lighthouse), and sends Resource Health events to Tenantry. docs/azure.md says who runs it and how to take it back.

targetScope = 'subscription'

@description('Entra tenant id of the provider.')
@minLength(36)
@maxLength(36)
param providerTenantId string

@description('Object id, in the provider\'s tenant, of who gets the roles: the service principal of Tenantry\'s multi-tenant registration (PARTNER_PRINCIPAL_ID), so that no person does; or a security group that the account of the connection is in.')
@minLength(36)
@maxLength(36)
param providerPrincipalId string

@description('How that is called when the client looks at who has access.')
param providerPrincipalName string = 'Tenantry'

@description('Names of the roles of roles.json that are given beside Reader: one for each kind of resource that is to be acted on.')
@allowed([
  'Virtual Machine Contributor'
  'Website Contributor'
  'Web Plan Contributor'
  'SQL DB Contributor'
  'SQL Managed Instance Contributor'
  'Redis Cache Contributor'
  'Logic App Operator'
  'Data Factory Contributor'
  'Automation Operator'
  'Desktop Virtualization Session Host Operator'
])
param actOn array = [
  'Virtual Machine Contributor'
]

@description('Address that POST /event-sources gave for this client, with its secret; empty: no events, the poll alone.')
@secure()
param eventsUrl string = ''

@description('Azure region of the resource group that holds the alert rule.')
param location string

@description('Name of that resource group.')
param resourceGroupName string = 'rg-tenantry-events'

module delegation 'modules/delegation.bicep' = {
  name: 'tenantry-delegation'
  params: {
    providerTenantId: providerTenantId
    providerPrincipalId: providerPrincipalId
    providerPrincipalName: providerPrincipalName
    actOn: actOn
  }
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = if (!empty(eventsUrl)) {
  name: resourceGroupName
  location: location
}

module health 'modules/health-events.bicep' = if (!empty(eventsUrl)) {
  scope: resourceGroup(resourceGroupName)
  name: 'tenantry-health-events'
  params: {
    eventsUrl: eventsUrl
  }
  dependsOn: [
    group
  ]
}

@description('The delegation, as the provider sees it under My customers.')
output delegationId string = delegation.outputs.id
