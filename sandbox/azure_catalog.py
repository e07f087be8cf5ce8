"""The catalogue of ARM types that simulated customers own: one row per type.

Type names, kinds and skus are spelled as Azure Resource Manager returns them. `reported` follows Microsoft's list of
types with health checks (learn.microsoft.com/azure/service-health/resource-health-checks-resource-types).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.azure_properties import (
    DISK,
    NIC,
    PLAIN,
    PUBLIC_IP,
    VM,
    Properties,
    address_properties,
    disk_properties,
    firewall_properties,
    interface_properties,
    machine_properties,
    plain,
    with_host,
)


@dataclass(frozen=True)
class AzureType:
    """One ARM type: how it is spelled, shown and made. `weight` is its share in a random customer's estate."""

    type: str
    display: str
    prefix: str
    """Of names; ends without a dash when the service allows letters and digits only."""
    weight: int
    reported: bool = True
    """Resource Health reports it."""
    kind: str | None = None
    sku: dict[str, Any] | None = None
    properties: Properties = PLAIN


TYPES: list[AzureType] = [
    AzureType(VM, "Virtual machine", "vm-", 24, properties=machine_properties),
    AzureType(
        "Microsoft.Compute/virtualMachineScaleSets",
        "Virtual machine scale set",
        "vmss-",
        2,
        sku={"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 3},
        properties=plain(orchestrationMode="Uniform", overprovision=True),
    ),
    AzureType(
        DISK,
        "Disk",
        "disk-",
        4,
        reported=False,
        sku={"name": "Premium_LRS", "tier": "Premium"},
        properties=disk_properties,
    ),
    AzureType(NIC, "Network interface", "nic-", 3, reported=False, properties=interface_properties),
    AzureType(
        PUBLIC_IP,
        "Public IP address",
        "pip-",
        2,
        reported=False,
        sku={"name": "Standard", "tier": "Regional"},
        properties=address_properties,
    ),
    AzureType(
        "Microsoft.Network/virtualNetworks",
        "Virtual network",
        "vnet-",
        3,
        reported=False,
        properties=plain(addressSpace={"addressPrefixes": ["10.0.0.0/16"]}, subnets=[]),
    ),
    AzureType(
        "Microsoft.Network/networkSecurityGroups",
        "Network security group",
        "nsg-",
        3,
        reported=False,
        properties=plain(securityRules=[]),
    ),
    AzureType("Microsoft.Network/loadBalancers", "Load balancer", "lb-", 2, sku={"name": "Standard"}),
    AzureType(
        "Microsoft.Network/applicationGateways",
        "Application gateway",
        "agw-",
        1,
        properties=plain(operationalState="Running", sku={"name": "Standard_v2", "tier": "Standard_v2", "capacity": 2}),
    ),
    AzureType(
        "Microsoft.Network/azureFirewalls",
        "Firewall",
        "afw-",
        1,
        properties=firewall_properties,
    ),
    AzureType(
        "Microsoft.Network/virtualNetworkGateways",
        "Virtual network gateway",
        "vgw-",
        2,
        properties=plain(
            gatewayType="Vpn", vpnType="RouteBased", sku={"name": "VpnGw1", "tier": "VpnGw1", "capacity": 2}
        ),
    ),
    AzureType(
        "Microsoft.Network/connections",
        "Connection",
        "cn-",
        2,
        properties=plain(connectionType="IPsec", connectionStatus="Connected"),
    ),
    AzureType("Microsoft.Network/natGateways", "NAT gateway", "ng-", 1, sku={"name": "Standard"}),
    AzureType("Microsoft.Network/bastionHosts", "Bastion", "bas-", 1, sku={"name": "Basic"}),
    AzureType(
        "Microsoft.Network/trafficManagerProfiles",
        "Traffic Manager profile",
        "traf-",
        1,
        properties=plain(profileStatus="Enabled", trafficRoutingMethod="Performance"),
    ),
    AzureType(
        "Microsoft.Storage/storageAccounts",
        "Storage account",
        "st",
        8,
        kind="StorageV2",
        sku={"name": "Standard_LRS", "tier": "Standard"},
        properties=plain(accessTier="Hot", statusOfPrimary="available", supportsHttpsTrafficOnly=True),
    ),
    AzureType(
        "Microsoft.Web/sites",
        "App Service",
        "app-",
        6,
        kind="app,linux",
        properties=with_host(
            "{}.azurewebsites.net", "defaultHostName", state="Running", enabled=True, availabilityState="Normal"
        ),
    ),
    AzureType(
        "Microsoft.Web/serverfarms",
        "App Service plan",
        "asp-",
        3,
        kind="linux",
        sku={"name": "P1v3", "tier": "PremiumV3", "size": "P1v3", "family": "Pv3", "capacity": 1},
        properties=plain(status="Ready", reserved=True),
    ),
    AzureType("Microsoft.Web/staticSites", "Static web app", "stapp-", 1, reported=False, sku={"name": "Standard"}),
    AzureType(
        "Microsoft.Sql/servers",
        "SQL server",
        "sql-",
        2,
        reported=False,
        kind="v12.0",
        properties=with_host("{}.database.windows.net", "fullyQualifiedDomainName", state="Ready", version="12.0"),
    ),
    AzureType(
        "Microsoft.Sql/servers/databases",
        "SQL database",
        "sqldb-",
        5,
        kind="v12.0,user",
        sku={"name": "Standard", "tier": "Standard", "capacity": 10},
        properties=plain(status="Online", collation="SQL_Latin1_General_CP1_CI_AS"),
    ),
    AzureType(
        "Microsoft.Sql/managedInstances",
        "SQL managed instance",
        "sqlmi-",
        1,
        sku={"name": "GP_Gen5", "tier": "GeneralPurpose", "family": "Gen5", "capacity": 4},
        properties=plain(state="Ready", vCores=4),
    ),
    AzureType(
        "Microsoft.DBforPostgreSQL/flexibleServers",
        "PostgreSQL flexible server",
        "psql-",
        2,
        sku={"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
        properties=with_host("{}.postgres.database.azure.com", "fullyQualifiedDomainName", state="Ready", version="16"),
    ),
    AzureType(
        "Microsoft.DBforMySQL/flexibleServers",
        "MySQL flexible server",
        "mysql-",
        2,
        reported=False,
        sku={"name": "Standard_D2ads_v5", "tier": "GeneralPurpose"},
        properties=with_host(
            "{}.mysql.database.azure.com", "fullyQualifiedDomainName", state="Ready", version="8.0.21"
        ),
    ),
    AzureType(
        "Microsoft.DocumentDB/databaseAccounts",
        "Cosmos DB account",
        "cosmos-",
        2,
        kind="GlobalDocumentDB",
        properties=with_host(
            "https://{}.documents.azure.com:443/", "documentEndpoint", databaseAccountOfferType="Standard"
        ),
    ),
    AzureType(
        "Microsoft.Cache/redis",
        "Cache for Redis",
        "redis-",
        2,
        properties=with_host(
            "{}.redis.cache.windows.net", "hostName", sku={"name": "Standard", "family": "C", "capacity": 1}
        ),
    ),
    AzureType(
        "Microsoft.KeyVault/vaults",
        "Key vault",
        "kv-",
        4,
        properties=with_host(
            "https://{}.vault.azure.net/", "vaultUri", sku={"family": "A", "name": "standard"}, accessPolicies=[]
        ),
    ),
    AzureType(
        "Microsoft.ContainerService/managedClusters",
        "Kubernetes service",
        "aks-",
        2,
        kind="Base",
        sku={"name": "Base", "tier": "Standard"},
        properties=plain(powerState={"code": "Running"}, kubernetesVersion="1.33.2", agentPoolProfiles=[]),
    ),
    AzureType(
        "Microsoft.ContainerInstance/containerGroups",
        "Container instances",
        "ci-",
        2,
        reported=False,
        properties=plain(osType="Linux", sku="Standard", instanceView={"events": [], "state": "Running"}),
    ),
    AzureType(
        "Microsoft.ContainerRegistry/registries",
        "Container registry",
        "cr",
        1,
        reported=False,
        sku={"name": "Standard", "tier": "Standard"},
        properties=with_host("{}.azurecr.io", "loginServer"),
    ),
    AzureType(
        "Microsoft.App/containerApps",
        "Container app",
        "ca-",
        2,
        reported=False,
        properties=plain(runningStatus="Running"),
    ),
    AzureType("Microsoft.App/managedEnvironments", "Container Apps environment", "cae-", 1, reported=False),
    AzureType(
        "Microsoft.Logic/workflows",
        "Logic app",
        "logic-",
        3,
        reported=False,
        properties=plain(state="Enabled", version="0858"),
    ),
    AzureType("Microsoft.DataFactory/factories", "Data factory", "adf-", 1, properties=plain(version="2018-06-01")),
    AzureType(
        "Microsoft.StreamAnalytics/streamingjobs",
        "Stream Analytics job",
        "asa-",
        1,
        properties=plain(jobState="Running"),
    ),
    AzureType(
        "Microsoft.Kusto/clusters",
        "Data Explorer cluster",
        "dec",
        1,
        sku={"name": "Standard_E2ads_v5", "tier": "Standard", "capacity": 2},
        properties=plain(state="Running"),
    ),
    AzureType(
        "Microsoft.AnalysisServices/servers",
        "Analysis Services server",
        "as",
        1,
        sku={"name": "S0", "tier": "Standard", "capacity": 1},
        properties=plain(state="Succeeded"),
    ),
    AzureType(
        "Microsoft.Fabric/capacities",
        "Fabric capacity",
        "fc",
        1,
        reported=False,
        sku={"name": "F2", "tier": "Fabric"},
        properties=plain(state="Active"),
    ),
    AzureType(
        "Microsoft.ServiceBus/namespaces",
        "Service Bus namespace",
        "sbns-",
        2,
        sku={"name": "Standard", "tier": "Standard"},
        properties=plain(status="Active"),
    ),
    AzureType(
        "Microsoft.EventHub/namespaces",
        "Event Hubs namespace",
        "evhns-",
        1,
        sku={"name": "Standard", "tier": "Standard", "capacity": 1},
        properties=plain(status="Active"),
    ),
    AzureType(
        "Microsoft.SignalRService/signalR",
        "SignalR service",
        "sigr-",
        1,
        kind="SignalR",
        sku={"name": "Standard_S1", "tier": "Standard", "capacity": 1},
        properties=with_host("{}.service.signalr.net", "hostName"),
    ),
    AzureType(
        "Microsoft.ApiManagement/service",
        "API Management service",
        "apim-",
        1,
        sku={"name": "Developer", "capacity": 1},
        properties=with_host("https://{}.azure-api.net", "gatewayUrl"),
    ),
    AzureType(
        "Microsoft.CognitiveServices/accounts",
        "AI services account",
        "oai-",
        2,
        kind="OpenAI",
        sku={"name": "S0"},
        properties=with_host("https://{}.openai.azure.com/", "endpoint"),
    ),
    AzureType(
        "Microsoft.Search/searchServices",
        "Search service",
        "srch-",
        1,
        sku={"name": "basic"},
        properties=plain(status="running"),
    ),
    AzureType(
        "Microsoft.OperationalInsights/workspaces",
        "Log Analytics workspace",
        "log-",
        3,
        properties=plain(retentionInDays=30),
    ),
    AzureType(
        "Microsoft.Insights/components",
        "Application Insights",
        "appi-",
        3,
        reported=False,
        kind="web",
        properties=plain(Application_Type="web"),
    ),
    AzureType("Microsoft.RecoveryServices/vaults", "Recovery Services vault", "rsv-", 2, sku={"name": "Standard"}),
    AzureType(
        "Microsoft.Automation/automationAccounts",
        "Automation account",
        "aa-",
        1,
        reported=False,
        properties=plain(state="Ok"),
    ),
    AzureType("Microsoft.ManagedIdentity/userAssignedIdentities", "Managed identity", "id-", 2, reported=False),
    AzureType(
        "Microsoft.HybridCompute/machines",
        "Arc-enabled server",
        "srv-",
        3,
        properties=plain(status="Connected", osType="windows", agentVersion="1.52"),
    ),
]
"""Every type the worlds are made of."""

BY_NAME: dict[str, AzureType] = {row.type.lower(): row for row in TYPES}
"""Lower-cased type -> row."""
