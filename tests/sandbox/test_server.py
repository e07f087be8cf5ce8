"""The process: ports, certificates, production names, throttling, starting and stopping."""

import asyncio
import os
import signal
import ssl
import sys
from pathlib import Path

import httpx
import pytest

from sandbox import throttling, tls
from sandbox.server import SERVICES, Sandbox
from sandbox.world import World
from tests.sandbox.browser import trapped


@pytest.mark.parametrize(
    "host,status",
    [
        ("management.azure.com", 401),
        ("graph.microsoft.com", 401),
        ("api.partnercenter.microsoft.com", 401),
        ("northwind-tenantry.vault.azure.net", 401),
        ("login.microsoftonline.com", 400),
    ],
)
async def test_a_production_name_leads_to_its_service_on_any_port(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, host: str, status: int
) -> None:
    since = (await control.get("/requests")).json()["last"]
    paths = {"graph.microsoft.com": "/v1.0/organization", "api.partnercenter.microsoft.com": "/v1/customers"}
    path = paths.get(host, "/secrets" if "vault" in host else "/subscriptions/v2.0/.well-known/openid-configuration")
    answer = await http.get(f"{sandbox.urls['arm']}{path}", headers={"Host": host})
    assert answer.status_code == status
    (row,) = (await control.get("/requests", params={"since": since})).json()["requests"]
    names = {"management": "arm", "graph": "graph", "api": "partnercenter", "login": "login"}
    assert row["service"] == names.get(host.partition(".")[0], "vault")


async def test_the_first_page_says_what_is_where(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    page = (await http.get(sandbox.urls["control"])).text
    for url in sandbox.urls.values():
        assert url in page


async def test_a_sign_in_ends_on_a_page_that_says_how_it_went(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    page = f"{sandbox.urls['control']}/portal/"
    assert "You are signed in" in (await http.get(page, params={"connection": "c"})).text
    failed = (await http.get(page, params={"error": "wrongTenant", "message": "Sign in <there>."})).text
    assert "The sign-in failed" in failed
    assert "Sign in &lt;there&gt;." in failed


async def test_a_further_tls_port_serves_by_name_alone(tmp_path: Path) -> None:
    with_port = Sandbox(0, tmp_path)
    free = with_port.port
    await with_port.stop()
    running = Sandbox(0, tmp_path, (free,))
    await running.start()
    try:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        async with httpx.AsyncClient(verify=context) as client:
            url = f"https://localhost:{free}/common/discovery/v2.0/keys"
            assert (await client.get(url, headers={"Host": "login.microsoftonline.com"})).status_code == 200
            assert (await client.get(url)).status_code == 421
    finally:
        await running.stop()


def test_certificates_are_made_once_and_renewed_for_new_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tls.ensure(tmp_path)
    authority, chain = first.authority.read_bytes(), first.chain.read_bytes()
    assert tls.ensure(tmp_path).chain.read_bytes() == chain
    monkeypatch.setattr(tls, "NAMES", (*tls.NAMES, "api.loganalytics.azure.com"))
    renewed = tls.ensure(tmp_path)
    assert renewed.authority.read_bytes() == authority
    assert renewed.chain.read_bytes() != chain
    assert (tmp_path / "ca.key").stat().st_mode & 0o077 == 0
    assert renewed.key.stat().st_mode & 0o077 == 0


def test_a_taken_port_is_an_error_at_once(sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match="in use"):
        Sandbox(sandbox.port, sandbox.state_dir)


async def test_the_sandbox_runs_alone_until_it_is_told_to_stop(tmp_path: Path) -> None:
    probe = Sandbox(0, tmp_path)
    base = probe.port
    await probe.stop()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox",
        env={**os.environ, "SANDBOX_PORT": str(base), "SANDBOX_STATE": str(tmp_path), "SANDBOX_WORLD": "empty"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    lines = [(await process.stdout.readline()).decode() for _ in range(1 + len(SERVICES))]
    assert f"http://localhost:{base}\n" in lines[0]
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://localhost:{base}/_sandbox/world")).json()["scenario"] == "empty"
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0


def test_throttling_is_off_unless_asked_for(world: World) -> None:
    assert [throttling.take(world, "k", 1, 1) for _ in range(3)] == [None] * 3


def test_a_bucket_holds_what_it_holds_and_says_how_long_to_wait(world: World) -> None:
    world.behaviour.throttling = True
    assert [throttling.take(world, "k", 2, 0.1) for _ in range(3)] == [None, None, 10]
    assert throttling.take(world, "other", 2, 0.1) is None
    assert throttling.remaining(world, "k", 2) == 0
    assert throttling.remaining(world, "untouched", 250) == 250


def test_the_tenant_that_throttles_does_so_by_itself(world: World) -> None:
    tenant = trapped(world, "throttles")
    assert throttling.applies(world, tenant.id)
    assert not throttling.applies(world)
    outcomes = [throttling.take(world, "k", 250, 25, tenant_id=tenant.id) for _ in range(6)]
    assert outcomes[:4] == [None] * 4
    assert outcomes[5] == 1
