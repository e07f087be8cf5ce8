"""Machines on premises, by Azure Arc, Azure Local and Operator Nexus.

Sources: learn.microsoft.com/azure/azure-arc/vmware-vsphere,
learn.microsoft.com/rest/api/networkcloud.
"""

from __future__ import annotations

from shared.capabilities.model import PROVISIONED, Action, ResourceType, power, ready

ARC_MACHINE = "microsoft.hybridcompute/machines"
BY_KIND = {
    "vmware": "Microsoft.ConnectedVMwarevSphere/virtualMachineInstances",
    "scvmm": "Microsoft.ScVmm/virtualMachineInstances",
    "hci": "Microsoft.AzureStackHCI/virtualMachineInstances",
}
"""Kind of an Arc machine, in lower case -> the type of its instance on the hypervisor, which is acted upon."""
TYPES = (
    ResourceType(
        "Microsoft.ConnectedVMwarevSphere/virtualMachineInstances",
        "edge",
        "2023-10-01",
        power("properties.powerState", "poweredOn", "poweredOff", "suspended"),
        (
            Action(
                "start",
                "start",
                "The machine boots on its own hypervisor. Azure's bill does not change.",
                final_state_via="location",
            ),
            Action(
                "stop",
                "stop",
                "The guest is shut down; its users are cut off. The hypervisor keeps its disks.",
                body={"skipShutdown": False},
                final_state_via="location",
            ),
            Action(
                "restart",
                "restart",
                "The machine reboots on its own hypervisor; its users are cut off for some minutes.",
                final_state_via="location",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.ScVmm/virtualMachineInstances",
        "edge",
        "2023-10-07",
        power("properties.powerState", "Running", "PowerOff|Stopped", "Starting|Stopping|Paused|Saved"),
        (
            Action(
                "start",
                "start",
                "The machine boots on its own hypervisor. Azure's bill does not change.",
                final_state_via="location",
            ),
            Action(
                "stop",
                "stop",
                "The guest is shut down; its users are cut off. The hypervisor keeps its disks.",
                body={"skipShutdown": "false"},
                final_state_via="location",
            ),
            Action(
                "restart",
                "restart",
                "The machine reboots on its own hypervisor; its users are cut off for some minutes.",
                final_state_via="location",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.AzureStackHCI/virtualMachineInstances",
        "edge",
        "2025-06-01-preview",
        power(
            "properties.status.powerState",
            "Running",
            "Stopped|Deallocated",
            "Starting|Stopping|Deallocating",
            paused="Paused|Saved",
        ),
        (
            Action("start", "start", "The machine boots on the Azure Local cluster."),
            Action("stop", "stop", "The guest is shut down; its users are cut off. The cluster keeps its disks."),
            Action(
                "pause",
                "pause",
                "The machine is frozen in memory: nobody can use it, and it still takes the cluster's memory.",
            ),
            Action("resume", "start", "The machine goes on from the moment it was paused."),
            Action(
                "restart",
                "restart",
                "The machine reboots on the Azure Local cluster; its users are cut off for some minutes.",
            ),
        ),
        note="Preview.",
    ),
    ResourceType(
        "Microsoft.NetworkCloud/virtualMachines",
        "edge",
        "2026-07-01",
        power("properties.powerState", "On", "Off"),
        (
            Action("start", "start", "The machine boots on the operator's site."),
            Action(
                "stop",
                "powerOff",
                "The guest is shut down; its users are cut off.",
                label="Power off",
                body={"skipShutdown": "False"},
            ),
            Action("restart", "restart", "The machine reboots; its users are cut off for some minutes."),
        ),
    ),
    ResourceType(
        "Microsoft.NetworkCloud/bareMetalMachines",
        "edge",
        "2026-07-01",
        power("properties.powerState", "On", "Off"),
        (
            Action("start", "start", "The server powers on and joins its cluster again."),
            Action(
                "stop",
                "powerOff",
                "The server powers off.",
                label="Power off",
                body={"skipShutdown": "False"},
                confirm="All workloads on the server go down unless they were moved before.",
            ),
            Action(
                "restart",
                "restart",
                "The server reboots.",
                confirm="All workloads on the server go down unless they were moved before.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.NetworkCloud/kubernetesClusters",
        "edge",
        "2026-07-01",
        ready(
            "properties.detailedStatus",
            "Running",
            passing="Available|Deleting|Error|Failed|Pending|Provisioning|Updating",
        ),
        (
            Action(
                "restart",
                "restartNode",
                "The one node that `instances` names reboots; its pods are moved or interrupted.",
                label="Restart node",
                body={"nodeName": "{instance}"},
                instances="one",
                confirm="The node's pods are interrupted.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.ManagedNetworkFabric/networkDevices",
        "edge",
        "2025-07-15",
        power(
            "properties.administrativeState",
            "Enabled",
            "Disabled",
            "UnderMaintenance|MAT|RMA|EnabledDegraded",
            settled=PROVISIONED,
        ),
        (
            Action(
                "restart",
                "reboot",
                "The device reboots with its present configuration; links through it go down.",
                label="Reboot",
                body={"rebootType": "GracefulRebootWithoutZTP"},
                confirm="Traffic through the device is interrupted.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.ManagedNetworkFabric/networkBootstrapDevices",
        "edge",
        "2025-07-15",
        ready(),
        (
            Action(
                "restart",
                "reboot",
                "The device reboots; what is provisioned through it waits.",
                label="Reboot",
                confirm="Provisioning through the device is interrupted.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.BareMetalInfrastructure/bareMetalInstances",
        "edge",
        "2023-08-04-preview",
        power("properties.powerState", "started", "stopped", "starting|stopping|restarting"),
        (
            Action("start", "start", "The server powers on. It is billed in any state.", final_state_via="location"),
            Action(
                "stop",
                "shutdown",
                "The server shuts down; its users are cut off. It is billed in any state.",
                label="Shut down",
                final_state_via="location",
                confirm="What runs on the dedicated server goes down.",
            ),
            Action(
                "restart",
                "restart",
                "The server reboots; its users are cut off for up to an hour.",
                final_state_via="location",
                confirm="What runs on the dedicated server goes down.",
            ),
        ),
        note="Preview.",
    ),
    ResourceType(
        "Microsoft.AzureLargeInstance/azureLargeInstances",
        "edge",
        "2023-07-20-preview",
        power("properties.powerState", "started", "stopped", "starting|stopping|restarting"),
        (
            Action("start", "start", "The server powers on. It is billed in any state.", final_state_via="location"),
            Action(
                "stop",
                "shutdown",
                "The server shuts down; its users are cut off. It is billed in any state.",
                label="Shut down",
                final_state_via="location",
                confirm="What runs on the dedicated server goes down.",
            ),
            Action(
                "restart",
                "restart",
                "The server reboots; its users are cut off for up to an hour.",
                final_state_via="location",
                confirm="What runs on the dedicated server goes down.",
            ),
        ),
        note="Preview.",
    ),
)
