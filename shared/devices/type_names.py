"""What people call the ARM resource types; every other type is named by its last segment."""

from __future__ import annotations

import re
from functools import lru_cache

NAMES = {
    "microsoft.analysisservices/servers": "Analysis Services server",
    "microsoft.apimanagement/service": "API Management service",
    "microsoft.app/containerapps": "Container App",
    "microsoft.automation/automationaccounts": "Automation account",
    "microsoft.batch/batchaccounts": "Batch account",
    "microsoft.cache/redis": "Azure Cache for Redis",
    "microsoft.cdn/profiles": "Front Door or CDN profile",
    "microsoft.cognitiveservices/accounts": "Azure AI services account",
    "microsoft.compute/availabilitysets": "Availability set",
    "microsoft.compute/disks": "Disk",
    "microsoft.compute/snapshots": "Snapshot",
    "microsoft.compute/virtualmachines": "Virtual machine",
    "microsoft.compute/virtualmachinescalesets": "Virtual machine scale set",
    "microsoft.containerinstance/containergroups": "Container instances",
    "microsoft.containerregistry/registries": "Container registry",
    "microsoft.containerservice/managedclusters": "Kubernetes service",
    "microsoft.datafactory/factories": "Data factory",
    "microsoft.dbformysql/flexibleservers": "Azure Database for MySQL",
    "microsoft.dbforpostgresql/flexibleservers": "Azure Database for PostgreSQL",
    "microsoft.devices/iothubs": "IoT hub",
    "microsoft.documentdb/databaseaccounts": "Cosmos DB account",
    "microsoft.eventhub/namespaces": "Event Hubs namespace",
    "microsoft.hybridcompute/machines": "Azure Arc machine",
    "microsoft.insights/components": "Application Insights",
    "microsoft.keyvault/vaults": "Key vault",
    "microsoft.kusto/clusters": "Data Explorer cluster",
    "microsoft.logic/workflows": "Logic app",
    "microsoft.network/applicationgateways": "Application gateway",
    "microsoft.network/azurefirewalls": "Firewall",
    "microsoft.network/bastionhosts": "Bastion",
    "microsoft.network/connections": "VPN connection",
    "microsoft.network/dnszones": "DNS zone",
    "microsoft.network/expressroutecircuits": "ExpressRoute circuit",
    "microsoft.network/loadbalancers": "Load balancer",
    "microsoft.network/natgateways": "NAT gateway",
    "microsoft.network/networkinterfaces": "Network interface",
    "microsoft.network/networksecuritygroups": "Network security group",
    "microsoft.network/publicipaddresses": "Public IP address",
    "microsoft.network/trafficmanagerprofiles": "Traffic Manager profile",
    "microsoft.network/virtualnetworkgateways": "Virtual network gateway",
    "microsoft.network/virtualnetworks": "Virtual network",
    "microsoft.operationalinsights/workspaces": "Log Analytics workspace",
    "microsoft.recoveryservices/vaults": "Recovery Services vault",
    "microsoft.search/searchservices": "AI Search service",
    "microsoft.servicebus/namespaces": "Service Bus namespace",
    "microsoft.signalrservice/signalr": "SignalR",
    "microsoft.sql/managedinstances": "SQL managed instance",
    "microsoft.sql/servers": "SQL server",
    "microsoft.sql/servers/databases": "SQL database",
    "microsoft.storage/storageaccounts": "Storage account",
    "microsoft.streamanalytics/streamingjobs": "Stream Analytics job",
    "microsoft.synapse/workspaces": "Synapse workspace",
    "microsoft.web/serverfarms": "App Service plan",
    "microsoft.web/sites": "App Service",
    "microsoft.web/sites/slots": "App Service slot",
}
"""Lower-cased type -> name in Azure's portal, in the singular."""


@lru_cache(maxsize=1000)
def type_name(resource_type: str) -> str:
    """`Virtual machine` for `Microsoft.Compute/virtualMachines`; `Cassandra clusters` for a type without a row."""
    known = NAMES.get(resource_type.lower())
    if known is not None:
        return known
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", resource_type.rpartition("/")[2])
    return words[:1].upper() + words[1:].lower()
