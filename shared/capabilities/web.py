"""Apps, workflows and messaging.

Sources: learn.microsoft.com/rest/api/appservice/web-apps,
learn.microsoft.com/rest/api/logic/workflows,
learn.microsoft.com/rest/api/signalr/signal-r.
"""

from __future__ import annotations

from shared.capabilities.model import PROVISIONED, Action, ResourceType, pausable, power, ready, toggle

TYPES = (
    ResourceType(
        "Microsoft.Web/sites",
        "paas",
        "2025-05-01",
        power("properties.state", "Running", "Stopped"),
        (
            Action(
                "start", "start", "The app answers requests again. The plan's bill does not change.", ends="at once"
            ),
            Action(
                "stop",
                "stop",
                "The app answers nobody and its functions do not run; its content stays. The plan is still billed.",
                ends="at once",
            ),
            Action(
                "restart",
                "restart",
                (
                    "The app's processes restart in the background; requests may fail for a minute. Azure "
                    "does not tell when it is over."
                ),
                ends="untold",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Web/sites/slots",
        "child",
        "2025-05-01",
        power("properties.state", "Running", "Stopped"),
        (
            Action(
                "start", "start", "The slot answers requests again. The plan's bill does not change.", ends="at once"
            ),
            Action(
                "stop", "stop", "The slot answers nobody; its content stays. The plan is still billed.", ends="at once"
            ),
            Action(
                "restart",
                "restart",
                "The slot's processes restart in the background; the other slots go on.",
                ends="untold",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Web/serverfarms",
        "paas",
        "2025-05-01",
        ready("properties.status", "Ready", passing="Pending|Creating"),
        (
            Action(
                "restart",
                "restartSites",
                "Every app of the plan restarts. The bill does not change: a plan has no stop.",
                label="Restart all apps",
                ends="untold",
                confirm="All apps of the plan restart, also those of others.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Web/hostingEnvironments",
        "paas",
        "2025-05-01",
        pausable("properties.suspended", "false", "true", settled=("properties.status", "Ready")),
        (
            Action(
                "pause",
                "suspend",
                "All apps of the environment are taken offline. Only for versions 1 and 2.",
                label="Suspend",
                confirm="All apps of the environment go offline.",
            ),
            Action("resume", "resume", "The apps of the environment come back."),
            Action(
                "restart",
                "reboot",
                (
                    "All workers of the environment reboot, which may take an hour; apps are interrupted. "
                    "Azure does not tell when it is over."
                ),
                label="Reboot",
                ends="untold",
                confirm="All apps of the environment are interrupted.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Web/sites/continuouswebjobs",
        "child",
        "2025-05-01",
        power("properties.status", "Running", "Stopped", "Initializing|Starting|PendingRestart"),
        (
            Action("start", "start", "The job's process starts. The plan's bill does not change.", ends="at once"),
            Action("stop", "stop", "The job's process is ended; what it was working on is cut off.", ends="at once"),
        ),
    ),
    ResourceType(
        "Microsoft.Logic/workflows",
        "paas",
        "2019-05-01",
        toggle("properties.state", "Enabled", "Disabled", "Suspended|Deleted"),
        (
            Action(
                "pause",
                "disable",
                (
                    "No new run is triggered; runs that have begun go on to their end. Nothing is billed for "
                    "runs that do not happen."
                ),
                label="Disable",
                ends="at once",
            ),
            Action(
                "resume",
                "enable",
                "Triggers fire again. What happened meanwhile may be missed or caught up, as the trigger has it.",
                label="Enable",
                ends="at once",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Logic/integrationServiceEnvironments",
        "legacy",
        "2019-05-01",
        power("properties.state", "Enabled", "Disabled|Suspended"),
        (
            Action(
                "restart",
                "restart",
                "The environment restarts; its workflows and connectors are interrupted.",
                ends="untold",
                confirm="All workflows in the environment are interrupted.",
            ),
        ),
        note="Microsoft has retired integration service environments.",
    ),
    ResourceType(
        "Microsoft.DurableTask/schedulers",
        "paas",
        "2026-07-01-preview",
        ready(),
        (
            Action(
                "restart",
                "restart",
                "The scheduler restarts; orchestrations go on from their last checkpoint.",
                ends="untold",
            ),
        ),
        note="Preview.",
    ),
    ResourceType(
        "Microsoft.SignalRService/signalR",
        "paas",
        "2024-03-01",
        power("properties.resourceStopped", "false", "true", settled=PROVISIONED),
        (
            Action(
                "start",
                "",
                "The service takes connections again and is billed from then on.",
                method="PATCH",
                body={"properties": {"resourceStopped": "false"}},
            ),
            Action(
                "stop",
                "",
                "All clients are disconnected and new ones refused. Billing of the units ends.",
                method="PATCH",
                body={"properties": {"resourceStopped": "true"}},
            ),
            Action(
                "restart", "restart", "All clients are disconnected and connect again; messages in between are lost."
            ),
        ),
    ),
    ResourceType(
        "Microsoft.SignalRService/signalR/replicas",
        "child",
        "2025-01-01-preview",
        power("properties.resourceStopped", "false", "true", settled=PROVISIONED),
        (
            Action(
                "restart",
                "restart",
                "The clients of this replica are disconnected and connect again; the other replicas go on.",
            ),
        ),
        note="Preview.",
    ),
    ResourceType(
        "Microsoft.SignalRService/webPubSub",
        "paas",
        "2024-03-01",
        power("properties.resourceStopped", "false", "true", settled=PROVISIONED),
        (
            Action(
                "start",
                "",
                "The service takes connections again and is billed from then on.",
                method="PATCH",
                body={"properties": {"resourceStopped": "false"}},
                final_state_via="location",
            ),
            Action(
                "stop",
                "",
                "All clients are disconnected and new ones refused. Billing of the units ends.",
                method="PATCH",
                body={"properties": {"resourceStopped": "true"}},
                final_state_via="location",
            ),
            Action(
                "restart",
                "restart",
                "All clients are disconnected and connect again; messages in between are lost.",
                final_state_via="location",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.SignalRService/webPubSub/replicas",
        "child",
        "2024-03-01",
        power("properties.resourceStopped", "false", "true", settled=PROVISIONED),
        (
            Action(
                "restart",
                "restart",
                "The clients of this replica are disconnected and connect again; the other replicas go on.",
                final_state_via="location",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.EventGrid/partnerTopics",
        "toggle",
        "2025-02-15",
        toggle("properties.activationState", "Activated", "Deactivated|NeverActivated"),
        (
            Action(
                "pause",
                "deactivate",
                "Events of the partner are no longer delivered, and are lost.",
                label="Deactivate",
                ends="at once",
            ),
            Action(
                "resume",
                "activate",
                "Events of the partner are delivered from now on.",
                label="Activate",
                ends="at once",
            ),
        ),
    ),
)
