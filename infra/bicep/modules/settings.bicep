// The settings of the Function App: those of shared/settings.py, and five that the Functions host and its worker read. Endpoints of
// Microsoft's are not set, as they follow from AZURE_CLOUD.

@description('Name of the Function App.')
param functionAppName string

@description('Name of the storage account.')
param storageAccountName string

@description('Address of the vault.')
param vaultUrl string

@description('Address of the API, ends with /api.')
param apiUrl string

@description('Address of the portal.')
param portalUrl string

@description('Client id of the managed identity.')
param identityClientId string

@description('Client id of the API.')
param apiClientId string

@description('Client id of the portal.')
param portalClientId string

@description('Client id of the multi-tenant registration.')
param partnerClientId string

@description('Where telemetry is sent to.')
param insightsConnectionString string

@description('Security group of the partner tenant that holds the GDAP access assignments.')
param gdapGroupName string

@description('An action on more devices than this waits until a second person approves it; 0: none does.')
@minValue(0)
param approvalAboveDevices int

@description('Hours after which an approval is no longer waited for.')
@minValue(1)
@maxValue(168)
param approvalHours int

@description('Days that health changes, closed alerts, operations and deliveries are kept.')
@minValue(1)
param changeRetentionDays int

@description('Days that the audit log is kept.')
@minValue(30)
param auditRetentionDays int

resource site 'Microsoft.Web/sites@2024-11-01' existing = {
  name: functionAppName
}

resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  // checkov:skip=CKV_AZURE_66: failed request tracing is no app setting; this resource holds app settings only
  // checkov:skip=CKV_AZURE_63: HTTP logging is no app setting; this resource holds app settings only
  // checkov:skip=CKV_AZURE_222: public network access is no app setting; this resource holds app settings only
  // checkov:skip=CKV_AZURE_80: a .NET version is no app setting; this resource holds app settings only
  // checkov:skip=CKV_AZURE_13: sign-in by the platform is no app setting; this resource holds app settings only
  // checkov:skip=CKV_AZURE_88: file shares is no app setting; this resource holds app settings only
  // checkov:skip=CKV_AZURE_65: error pages is no app setting; this resource holds app settings only
  parent: site
  name: 'appsettings'
  properties: {
    AzureWebJobsStorage__accountName: storageAccountName
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    KEY_VAULT_URL: vaultUrl
    PUBLIC_API_URL: apiUrl
    PORTAL_URL: portalUrl
    AZURE_CLOUD: environment().name
    API_TENANT_ID: tenant().tenantId
    API_CLIENT_ID: apiClientId
    PORTAL_CLIENT_ID: portalClientId
    PARTNER_CLIENT_ID: partnerClientId
    MANAGED_IDENTITY_CLIENT_ID: identityClientId
    GDAP_GROUP_NAME: gdapGroupName
    APPROVAL_ABOVE_DEVICES: string(approvalAboveDevices)
    APPROVAL_HOURS: string(approvalHours)
    CHANGE_RETENTION_DAYS: string(changeRetentionDays)
    AUDIT_RETENTION_DAYS: string(auditRetentionDays)
  }
}
