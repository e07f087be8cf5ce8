"""Data warehouses, query clusters, capacities, pipelines and copy jobs.

Sources: learn.microsoft.com/rest/api/synapse/sqlserver/sql-pools,
learn.microsoft.com/rest/api/analysisservices/servers.
"""

from __future__ import annotations

from shared.capabilities.model import Action, Only, ResourceType, pausable, power, ready, toggle

TYPES = (
    ResourceType(
        "Microsoft.Synapse/workspaces/sqlPools",
        "paas",
        "2021-06-01",
        pausable("properties.status", "Online", "Paused", "Pausing|Resuming|Scaling"),
        (
            Action(
                "pause",
                "pause",
                "Queries that run are cancelled and rolled back; compute billing ends, storage is still billed.",
                final_state_via="location",
            ),
            Action(
                "resume",
                "resume",
                "The pool takes queries again in some minutes; compute is billed from then on, by the hour begun.",
                final_state_via="location",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Synapse/workspaces/kustoPools",
        "paas",
        "2021-06-01-preview",
        power("properties.state", "Running", "Stopped", "Starting|Stopping|Creating|Updating|Unavailable|Migrated"),
        (
            Action(
                "start",
                "start",
                "The pool takes queries and data again in about 10 minutes; compute is billed from then on.",
            ),
            Action("stop", "stop", "Queries and ingestion end; compute billing ends, storage is still billed."),
        ),
        note="Preview.",
    ),
    ResourceType(
        "Microsoft.Kusto/clusters",
        "paas",
        "2025-02-14",
        power("properties.state", "Running", "Stopped", "Starting|Stopping|Creating|Updating|Unavailable|Migrated"),
        (
            Action(
                "start",
                "start",
                "The cluster takes queries and data again in about 10 minutes; compute is billed from then on.",
            ),
            Action("stop", "stop", "Queries and ingestion end; compute billing ends, storage is still billed."),
        ),
    ),
    ResourceType(
        "Microsoft.Synapse/workspaces/integrationRuntimes",
        "child",
        "2021-06-01-preview",
        power(
            "properties.state",
            "Started|Online",
            "Stopped|Initial",
            "Starting|Stopping|NeedRegistration|Limited|Offline|AccessDenied",
            request="getStatus!",
        ),
        (
            Action(
                "start",
                "start",
                "The nodes of the runtime are made, which takes up to half an hour; they are billed from then on.",
                final_state_via="azure-async-operation",
                only=Only(
                    "properties.type",
                    ("Managed",),
                    "Only a managed (Azure-SSIS) integration runtime can be started and stopped.",
                ),
            ),
            Action(
                "stop",
                "stop",
                "Packages that run are ended, the nodes are released and their billing ends.",
                only=Only(
                    "properties.type",
                    ("Managed",),
                    "Only a managed (Azure-SSIS) integration runtime can be started and stopped.",
                ),
            ),
        ),
    ),
    ResourceType(
        "Microsoft.DataFactory/factories/integrationRuntimes",
        "child",
        "2018-06-01",
        power(
            "properties.state",
            "Started|Online",
            "Stopped|Initial",
            "Starting|Stopping|NeedRegistration|Limited|Offline|AccessDenied",
            request="getStatus!",
        ),
        (
            Action(
                "start",
                "start",
                "The nodes of the runtime are made, which takes up to half an hour; they are billed from then on.",
                only=Only(
                    "properties.type",
                    ("Managed",),
                    "Only a managed (Azure-SSIS) integration runtime can be started and stopped.",
                ),
            ),
            Action(
                "stop",
                "stop",
                "Packages that run are ended, the nodes are released and their billing ends.",
                only=Only(
                    "properties.type",
                    ("Managed",),
                    "Only a managed (Azure-SSIS) integration runtime can be started and stopped.",
                ),
            ),
        ),
    ),
    ResourceType(
        "Microsoft.DataFactory/factories/triggers",
        "child",
        "2018-06-01",
        power("properties.runtimeState", "Started", "Stopped|Disabled"),
        (
            Action("start", "start", "The trigger begins pipelines again, from its next time or event on."),
            Action("stop", "stop", "The trigger begins no more pipelines; runs that have begun go on."),
        ),
    ),
    ResourceType(
        "Microsoft.DataFactory/factories/adfcdcs",
        "child",
        "2018-06-01",
        power("properties.status", "Running", "Stopped", "Starting|Stopping|Failed"),
        (
            Action("start", "start", "Changes of the source are copied again, from where it stopped.", ends="at once"),
            Action("stop", "stop", "No more changes are copied; the point it reached is kept.", ends="at once"),
        ),
    ),
    ResourceType(
        "Microsoft.AnalysisServices/servers",
        "paas",
        "2017-08-01",
        pausable(
            "properties.state",
            "Succeeded",
            "Paused|Suspended",
            "Suspending|Pausing|Resuming|Provisioning|Preparing|Scaling|Updating|Deleting|Failed",
        ),
        (
            Action(
                "pause",
                "suspend",
                "Queries and connections end, and models are unavailable; billing ends.",
                label="Suspend",
            ),
            Action("resume", "resume", "The models are loaded and answer again; billing begins."),
        ),
    ),
    ResourceType(
        "Microsoft.PowerBIDedicated/capacities",
        "paas",
        "2021-01-01",
        pausable(
            "properties.state",
            "Succeeded",
            "Paused|Suspended",
            "Suspending|Pausing|Resuming|Provisioning|Preparing|Scaling|Updating|Deleting|Failed",
        ),
        (
            Action(
                "pause", "suspend", "Reports and models on the capacity are unavailable; billing ends.", label="Suspend"
            ),
            Action("resume", "resume", "Reports and models on the capacity answer again; billing begins."),
        ),
    ),
    ResourceType(
        "Microsoft.Fabric/capacities",
        "paas",
        "2023-11-01",
        pausable(
            "properties.state",
            "Active",
            "Paused|Suspended",
            "Suspending|Pausing|Resuming|Provisioning|Preparing|Scaling|Updating|Deleting|Failed",
        ),
        (
            Action(
                "pause",
                "suspend",
                (
                    "Everything that runs on the capacity is unavailable; usage that was carried forward is "
                    "billed at once, then billing ends."
                ),
                label="Suspend",
            ),
            Action("resume", "resume", "What runs on the capacity is available again; billing begins."),
        ),
    ),
    ResourceType(
        "Microsoft.StreamAnalytics/streamingjobs",
        "paas",
        "2020-03-01",
        power(
            "properties.jobState",
            "Running",
            "Stopped|Created",
            "Starting|Stopping|Restarting|Scaling|Degraded|Failed|Deleting",
        ),
        (
            Action(
                "start",
                "start",
                (
                    "The job reads from now on: what came while it was stopped is not processed. Streaming "
                    "units are billed."
                ),
                label="Start from now",
                body={"outputStartMode": "JobStartTime"},
            ),
            Action(
                "stop",
                "stop",
                (
                    "No more events are processed and billing ends. What comes meanwhile waits in the input "
                    "as long as that keeps it."
                ),
            ),
            Action(
                "resume",
                "start",
                (
                    "The job goes on where its last output ended, so that nothing is left out. Streaming "
                    "units are billed."
                ),
                label="Start from last output",
                body={"outputStartMode": "LastOutputEventTime"},
            ),
        ),
    ),
    ResourceType(
        "Microsoft.HDInsight/clusters",
        "paas",
        "2021-06-01",
        ready(
            "properties.clusterState",
            "Running",
            passing="Accepted|ClusterStorageProvisioned|AzureVMConfiguration|Operational|HDInsightConfiguration|Error",
        ),
        (
            Action(
                "restart",
                "restartHosts",
                "The hosts reboot; jobs on them fail or are moved. Billing goes on: only deleting a cluster ends it.",
                label="Restart hosts",
                body="{hosts}",
                final_state_via="location",
                instances="optional",
                confirm="Without `instances` all hosts of the cluster restart at once, the head nodes too.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.StorageMover/storageMovers/projects/jobDefinitions",
        "job",
        "2025-12-01",
        power(
            "properties.latestJobRunStatus",
            "Queued|Started|Running",
            "Canceled|Succeeded|Failed",
            "CancelRequested|Canceling|PausedByBandwidthManagement",
        ),
        (
            Action(
                "start", "startJob", "The job's agent begins to copy.", label="Run", ends="at once", repeatable=False
            ),
            Action("stop", "stopJob", "The copy is cancelled; what was copied stays.", label="Cancel", ends="at once"),
        ),
    ),
    ResourceType(
        "Microsoft.StorageActions/storageTasks",
        "toggle",
        "2023-01-01",
        toggle("properties.enabled"),
        (
            Action(
                "pause",
                "",
                "The task's assignments no longer run.",
                label="Disable",
                method="PATCH",
                body={"properties": {"enabled": False}},
            ),
            Action(
                "resume",
                "",
                "The task's assignments run again at their next time.",
                label="Enable",
                method="PATCH",
                body={"properties": {"enabled": True}},
            ),
        ),
    ),
)
