"""Fixtures of journeys: an empty installation beside the default world, driven as alice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest_asyncio

from sandbox.host import Host
from tests.app_fixtures import ApiFor
from tests.journeys.installation import Installation


@pytest_asyncio.fixture
async def alice(
    fresh_app: Host, api: ApiFor, control: httpx.AsyncClient, settle: Callable[..., Awaitable[None]]
) -> Installation:
    """Nothing set up yet; whoever drives is Integration.Admin."""
    return Installation(fresh_app.url, await api("alice"), control, settle)
