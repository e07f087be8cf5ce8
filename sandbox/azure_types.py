"""The ARM types that simulated customers own, and the maker of one realistic resource of a type.

Type names, kinds and skus are spelled as Azure Resource Manager returns them. `reported` follows Microsoft's list of
types with health checks (learn.microsoft.com/azure/service-health/resource-health-checks-resource-types).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.world import Health, Resource, Subscription, World

VM = "Microsoft.Compute/virtualMachines"
DISK = "Microsoft.Compute/disks"
NIC = "Microsoft.Network/networkInterfaces"
PUBLIC_IP = "Microsoft.Network/publicIPAddresses"

REGIONS = {
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "germanywestcentral": "Germany West Central",
    "uksouth": "UK South",
    "francecentral": "France Central",
    "swedencentral": "Sweden Central",
    "switzerlandnorth": "Switzerland North",
    "eastus": "East US",
    "eastus2": "East US 2",
    "westus2": "West US 2",
    "centralus": "Central US",
    "australiaeast": "Australia East",
}
"""Region name -> display name; a subscription lives in one, every sixth resource in the next."""

_WORKLOADS = ("web", "data", "erp", "files", "identity", "shop", "backup", "analytics")
_COST_CENTERS = ("1001", "1002", "2040", "3300")
_SIZES = ("Standard_B2ms", "Standard_D2s_v5", "Standard_D4s_v5", "Standard_E4s_v5", "Standard_F4s_v2")
_EPOCH = datetime(2025, 1, 1, tzinfo=UTC)

_HARDWARE = {size: {"vmSize": size} for size in _SIZES}
_IMAGES = {
    "Windows": {
        "publisher": "MicrosoftWindowsServer",
        "offer": "WindowsServer",
        "sku": "2022-datacenter-azure-edition",
        "version": "latest",
        "exactVersion": "20348.3091.250112",
    },
    "Linux": {
        "publisher": "Canonical",
        "offer": "ubuntu-24_04-lts",
        "sku": "server",
        "version": "latest",
        "exactVersion": "24.04.202501140",
    },
}
_SUCCEEDED: dict[str, Any] = {"provisioningState": "Succeeded"}

Properties = Callable[[World, Resource], dict[str, Any]]


def _plain(**values: Any) -> Properties:
    """Properties that are the same for every resource of the type: one dict, shared."""
    shared = {**_SUCCEEDED, **values}
    return lambda _world, _resource: shared


_PLAIN = _plain()


def _vm(world: World, vm: Resource) -> dict[str, Any]:
    seed = zlib.crc32(vm.id.encode())
    os_type = "Linux" if seed % 5 < 2 else "Windows"
    group = vm.id[: vm.id.index("/providers/")]
    return {
        "vmId": world.guid("vm", vm.id),
        "hardwareProfile": _HARDWARE[_SIZES[seed % len(_SIZES)]],
        "storageProfile": {
            "imageReference": _IMAGES[os_type],
            "osDisk": {
                "osType": os_type,
                "name": f"{vm.name}-osdisk",
                "createOption": "FromImage",
                "caching": "ReadWrite",
                "diskSizeGB": 128,
                "managedDisk": {
                    "storageAccountType": "Premium_LRS",
                    "id": f"{group}/providers/{DISK}/{vm.name}-osdisk",
                },
            },
            "dataDisks": [],
        },
        "osProfile": {"computerName": vm.name, "adminUsername": "azureadmin"},
        "networkProfile": {
            "networkInterfaces": [{"id": f"{group}/providers/{NIC}/{vm.name}-nic", "properties": {"primary": True}}]
        },
        "provisioningState": "Succeeded",
        "timeCreated": f"{vm.created:%Y-%m-%dT%H:%M:%S}.1234567+00:00",
    }


def _nic(_world: World, nic: Resource) -> dict[str, Any]:
    """A virtual machine's interface when the name says so (`<vm>-nic`), a private endpoint's otherwise."""
    group = nic.id[: nic.id.index("/providers/")]
    seed = zlib.crc32(nic.id.encode())
    address: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "privateIPAddress": f"10.{seed % 200}.{seed // 200 % 250}.{4 + seed // 50000 % 250}",
        "privateIPAllocationMethod": "Dynamic",
        "privateIPAddressVersion": "IPv4",
        "primary": True,
        "subnet": {"id": f"{group}/providers/Microsoft.Network/virtualNetworks/vnet-{nic.location}/subnets/default"},
    }
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "ipConfigurations": [
            {"name": "ipconfig1", "id": f"{nic.id}/ipConfigurations/ipconfig1", "properties": address}
        ],
        "primary": True,
        "macAddress": "-".join(f"{byte:02X}" for byte in (0, 0x0D, 0x3A, *seed.to_bytes(4, "big")[:3])),
        "enableIPForwarding": False,
    }
    if nic.name.endswith("-nic"):
        machine = nic.name.removesuffix("-nic")
        address["publicIPAddress"] = {"id": f"{group}/providers/{PUBLIC_IP}/{machine}-ip"}
        properties["virtualMachine"] = {"id": f"{group}/providers/{VM}/{machine}"}
    return properties


def _public_ip(_world: World, address: Resource) -> dict[str, Any]:
    group = address.id[: address.id.index("/providers/")]
    seed = zlib.crc32(address.id.encode())
    # 203.0.113.0/24 and its siblings are reserved for documentation (RFC 5737).
    owner = f"{address.name.removesuffix('-ip')}-nic" if address.name.endswith("-ip") else f"nic-{address.name}"
    return {
        "provisioningState": "Succeeded",
        "ipAddress": f"203.0.113.{1 + seed % 254}",
        "publicIPAllocationMethod": "Static",
        "publicIPAddressVersion": "IPv4",
        "idleTimeoutInMinutes": 4,
        "ipConfiguration": {"id": f"{group}/providers/{NIC}/{owner}/ipConfigurations/ipconfig1"},
    }


def _disk(_world: World, disk: Resource) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "diskSizeGB": 128,
        "diskState": "Unattached",
        "creationData": {"createOption": "Empty"},
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
    }
    if disk.name.endswith("-osdisk"):
        seed = zlib.crc32(disk.id.encode())
        properties |= {
            "diskState": "Attached",
            "osType": "Linux" if seed % 5 < 2 else "Windows",
            "creationData": {"createOption": "FromImage"},
        }
    return properties


def _host(suffix: str, key: str, **values: Any) -> Properties:
    """Properties with one host name made of the resource's name."""
    return lambda _world, resource: {**_SUCCEEDED, key: suffix.format(resource.name.rsplit("/", 1)[-1]), **values}


