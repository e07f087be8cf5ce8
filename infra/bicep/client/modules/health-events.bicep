// Resource Health events of every resource of the subscription, sent to Tenantry within minutes of the change.

@description('Address of the event source, with its secret.')
@secure()
param eventsUrl string

resource tenantry 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-tenantry'
  location: 'global'
  properties: {
    enabled: true
    groupShortName: 'Tenantry'
    webhookReceivers: [
      {
        name: 'tenantry'
        serviceUri: eventsUrl
        useCommonAlertSchema: true
      }
    ]
  }
}

resource rule 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'tenantry-resource-health'
  location: 'global'
  properties: {
    enabled: true
    description: 'Tells Tenantry when Azure says that a resource is unavailable, degraded or well again.'
    scopes: [
      subscription().id
    ]
    condition: {
      allOf: [
        {
          field: 'category'
          equals: 'ResourceHealth'
        }
      ]
    }
    actions: {
      actionGroups: [
        {
          actionGroupId: tenantry.id
        }
      ]
    }
  }
}
