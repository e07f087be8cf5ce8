"""Machine learning and AI computes and deployments.

Sources: learn.microsoft.com/rest/api/azureml/compute.
"""

from __future__ import annotations

from shared.capabilities.model import Action, Only, ResourceType, pausable, power

TYPES = (
    ResourceType(
        "Microsoft.MachineLearningServices/workspaces/computes",
        "child",
        "2023-04-01",
        power(
            "properties.properties.state",
            "Running|JobRunning",
            "Stopped",
            "Starting|Stopping|Restarting|Creating|SettingUp|Unusable|Resizing|UserSettingUp|SystemSetup",
        ),
        (
            Action(
                "start",
                "start",
                "The instance boots and is billed from then on.",
                only=Only(
                    "properties.computeType",
                    ("ComputeInstance",),
                    "Only a compute instance can be started and stopped; a cluster scales by itself.",
                ),
            ),
            Action(
                "stop",
                "stop",
                (
                    "Notebooks and jobs on it end and what they held in memory is lost; compute billing ends, "
                    "the disk is still billed."
                ),
                only=Only(
                    "properties.computeType",
                    ("ComputeInstance",),
                    "Only a compute instance can be started and stopped; a cluster scales by itself.",
                ),
            ),
            Action(
                "restart",
                "restart",
                "The instance reboots; notebooks and jobs on it end.",
                only=Only(
                    "properties.computeType",
                    ("ComputeInstance",),
                    "Only a compute instance can be started and stopped; a cluster scales by itself.",
                ),
            ),
        ),
    ),
    ResourceType(
        "Microsoft.CognitiveServices/accounts/deployments",
        "child",
        "2026-09-15-preview",
        pausable("properties.deploymentState", "Running", "Paused"),
        (
            Action(
                "pause",
                "pause",
                "The model answers no more requests through this deployment; its quota stays taken.",
                ends="at once",
            ),
            Action("resume", "resume", "The model answers requests through this deployment again.", ends="at once"),
        ),
        note="Preview.",
    ),
    ResourceType(
        "Microsoft.CognitiveServices/accounts/computes",
        "child",
        "2026-09-15-preview",
        power(
            "properties.provisioningState",
            "Succeeded",
            "Stopped",
            "Starting|Stopping|Restarting|Creating|Updating|Deleting|Failed",
        ),
        (
            Action("start", "start", "The compute boots and is billed from then on."),
            Action("stop", "stop", "What runs on the compute ends, and so does its billing."),
            Action("restart", "restart", "The compute reboots; what runs on it ends."),
        ),
        note="Preview.",
    ),
    ResourceType(
        "Microsoft.CognitiveServices/accounts/projects/workbenches",
        "child",
        "2026-09-15-preview",
        power("properties.status", "Running", "Stopped", "Starting|Stopping|Restarting|Failed"),
        (
            Action("start", "start", "The workbench starts and is billed from then on."),
            Action("stop", "stop", "The sessions on the workbench end, and so does its billing; files stay."),
            Action("restart", "restart", "The sessions on the workbench end and it comes back empty; files stay."),
        ),
        note="Preview.",
    ),
    ResourceType(
        "Microsoft.CognitiveServices/accounts/projects/applications/agentDeployments",
        "child",
        "2026-09-15-preview",
        power("properties.state", "Running", "Stopped", "Starting|Stopping|Updating|Failed"),
        (
            Action("start", "start", "The agent answers again.", ends="at once"),
            Action("stop", "stop", "The agent answers nobody; conversations that run are cut off.", ends="at once"),
        ),
        note="Preview.",
    ),
)