@dataclass(frozen=True)
class AzureType:
    """One ARM type: how it is spelled, shown and made. `weight` is its share in a random customer's estate."""

    type: str
    display: str
    kind: str | None
    reported: bool
    """Resource Health reports it."""
    weight: int
    prefix: str
    """Of names; ends without a dash when the service allows letters and digits only."""
    sku: dict[str, Any] | None = None
    properties: Properties = _PLAIN


TYPES: list[AzureType] = [
    AzureType(VM, "Virtual machine", None, True, 24, "vm-", None, _vm),
    AzureType(
        "Microsoft.Compute/virtualMachineScaleSets",
        "Virtual machine scale set",
        None,
        True,
        2,
        "vmss-",
        {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 3},
        _plain(orchestrationMode="Uniform", overprovision=True),
    ),
    AzureType(DISK, "Disk", None, False, 4, "disk-", {"name": "Premium_LRS", "tier": "Premium"}, _disk),
    AzureType(NIC, "Network interface", None, False, 3, "nic-", None, _nic),
    AzureType(
        PUBLIC_IP, "Public IP address", None, False, 2, "pip-", {"name": "Standard", "tier": "Regional"}, _public_ip
    ),
    AzureType(
        "Microsoft.Network/virtualNetworks",
        "Virtual network",
        None,
        False,
        3,
        "vnet-",
        None,
        _plain(addressSpace={"addressPrefixes": ["10.0.0.0/16"]}, subnets=[]),
    ),
    AzureType(
        "Microsoft.Network/networkSecurityGroups",
        "Network security group",
        None,
        False,
        3,
        "nsg-",
        None,
        _plain(securityRules=[]),
    ),
    AzureType("Microsoft.Network/loadBalancers", "Load balancer", None, True, 2, "lb-", {"name": "Standard"}),
    AzureType(
        "Microsoft.Network/applicationGateways",
        "Application gateway",
        None,
        True,
        1,
        "agw-",
        None,
        _plain(operationalState="Running", sku={"name": "Standard_v2", "tier": "Standard_v2", "capacity": 2}),
    ),
    AzureType(
        "Microsoft.Network/azureFirewalls",
        "Firewall",
        None,
        True,
        1,
        "afw-",
        None,
        _plain(sku={"name": "AZFW_VNet", "tier": "Standard"}),
    ),
    AzureType(
        "Microsoft.Network/virtualNetworkGateways",
        "Virtual network gateway",
        None,
        True,
        2,
        "vgw-",
        None,
        _plain(gatewayType="Vpn", vpnType="RouteBased", sku={"name": "VpnGw1", "tier": "VpnGw1", "capacity": 2}),
    ),
    AzureType(
        "Microsoft.Network/connections",
        "Connection",
        None,
        True,
        2,
        "cn-",
        None,
        _plain(connectionType="IPsec", connectionStatus="Connected"),
    ),
    AzureType("Microsoft.Network/natGateways", "NAT gateway", None, True, 1, "ng-", {"name": "Standard"}),
    AzureType("Microsoft.Network/bastionHosts", "Bastion", None, True, 1, "bas-", {"name": "Basic"}),
    AzureType(
        "Microsoft.Network/trafficManagerProfiles",
        "Traffic Manager profile",
        None,
        True,
        1,
        "traf-",
        None,
        _plain(profileStatus="Enabled", trafficRoutingMethod="Performance"),
    ),
    AzureType(
        "Microsoft.Storage/storageAccounts",
        "Storage account",
        "StorageV2",
        True,
        8,
        "st",
        {"name": "Standard_LRS", "tier": "Standard"},
        _plain(accessTier="Hot", statusOfPrimary="available", supportsHttpsTrafficOnly=True),
    ),
    AzureType(
        "Microsoft.Web/sites",
        "App Service",
        "app,linux",
        True,
        6,
        "app-",
        None,
        _host("{}.azurewebsites.net", "defaultHostName", state="Running", enabled=True, availabilityState="Normal"),
    ),
    AzureType(
        "Microsoft.Web/serverfarms",
        "App Service plan",
        "linux",
        True,
        3,
        "asp-",
        {"name": "P1v3", "tier": "PremiumV3", "size": "P1v3", "family": "Pv3", "capacity": 1},
        _plain(status="Ready", reserved=True),
    ),
    AzureType("Microsoft.Web/staticSites", "Static web app", None, False, 1, "stapp-", {"name": "Standard"}),
    AzureType(
        "Microsoft.Sql/servers",
        "SQL server",
        "v12.0",
        False,
        2,
        "sql-",
        None,
        _host("{}.database.windows.net", "fullyQualifiedDomainName", state="Ready", version="12.0"),
    ),
    AzureType(
        "Microsoft.Sql/servers/databases",
        "SQL database",
        "v12.0,user",
        True,
        5,
        "sqldb-",
        {"name": "Standard", "tier": "Standard", "capacity": 10},
        _plain(status="Online", collation="SQL_Latin1_General_CP1_CI_AS"),
    ),
    AzureType(
        "Microsoft.Sql/managedInstances",
        "SQL managed instance",
        None,
        True,
        1,
        "sqlmi-",
        {"name": "GP_Gen5", "tier": "GeneralPurpose", "family": "Gen5", "capacity": 4},
        _plain(state="Ready", vCores=4),
    ),
    AzureType(
        "Microsoft.DBforPostgreSQL/flexibleServers",
        "PostgreSQL flexible server",
        None,
        True,
        2,
        "psql-",
        {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
        _host("{}.postgres.database.azure.com", "fullyQualifiedDomainName", state="Ready", version="16"),
    ),
    AzureType(
        "Microsoft.DBforMySQL/flexibleServers",
        "MySQL flexible server",
        None,
        False,
        2,
        "mysql-",
        {"name": "Standard_D2ads_v5", "tier": "GeneralPurpose"},
        _host("{}.mysql.database.azure.com", "fullyQualifiedDomainName", state="Ready", version="8.0.21"),
    ),
    AzureType(
        "Microsoft.DocumentDB/databaseAccounts",
        "Cosmos DB account",
        "GlobalDocumentDB",
        True,
        2,
        "cosmos-",
        None,
        _host("https://{}.documents.azure.com:443/", "documentEndpoint", databaseAccountOfferType="Standard"),
    ),
    AzureType(
        "Microsoft.Cache/redis",
        "Cache for Redis",
        None,
        True,
        2,
        "redis-",
        None,
        _host("{}.redis.cache.windows.net", "hostName", sku={"name": "Standard", "family": "C", "capacity": 1}),
    ),
    AzureType(
        "Microsoft.KeyVault/vaults",
        "Key vault",
        None,
        True,
        4,
        "kv-",
        None,
        _host("https://{}.vault.azure.net/", "vaultUri", sku={"family": "A", "name": "standard"}, accessPolicies=[]),
    ),
    AzureType(
        "Microsoft.ContainerService/managedClusters",
        "Kubernetes service",
        "Base",
        True,
        2,
        "aks-",
        {"name": "Base", "tier": "Standard"},
        _plain(powerState={"code": "Running"}, kubernetesVersion="1.33.2", agentPoolProfiles=[]),
    ),
    AzureType(
        "Microsoft.ContainerInstance/containerGroups",
        "Container instances",
        None,
        False,
        2,
        "ci-",
        None,
        _plain(osType="Linux", sku="Standard", instanceView={"events": [], "state": "Running"}),
    ),
    AzureType(
        "Microsoft.ContainerRegistry/registries",
        "Container registry",
        None,
        False,
        1,
        "cr",
        {"name": "Standard", "tier": "Standard"},
        _host("{}.azurecr.io", "loginServer"),
    ),
    AzureType(
        "Microsoft.App/containerApps", "Container app", None, False, 2, "ca-", None, _plain(runningStatus="Running")
    ),
    AzureType("Microsoft.App/managedEnvironments", "Container Apps environment", None, False, 1, "cae-"),
    AzureType(
        "Microsoft.Logic/workflows",
        "Logic app",
        None,
        False,
        3,
        "logic-",
        None,
        _plain(state="Enabled", version="0858"),
    ),
    AzureType(
        "Microsoft.DataFactory/factories", "Data factory", None, True, 1, "adf-", None, _plain(version="2018-06-01")
    ),
    AzureType(
        "Microsoft.StreamAnalytics/streamingjobs",
        "Stream Analytics job",
        None,
        True,
        1,
        "asa-",
        None,
        _plain(jobState="Running"),
    ),
    AzureType(
        "Microsoft.Kusto/clusters",
        "Data Explorer cluster",
        None,
        True,
        1,
        "dec",
        {"name": "Standard_E2ads_v5", "tier": "Standard", "capacity": 2},
        _plain(state="Running"),
    ),
    AzureType(
        "Microsoft.AnalysisServices/servers",
        "Analysis Services server",
        None,
        True,
        1,
        "as",
        {"name": "S0", "tier": "Standard", "capacity": 1},
        _plain(state="Succeeded"),
    ),
    AzureType(
        "Microsoft.Fabric/capacities",
        "Fabric capacity",
        None,
        False,
        1,
        "fc",
        {"name": "F2", "tier": "Fabric"},
        _plain(state="Active"),
    ),
    AzureType(
        "Microsoft.ServiceBus/namespaces",
        "Service Bus namespace",
        None,
        True,
        2,
        "sbns-",
        {"name": "Standard", "tier": "Standard"},
        _plain(status="Active"),
    ),
    AzureType(
        "Microsoft.EventHub/namespaces",
        "Event Hubs namespace",
        None,
        True,
        1,
        "evhns-",
        {"name": "Standard", "tier": "Standard", "capacity": 1},
        _plain(status="Active"),
    ),
    AzureType(
        "Microsoft.SignalRService/signalR",
        "SignalR service",
        "SignalR",
        True,
        1,
        "sigr-",
        {"name": "Standard_S1", "tier": "Standard", "capacity": 1},
        _host("{}.service.signalr.net", "hostName"),
    ),
    AzureType(
        "Microsoft.ApiManagement/service",
        "API Management service",
        None,
        True,
        1,
        "apim-",
        {"name": "Developer", "capacity": 1},
        _host("https://{}.azure-api.net", "gatewayUrl"),
    ),
    AzureType(
        "Microsoft.CognitiveServices/accounts",
        "AI services account",
        "OpenAI",
        True,
        2,
        "oai-",
        {"name": "S0"},
        _host("https://{}.openai.azure.com/", "endpoint"),
    ),
    AzureType(
        "Microsoft.Search/searchServices",
        "Search service",
        None,
        True,
        1,
        "srch-",
        {"name": "basic"},
        _plain(status="running"),
    ),
    AzureType(
        "Microsoft.OperationalInsights/workspaces",
        "Log Analytics workspace",
        None,
        True,
        3,
        "log-",
        None,
        _plain(retentionInDays=30),
    ),
    AzureType(
        "Microsoft.Insights/components",
        "Application Insights",
        "web",
        False,
        3,
        "appi-",
        None,
        _plain(Application_Type="web"),
    ),
    AzureType(
        "Microsoft.RecoveryServices/vaults", "Recovery Services vault", None, True, 2, "rsv-", {"name": "Standard"}
    ),
    AzureType(
        "Microsoft.Automation/automationAccounts", "Automation account", None, False, 1, "aa-", None, _plain(state="Ok")
    ),
    AzureType("Microsoft.ManagedIdentity/userAssignedIdentities", "Managed identity", None, False, 2, "id-", None),
    AzureType(
        "Microsoft.HybridCompute/machines",
        "Arc-enabled server",
        None,
        True,
        3,
        "srv-",
        None,
        _plain(status="Connected", osType="windows", agentVersion="1.52"),
    ),
]
"""Every type the worlds are made of."""

BY_NAME: dict[str, AzureType] = {row.type.lower(): row for row in TYPES}
"""Lower-cased type -> row."""


def home_region(subscription: Subscription) -> str:
    """The region most of a subscription's resources are in: depends on its id only."""
    return tuple(REGIONS)[zlib.crc32(subscription.id.encode()) % 6]


def make_resource(world: World, subscription: Subscription, type_name: str, index: int) -> Resource:
    """A resource of a type, not yet put into the subscription; the same arguments give the same resource.

    `index` tells resources of one type in one subscription apart (0 and up). Types that Resource Health reports
    start Available, virtual machines run. `properties` and `sku` may be shared between resources: replace, never
    change in place. Raises KeyError for a type that is not in `TYPES`.
    """
    row = BY_NAME[type_name.lower()]
    seed = zlib.crc32(f"{subscription.id}{type_name}{index}".encode())
    # Resources of one workload share a resource group, whatever their type.
    workload = _WORKLOADS[index % len(_WORKLOADS)]
    group = f"rg-{workload}-{'test' if index % 7 == 5 else 'prod'}"
    name = _name(row, subscription, workload, index)
    return build(
        world,
        subscription,
        row,
        group=group,
        name=name,
        location=_location(subscription, index),
        created=_EPOCH + timedelta(days=seed % 400, seconds=seed % 86_400),
        tags={
            "environment": "test" if index % 7 == 5 else "prod",
            "workload": workload,
            "costCenter": _COST_CENTERS[seed % len(_COST_CENTERS)],
        },
    )


def companions(world: World, subscription: Subscription, machine: Resource) -> list[Resource]:
    """The disk, the network interface and the public IP address that a virtual machine's properties name."""
    rows = ((DISK, "-osdisk"), (NIC, "-nic"), (PUBLIC_IP, "-ip"))
    made = [
        build(
            world,
            subscription,
            BY_NAME[type_name.lower()],
            group=machine.resource_group,
            name=machine.name + suffix,
            location=machine.location,
            created=machine.created,
            tags=dict(machine.tags),
        )
        for type_name, suffix in rows
    ]
    made[0].properties |= {"managedBy": machine.id, "osType": machine.properties["storageProfile"]["osDisk"]["osType"]}
    return made


def build(
    world: World,
    subscription: Subscription,
    row: AzureType,
    *,
    group: str,
    name: str,
    location: str,
    created: datetime,
    tags: dict[str, str],
) -> Resource:
    """A resource with a given name in a given group; `name` of a child type is `parent/child`."""
    provider, *kinds = row.type.split("/")
    path = "/".join(f"{kind}/{part}" for kind, part in zip(kinds, name.split("/"), strict=True))
    resource = Resource(
        id=f"/subscriptions/{subscription.id}/resourceGroups/{group}/providers/{provider}/{path}",
        name=name,
        type=row.type,
        location=location,
        resource_group=group,
        subscription_id=subscription.id,
        kind=row.kind,
        tags=tags,
        sku=row.sku,
        created=created,
        power="running" if row.type == VM else None,
    )
    resource.properties = row.properties(world, resource)
    if row.reported:
        now = world.clock.now()
        since = now - timedelta(seconds=86_400 + zlib.crc32(resource.id.encode()) % 2_000_000)
        resource.health = Health("Available", since, now, summary=available_summary(row))
        resource.health_history.append(resource.health)
    return resource


def available_summary(row: AzureType) -> str:
    """What Resource Health says about a healthy resource of a type."""
    return f"There aren't any known Azure platform problems affecting this {row.display[0].lower()}{row.display[1:]}"


def _name(row: AzureType, subscription: Subscription, workload: str, index: int) -> str:
    if row.type == "Microsoft.Sql/servers/databases":
        return (
            f"{_name(BY_NAME['microsoft.sql/servers'], subscription, 'data', index // 4)}/sqldb-{workload}-{index:03}"
        )
    # Names of services with a public host name are unique in the world, so they carry a part of the subscription's id.
    short = subscription.id[:6]
    if not row.prefix.endswith("-"):
        return f"{row.prefix}{workload}{short}{index:03}"
    return f"{row.prefix}{workload}-{index:02}" if row.type == VM else f"{row.prefix}{workload}-{short}-{index:02}"


def _location(subscription: Subscription, index: int) -> str:
    names = tuple(REGIONS)
    home = names.index(home_region(subscription))
    return names[(home + 1) % len(names)] if index % 6 == 5 else names[home]
