"""What `make demo` does when something goes wrong, and when its world is taken over."""

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


async def test_a_living_system_is_polled_until_the_world_is_reset(
    fresh_app: Host, control: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    async with httpx.AsyncClient(base_url=fresh_app.url, timeout=30) as host:
        living = demo.Demo(host, control, host)
        await control.put("/behaviour", json={"drift": True})
        before = fresh_app.invoker.runs
        await living.go_on()
        polled = fresh_app.invoker.runs
        assert polled > before
        (await control.post("/reset", json={})).raise_for_status()
        await living.go_on()
        assert fresh_app.invoker.runs == polled


async def test_a_poll_that_fails_does_not_end_the_demo(
    control: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await control.put("/behaviour", json={"drift": True})
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9") as nobody:
        await demo.Demo(nobody, control, nobody).go_on()
    assert "a poll did not end: ConnectError" in capsys.readouterr().out
    await control.put("/behaviour", json={"drift": False})
