"""`python -m sandbox.tour`: the main job in seven lines, on the running demo, with the call behind each line.

A machine of Contoso becomes unavailable, a ticket goes out, alice restarts the machine, the ticket closes by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

import httpx

from sandbox.demo import Demo, DemoError, say
from sandbox.up import Ports

VM = "Microsoft.Compute/virtualMachines"


class Tour(Demo):
    """One walk through the main job."""

    def __init__(self, api: httpx.AsyncClient, control: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
        super().__init__(api, control, host)
        self._step = 0

    async def walk(self) -> None:
        """Do it once. Raises DemoError when a step does not come out as it should."""
        token = await self.call(self.control, "POST", "/tokens", json={"person": "alice"})
        self.api.headers["Authorization"] = f"Bearer {token['accessToken']}"
        device = await self.a_running_machine()
        path, name = f"/devices/{device['id']}", device["name"]
        self.tell(f"{name} of {device['clientName']} is {device['status']} and {device['powerState']}", f"GET {path}")

        change = {"availabilityState": "Unavailable", "reasonType": "Unplanned", "summary": "The host crashed."}
        await self.call(self.control, "PUT", "/health", json={"resourceId": device["resourceId"], **change})
        self.tell("Azure loses it: The host crashed.", "PUT /_sandbox/health")
        await self.poll()
        opened = await self.alert(device, "open")
        self.tell(
            f"The poll opens an alert: {opened['title']}; ticket {opened['tickets'][0]['state']}",
            f"GET /alerts?state=open&deviceId={device['id']}",
        )
        ticket = await self.ticket(opened["id"])
        self.tell(f"The ticket desk has it, signature verified: {ticket['title']}", "GET /_sandbox/receivers/webhook")

        body = {"reason": "The host crashed", "ticketNumber": "T-1042"}
        operation = await self.call(self.api, "POST", f"{path}/actions/restart", json=body)
        await self.finished(operation)
        ended = await self.call(self.api, "GET", f"/operations/{operation['id']}")
        self.tell(
            f"alice restarts it for T-1042: {ended['status']}, now {ended['result']['powerState']}",
            f"POST {path}/actions/restart",
        )
        await self.poll()
        closed = await self.alert(device, "closed")
        self.tell(
            f"The poll closes the alert by itself: {closed['closeReason']}",
            f"GET /alerts?state=closed&deviceId={device['id']}",
        )
        ticket = await self.ticket(opened["id"])
        self.tell(f"The ticket desk agrees: {ticket['state']}", "GET /_sandbox/receivers/webhook")

    async def a_running_machine(self) -> dict[str, Any]:
        """A machine of Contoso that is well."""
        query = f"/devices?clientName=Contoso&type={VM}&status=available&$top=1000"
        for device in (await self.call(self.api, "GET", query))["value"]:
            if device.get("powerState") == "running":
                return dict(device)
        raise DemoError("no machine of Contoso is listed as running and available; is Contoso connected and mapped?")

    async def alert(self, device: dict[str, Any], state: str) -> dict[str, Any]:
        """The newest alert of a device in a state."""
        found = (await self.call(self.api, "GET", f"/alerts?state={state}&deviceId={device['id']}"))["value"]
        if not found:
            raise DemoError(f"{device['name']} has no {state} alert")
        return dict(found[0])

    async def ticket(self, key: str) -> dict[str, Any]:
        """The ticket that the receiver made of an alert, from deliveries whose signatures it verified."""
        inbox = await self.call(self.control, "GET", "/receivers/webhook")
        for ticket in inbox["tickets"]:
            if ticket["key"] == key and all(delivery["verified"] for delivery in inbox["deliveries"]):
                return dict(ticket)
        raise DemoError(f"the receiver has no verified ticket for {key}")

    def tell(self, what: str, call: str) -> None:
        """One numbered line, and the call behind it."""
        self._step += 1
        say(f"{self._step}. {what}\n     {call}")


async def run(host_url: str, control_url: str) -> None:
    """Walk through the main job on the system at these addresses."""
    async with (
        httpx.AsyncClient(base_url=f"{host_url}/api", timeout=60, trust_env=False) as api,
        httpx.AsyncClient(base_url=f"{control_url}/_sandbox", timeout=60, trust_env=False) as control,
        httpx.AsyncClient(base_url=host_url, timeout=150, trust_env=False) as host,
    ):
        await Tour(api, control, host).walk()


def main() -> None:
    """Read the arguments and walk."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.tour", description=__doc__)
    parser.add_argument("--port-base", type=int, default=0, help="the one that the demo was started with")
    base = parser.parse_args().port_base
    ports = Ports.above(base) if base else Ports()
    try:
        asyncio.run(run(f"http://localhost:{ports.host}", f"http://localhost:{ports.sandbox}"))
    except httpx.ConnectError:
        sys.exit("Nothing answers there. Start `make demo` in another terminal and wait until it is ready.")
    except DemoError as error:
        sys.exit(f"The tour stops: {error}")


if __name__ == "__main__":
    main()
