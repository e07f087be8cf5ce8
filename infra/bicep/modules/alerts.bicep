// Alerts on Tenantry itself: what its metrics say goes wrong, told by e-mail. A rule closes its alert by itself.

@description('Name of the action group; the rules carry it in front of theirs.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Resource id of the Log Analytics workspace.')
param workspaceId string

@description('Who is told; empty: the alerts are seen in the Azure portal only.')
param emails array

var rules = loadJsonContent('../alerts.json')

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'Tenantry'
    emailReceivers: [for (email, number) in emails: {
      name: 'email-${number}'
      emailAddress: email
      useCommonAlertSchema: true
    }]
  }
}

resource rule 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for row in rules: {
  name: '${name}-${row.name}'
  location: location
  tags: tags
  properties: {
    displayName: row.title
    description: row.description
    severity: row.severity
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: row.every
    windowSize: row.over
    criteria: {
      allOf: [
        {
          query: row.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    // A metric that was never sent has no table yet when the rules are made.
    skipQueryValidation: true
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}]
