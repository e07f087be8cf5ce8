"""Fixtures of the API's tests."""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio

from sandbox.host import Host
from sandbox.server import Sandbox
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle


@pytest_asyncio.fixture
async def estate(fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle) -> Estate:
    """Contoso and Fabrikam, synced and mapped, driven as alice."""
    return await made.build(fresh_app, sandbox, control, api, settle)


@pytest_asyncio.fixture
async def fresh_alice(fresh_app: Host, api: ApiFor) -> httpx.AsyncClient:
    """Alice, beside an application with nothing stored."""
    assert fresh_app.state == "Running"
    return await api("alice")


@pytest.fixture
def partner(fresh_alice: httpx.AsyncClient, sandbox: Sandbox) -> str:
    """The partner's tenant id in the world beside that application."""
    assert fresh_alice.headers
    return sandbox.cloud.world.partner.id
