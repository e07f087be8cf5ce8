"""A sink that is made or enabled anew is told of what is open; a ticket follows its alert."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.scenarios import platform_fault
from shared import jobs, sweep
from shared.alerts import catching_up, lease, watchdog
from shared.alerts.records import ALERTS, OPEN
from shared.errors import Unavailable
from shared.outbox import drain, joining, sinks
from tests.api.test_outage_groups import fall, machines, rise
from tests.estate import Estate
from tests.telling import heard, log_of, psa, psa_tickets

HOUR = 3600


async def two(estate: Estate, **fields: Any) -> dict[str, Any]:
    """A second sink at the same receiver, settled."""
    made = await estate.webhook(name="Second", **fields)
    await estate.settle(30)
    return made


async def opened(estate: Estate, sink: dict[str, Any]) -> list[str]:
    """Subjects of the alerts of which a sink was told as opened."""
    return [row.subject for row in await log_of(estate, sink) if row.verb == "opened"]


async def test_a_new_sink_is_told_once_of_what_is_open_in_its_sites_and_of_what_follows(estate: Estate) -> None:
    contoso, fabrikam = machines(estate, "Contoso", 1), machines(estate, "Fabrikam", 1)
    for client, found in (("Contoso", contoso), ("Fabrikam", fabrikam)):
        await estate.poll(client)
        fall(estate, found)
        await estate.poll(client)
    sink = await two(estate, siteIds=["contoso-hq"])
    device = estate.device_id(contoso[0])
    assert await opened(estate, sink) == [device]
    [event] = await estate.received()
    assert event["body"]["data"]["title"] == f"Contoso: {contoso[0].name} is unavailable"
    assert "reopened" not in event["body"]["data"]
    stored = await sinks.find(estate.app, sink["id"])
    assert stored is not None
    await estate.app.queues.send(jobs.CatchUp(sink_id=sink["id"], at=stored.changed_at))
    await estate.settle(30)
    assert await heard(estate) == ["opened"], "the same job again tells nothing"
    rise(estate, contoso)
    await estate.poll()
    assert await heard(estate) == ["opened", "closed"]


async def test_a_sink_that_is_enabled_anew_is_told_of_each_alert_once(estate: Estate) -> None:
    sink = await two(estate)
    found = machines(estate, "Contoso", 2)
    await estate.poll()
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "enabled": False, "siteIds": ["fabrikam-hq"]})
    fall(estate, found[:1])
    await estate.poll()
    assert await log_of(estate, sink) == []
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "enabled": True})
    await estate.settle(30)
    assert await opened(estate, sink) == [estate.device_id(found[0])]
    for enabled in (False, True):
        await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "enabled": enabled})
        await estate.settle(30)
    assert await heard(estate) == ["opened"]
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "siteIds": ["fabrikam-hq"]})
    fall(estate, found[1:])
    await estate.poll()
    await estate.call("PUT", f"/sinks/{sink['id']}", json=sink)
    await estate.settle(30)
    assert await opened(estate, sink) == [estate.device_id(machine) for machine in found]


async def test_what_grew_too_old_when_a_sink_was_off_is_sent_when_it_is_on_and_the_alert_is_open(
    estate: Estate,
) -> None:
    sink = await two(estate, enabled=False)
    [machine] = machines(estate, "Contoso", 1)
    await estate.poll()
    fall(estate, [machine])
    await estate.poll()
    await estate.advance(drain.KEPT.total_seconds() + HOUR)
    await estate.timer("deliver_due")
    assert [row.state for row in await log_of(estate, sink)] == ["failed"]
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "enabled": True})
    await estate.settle(30)
    assert await heard(estate) == ["opened"]


async def test_a_new_sink_is_told_of_an_outage_and_not_of_its_devices(estate: Estate) -> None:
    found = machines(estate, "Contoso", 5)
    await estate.poll()
    fall(estate, found)
    await estate.poll()
    sink = await psa(estate)
    await estate.settle(30)
    [row] = await log_of(estate, sink)
    assert row.event_at == (await estate.app.tables.all(ALERTS, OPEN, where="kind eq 'outage'"))[0].joined[sink["id"]]
    [ticket] = await psa_tickets(estate)
    assert ticket["title"].startswith("Contoso: Outage in ")
    for machine in found:
        assert f"- {machine.name}: unavailable (Virtual machine" in ticket["notes"][0]
        assert machine.id in ticket["notes"][0]
    rise(estate, found[:2])
    await estate.poll()
    assert "Available again: " in (await psa_tickets(estate))[0]["notes"][-1]


async def test_a_subscriber_is_told_of_what_is_to_come_only(estate: Estate) -> None:
    [machine] = machines(estate, "Contoso", 1)
    await estate.poll()
    fall(estate, [machine])
    await estate.poll()
    place = (await estate.control.get("/world")).json()["receivers"]["logicapps"]
    made = await estate.call("POST", "/event-subscriptions", 201, json={"callbackUrl": place["url"]})
    await estate.settle(30)
    assert await log_of(estate, made) == []


async def test_who_works_for_a_client_is_waited_for_and_clients_are_done_in_batches(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "CLIENTS", 1)
    for client in ("Contoso", "Fabrikam"):
        found = machines(estate, client, 1)
        await estate.poll(client)
        fall(estate, found)
        await estate.poll(client)
    [row, _] = await estate.app.tables.all(ALERTS, OPEN)
    held = await lease.take(estate.app, row.client_key)
    assert isinstance(held, lease.Lease)
    sink = await estate.webhook()
    await estate.settle(30)
    assert row.subject_id not in await opened(estate, sink)
    await lease.release(estate.app, held)
    await estate.settle(30, delayed=True)
    assert len(await opened(estate, sink)) == 2


async def test_a_sink_is_not_told_that_it_fails_itself(estate: Estate) -> None:
    problem = watchdog.Problem(
        key="sink|me",
        condition="sinkFailing",
        name="The sink Me gets nothing",
        note="It gets nothing.",
        since=estate.app.clock.now(),
    )
    assert watchdog.subject_of(problem.key) == problem.subject_id
    for name in ("me", "other"):
        stored = sinks.Sink(
            id=name,
            kind="webhook",
            name=name,
            settings={},
            created_at=estate.app.clock.now(),
            changed_at=estate.app.clock.now(),
        )
        alert = watchdog._draft(problem, estate.app.clock.now())
        assert catching_up._concerns(stored, alert) is (name == "other")


async def test_a_ticket_follows_the_severity_and_condition_of_its_alert(estate: Estate) -> None:
    await psa(estate, settings={"priorities": {"high": "2", "medium": "3"}})
    [machine] = machines(estate, "Contoso", 1)
    await estate.poll()
    fall(estate, [machine])
    await estate.poll()
    [ticket] = await psa_tickets(estate)
    assert (ticket["title"], ticket["priority"]) == (f"Contoso: {machine.name} is unavailable", "2")
    world = estate.sandbox.cloud.world
    world.set_health(machine, platform_fault(world.clock.now(), "Degraded"))
    await estate.poll()
    [ticket] = await psa_tickets(estate)
    assert (ticket["title"], ticket["priority"]) == (f"Contoso: {machine.name} is degraded", "3")


async def test_a_sink_is_told_of_what_is_open_though_the_message_of_making_it_was_lost(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = machines(estate, "Contoso", 1)
    await estate.poll()
    fall(estate, found)
    await estate.poll()
    send = estate.app.queues.send

    async def lost(job: jobs.Job, *rest: Any, **more: Any) -> None:
        if isinstance(job, jobs.CatchUp):
            raise Unavailable("The queues do not answer.")
        await send(job, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(estate.app.queues, "send", lost)
        body = {"kind": "webhook", "name": "T", "settings": {"url": "http://localhost:1/x"}}
        await estate.call("POST", "/sinks", 503, json=body)
    [sink] = await estate.listed("/sinks")
    assert await opened(estate, sink) == []
    await estate.advance(joining.LOST_AFTER.total_seconds() + 60)
    await estate.timer("resend_lost_work")
    await estate.settle(30)
    assert await opened(estate, sink) == [estate.device_id(found[0])]
    assert await sweep.resend(estate.app) == 0, "it is told once"
