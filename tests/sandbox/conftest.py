"""Every test of the sandbox starts from the default world."""

from __future__ import annotations

import pytest

from sandbox import scenarios
from sandbox.server import Sandbox


@pytest.fixture(autouse=True)
def default_world(sandbox: Sandbox) -> None:
    """Reset to the default scenario, which takes a few milliseconds."""
    scenarios.reset(sandbox.cloud)
