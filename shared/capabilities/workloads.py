"""SAP, Service Fabric, storage caches, backups, labs and desktops.

Sources: learn.microsoft.com/rest/api/workloads,
learn.microsoft.com/rest/api/servicefabric/managedclusters.
"""

from __future__ import annotations

from shared.capabilities.model import Action, ResourceType, pausable, power, ready, toggle

TYPES = (
    ResourceType(
        "Microsoft.Workloads/sapVirtualInstances",
        "paas",
        "2024-09-01",
        power("properties.status", "Running", "Offline", "Starting|Stopping|SoftShutdown|PartiallyRunning|Unavailable"),
        (
            Action(
                "start",
                "start",
                "The SAP system starts on its machines, which must run already. The bill does not change.",
                body={"startVm": False},
            ),
            Action(
                "stop",
                "stop",
                "The SAP system stops at once, without waiting for its users; its machines go on and are billed.",
                body={"softStopTimeoutSeconds": 0, "deallocateVm": False},
                confirm="The whole SAP system stops without a soft shutdown.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Workloads/sapVirtualInstances/centralInstances",
        "child",
        "2024-09-01",
        power("properties.status", "Running", "Offline", "Starting|Stopping|SoftShutdown|PartiallyRunning|Unavailable"),
        (
            Action(
                "start",
                "start",
                (
                    "The central services instance starts on its machines, which must run already. The bill "
                    "does not change."
                ),
                body={"startVm": False},
            ),
            Action(
                "stop",
                "stop",
                (
                    "The central services instance stops at once, without waiting for its users; its machines "
                    "go on and are billed."
                ),
                body={"softStopTimeoutSeconds": 0, "deallocateVm": False},
                confirm="The central services instance stops without a soft shutdown.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Workloads/sapVirtualInstances/databaseInstances",
        "child",
        "2024-09-01",
        power("properties.status", "Running", "Offline", "Starting|Stopping|SoftShutdown|PartiallyRunning|Unavailable"),
        (
            Action(
                "start",
                "start",
                "The database starts on its machines, which must run already. The bill does not change.",
                body={"startVm": False},
            ),
            Action(
                "stop",
                "stop",
                "The database stops at once, without waiting for its users; its machines go on and are billed.",
                body={"softStopTimeoutSeconds": 0, "deallocateVm": False},
                confirm="The database stops without a soft shutdown.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Workloads/sapVirtualInstances/applicationInstances",
        "child",
        "2024-09-01",
        power("properties.status", "Running", "Offline", "Starting|Stopping|SoftShutdown|PartiallyRunning|Unavailable"),
        (
            Action(
                "start",
                "start",
                "The application server starts on its machines, which must run already. The bill does not change.",
                body={"startVm": False},
            ),
            Action(
                "stop",
                "stop",
                (
                    "The application server stops at once, without waiting for its users; its machines go on "
                    "and are billed."
                ),
                body={"softStopTimeoutSeconds": 0, "deallocateVm": False},
                confirm="The application server stops without a soft shutdown.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.ServiceFabric/managedClusters/nodeTypes",
        "child",
        "2026-02-01",
        ready(),
        (
            Action(
                "start",
                "start",
                "The nodes named in `instances` start and are billed from then on.",
                body={"nodes": "{instances}", "updateType": "Default"},
                instances="some",
            ),
            Action(
                "stop",
                "deallocate",
                (
                    "The nodes named in `instances` are deallocated: services on them are moved or go down, "
                    "compute billing ends."
                ),
                label="Deallocate",
                body={"nodes": "{instances}", "force": False, "updateType": "Default"},
                instances="some",
                confirm="Services that live on these nodes alone go down.",
            ),
            Action(
                "restart",
                "restart",
                "The nodes named in `instances` restart, one upgrade domain after the other.",
                body={"nodes": "{instances}", "force": False, "updateType": "ByUpgradeDomain"},
                instances="some",
                confirm="Services that live on these nodes alone go down for a while.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.StorageCache/caches",
        "paas",
        "2026-08-01",
        power(
            "properties.health.state",
            "Healthy|Degraded",
            "Stopped",
            "Transitioning|Stopping|Flushing|Upgrading|Down|StartFailed",
        ),
        (
            Action("start", "start", "The cache starts empty and is billed from then on."),
            Action(
                "stop",
                "stop",
                "What is not yet written is flushed to the storage behind, clients are cut off, and billing ends.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.StorageCache/caches/storageTargets",
        "child",
        "2026-08-01",
        pausable("properties.state", "Ready|Busy", "Suspended", "Flushing"),
        (
            Action(
                "pause",
                "suspend",
                "Clients can no longer reach this storage through the cache; what is cached of it stays.",
                label="Suspend",
            ),
            Action("resume", "resume", "Clients reach this storage through the cache again."),
        ),
    ),
    ResourceType(
        "Microsoft.StoragePool/diskPools",
        "legacy",
        "2021-08-01",
        power("properties.status", "Running|Healthy", "Stopped|Stopped (deallocated)", "Updating|Unhealthy|Invalid"),
        (
            Action(
                "start",
                "start",
                "The pool's machines start, disks are offered over iSCSI again, and billing begins.",
                final_state_via="azure-async-operation",
            ),
            Action(
                "stop",
                "deallocate",
                (
                    "Clients are cut off (iSCSI), the pool's machines are released and their billing ends; "
                    "disks are still billed."
                ),
                label="Deallocate",
                final_state_via="azure-async-operation",
            ),
        ),
        note="Microsoft has retired disk pools.",
    ),
    ResourceType(
        "Microsoft.DataProtection/backupVaults/backupInstances",
        "job",
        "2026-07-01",
        pausable(
            "properties.currentProtectionState",
            "ProtectionConfigured",
            "BackupSchedulesSuspended|ProtectionStopped",
            "ConfiguringProtection|ProtectionError",
        ),
        (
            Action(
                "pause",
                "suspendBackups",
                "No more backups are made; those that exist are kept by their policy and are billed.",
                label="Suspend backups",
                confirm="From now on there is no new backup to restore from.",
            ),
            Action(
                "resume", "resumeBackups", "Backups are made again at the policy's next time.", label="Resume backups"
            ),
        ),
    ),
    ResourceType(
        "Microsoft.DevTestLab/labs/virtualMachines",
        "compute",
        "2018-09-15",
        power("properties.lastKnownPowerState", "Running", "Stopped", "Starting|Stopping|Restarting"),
        (
            Action(
                "start",
                "start",
                "The machine boots and is billed from then on. It is also listed as a virtual machine of its own.",
            ),
            Action(
                "stop",
                "stop",
                (
                    "The machine is deallocated: its users are cut off and compute billing ends, the disk is "
                    "still billed."
                ),
            ),
            Action("restart", "restart", "The machine reboots in place; its users are cut off for some minutes."),
        ),
    ),
    ResourceType(
        "Microsoft.DevTestLab/labs/users/serviceFabrics",
        "child",
        "2018-09-15",
        ready(),
        (
            Action("start", "start", "The lab's cluster starts and is billed from then on."),
            Action("stop", "stop", "The lab's cluster shuts down and its compute billing ends."),
        ),
    ),
    ResourceType(
        "Microsoft.LabServices/labs/virtualMachines",
        "child",
        "2022-08-01",
        power("properties.state", "Running", "Stopped", "Starting|Stopping|ResettingPassword|Reimaging|Redeploying"),
        (
            Action(
                "start",
                "start",
                "The student's machine boots and is billed, against the student's hours, from then on.",
                final_state_via="location",
            ),
            Action(
                "stop",
                "stop",
                "The student is cut off; billing of the machine ends and its disk stays.",
                final_state_via="location",
            ),
        ),
        note="Microsoft retires Azure Lab Services.",
    ),
    ResourceType(
        "Microsoft.DevCenter/projects/pools/schedules",
        "toggle",
        "2024-02-01",
        toggle("properties.state", "Enabled", "Disabled"),
        (
            Action(
                "pause",
                "",
                "Dev boxes of the pool are no longer stopped in the evening, and are billed while they run.",
                label="Disable",
                method="PATCH",
                body={"properties": {"state": "Disabled"}},
                final_state_via="azure-async-operation",
            ),
            Action(
                "resume",
                "",
                "Dev boxes of the pool are stopped at the schedule's time again.",
                label="Enable",
                method="PATCH",
                body={"properties": {"state": "Enabled"}},
                final_state_via="azure-async-operation",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.DesktopVirtualization/hostPools/sessionHosts",
        "toggle",
        "2024-04-03",
        toggle("properties.allowNewSession"),
        (
            Action(
                "pause",
                "",
                "Nobody new is signed in to this host; those who are go on. The machine goes on and is billed.",
                label="Drain",
                method="PATCH",
                body={"properties": {"allowNewSession": False}},
                ends="at once",
            ),
            Action(
                "resume",
                "",
                "People are signed in to this host again.",
                label="End drain",
                method="PATCH",
                body={"properties": {"allowNewSession": True}},
                ends="at once",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.VirtualMachineImages/imageTemplates",
        "job",
        "2025-10-01",
        power(
            "properties.lastRunStatus.runState", "Running", "Succeeded|Failed|Canceled|PartiallySucceeded", "Canceling"
        ),
        (
            Action(
                "start",
                "run",
                "A machine is made, the image is built on it and distributed; it is billed while it runs.",
                label="Build",
                ends_in="",
                repeatable=False,
            ),
            Action(
                "stop",
                "cancel",
                "The build is cancelled; its machine is removed and nothing is distributed.",
                label="Cancel build",
            ),
        ),
    ),
)
