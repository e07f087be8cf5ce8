"""Fixtures of the tests that use the application's modules without a host."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.app_fixtures import running_azurite

pytest.register_assert_rewrite("tests.contract.psa_life")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def quiet_storage() -> AsyncIterator[str]:
    """A storage emulator that no host polls: what a test enqueues stays until the test takes it."""
    async with running_azurite() as connection:
        yield connection
