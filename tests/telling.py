"""Telling sinks of invented alerts, for tests of what happens between telling and the ticket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from shared import outbox
from shared.app import App
from shared.incidents.ids import alert_id
from shared.outbox import Notice, deliveries
from shared.outbox.records import Delivery
from tests.estate import Estate

Verb = Literal["opened", "updated", "closed"]


def alert_of(app: App, name: str) -> str:
    """The id of an alert of an invented device that was made now."""
    return alert_id(f"device{name}", app.clock.now())


def notice(alert: str, verb: Verb, number: int, at: datetime, sink_ids: Sequence[str], **fields: Any) -> Notice:
    """An event of an alert."""
    known: dict[str, Any] = {
        "event": verb,
        "alert_id": alert,
        "number": number,
        "at": at,
        "subject": alert.rpartition("-")[0],
        "data": {"id": alert, "title": f"{alert} is unavailable", "state": "open"},
        "title": f"{alert} is unavailable",
        "text": f"{verb} {number}",
        "severity": "high",
        "site_id": "contoso-hq",
        "client_name": "Contoso",
        "sink_ids": list(sink_ids),
    }
    return Notice(**{**known, **fields})


async def tell(estate: Estate, alert: str, verbs: Sequence[Verb], sink_ids: Sequence[str], **fields: Any) -> None:
    """Tell of events of an alert, one second after the other, and wait until they were tried."""
    app = estate.app
    begun = app.clock.now()
    first = fields.pop("first", 1)
    await outbox.tell(
        app,
        [
            notice(alert, verb, first + place, begun + timedelta(seconds=place), sink_ids, **fields)
            for place, verb in enumerate(verbs)
        ],
    )
    await estate.settle(30)


async def wait(estate: Estate, seconds: float) -> None:
    """Let time pass, and have what is due by then sent."""
    await estate.advance(seconds)
    await estate.timer("deliver_due")


async def log_of(estate: Estate, sink: dict[str, Any]) -> list[Delivery]:
    """What was told to a sink, oldest first."""
    return (await deliveries.of_sink(estate.app, sink["id"]))[::-1]


async def ticket_of(estate: Estate, alert: str, sink: dict[str, Any]) -> dict[str, Any]:
    """What an alert has at a sink."""
    [found] = (await outbox.tickets(estate.app, [(alert, [sink["id"]])]))[alert]
    return dict(found)


async def heard(estate: Estate) -> list[str]:
    """What arrived at the webhook receiver, in its order: the verb of each event."""
    return [row["body"]["type"].rpartition(".")[2] for row in await estate.received()]


async def psa(estate: Estate, **fields: Any) -> dict[str, Any]:
    """A sink that is the sandbox's ConnectWise, with a company for Contoso's site."""
    place = (await estate.control.get("/world")).json()["receivers"]["connectwise"]
    names = ("url", "company", "publicKey", "privateKey", "clientId", "boardId")
    settings = {name: place[name] for name in names}
    settings["companies"] = [{"siteId": "contoso-hq", "companyId": sorted(place["companies"], key=int)[1]}]
    body = {"kind": "connectwise", "name": "Desk", "settings": {**settings, **fields.pop("settings", {})}, **fields}
    made: dict[str, Any] = await estate.call("POST", "/sinks", 201, json=body)
    return made


async def psa_tickets(estate: Estate) -> list[dict[str, Any]]:
    """The tickets in the sandbox's ConnectWise."""
    found: list[dict[str, Any]] = (await estate.control.get("/receivers/connectwise")).json()["tickets"]
    return found
