"""`python -m sandbox.demo`: makes a living system of a fresh one, over HTTP only, as the people of the world would.

dave consents, alice syncs the clients, maps sites, lets bob and carol see theirs and sends tickets to the webhook
receiver; some devices fall ill. Afterwards health drifts and is polled far more often than in production, for as long
as this process runs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

import httpx

POLL_SECONDS = 20.0
"""Between polls of a demo; the timer's own schedule is 15 minutes."""
WAIT_SECONDS = 120.0
POLL_TIMER = "poll_resource_health"
GRANTS = {"bob": ("Contoso",), "carol": ("Contoso", "Fabrikam")}
ILL = (("Contoso", "Unavailable"), ("Contoso", "Degraded"), ("Fabrikam", "Unavailable"))
"""Client and new state of each device that falls ill at the start."""


class DemoError(Exception):
    """A step did not do what the API's contract says."""


class Demo:
    """Drives the application as alice and the cloud through the sandbox's control API."""

    def __init__(self, api: httpx.AsyncClient, control: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
        self.api, self.control, self.host = api, control, host
        self.world: dict[str, Any] = {}

    async def seed(self) -> None:
        """Everything up to the first open alerts. Raises DemoError naming the step that failed."""
        self.world = await self.call(self.control, "GET", "/world?resources=true")
        token = await self.call(self.control, "POST", "/tokens", json={"person": "alice"})
        self.api.headers["Authorization"] = f"Bearer {token['accessToken']}"
        connection = await self.connect()
        say("dave has consented; listing and syncing the client tenants")
        await self.sync()
        sites = await self.map_sites()
        await self.complete(connection)
        say(f"{len(sites)} sites are mapped; reading their devices")
        await self.poll()
        await self.fall_ill()
        await self.poll()
        await self.call(self.control, "PUT", "/behaviour", json={"drift": True})
        alerts = await self.call(self.api, "GET", "/alerts?state=open&$count=true&$top=1")
        devices = await self.call(self.api, "GET", "/devices?$count=true&$top=1")
        say(f"Ready: {devices['count']} devices, {alerts['count']} open alerts; health drifts from now on")

    async def connect(self) -> str:
        """Create the connection, sign in as dave, test it; its id."""
        body = {"name": self.world["partner"]["name"], "partnerTenantId": self.world["partner"]["tenantId"]}
        connection = await self.call(self.api, "POST", "/connections", json=body)
        path = f"/connections/{connection['id']}"
        asked = await self.call(self.api, "POST", f"{path}/authorize")
        async with httpx.AsyncClient(timeout=60, trust_env=False) as browser:
            pressed = await browser.post(asked["authorizationUrl"], data={"person": "dave"})
            told = await browser.get(pressed.headers["location"])
        if "error=" in told.headers.get("location", "error="):
            raise DemoError(f"the sign-in came back with {told.status_code} {told.headers.get('location')}")
        tested = await self.call(self.api, "POST", f"{path}/test")
        if tested["outcome"] != "passed":
            raise DemoError(f"the test of the connection says {tested}")
        return str(connection["id"])

    async def complete(self, connection: str) -> None:
        """Set the connection to work."""
        await self.call(self.api, "POST", f"/connections/{connection}/complete")

    async def sync(self) -> None:
        """List the customers and make the enterprise application in each; some of them cannot have it, and say why."""
        await self.finished(await self.call(self.api, "POST", "/tenants/refresh"))
        found = await self.call(self.api, "GET", "/tenants?$top=1000")
        wanted = [tenant["id"] for tenant in found["value"] if tenant["status"] == "deactivated"]
        await self.finished(await self.call(self.api, "POST", "/tenants/sync", json={"tenantIds": wanted}))

    async def map_sites(self) -> dict[str, list[str]]:
        """A site per synced client, bob's and carol's grants, and the sink; client name -> site ids."""
        found = await self.call(self.api, "GET", "/tenants?status=synced&$top=1000")
        rows = [(t["displayName"], "Head office", t["id"]) for t in found["value"] if not t["isPrimary"]]
        lines = ["client,site,tenant", *(f'"{client}",{site},{tenant}' for client, site, tenant in rows)]
        content = "\n".join(lines) + "\n"
        headers = {"Content-Type": "text/csv"}
        await self.call(self.api, "POST", "/sites/import", content=content, headers=headers)
        sites: dict[str, list[str]] = {}
        for site in (await self.call(self.api, "GET", "/sites?$top=1000"))["value"]:
            sites.setdefault(site["clientName"], []).append(site["id"])
        for person, clients in GRANTS.items():
            granted = [site for client in clients for site in sites.get(client, [])]
            known = self.world["people"][person]
            wanted = {"name": known["displayName"], "siteIds": granted}
            await self.call(self.api, "PUT", f"/access/{known['objectId']}", json=wanted)
        receiver = self.world["receivers"]["webhook"]
        settings = {"url": receiver["url"], "secret": receiver["secret"]}
        await self.call(
            self.api, "POST", "/sinks", json={"kind": "webhook", "name": "Ticket desk", "settings": settings}
        )
        return sites

    async def poll(self) -> None:
        """Run the timer that polls every subscription, and wait for what follows."""
        await self.call(self.host, "POST", f"/admin/functions/{POLL_TIMER}", json={"input": ""})
        await self.call(self.host, "POST", "/_host/settle", json={"timeoutSeconds": WAIT_SECONDS})

    async def go_on(self) -> None:
        """Poll while health drifts; after a reset of the world the system is somebody else's, and is left alone."""
        try:
            if (await self.call(self.control, "GET", "/behaviour"))["drift"]:
                await self.poll()
        except (DemoError, httpx.HTTPError) as error:
            say(f"a poll did not end: {error!r}")

    async def fall_ill(self) -> None:
        """Let the devices of ILL fall ill."""
        taken: set[str] = set()
        for client, state in ILL:
            resources = [
                resource["id"]
                for tenant in self.world["tenants"]
                if tenant["name"] == client
                for subscription in tenant["subscriptions"]
                for resource in subscription["resources"]
                if resource["reported"] and resource["id"] not in taken
            ]
            if resources:
                taken.add(resources[0])
                change = {"resourceId": resources[0], "availabilityState": state, "reasonType": "Unplanned"}
                await self.call(self.control, "PUT", "/health", json=change)

    async def finished(self, operation: dict[str, Any]) -> None:
        """Wait until an operation has ended, well or not. Raises DemoError when it takes too long."""
        for _ in range(int(WAIT_SECONDS * 2)):
            operation = await self.call(self.api, "GET", f"/operations/{operation['id']}")
            if operation["status"] not in ("notStarted", "running"):
                return
            await asyncio.sleep(0.5)
        raise DemoError(f"{operation['kind']} has not ended after {WAIT_SECONDS:.0f} s")

    async def call(self, client: httpx.AsyncClient, method: str, path: str, **options: Any) -> Any:
        """One request; its JSON. Raises DemoError with the answer's text when it is refused."""
        answer = await client.request(method, path, **options)
        if not answer.is_success:
            raise DemoError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None


def say(text: str) -> None:
    """A line for whoever watches."""
    print(text, flush=True)


async def run(api_url: str, control_url: str, *, once: bool) -> None:
    """Seed, then go on polling until stopped."""
    async with (
        httpx.AsyncClient(base_url=api_url, timeout=60, trust_env=False) as api,
        httpx.AsyncClient(base_url=control_url, timeout=60, trust_env=False) as control,
        httpx.AsyncClient(base_url=api_url.removesuffix("/api"), timeout=WAIT_SECONDS + 10, trust_env=False) as host,
    ):
        demo = Demo(api, control, host)
        await demo.seed()
        while not once:
            await asyncio.sleep(POLL_SECONDS)
            await demo.go_on()


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--api", default="http://localhost:7071/api")
    parser.add_argument("--control", default="http://localhost:8400/_sandbox")
    parser.add_argument("--once", action="store_true", help="end when the system is seeded")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments.api, arguments.control, once=arguments.once))
    except (DemoError, httpx.HTTPError) as error:
        sys.exit(f"The demo could not be made: {error!r}")
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
