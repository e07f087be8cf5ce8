// Everything that Tenantry needs in the provider's own subscription, in one resource group. docs/azure.md goes through it.

targetScope = 'subscription'

@description('Name of the azd environment; part of every name.')
@minLength(2)
@maxLength(20)
param environmentName string

@description('Azure region of everything but the portal. It must offer Flex Consumption.')
param location string

@description('Azure region of the portal: Static Web Apps are not everywhere.')
param portalLocation string = 'westeurope'

@description('Portal without (Free) or with a service level agreement (Standard).')
param portalSku string = 'Free'

@description('Object id of the person or group who gets the app role Integration.Admin; empty: nobody yet.')
param administratorId string = ''

@description('Make the app registrations with the Microsoft Graph extension. False: infra/hooks/registrations.py makes them, and the four ids below are its.')
param useGraphExtension bool = true

@description('Client id of the API, when the registrations are made by the script.')
param apiClientId string = ''

@description('Client id of the portal, when the registrations are made by the script.')
param portalClientId string = ''

@description('Client id of the multi-tenant registration, when the registrations are made by the script.')
param partnerClientId string = ''

@description('Object id of the service principal of the multi-tenant registration, when the registrations are made by the script.')
param partnerPrincipalId string = ''

@description('Copies of the storage account.')
param storageSku string = 'Standard_LRS'

@description('Days a deleted secret can be recovered. Fixed once the vault is made.')
param vaultSoftDeleteDays int = 90

@description('Memory of one instance in MB.')
param instanceMemoryMB int = 2048

@description('How many instances there are at most.')
param maximumInstances int = 40

@description('Instances that always wait for HTTP requests; 0 costs least.')
param alwaysReady int = 0

@description('Days that logs and metrics are kept.')
param logRetentionDays int = 30

@description('Gigabytes of logs a day after which no more is taken; -1: no limit.')
param logDailyGigabytes int = 1

@description('Write down every storage request.')
param logStorageRequests bool = false

@description('E-mail addresses that alerts and the budget are told to, with commas between.')
param alertEmails string = ''

@description('What a month may cost before somebody is told, in the currency of the subscription; 0, or no e-mail address: no budget.')
param monthlyBudget int = 50

@description('First day of the month in which the budget began: BUDGET_START of the first deployment, as it cannot be changed later; empty: the running month.')
param budgetStart string = ''

@description('First day of the running month; not to be given.')
param thisMonth string = utcNow('yyyy-MM-01')

@description('Storage and vault through private endpoints only, the Function App in a network of its own.')
param privateNetwork bool = false

@description('First three numbers of the addresses of that network, a /24.')
param networkPrefix string = '10.86.0'

@description('GDAP_GROUP_NAME: security group of the partner tenant that holds the GDAP access assignments.')
param gdapGroupName string = 'Tenantry GDAP'

@description('APPROVAL_ABOVE_DEVICES: an action on more devices than this waits for a second person; 0: none does.')
param approvalAboveDevices int = 25

@description('APPROVAL_HOURS: how long that is waited for.')
param approvalHours int = 24

@description('CHANGE_RETENTION_DAYS: how long health changes, closed alerts, operations and deliveries are kept.')
param changeRetentionDays int = 90

@description('AUDIT_RETENTION_DAYS: how long the audit log is kept.')
param auditRetentionDays int = 365

