"""Virtual machines.

Sources: learn.microsoft.com/azure/virtual-machines/states-billing (which states cost money),
learn.microsoft.com/azure/virtual-machines/hibernate-resume, and the built-in role Virtual Machine Contributor for the
permissions.
"""

from __future__ import annotations

from shared.capabilities.model import Capability

VIRTUAL_MACHINE = "Microsoft.Compute/virtualMachines"
_HIBERNATION = "Hibernating virtual machines is not offered yet. Stop it: that ends the cost of compute as well."

ROWS = (
    Capability(
        type=VIRTUAL_MACHINE,
        verb="start",
        operation_name="start",
        rbac_action="Microsoft.Compute/virtualMachines/start/action",
        effect="The machine boots and is billed from then on. A dynamic public IP address may be a new one.",
        allowed_from=frozenset({"stopped", "deallocated", "hibernated"}),
        ends_in="running",
        repeatable=True,
    ),
    Capability(
        type=VIRTUAL_MACHINE,
        verb="stop",
        operation_name="deallocate",
        rbac_action="Microsoft.Compute/virtualMachines/deallocate/action",
        effect=(
            "The machine shuts down, its users are cut off, and compute billing ends (disks are still billed). "
            "What is on the temporary disk is lost, and so is a dynamic public IP address."
        ),
        allowed_from=frozenset({"running", "stopped"}),
        ends_in="deallocated",
        repeatable=True,
    ),
    Capability(
        type=VIRTUAL_MACHINE,
        verb="restart",
        operation_name="restart",
        rbac_action="Microsoft.Compute/virtualMachines/restart/action",
        effect="The machine reboots in place; its users are cut off for some minutes. Disks and addresses stay.",
        allowed_from=frozenset({"running"}),
        ends_in="running",
        repeatable=False,
    ),
    Capability(
        type=VIRTUAL_MACHINE,
        verb="pause",
        operation_name="deallocate",
        rbac_action="Microsoft.Compute/virtualMachines/deallocate/action",
        effect="Memory is written to the disk and the machine is deallocated.",
        allowed_from=frozenset({"running"}),
        ends_in="deallocated",
        repeatable=True,
        unavailable=_HIBERNATION,
    ),
    Capability(
        type=VIRTUAL_MACHINE,
        verb="resume",
        operation_name="start",
        rbac_action="Microsoft.Compute/virtualMachines/start/action",
        effect="The machine starts with the memory it was hibernated with.",
        allowed_from=frozenset({"hibernated"}),
        ends_in="running",
        repeatable=True,
        unavailable="Hibernating virtual machines is not offered yet. A stopped one is started with start.",
    ),
)
