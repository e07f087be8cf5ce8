"""Virtual machines, scale sets, their hosts and schedules.

Sources: learn.microsoft.com/azure/virtual-machines/states-billing (which states cost money),
learn.microsoft.com/azure/virtual-machines/hibernate-resume.
"""

from __future__ import annotations

from shared.capabilities.model import Action, Only, ResourceType, RunState, power, ready, toggle

VIRTUAL_MACHINE = "Microsoft.Compute/virtualMachines"
SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"
TYPES = (
    ResourceType(
        "Microsoft.Compute/virtualMachines",
        "compute",
        "2026-04-01",
        RunState(
            "properties.instanceView.statuses",
            {
                "hibernated": ("HibernationState/Hibernated",),
                "running": ("PowerState/running",),
                "stopped": ("PowerState/stopped",),
                "deallocated": ("PowerState/deallocated",),
            },
            passing=("PowerState/starting", "PowerState/stopping", "PowerState/deallocating"),
            form="codes",
            query={"$expand": "instanceView"},
        ),
        (
            Action(
                "start",
                "start",
                "The machine boots and is billed from then on. A dynamic public IP address may be a new one.",
                allowed_from=frozenset({"deallocated", "hibernated", "stopped"}),
            ),
            Action(
                "stop",
                "deallocate",
                (
                    "The machine shuts down, its users are cut off, and compute billing ends (disks are still "
                    "billed). What is on the temporary disk is lost, and so is a dynamic public IP address."
                ),
                allowed_from=frozenset({"running", "stopped"}),
                ends_in="deallocated",
            ),
            Action(
                "pause",
                "deallocate",
                (
                    "Memory is saved to the OS disk and the machine is deallocated: compute billing ends, "
                    "disks are still billed, and users find their programs as they were after Resume."
                ),
                label="Hibernate",
                query={"hibernate": "true"},
                only=Only(
                    "properties.additionalCapabilities.hibernationEnabled",
                    ("true",),
                    "Hibernation is not enabled on this machine. It can be enabled while the machine is deallocated.",
                    silent=False,
                ),
                ends_in="hibernated",
            ),
            Action(
                "resume",
                "start",
                "The machine starts with the memory it was hibernated with, and is billed from then on.",
                allowed_from=frozenset({"hibernated"}),
            ),
            Action(
                "restart",
                "restart",
                "The machine reboots in place; its users are cut off for some minutes. Disks and addresses stay.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Compute/virtualMachineScaleSets",
        "compute",
        "2026-04-01",
        power(
            "virtualMachine.statusesSummary",
            "PowerState/running",
            "PowerState/stopped",
            "PowerState/starting|PowerState/stopping|PowerState/deallocating",
            deallocated="PowerState/deallocated",
            form="counts",
            request="instanceView",
        ),
        (
            Action(
                "start",
                "start",
                "The machines boot and are billed from then on.",
                instances="optional",
                confirm="Without `instances` it is done to every machine of the scale set.",
            ),
            Action(
                "stop",
                "deallocate",
                (
                    "The machines shut down, their users are cut off, and compute billing ends (disks are "
                    "still billed). Autoscale may bring machines back."
                ),
                instances="optional",
                allowed_from=frozenset({"running", "stopped"}),
                ends_in="deallocated",
                confirm="Without `instances` it is done to every machine of the scale set.",
            ),
            Action(
                "pause",
                "deallocate",
                (
                    "Memory is saved to the OS disks and the machines are deallocated: compute billing ends. "
                    "Only for scale sets with hibernation enabled."
                ),
                label="Hibernate",
                query={"hibernate": "true"},
                instances="optional",
                ends_in="deallocated",
                confirm="Without `instances` it is done to every machine of the scale set.",
            ),
            Action(
                "resume",
                "start",
                "Hibernated machines start with the memory they had, and are billed from then on.",
                instances="optional",
                allowed_from=frozenset({"deallocated"}),
                confirm="Without `instances` it is done to every machine of the scale set.",
            ),
            Action(
                "restart",
                "restart",
                "The machines reboot in place; their users are cut off for some minutes.",
                instances="optional",
                confirm="Without `instances` it is done to every machine of the scale set.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
        "child",
        "2026-04-01",
        power(
            "statuses",
            "PowerState/running",
            "PowerState/stopped",
            "PowerState/starting|PowerState/stopping|PowerState/deallocating",
            deallocated="PowerState/deallocated",
            form="codes",
            request="instanceView",
        ),
        (
            Action("start", "start", "This machine of the scale set boots and is billed from then on."),
            Action(
                "stop",
                "deallocate",
                (
                    "This machine shuts down and its compute billing ends; its disks are still billed. The "
                    "scale set may replace it."
                ),
                allowed_from=frozenset({"running", "stopped"}),
                ends_in="deallocated",
            ),
            Action("restart", "restart", "This machine reboots in place; the others of the scale set go on."),
        ),
    ),
    ResourceType(
        "Microsoft.Compute/hostGroups/hosts",
        "compute",
        "2026-04-01",
        ready(
            "properties.instanceView.statuses",
            "HealthState/available|ProvisioningState/succeeded",
            form="codes",
            query={"$expand": "instanceView"},
        ),
        (
            Action(
                "restart",
                "restart",
                (
                    "The host reboots, and every virtual machine on it goes down and comes back. The host is "
                    "billed all the while."
                ),
                confirm="All virtual machines on the host restart with it.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Compute/cloudServices",
        "legacy",
        "2022-09-04",
        power(
            "roleInstance.statusesSummary",
            "PowerState/running|RoleState/RoleStateStarted|RoleState/ReadyRole",
            "PowerState/stopped|RoleState/StoppedVM|RoleState/RoleStateStopped",
            form="counts",
            request="instanceView",
        ),
        (
            Action("start", "start", "All role instances start."),
            Action("stop", "poweroff", "All role instances shut down. They stay allocated and are still billed."),
            Action(
                "restart",
                "restart",
                "The role instances reboot.",
                body={"roleInstances": ["*"]},
                confirm="It is done to every role instance at once.",
            ),
        ),
        note="Microsoft retires Cloud Services (extended support).",
    ),
    ResourceType(
        "Microsoft.ComputeSchedule/scheduledActions",
        "toggle",
        "2026-04-15-preview",
        toggle("properties.disabled", "false", "true"),
        (
            Action(
                "pause",
                "disable",
                "The schedule no longer starts or stops its machines. The machines stay as they are.",
                label="Disable",
                ends="at once",
            ),
            Action(
                "resume",
                "enable",
                "The schedule acts on its machines again, from its next time on.",
                label="Enable",
                ends="at once",
            ),
        ),
        note="Preview.",
    ),
)
