"""What a new user sees first: the demo's living system, and the tour of the main job on it."""

import httpx
import pytest

from sandbox import demo, tour
from sandbox.host import Host
from sandbox.server import Sandbox
from tests.app_fixtures import ApiFor


async def test_the_demo_opens_on_a_living_system_and_the_tour_ends_with_a_closed_ticket(
    fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, capsys: pytest.CaptureFixture[str]
) -> None:
    control_url = sandbox.urls["control"]
    await demo.run(f"{fresh_app.url}/api", f"{control_url}/_sandbox", once=True)
    assert (await control.get("/behaviour")).json()["drift"] is True
    await control.put("/behaviour", json={"drift": False})
    alice, bob, carol = await api("alice"), await api("bob"), await api("carol")
    (connection,) = (await alice.get("/connections")).json()["value"]
    assert connection["status"] == "active"
    tenants = (await alice.get("/tenants?$top=1000")).json()["value"]
    assert {tenant["status"] for tenant in tenants} >= {"synced", "failed"}
    assert all(tenant["statusReason"] for tenant in tenants if tenant["status"] == "failed")
    assert (await alice.get("/devices?$count=true")).json()["count"] > 200
    alerts = (await alice.get("/alerts?state=open")).json()["value"]
    assert len(alerts) >= len(demo.ILL)
    assert all(ticket["state"] == "open" for alert in alerts for ticket in alert["tickets"])
    for person, clients in ((bob, {"Contoso"}), (carol, {"Contoso", "Fabrikam"})):
        assert {d["clientName"] for d in (await person.get("/devices?$top=1000")).json()["value"]} == clients
    assert " open alerts; health drifts from now on" in capsys.readouterr().out

    await tour.run(fresh_app.url, control_url)
    told = [line for line in capsys.readouterr().out.splitlines() if line[:1].isdigit()]
    assert [line.split(".", 1)[0] for line in told] == ["1", "2", "3", "4", "5", "6", "7"]
    assert told[5] == "6. The poll closes the alert by itself: recovered"
    assert told[6] == "7. The ticket desk agrees: closed"
