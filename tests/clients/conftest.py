"""Fixtures of the tests with unmodified clients. `tests/clients/run.sh` makes the place they need."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox import scenarios
from sandbox.azure_types import VM
from sandbox.server import Sandbox
from sandbox.world import Resource, Subscription, Tenant
from tests.conftest import AUTHORITY, STATE

FOLDER = os.environ.get("TENANTRY_CLIENTS")
# Elsewhere there is no port 443 to listen on and no host name to take over.
collect_ignore_glob = [] if FOLDER else ["test_*.py"]


@dataclass
class Finished:
    """A client's run."""

    code: int
    out: str
    err: str


Run = Callable[..., Awaitable[Finished]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """The simulated cloud, on port 443 too."""
    running = Sandbox(0, STATE, (443,))
    await running.start()
    yield running
    await running.stop()


@pytest.fixture(autouse=True)
def default_world(sandbox: Sandbox) -> None:
    scenarios.reset(sandbox.cloud)


@pytest.fixture
def contoso(sandbox: Sandbox) -> Tenant:
    return next(tenant for tenant in sandbox.cloud.world.tenants.values() if tenant.name == "Contoso")


@pytest.fixture
def subscription(sandbox: Sandbox, contoso: Tenant) -> Subscription:
    """Contoso's subscription with the most resources."""
    rows = [sandbox.cloud.world.subscriptions[subscription_id] for subscription_id in contoso.subscription_ids]
    return max(rows, key=lambda row: len(row.resources))


@pytest.fixture
def machine(subscription: Subscription) -> Resource:
    """A running virtual machine."""
    return next(row for row in subscription.resources.values() if row.type == VM and row.power == "running")


@pytest.fixture
def secret(sandbox: Sandbox) -> tuple[str, str]:
    """Client id and secret of the customer's own service principal."""
    app = sandbox.cloud.world.applications["automation"]
    return app.app_id, next(iter(app.secrets.values()))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A function of a client's name and arguments; what it starts is told of the private authority, and no more."""
    home = tmp_path / "home"
    home.mkdir()

    async def start(name: str, *arguments: str, **variables: str) -> Finished:
        folder = {"az": "azure-cli", "custodian": "custodian"}[name]
        process = await asyncio.create_subprocess_exec(
            f"{FOLDER}/{folder}/bin/{name}",
            *arguments,
            cwd=tmp_path,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(home),
                "AZURE_CONFIG_DIR": str(home / "azure"),
                "AZURE_CORE_COLLECT_TELEMETRY": "0",
                "AZURE_CORE_NO_COLOR": "true",
                "REQUESTS_CA_BUNDLE": str(AUTHORITY.resolve()),
                **variables,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Finished(process.returncode or 0, out.decode(), err.decode())

    return start
