"""The stage of a benchmark: Azurite, sandbox and host as children, and an installation with every tenant mapped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from sandbox import up
from sandbox.environment import app_settings

ROOT = Path(__file__).resolve().parent.parent
HOST_SETTINGS = {
    "HOST_TIMERS": "off",
    "HOST_POLL_SECONDS": "0.2",
    "HOST_QUEUE_LEASE": "120",
    "HOST_LOG_LEVEL": "WARNING",
}
"""No schedules, an idle queue looked at five times a second, and no line per run."""
SETUP_SECONDS = 600.0


@dataclass(frozen=True)
class Size:
    """How large the world is."""

    tenants: int
    subscriptions: int
    resources: int


class Stage:
    """A running system. `http` is for the control API and the host's admin API, `api` for ours, as alice."""

    def __init__(self, system: up.System, http: httpx.AsyncClient, storage: str, world: dict[str, Any]) -> None:
        self.system, self.http, self.storage, self.world = system, http, storage, world
        self.tables = TableServiceClient.from_connection_string(storage)
        self.queues = QueueServiceClient.from_connection_string(storage)
        self.api = httpx.AsyncClient(base_url=f"{system.host_url}/api", timeout=120)
        self.connection = ""
        """Id of the connection, once it is made."""

    @property
    def authority(self) -> Path:
        """Certificate of the sandbox's CA."""
        return self.system.state / "ca.pem"

    async def control(self, method: str, path: str, **options: Any) -> Any:
        """A call of the sandbox's control API."""
        answer = await self.http.request(method, f"{self.system.control}{path}", **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """A call of our API."""
        answer = await self.api.request(method, path, **options)
        if not answer.is_success:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    async def finish(self, operation: dict[str, Any]) -> dict[str, Any]:
        """An operation once it has ended. Raises TimeoutError."""
        async with asyncio.timeout(SETUP_SECONDS):
            while operation["status"] in ("notStarted", "running"):
                await asyncio.sleep(0.5)
                operation = await self.call("GET", f"/operations/{operation['id']}")
        return operation

    async def start_host(self, own: Mapping[str, str] = HOST_SETTINGS) -> None:
        """Start the host anew, with these settings of its own: its memory and caches are those of a fresh process."""
        for child in [child for child in self.system.children if child.name == "host"]:
            child.process.terminate()
            await child.process.wait()
            self.system.children.remove(child)
        await up.start_host(self.system, self.http, self.settings() | dict(own), "shared.app")

    def settings(self) -> dict[str, str]:
        """The application's settings."""
        portal = self.system.portal_url
        return app_settings(self.world, self.storage, self.system.host_url, self.authority, portal_url=portal)

    async def kill_host(self) -> None:
        """End the host as a crash does: nothing of it is finished, nothing told."""
        [host] = [child for child in self.system.children if child.name == "host"]
        host.process.kill()
        await host.process.wait()
        self.system.children.remove(host)

    async def sign_in(self) -> None:
        """Call our API as alice from now on."""
        token = (await self.control("POST", "/tokens", json={"person": "alice"}))["accessToken"]
        self.api.headers["Authorization"] = f"Bearer {token}"

    async def complete(self) -> None:
        """Make the connection active: every subscription is polled, for the first time."""
        await self.call("POST", f"/connections/{self.connection}/complete")

    async def tick(self, timer: str = "poll_resource_health") -> None:
        """Run a timer now."""
        url = f"{self.system.host_url}/admin/functions/{timer}"
        (await self.http.post(url, json={"input": ""})).raise_for_status()

    def host_memory(self) -> float:
        """Peak resident memory of the host so far, MiB."""
        [host] = [child for child in self.system.children if child.name == "host"]
        status = Path(f"/proc/{host.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024

    def cpu(self) -> dict[str, float]:
        """Processor seconds that each child has spent so far."""
        tick = os.sysconf("SC_CLK_TCK")
        spent = {}
        for child in self.system.children:
            fields = Path(f"/proc/{child.process.pid}/stat").read_text().rpartition(")")[2].split()
            spent[child.name] = (int(fields[11]) + int(fields[12])) / tick
        return spent

    async def close(self) -> None:
        """Stop everything."""
        await self.api.aclose()
        await self.tables.close()
        await self.queues.close()
        await self.system.stop()


def _free_base() -> int:
    """The first of 21 ports in a row of which none is in use, below those that connections are given."""
    # At random: another session on this machine looks for its own at the same time.
    for base in random.sample(range(21_000, 32_000, 25), 200):
        wanted = up.Ports.above(base).used(host=True)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in wanted:
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return base
    raise RuntimeError("no free ports")


@contextlib.asynccontextmanager
async def raised(state: Path) -> AsyncIterator[Stage]:
    """Azurite and sandbox with its default world; no host yet. `state` is an empty folder for certificates."""
    system = up.System(up.Ports.above(_free_base()), state, ROOT)
    async with httpx.AsyncClient(timeout=120, trust_env=False) as http:
        try:
            storage = await up.start_storage(system)
            world = await up.start_sandbox(system, http, "default")
            stage = Stage(system, http, storage, world)
            yield stage
            await stage.close()
        finally:
            await system.stop()


@contextlib.asynccontextmanager
async def staged(size: Size, state: Path) -> AsyncIterator[Stage]:
    """A system with a world of that size: every tenant synced and mapped, nothing polled yet.

    Polling begins when the connection is completed. `state` is an empty folder for certificates.
    """
    async with raised(state) as stage:
        await stage.control("POST", "/reset", json={"scenario": "scale", **vars(size)})
        stage.world = await stage.control("GET", "/world")
        await stage.start_host()
        await _install(stage)
        yield stage


async def _install(stage: Stage) -> None:
    """The way of an administrator, by the API: connect, sync and map everything."""
    redirect = f"{stage.system.host_url}/api/connections/callback"
    await stage.control("PUT", "/applications/tenantry", json={"redirectUris": [redirect]})
    await stage.sign_in()
    partner = stage.world["partner"]["tenantId"]
    connection = await stage.call("POST", "/connections", json={"name": "Northwind", "partnerTenantId": partner})
    url = (await stage.call("POST", f"/connections/{connection['id']}/authorize"))["authorizationUrl"]
    signed_in = await stage.http.get(url, params={**dict(parse_qsl(urlsplit(url).query)), "login_hint": "dave"})
    returned = await stage.http.get(signed_in.headers["location"])
    if "error=" in returned.headers.get("location", "error="):
        raise RuntimeError(f"dave cannot sign in: {returned.headers.get('location')}")
    await stage.call("POST", f"/connections/{connection['id']}/test")
    await stage.finish(await stage.call("POST", "/tenants/refresh"))
    tenants = [tenant["tenantId"] for tenant in stage.world["tenants"] if tenant["name"].startswith("Customer ")]
    done = await stage.finish(await stage.call("POST", "/tenants/sync", json={"tenantIds": tenants}))
    if done["status"] != "succeeded":
        failed = [item for item in done["items"] if item["status"] != "succeeded"]
        raise RuntimeError(f"{len(failed)} tenants did not sync; the first: {failed[0]}")
    lines = ["client,site,tenant", *(f"Client {number},HQ,{tenant}" for number, tenant in enumerate(tenants))]
    headers = {"Content-Type": "text/csv"}
    imported = await stage.call("POST", "/sites/import", content="\n".join(lines).encode(), headers=headers)
    if any(row.get("error") for row in imported["value"]):
        raise RuntimeError(f"the import failed: {imported['value'][0]}")
    stage.connection = connection["id"]