var tags = {
  'azd-env-name': environmentName
  application: 'tenantry'
}
var token = take(uniqueString(subscription().id, environmentName, location), 8)
var base = 'tenantry-${environmentName}'
var emails = empty(alertEmails) ? [] : split(replace(alertEmails, ' ', ''), ',')
var publicNetworkAccess = privateNetwork ? 'Disabled' : 'Enabled'
var firstMonth = empty(budgetStart) ? thisMonth : budgetStart
var hasBudget = monthlyBudget > 0 && !empty(emails)
var clouds = loadJsonContent('clouds.json')
// What a private deployment reaches through endpoints of storage; none otherwise, so that the loop makes none.
var storageParts = privateNetwork ? [
  'blob'
  'queue'
  'table'
] : []

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${base}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  name: 'identity'
  params: {
    name: 'id-${base}'
    location: location
    tags: tags
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: group
  name: 'network'
  params: {
    name: 'vnet-${base}'
    location: location
    tags: tags
    prefix: networkPrefix
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  name: 'storage'
  params: {
    name: 'sttenantry${token}'
    location: location
    tags: tags
    sku: storageSku
    deploymentContainer: 'packages'
    publicNetworkAccess: publicNetworkAccess
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  name: 'vault'
  params: {
    name: 'kv-tenantry-${token}'
    location: location
    tags: tags
    softDeleteDays: vaultSoftDeleteDays
    publicNetworkAccess: publicNetworkAccess
  }
}

module storageEndpoints 'modules/private-endpoint.bicep' = [for part in storageParts: {
  scope: group
  name: 'endpoint-${part}'
  params: {
    name: 'pe-${base}-${part}'
    location: location
    tags: tags
    targetId: storage.outputs.id
    part: part
    zoneName: 'privatelink.${part}.${environment().suffixes.storage}'
    networkId: network!.outputs.id
    subnetId: network!.outputs.endpointsSubnetId
  }
}]

module vaultEndpoint 'modules/private-endpoint.bicep' = if (privateNetwork) {
  scope: group
  name: 'endpoint-vault'
  params: {
    name: 'pe-${base}-vault'
    location: location
    tags: tags
    targetId: vault.outputs.id
    part: 'vault'
    zoneName: 'privatelink${replace(environment().suffixes.keyvaultDns, 'vault.', 'vaultcore.')}'
    networkId: network!.outputs.id
    subnetId: network!.outputs.endpointsSubnetId
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  name: 'monitoring'
  params: {
    workspaceName: 'log-${base}'
    insightsName: 'appi-${base}'
    location: location
    tags: tags
    retentionDays: logRetentionDays
    dailyGigabytes: logDailyGigabytes
  }
}

module roles 'modules/roles.bicep' = {
  scope: group
  name: 'roles'
  params: {
    principalId: identity.outputs.principalId
    storageAccountName: storage.outputs.name
    vaultName: vault.outputs.name
    insightsName: monitoring.outputs.insightsName
  }
}

module portal 'modules/portal.bicep' = {
  scope: group
  name: 'portal'
  params: {
    name: 'stapp-${base}'
    location: portalLocation
    tags: tags
    sku: portalSku
  }
}

module functions 'modules/functions.bicep' = {
  scope: group
  name: 'functions'
  params: {
    name: 'func-${base}-${token}'
    planName: 'plan-${base}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    deploymentUrl: storage.outputs.deploymentUrl
    instanceMemoryMB: instanceMemoryMB
    maximumInstances: maximumInstances
    alwaysReady: alwaysReady
    subnetId: privateNetwork ? network!.outputs.functionsSubnetId : ''
  }
  dependsOn: [
    roles
  ]
}

module registrations 'modules/registrations.bicep' = if (useGraphExtension) {
  scope: group
  name: 'registrations'
  params: {
    suffix: environmentName
    apiUrl: functions.outputs.apiUrl
    portalUrl: portal.outputs.url
    identityPrincipalId: identity.outputs.principalId
    administratorId: administratorId
  }
}

module settings 'modules/settings.bicep' = {
  scope: group
  name: 'settings'
  params: {
    functionAppName: functions.outputs.name
    storageAccountName: storage.outputs.name
    vaultUrl: vault.outputs.url
    apiUrl: functions.outputs.apiUrl
    portalUrl: portal.outputs.url
    identityClientId: identity.outputs.clientId
    apiClientId: useGraphExtension ? registrations!.outputs.apiClientId : apiClientId
    portalClientId: useGraphExtension ? registrations!.outputs.portalClientId : portalClientId
    partnerClientId: useGraphExtension ? registrations!.outputs.partnerClientId : partnerClientId
    insightsConnectionString: monitoring.outputs.connectionString
    gdapGroupName: gdapGroupName
    approvalAboveDevices: approvalAboveDevices
    approvalHours: approvalHours
    changeRetentionDays: changeRetentionDays
    auditRetentionDays: auditRetentionDays
  }
}

module diagnostics 'modules/diagnostics.bicep' = {
  scope: group
  name: 'diagnostics'
  params: {
    workspaceId: monitoring.outputs.workspaceId
    vaultName: vault.outputs.name
    storageAccountName: storage.outputs.name
    storageRequests: logStorageRequests
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  name: 'alerts'
  params: {
    name: 'ag-${base}'
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    emails: emails
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  name: 'workbook'
  params: {
    displayName: 'Tenantry (${environmentName})'
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
  }
}

module budget 'modules/budget.bicep' = if (hasBudget) {
  scope: group
  name: 'budget'
  params: {
    name: 'budget-${base}'
    amount: monthlyBudget
    emails: emails
    startDate: firstMonth
  }
}

@description('Entra tenant of the subscription, which is the provider\'s; the scripted registrations are made there.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('First day of the month in which the budget began; the next deployment gives it back. Empty as long as there was none.')
output BUDGET_START string = hasBudget ? firstMonth : budgetStart

@description('Name of the resource group.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the Function App.')
output FUNCTION_APP_NAME string = functions.outputs.name

@description('Name of the Static Web App.')
output PORTAL_NAME string = portal.outputs.name

@description('Address of the API; goes into the portal.')
output PUBLIC_API_URL string = functions.outputs.apiUrl

@description('Address of the portal.')
output PORTAL_URL string = portal.outputs.url

@description('Where people sign in; goes into the portal.')
output SIGN_IN_URL string = clouds[environment().name].login

@description('Object id of the managed identity; the scripted registrations trust it.')
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId

@description('Address of the vault.')
output KEY_VAULT_URL string = vault.outputs.url

@description('Client id of the API; runbooks need it.')
output API_CLIENT_ID string = useGraphExtension ? registrations!.outputs.apiClientId : apiClientId

@description('Client id of the portal.')
output PORTAL_CLIENT_ID string = useGraphExtension ? registrations!.outputs.portalClientId : portalClientId

@description('Client id of the multi-tenant registration; runbooks need it.')
output PARTNER_CLIENT_ID string = useGraphExtension ? registrations!.outputs.partnerClientId : partnerClientId

@description('Object id of the service principal that clients delegate their subscriptions to.')
output PARTNER_PRINCIPAL_ID string = useGraphExtension ? registrations!.outputs.partnerPrincipalId : partnerPrincipalId
