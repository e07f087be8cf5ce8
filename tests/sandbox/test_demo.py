"""What `make demo` says when it cannot be made."""

from __future__ import annotations

import httpx
import pytest

from sandbox import demo
from sandbox.host import Host


async def test_a_step_that_is_refused_is_named(fresh_app: Host, control: httpx.AsyncClient) -> None:
    fault = {"service": "graph", "status": 403, "times": -1, "path": "organization|contracts|Relationship"}
    (await control.post("/faults", json=fault)).raise_for_status()
    with pytest.raises(demo.DemoError, match=r"sign-in came back|test of the connection|POST /"):
        await demo.run(f"{fresh_app.url}/api", str(control.base_url).rstrip("/"), once=True)
