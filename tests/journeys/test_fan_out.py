"""Two hundred tenants at once: with a tenth of Microsoft's answers failing, and with the host killed in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.environment import app_settings
from sandbox.server import Sandbox
from tests.app_fixtures import QUICK, ROOT, running_azurite
from tests.journeys.installation import Installation

TENANTS = 200
FAULTS: list[dict[str, Any]] = [
    {"status": 429, "retryAfter": 1},
    {"status": 503},
    {"kind": "disconnect", "status": 0},
]


async def two_hundred_customers(control: httpx.AsyncClient) -> None:
    size = {"scenario": "scale", "tenants": TENANTS, "subscriptions": TENANTS, "resources": TENANTS}
    (await control.post("/reset", json=size)).raise_for_status()


async def fail_a_tenth(control: httpx.AsyncClient) -> None:
    """A tenth of all Microsoft calls fails, in three ways in equal parts (each is drawn after the one before)."""
    for number, fault in enumerate(FAULTS):
        share = 0.1 / 3 / (1 - number * 0.1 / 3)
        for service in ("login", "arm", "graph", "partnercenter"):
            body = {"service": service, "times": 1_000_000, "probability": share, **fault}
            (await control.post("/faults", json=body)).raise_for_status()


def assert_one_application_each(sandbox: Sandbox, tenants: list[dict[str, Any]]) -> None:
    """Every tenant is synced and holds exactly one service principal of ours: the one that its row names."""
    world = sandbox.cloud.world
    ours = next(a.app_id for a in world.applications.values() if a.display_name == "Tenantry")
    assert len(tenants) == TENANTS
    for tenant in tenants:
        assert tenant["status"] == "synced", tenant
        principals = [p.id for p in world.tenants[tenant["id"]].service_principals.values() if p.app_id == ours]
        assert principals == [tenant["enterpriseAppId"]]


async def test_all_tenants_end_synced_when_a_tenth_of_the_calls_fails(
    alice: Installation, sandbox: Sandbox, control: httpx.AsyncClient
) -> None:
    await two_hundred_customers(control)
    await alice.connect()
    await alice.refresh()
    customers = [t["id"] for t in await alice.every("/tenants") if not t["isPrimary"]]
    await fail_a_tenth(control)
    begun = await alice.call("POST", "/tenants/sync", 202, json={"tenantIds": customers})
    await alice.settle(110, delayed=True)
    await control.delete("/faults")
    operation = await alice.call("GET", f"/operations/{begun['id']}")
    assert operation["status"] == "succeeded", [i for i in operation["items"] if i["status"] != "succeeded"]
    assert_one_application_each(sandbox, [t for t in await alice.every("/tenants") if not t["isPrimary"]])
    failed = [r for r in sandbox.cloud.requests if r["status"] in (0, 429, 503)]
    assert len(failed) > len(sandbox.cloud.requests) / 20, "the faults were not felt"
    assert await alice.every("/service/poison") == []


class HostProcess:
    """The host stand-in as a process of its own, which can be killed."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._environment = {**os.environ, **settings}
        self._child: asyncio.subprocess.Process | None = None
        self.url = ""

    async def start(self, port: int = 0) -> None:
        """Start it; ready when it says on which port."""
        program = [sys.executable, "-m", "sandbox.host", "--port", str(port)]
        self._child = await asyncio.create_subprocess_exec(
            *program, cwd=ROOT, env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        assert self._child.stdout is not None
        async with asyncio.timeout(30):
            while " functions on " not in (line := (await self._child.stdout.readline()).decode()):
                assert line, "the host ended"
        self.url = line.rsplit(maxsplit=1)[1]
        self._drain = asyncio.create_task(self._child.stdout.read())

    async def end(self, how: signal.Signals) -> None:
        """Send a signal and wait for the end."""
        assert self._child is not None
        if self._child.returncode is None:
            self._child.send_signal(how)
            await self._child.wait()
        await self._drain


@contextlib.asynccontextmanager
async def installation_of_its_own(
    control: httpx.AsyncClient, authority: Path
) -> AsyncIterator[tuple[HostProcess, httpx.AsyncClient]]:
    """A host process with its own storage, and alice's client of it."""
    async with running_azurite() as storage:
        world = (await control.get("/world")).json()
        settings = {**app_settings(world, storage, "http://localhost:7071", authority), **QUICK}
        host = HostProcess(settings)
        await host.start()
        token = (await control.post("/tokens", json={"person": "alice"})).json()["accessToken"]
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with httpx.AsyncClient(base_url=f"{host.url}/api", headers=headers, timeout=60) as api:
                yield host, api
        finally:
            await host.end(signal.SIGTERM)


async def statuses(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await api.get("/tenants", params={"$top": 1000})
    assert answer.status_code == 200, answer.text
    return [tenant for tenant in answer.json()["value"] if not tenant["isPrimary"]]


@pytest.mark.timeout(300)
async def test_a_host_killed_in_mid_fan_out_loses_and_doubles_nothing(
    sandbox: Sandbox, control: httpx.AsyncClient
) -> None:
    await two_hundred_customers(control)
    async with installation_of_its_own(control, sandbox.state_dir / "ca.pem") as (host, api):
        # The callback's address is that of the settings; the code is handed to this host's port instead.
        alice = Installation(host.url, api, control, _never)
        connection = await alice.call(
            "POST",
            "/connections",
            201,
            json={"name": "N", "partnerTenantId": (await alice.world())["partner"]["tenantId"]},
        )
        url = (await alice.call("POST", f"/connections/{connection['id']}/authorize"))["authorizationUrl"]
        async with httpx.AsyncClient(timeout=30) as browser:
            back = (await browser.get(url, params={**httpx.URL(url).params, "login_hint": "dave"})).headers["location"]
            query = httpx.URL(back).params
            assert (await browser.get(f"{host.url}/api/connections/callback", params=query)).status_code == 302
        await alice.call("POST", f"/connections/{connection['id']}/test")
        await alice.call("POST", "/tenants/refresh", 202)
        await _until(lambda found: len(found) == TENANTS, api)
        ids = [tenant["id"] for tenant in await statuses(api)]
        begun = await alice.call("POST", "/tenants/sync", 202, json={"tenantIds": ids})

        await alice.advance(3600)
        await _until(lambda found: sum(t["status"] == "synced" for t in found) >= TENANTS // 5, api)
        await host.end(signal.SIGKILL)
        half = sum(_has_application(sandbox, tenant_id) for tenant_id in ids)
        assert 0 < half < TENANTS, "the host was to be killed in the middle"
        await host.start(int(host.url.rsplit(":", 1)[1]))
        await _until(lambda found: all(t["status"] == "synced" for t in found), api)

        # The last item of a killed job is reported when its message comes back, a lease later.
        async with asyncio.timeout(30):
            while (operation := await alice.call("GET", f"/operations/{begun['id']}"))["status"] == "running":
                await asyncio.sleep(0.25)
        assert operation["status"] == "succeeded", operation
        assert_one_application_each(sandbox, await statuses(api))
        assert (await alice.call("GET", "/service/poison"))["value"] == []
        later = await alice.call("POST", "/tenants/refresh", 202)
        gap = datetime.fromisoformat(later["createdAt"]) - datetime.fromisoformat(begun["createdAt"])
        assert gap >= timedelta(hours=1), "the new host is on the stepped time"


def _has_application(sandbox: Sandbox, tenant_id: str) -> bool:
    world = sandbox.cloud.world
    ours = next(a.app_id for a in world.applications.values() if a.display_name == "Tenantry")
    return world.tenants[tenant_id].sp_of(ours) is not None


async def _until(true: Any, api: httpx.AsyncClient, seconds: float = 170) -> None:
    """Look at the tenants until something holds of them; another process works on them meanwhile."""
    async with asyncio.timeout(seconds):
        while not true(await statuses(api)):
            await asyncio.sleep(0.5)


async def _never() -> None:
    """Another process cannot be asked whether it has settled; what is waited for is looked at instead."""
    raise AssertionError
