"""Clusters, container groups and container apps.

Sources: learn.microsoft.com/azure/aks/start-stop-cluster,
learn.microsoft.com/rest/api/resource-manager/containerapps.
"""

from __future__ import annotations

from shared.capabilities.model import PROVISIONED, Action, ResourceType, pausable, power, ready

TYPES = (
    ResourceType(
        "Microsoft.ContainerService/managedClusters",
        "paas",
        "2026-08-01",
        power("properties.powerState.code", "Running", "Stopped", settled=PROVISIONED),
        (
            Action(
                "start",
                "start",
                (
                    "The control plane and the nodes start, which takes some minutes; nodes are billed from "
                    "then on. Stop it no sooner than half an hour after."
                ),
            ),
            Action(
                "stop",
                "stop",
                (
                    "All workloads end and the nodes are released: compute billing ends, disks and addresses "
                    "are still billed. The cluster's state is kept for 12 months."
                ),
            ),
        ),
    ),
    ResourceType(
        "Microsoft.ContainerService/managedClusters/agentPools",
        "child",
        "2026-08-01",
        power("properties.powerState.code", "Running", "Stopped", settled=PROVISIONED),
        (
            Action(
                "start",
                "",
                "The nodes of the pool start and are billed from then on.",
                method="PUT",
                body={"properties": {"powerState": {"code": "Running"}}},
                confirm=(
                    "The pool is read and written back with its new state: a change made by others in that "
                    "moment is overwritten."
                ),
            ),
            Action(
                "stop",
                "",
                "The pods on the pool are evicted and its nodes are released: their billing ends.",
                method="PUT",
                body={"properties": {"powerState": {"code": "Stopped"}}},
                confirm=(
                    "The pool is read and written back with its new state: a change made by others in that "
                    "moment is overwritten."
                ),
            ),
        ),
    ),
    ResourceType(
        "Microsoft.ContainerService/fleets/updateRuns",
        "job",
        "2026-06-01",
        power(
            "properties.status.status.state",
            "Running",
            "Stopped|NotStarted|Pending",
            "Stopping|Skipped|Failed|Completed",
        ),
        (
            Action(
                "start",
                "start",
                "The clusters of the fleet are upgraded, stage by stage.",
                ends_in="",
                repeatable=False,
                confirm="It upgrades clusters: workloads are moved while it runs.",
            ),
            Action("stop", "stop", "No further cluster is upgraded; those that are being upgraded finish."),
        ),
    ),
    ResourceType(
        "Microsoft.ContainerInstance/containerGroups",
        "paas",
        "2023-05-01",
        power("properties.instanceView.state", "Running", "Stopped|Succeeded|Failed", "Pending|Repairing"),
        (
            Action(
                "start",
                "start",
                (
                    "The containers are allocated and start from their images; billing begins. The address "
                    "may be a new one."
                ),
            ),
            Action(
                "stop",
                "stop",
                (
                    "The containers end and are deallocated: billing ends, and what they held in memory and "
                    "on local disks is lost."
                ),
                ends="at once",
            ),
            Action(
                "restart", "restart", "All containers of the group restart in place; what they held in memory is lost."
            ),
        ),
    ),
    ResourceType(
        "Microsoft.ContainerInstance/ngroups",
        "paas",
        "2026-06-01-preview",
        ready(),
        (
            Action("start", "start", "The container groups of the set start and are billed."),
            Action(
                "stop",
                "stop",
                "All container groups of the set end: billing ends, what they held in memory is lost.",
                ends="at once",
            ),
            Action("restart", "restart", "All container groups of the set restart; what they held in memory is lost."),
        ),
        note="Preview.",
    ),
    ResourceType(
        "Microsoft.App/containerApps",
        "paas",
        "2026-07-01",
        power("properties.runningStatus", "Running|Ready", "Stopped", "Progressing|Suspended"),
        (
            Action("start", "start", "Replicas start by the app's scale rules and are billed from then on."),
            Action("stop", "stop", "All replicas end and the app answers nobody; usage billing ends."),
        ),
    ),
    ResourceType(
        "Microsoft.App/containerApps/revisions",
        "child",
        "2026-07-01",
        pausable("properties.runningState", "Running", "Stopped", "Processing|Degraded|Failed"),
        (
            Action(
                "pause",
                "deactivate",
                "The revision gets no more traffic and its replicas end.",
                label="Deactivate",
                ends="at once",
            ),
            Action(
                "resume",
                "activate",
                "The revision's replicas start again; it gets the traffic it is given.",
                label="Activate",
                ends="at once",
            ),
            Action(
                "restart",
                "restart",
                "The replicas of the revision restart; what they held in memory is lost.",
                ends="untold",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.App/jobs",
        "paas",
        "2026-07-01",
        pausable("properties.runningState", "Ready|Progressing", "Suspended"),
        (
            Action(
                "start",
                "start",
                "One new execution of the job begins and is billed while it runs. It powers nothing on.",
                label="Run once",
                allowed_from=frozenset({"running"}),
                repeatable=False,
            ),
            Action(
                "stop",
                "stop",
                (
                    "All executions that run are ended; what they were working on is cut off. The job's own "
                    "schedule goes on."
                ),
                label="Stop executions",
                ends_in="running",
            ),
            Action("pause", "suspend", "No new execution begins until it is resumed.", label="Suspend"),
            Action("resume", "resume", "Executions begin again by the job's schedule or events."),
        ),
    ),
    ResourceType(
        "Microsoft.App/jobs/executions",
        "job",
        "2026-07-01",
        power("properties.status", "Running|Processing", "Stopped|Succeeded|Failed"),
        (
            Action(
                "stop",
                "stop",
                "This execution is ended; what it was working on is cut off. Its billing ends.",
                rbac_action="Microsoft.App/jobs/stop/execution/action",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.AppPlatform/Spring",
        "paas",
        "2023-12-01",
        power("properties.powerState", "Running", "Stopped", settled=PROVISIONED),
        (
            Action("start", "start", "All apps of the instance start; billing begins."),
            Action("stop", "stop", "All apps of the instance end; billing of the instance ends."),
        ),
        note="Microsoft retires Azure Spring Apps.",
    ),
    ResourceType(
        "Microsoft.AppPlatform/Spring/apps/deployments",
        "child",
        "2023-12-01",
        power("properties.status", "Running", "Stopped"),
        (
            Action("start", "start", "The deployment's instances start."),
            Action(
                "stop", "stop", "The deployment's instances end; the app answers nobody when this is its active one."
            ),
            Action("restart", "restart", "The deployment's instances restart, one after the other."),
        ),
        note="Microsoft retires Azure Spring Apps.",
    ),
    ResourceType(
        "Microsoft.AppPlatform/Spring/gateways",
        "child",
        "2023-12-01",
        ready(),
        (
            Action(
                "restart",
                "restart",
                "The gateway restarts; requests through it fail for some minutes.",
                final_state_via="location",
            ),
        ),
        note="Microsoft retires Azure Spring Apps.",
    ),
    ResourceType(
        "Microsoft.ContainerRegistry/registries/connectedRegistries",
        "child",
        "2025-11-01",
        power("properties.activation.status", "Active", "Inactive"),
        (
            Action(
                "stop",
                "deactivate",
                "The registry on premises no longer synchronizes.",
                label="Deactivate",
                confirm="It cannot be undone from here: the registry on premises must be activated again there.",
            ),
        ),
    ),
)
