"""Gateways, firewalls, connections and delivery endpoints.

Sources: learn.microsoft.com/azure/firewall/firewall-faq (how one is deallocated),
learn.microsoft.com/rest/api/application-gateway.
"""

from __future__ import annotations

from shared.capabilities.model import PROVISIONED, Action, ResourceType, RunState, power, ready, toggle

TYPES = (
    ResourceType(
        "Microsoft.Network/applicationGateways",
        "paas",
        "2026-03-01",
        power("properties.operationalState", "Running", "Stopped", "Starting|Stopping"),
        (
            Action(
                "start",
                "start",
                (
                    "The gateway serves again in some minutes and is billed from then on. A version 1 gateway "
                    "may come back with another address."
                ),
            ),
            Action("stop", "stop", "Everything behind the gateway becomes unreachable through it; its billing ends."),
        ),
    ),
    ResourceType(
        "Microsoft.Network/azureFirewalls",
        "paas",
        "2026-03-01",
        power("properties.ipConfigurations", "present", "absent", form="list", settled=PROVISIONED),
        (
            Action(
                "start",
                "",
                (
                    "The firewall is allocated with the subnet and addresses it had, which takes about 10 "
                    "minutes; it is billed from then on."
                ),
                label="Allocate",
                method="PUT",
                body={},
                restores="properties.ipConfigurations",
                confirm=(
                    "The firewall is read and written back as a whole: a change made by others in that moment "
                    "is overwritten."
                ),
            ),
            Action(
                "stop",
                "",
                "The firewall is deallocated and its billing ends. Traffic that is routed through it goes nowhere.",
                label="Deallocate",
                method="PUT",
                body={"properties": {"ipConfigurations": None}},
                keeps="properties.ipConfigurations",
                confirm=(
                    "The firewall is read and written back as a whole: a change made by others in that moment "
                    "is overwritten. Its addresses are kept here, and only from here it can be allocated with "
                    "them again."
                ),
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Network/virtualNetworkGateways",
        "paas",
        "2026-03-01",
        ready(),
        (
            Action(
                "restart",
                "reset",
                "The instance that is active reboots: all tunnels through it drop and come back within minutes.",
                label="Reset",
                confirm="All VPN and ExpressRoute connections of the gateway drop.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Network/vpnGateways",
        "paas",
        "2026-03-01",
        ready(),
        (
            Action(
                "restart",
                "reset",
                "The gateway's instances reboot: all site-to-site tunnels drop and come back within minutes.",
                label="Reset",
                confirm="All site connections of the gateway drop.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Network/p2sVpnGateways",
        "paas",
        "2026-03-01",
        ready(),
        (
            Action(
                "restart",
                "reset",
                "The gateway reboots: all users who are dialled in are cut off and must connect again.",
                label="Reset",
                confirm="All users who are dialled in are cut off.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Network/connections",
        "paas",
        "2026-03-01",
        RunState(
            "properties.connectionStatus",
            {"running": ("Connected",), "stopped": ("NotConnected",)},
            passing=("Connecting",),
        ),
        (
            Action(
                "restart",
                "resetconnection",
                "The tunnel is torn down and negotiated again; traffic through it stops for a moment.",
                label="Reset",
                allowed_from=frozenset({"running", "stopped"}),
                ends_in="",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Network/vpnGateways/vpnConnections/vpnLinkConnections",
        "child",
        "2026-03-01",
        RunState(
            "properties.connectionStatus",
            {"running": ("Connected",), "stopped": ("NotConnected",)},
            passing=("Connecting",),
        ),
        (
            Action(
                "restart",
                "resetconnection",
                "The tunnel is torn down and negotiated again; traffic through it stops for a moment.",
                label="Reset",
                allowed_from=frozenset({"running", "stopped"}),
                ends_in="",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Network/networkVirtualAppliances",
        "paas",
        "2026-03-01",
        ready(),
        (
            Action(
                "restart",
                "restart",
                "The appliance's machines reboot; traffic through them is interrupted.",
                body={"instanceIds": "{instances}"},
                instances="optional",
                confirm="Without `instances` all machines of the appliance restart at once.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Network/networkWatchers/connectionMonitors",
        "toggle",
        "2026-03-01",
        power("properties.monitoringStatus", "Running", "Stopped"),
        (
            Action(
                "stop",
                "stop",
                "No more tests are made, and alerts on them fall silent.",
                confirm="Azure has no supported call to start it again from here.",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Network/trafficManagerProfiles",
        "toggle",
        "2026-09-01",
        toggle("properties.profileStatus", "Enabled", "Disabled"),
        (
            Action(
                "pause",
                "",
                "The profile's name is answered no more, so that its endpoints are not found by it.",
                label="Disable",
                method="PATCH",
                body={"properties": {"profileStatus": "Disabled"}},
                ends="at once",
                confirm="What is reached by the profile's name becomes unreachable for new clients.",
            ),
            Action(
                "resume",
                "",
                "The profile's name is answered again; endpoints are probed.",
                label="Enable",
                method="PATCH",
                body={"properties": {"profileStatus": "Enabled"}},
                ends="at once",
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Cdn/profiles/endpoints",
        "paas",
        "2026-10-01",
        power("properties.resourceState", "Running", "Stopped", "Starting|Stopping|Creating|Deleting"),
        (
            Action("start", "start", "The endpoint delivers again, after it has spread to the edge."),
            Action("stop", "stop", "Requests to the endpoint are refused; what it has cached stays."),
        ),
    ),
    ResourceType(
        "Microsoft.Cdn/profiles/afdEndpoints",
        "toggle",
        "2026-10-01",
        toggle("properties.enabledState", "Enabled", "Disabled"),
        (
            Action(
                "pause",
                "",
                "Requests to the endpoint are refused, after this has spread to the edge.",
                label="Disable",
                method="PATCH",
                body={"properties": {"enabledState": "Disabled"}},
                confirm="What is reached through the endpoint becomes unreachable.",
            ),
            Action(
                "resume",
                "",
                "The endpoint delivers again, after this has spread to the edge.",
                label="Enable",
                method="PATCH",
                body={"properties": {"enabledState": "Enabled"}},
            ),
        ),
    ),
    ResourceType(
        "Microsoft.Network/frontDoors",
        "toggle",
        "2025-10-01",
        toggle("properties.enabledState", "Enabled", "Disabled"),
        (
            Action(
                "pause",
                "",
                "All frontends of the Front Door refuse requests.",
                label="Disable",
                method="PUT",
                body={"properties": {"enabledState": "Disabled"}},
                confirm=(
                    "The Front Door is read and written back as a whole, and what is reached through it "
                    "becomes unreachable."
                ),
            ),
            Action(
                "resume",
                "",
                "The Front Door delivers again.",
                label="Enable",
                method="PUT",
                body={"properties": {"enabledState": "Enabled"}},
                confirm=(
                    "The Front Door is read and written back as a whole: a change made by others in that "
                    "moment is overwritten."
                ),
            ),
        ),
        note="Microsoft retires Front Door (classic).",
    ),
)
