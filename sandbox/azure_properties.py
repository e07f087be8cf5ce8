"""Properties of simulated resources: what a GET of a resource's id shows below `properties`, type by type."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from sandbox.world import Resource, World

VM = "Microsoft.Compute/virtualMachines"
DISK = "Microsoft.Compute/disks"
NIC = "Microsoft.Network/networkInterfaces"
PUBLIC_IP = "Microsoft.Network/publicIPAddresses"

_SIZES = ("Standard_B2ms", "Standard_D2s_v5", "Standard_D4s_v5", "Standard_E4s_v5", "Standard_F4s_v2")

_HARDWARE = {size: {"vmSize": size} for size in _SIZES}
_IMAGES = {
    "Windows": {
        "publisher": "MicrosoftWindowsServer",
        "offer": "WindowsServer",
        "sku": "2022-datacenter-azure-edition",
        "version": "latest",
        "exactVersion": "20348.3091.250112",
    },
    "Linux": {
        "publisher": "Canonical",
        "offer": "ubuntu-24_04-lts",
        "sku": "server",
        "version": "latest",
        "exactVersion": "24.04.202501140",
    },
}
_SUCCEEDED: dict[str, Any] = {"provisioningState": "Succeeded"}

Properties = Callable[[World, Resource], dict[str, Any]]


def plain(**values: Any) -> Properties:
    """Properties that are the same for every resource of the type: one dict, shared."""
    shared = {**_SUCCEEDED, **values}
    return lambda _world, _resource: shared


PLAIN = plain()


def machine_properties(world: World, machine: Resource) -> dict[str, Any]:
    """Of a virtual machine: what names its disk and its network interface, as `azure_types.companions` makes them."""
    seed = zlib.crc32(machine.id.encode())
    os_type = "Linux" if seed % 5 < 2 else "Windows"
    group = machine.id[: machine.id.index("/providers/")]
    return {
        "vmId": world.guid("vm", machine.id),
        "hardwareProfile": _HARDWARE[_SIZES[seed % len(_SIZES)]],
        "storageProfile": {
            "imageReference": _IMAGES[os_type],
            "osDisk": {
                "osType": os_type,
                "name": f"{machine.name}-osdisk",
                "createOption": "FromImage",
                "caching": "ReadWrite",
                "diskSizeGB": 128,
                "managedDisk": {
                    "storageAccountType": "Premium_LRS",
                    "id": f"{group}/providers/{DISK}/{machine.name}-osdisk",
                },
            },
            "dataDisks": [],
        },
        "osProfile": {"computerName": machine.name, "adminUsername": "azureadmin"},
        "networkProfile": {
            "networkInterfaces": [
                {"id": f"{group}/providers/{NIC}/{machine.name}-nic", "properties": {"primary": True}}
            ]
        },
        "provisioningState": "Succeeded",
        "timeCreated": f"{machine.created:%Y-%m-%dT%H:%M:%S}.1234567+00:00",
    }


def interface_properties(_world: World, nic: Resource) -> dict[str, Any]:
    """A virtual machine's interface when the name says so (`<vm>-nic`), a private endpoint's otherwise."""
    group = nic.id[: nic.id.index("/providers/")]
    seed = zlib.crc32(nic.id.encode())
    address: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "privateIPAddress": f"10.{seed % 200}.{seed // 200 % 250}.{4 + seed // 50000 % 250}",
        "privateIPAllocationMethod": "Dynamic",
        "privateIPAddressVersion": "IPv4",
        "primary": True,
        "subnet": {"id": f"{group}/providers/Microsoft.Network/virtualNetworks/vnet-{nic.location}/subnets/default"},
    }
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "ipConfigurations": [
            {"name": "ipconfig1", "id": f"{nic.id}/ipConfigurations/ipconfig1", "properties": address}
        ],
        "primary": True,
        "macAddress": "-".join(f"{byte:02X}" for byte in (0, 0x0D, 0x3A, *seed.to_bytes(4, "big")[:3])),
        "enableIPForwarding": False,
    }
    if nic.name.endswith("-nic"):
        machine = nic.name.removesuffix("-nic")
        address["publicIPAddress"] = {"id": f"{group}/providers/{PUBLIC_IP}/{machine}-ip"}
        properties["virtualMachine"] = {"id": f"{group}/providers/{VM}/{machine}"}
    return properties


def address_properties(_world: World, address: Resource) -> dict[str, Any]:
    """Of a public IP address; one called `<vm>-ip` belongs to that machine's interface."""
    group = address.id[: address.id.index("/providers/")]
    seed = zlib.crc32(address.id.encode())
    # 203.0.113.0/24 and its siblings are reserved for documentation (RFC 5737).
    owner = f"{address.name.removesuffix('-ip')}-nic" if address.name.endswith("-ip") else f"nic-{address.name}"
    return {
        "provisioningState": "Succeeded",
        "ipAddress": f"203.0.113.{1 + seed % 254}",
        "publicIPAllocationMethod": "Static",
        "publicIPAddressVersion": "IPv4",
        "idleTimeoutInMinutes": 4,
        "ipConfiguration": {"id": f"{group}/providers/{NIC}/{owner}/ipConfigurations/ipconfig1"},
    }


def firewall_properties(_world: World, firewall: Resource) -> dict[str, Any]:
    """Of a firewall that is allocated: it has an address in its network; one without is deallocated."""
    network = f"{firewall.id[: firewall.id.index('/providers/')]}/providers/Microsoft.Network"
    place = {
        "subnet": {"id": f"{network}/virtualNetworks/vnet-{firewall.location}/subnets/AzureFirewallSubnet"},
        "publicIPAddress": {"id": f"{network}/publicIPAddresses/pip-{firewall.name}"},
    }
    return {
        "provisioningState": "Succeeded",
        "sku": {"name": "AZFW_VNet", "tier": "Standard"},
        "threatIntelMode": "Alert",
        "ipConfigurations": [{"name": "ipconfig1", "properties": place}],
    }


def disk_properties(_world: World, disk: Resource) -> dict[str, Any]:
    """Of a managed disk; one called `<vm>-osdisk` is attached."""
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "diskSizeGB": 128,
        "diskState": "Unattached",
        "creationData": {"createOption": "Empty"},
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
    }
    if disk.name.endswith("-osdisk"):
        seed = zlib.crc32(disk.id.encode())
        properties |= {
            "diskState": "Attached",
            "osType": "Linux" if seed % 5 < 2 else "Windows",
            "creationData": {"createOption": "FromImage"},
        }
    return properties


def with_host(suffix: str, key: str, **values: Any) -> Properties:
    """Properties with one host name made of the resource's name."""
    return lambda _world, resource: {**_SUCCEEDED, key: suffix.format(resource.name.rsplit("/", 1)[-1]), **values}
