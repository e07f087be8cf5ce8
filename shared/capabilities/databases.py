"""Database servers, instances and caches.

Sources: learn.microsoft.com/azure/postgresql/flexible-server/how-to-stop-server,
learn.microsoft.com/azure/azure-sql/managed-instance/instance-stop-start-how-to.
"""

from __future__ import annotations

from shared.capabilities.model import PROVISIONED, Action, Only, ResourceType, pausable, power, ready

TYPES = (
    ResourceType(
        "Microsoft.DBforPostgreSQL/flexibleServers",
        "paas",
        "2026-10-01",
        power(
            "properties.state",
            "Ready",
            "Stopped",
            "Starting|Stopping|Updating|Dropping|Disabled|Restarting|Inaccessible|Provisioning",
        ),
        (
            Action("start", "start", "The server starts in some minutes; compute is billed from then on."),
            Action(
                "stop",
                "stop",
                (
                    "Connections are cut and compute billing ends; storage and backups are still billed. "
                    "Azure starts it again by itself after 7 days."
                ),
            ),
            Action(
                "restart",
                "restart",
                "Connections are cut for about a minute; committed data stays. It does not fail over.",
                body={"restartWithFailover": False},
            ),
        ),
    ),
    ResourceType(
        "Microsoft.DBforMySQL/flexibleServers",
        "paas",
        "2024-12-30",
        power("properties.state", "Ready", "Stopped", "Starting|Stopping|Updating|Dropping|Disabled"),
        (
            Action(
                "start",
                "start",
                "The server starts in some minutes; compute is billed from then on.",
                final_state_via="location",
            ),
            Action(
                "stop",
                "stop",
                (
                    "Connections are cut and compute billing ends; storage and backups are still billed. "
                    "Azure starts it again by itself after 30 days."
                ),
                final_state_via="location",
            ),
            Action(
                "restart",
                "restart",
                "Connections are cut for about a minute; committed data stays. It does not fail over.",
                body={"restartWithFailover": "Disabled", "maxFailoverSeconds": 60},
                final_state_via="location",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.DBforPostgreSQL/serverGroupsv2",
        "paas",
        "2022-11-08",
        power("properties.state", "Ready", "Stopped", settled=PROVISIONED),
        (
            Action(
                "start",
                "start",
                "All nodes of the cluster start; compute is billed from then on.",
                final_state_via="location",
            ),
            Action(
                "stop",
                "stop",
                "Connections are cut, all nodes stop and compute billing ends; storage is still billed.",
                final_state_via="location",
            ),
            Action(
                "restart",
                "restart",
                "All nodes of the cluster restart; connections are cut for some minutes.",
                final_state_via="location",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Sql/managedInstances",
        "paas",
        "2025-01-01",
        power("properties.state", "Ready", "Stopped", "Starting|Stopping|Creating|Updating|Deleting"),
        (
            Action(
                "start",
                "start",
                "The instance starts, which takes about 20 minutes; compute and licences are billed from then on.",
            ),
            Action(
                "stop",
                "stop",
                (
                    "All databases go offline, which takes about 5 minutes; billing of compute and licences "
                    "ends, storage is still billed. Only in the General Purpose tier."
                ),
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Sql/servers/databases",
        "paas",
        "2025-01-01",
        pausable("properties.status", "Online", "Paused", "Pausing|Resuming|Scaling|OfflineChangingDwPerformanceTiers"),
        (
            Action(
                "pause",
                "pause",
                "Queries that run are cancelled and rolled back; compute billing ends, storage is still billed.",
                only=Only(
                    "sku.tier",
                    ("DataWarehouse",),
                    (
                        "Only a dedicated SQL pool (data warehouse) can be paused. A serverless database pauses "
                        "by itself."
                    ),
                ),
            ),
            Action(
                "resume",
                "resume",
                "The pool takes queries again in some minutes; compute is billed from then on, by the hour begun.",
                only=Only(
                    "sku.tier",
                    ("DataWarehouse",),
                    (
                        "Only a dedicated SQL pool (data warehouse) can be paused. A serverless database pauses "
                        "by itself."
                    ),
                ),
            ),
        ),
    ),
    ResourceType(
        "Microsoft.DocumentDB/cassandraClusters",
        "paas",
        "2026-03-15",
        power("properties.deallocated", "false", "true", settled=PROVISIONED),
        (
            Action("start", "start", "All nodes are allocated and start; compute is billed from then on."),
            Action(
                "stop",
                "deallocate",
                "All nodes are deallocated: clients are cut off, compute billing ends, disks are still billed.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.DocumentDB/databaseAccounts/notebookWorkspaces",
        "child",
        "2026-03-15",
        power("properties.status", "Online", "Offline"),
        (Action("start", "start", "The notebook workspace comes online."),),
    ),
    ResourceType(
        "Microsoft.Cache/redis",
        "paas",
        "2024-11-01",
        ready(),
        (
            Action(
                "restart",
                "forceReboot",
                "All nodes reboot: clients are cut off, and what is not persisted is lost.",
                label="Reboot all nodes",
                body={"rebootType": "AllNodes"},
                ends="untold",
                confirm="The cached data is lost unless persistence is on.",
            ),
        ),
    ),
    ResourceType(
        "Oracle.Database/autonomousDatabases",
        "paas",
        "2026-06-01",
        power(
            "properties.lifecycleState",
            "Available",
            "Stopped",
            "Starting|Stopping|Restarting|Provisioning|Updating|Unavailable|Failed",
        ),
        (
            Action("start", "action", "The database opens; compute is billed from then on.", body={"action": "Start"}),
            Action(
                "stop",
                "action",
                "Connections are cut; compute billing ends, storage is still billed.",
                body={"action": "Stop"},
            ),
            Action(
                "restart",
                "action",
                "Connections are cut while the database closes and opens again; committed data stays.",
                body={"action": "Restart"},
            ),
        ),
    ),
    ResourceType(
        "Oracle.Database/cloudVmClusters/dbNodes",
        "child",
        "2026-06-01",
        power(
            "properties.lifecycleState",
            "Available",
            "Stopped",
            "Starting|Stopping|Restarting|Provisioning|Updating|Unavailable|Failed",
        ),
        (
            Action(
                "start",
                "action",
                "The database node boots. The cluster's bill does not change.",
                body={"action": "Start"},
            ),
            Action(
                "stop",
                "action",
                "The node shuts down and its sessions move to the other nodes, if there are any.",
                body={"action": "Stop"},
            ),
            Action(
                "restart",
                "action",
                "The node shuts down cleanly and boots; its sessions move to the other nodes, if there are any.",
                label="Soft reset",
                body={"action": "SoftReset"},
            ),
        ),
    ),
    ResourceType(
        "Oracle.Database/exadbVmClusters/dbNodes",
        "child",
        "2026-06-01",
        power(
            "properties.lifecycleState",
            "Available",
            "Stopped",
            "Starting|Stopping|Restarting|Provisioning|Updating|Unavailable|Failed",
        ),
        (
            Action(
                "start", "action", "The database node boots and its cores are billed again.", body={"action": "Start"}
            ),
            Action(
                "stop",
                "action",
                "The node shuts down and its sessions move to the other nodes, if there are any.",
                body={"action": "Stop"},
            ),
            Action(
                "restart",
                "action",
                "The node shuts down cleanly and boots; its sessions move to the other nodes, if there are any.",
                label="Soft reset",
                body={"action": "SoftReset"},
            ),
        ),
    ),
    ResourceType(
        "Microsoft.HorizonDb/clusters/pools",
        "child",
        "2026-10-01-preview",
        power(
            "properties.state", "Ready", "Stopped", "Starting|Stopping|Restarting|Updating|Provisioning|Inaccessible"
        ),
        (
            Action("start", "start", "The replicas of the pool start; compute is billed from then on."),
            Action(
                "stop",
                "stop",
                "The replicas of the pool stop: connections are cut, compute billing ends, storage is still billed.",
            ),
            Action("restart", "restart", "The replicas of the pool restart; connections are cut for about a minute."),
        ),
        note="Preview.",
    ),
    ResourceType(
        "Microsoft.DatabaseWatcher/watchers",
        "paas",
        "2025-01-02",
        power("properties.status", "Running", "Stopped", "Starting|Stopping|Deleting"),
        (
            Action("start", "start", "Monitoring data of the target databases is collected again."),
            Action("stop", "stop", "No monitoring data is collected; the databases themselves go on."),
        ),
    ),
    ResourceType(
        "Microsoft.DataMigration/services",
        "paas",
        "2025-06-30",
        power(
            "properties.provisioningState",
            "Succeeded",
            "Stopped",
            "Starting|Stopping|Deploying|FailedToStart|FailedToStop",
        ),
        (
            Action(
                "start", "start", "The service's machines are made again, which takes some minutes; billing begins."
            ),
            Action(
                "stop",
                "stop",
                "Migrations that run are ended and billing ends.",
                confirm=(
                    "Stopping deletes the service's own machine and network card, unless deleteResourcesOnStop is off."
                ),
            ),
        ),
    ),
    ResourceType(
        "Microsoft.DBforMySQL/servers",
        "legacy",
        "2020-01-01",
        power("properties.userVisibleState", "Ready", "Stopped", "Dropping|Disabled|Inaccessible"),
        (
            Action("start", "start", "The server starts in some minutes; compute is billed from then on."),
            Action(
                "stop",
                "stop",
                (
                    "Connections are cut and compute billing ends; storage is still billed. Azure starts it "
                    "again by itself after 7 days."
                ),
            ),
            Action(
                "restart",
                "restart",
                "Connections are cut for about a minute; committed data stays.",
                api_version="2017-12-01",
            ),
        ),
        note="Microsoft has retired MySQL single servers.",
    ),
    ResourceType(
        "Microsoft.DBforMariaDB/servers",
        "legacy",
        "2020-01-01",
        power("properties.userVisibleState", "Ready", "Stopped", "Dropping|Disabled|Inaccessible"),
        (
            Action("start", "start", "The server starts in some minutes; compute is billed from then on."),
            Action(
                "stop",
                "stop",
                (
                    "Connections are cut and compute billing ends; storage is still billed. Azure starts it "
                    "again by itself after 7 days."
                ),
            ),
            Action(
                "restart",
                "restart",
                "Connections are cut for about a minute; committed data stays.",
                api_version="2018-06-01",
            ),
        ),
        note="Microsoft has retired MariaDB single servers.",
    ),
    ResourceType(
        "Microsoft.DBforPostgreSQL/servers",
        "legacy",
        "2017-12-01",
        power("properties.userVisibleState", "Ready", "Stopped", "Dropping|Disabled|Inaccessible"),
        (Action("restart", "restart", "Connections are cut for about a minute; committed data stays."),),
        note="Microsoft has retired PostgreSQL single servers.",
    ),
)
