"""Fixtures of the API's tests."""

from __future__ import annotations

import httpx
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
