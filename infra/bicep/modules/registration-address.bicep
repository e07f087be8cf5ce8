// The second writing of the API's registration: nothing but its address, api://<client id>. A registration that is there
// is changed where the template says something, and left as it is where it does not.

extension microsoftGraphV1

@description('Unique name of the registration that is there.')
param uniqueName string

@description('Its display name, unchanged.')
param displayName string

@description('Its client id.')
param appId string

resource api 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: uniqueName
  displayName: displayName
  identifierUris: [
    'api://${appId}'
  ]
}
