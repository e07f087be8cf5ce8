"""Every test of the sandbox starts from the default world."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from sandbox import scenarios
from sandbox.server import Sandbox
from sandbox.world import World


@pytest.fixture(autouse=True)
def default_world(sandbox: Sandbox) -> None:
    """Reset to the default scenario, which takes a few milliseconds."""
    scenarios.reset(sandbox.cloud)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client that trusts the sandbox's authority and follows no redirect."""
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    """The world after the reset."""
    return sandbox.cloud.world
