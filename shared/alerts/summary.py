"""What is open now, counted: alerts by client and severity, tickets by sink; and polls that are late.

One read of the open alerts and one range of rows per sink that was told of them: linear in what is open, not in what
was ever closed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NotRequired

from typing_extensions import TypedDict

from shared import outbox
from shared.access import Principal
from shared.alerts import policies, reads, texts, watchdog
from shared.alerts.records import ALERTS, OPEN, Alert
from shared.app import App
from shared.devices import Place, places
from shared.incidents.records import Severity
from shared.outbox import AlertTicket, sinks
from shared.outbox.sinks import Sink

NEWEST = 5
"""Tickets that are named of each sink."""


class SeverityCounts(TypedDict):
    """How many alerts have each severity."""

    critical: int
    high: int
    medium: int
    low: int


class ClientAlerts(TypedDict):
    """The open alerts of a client; those that are no client's have no name."""

    clientName: str
    count: int
    bySeverity: SeverityCounts


class OpenTicket(TypedDict):
    """A ticket of an open alert."""

    alertId: str
    title: str
    openedAt: datetime
    number: NotRequired[str]
    url: NotRequired[str]


class SinkTickets(TypedDict):
    """What the open alerts have become at a sink. `name`: of a sink whose every site the caller sees."""

    sinkId: str
    kind: NotRequired[str]
    name: NotRequired[str]
    open: int
    pending: int
    held: int
    failed: int
    newest: list[OpenTicket]


class LatePolls(TypedDict):
    """Subscriptions that were not polled for longer than the policy allows, of all that are polled."""

    count: int
    of: int
    minutes: int
    oldest: datetime


class AlertSummary(TypedDict):
    """What is open in the caller's sites. Clients by name, sinks by their number of tickets."""

    count: int
    bySeverity: SeverityCounts
    byClient: list[ClientAlerts]
    tickets: list[SinkTickets]
    latePolls: NotRequired[LatePolls]


async def summary(app: App, caller: Principal) -> AlertSummary:
    """The open alerts that a list would show the caller, their tickets, and whether his subscriptions are polled."""
    rows, found, rules, every_sink = await asyncio.gather(
        app.tables.all(ALERTS, OPEN, where="state eq 'open'"),
        places.every(app),
        policies.load(app),
        sinks.every(app),
    )
    shown = reads.Shown(found, caller)
    alerts = sorted(
        (row for row in rows if shown.has(row) and reads.sees(caller, row)), key=lambda row: row.opened_at, reverse=True
    )
    told = await outbox.tickets(app, [(row.id, row.sink_ids) for row in alerts if row.sink_ids])
    clients: dict[str, Counter[Severity]] = {}
    for row in alerts:
        clients.setdefault(row.subject.client_name, Counter())[row.severity] += 1
    counted: AlertSummary = {
        "count": len(alerts),
        "bySeverity": _severities(Counter(row.severity for row in alerts)),
        "byClient": [
            {"clientName": name, "count": counts.total(), "bySeverity": _severities(counts)}
            for name, counts in sorted(clients.items())
        ],
        "tickets": _by_sink(alerts, told, {sink.id: sink for sink in every_sink if sinks.sees(caller, sink)}),
    }
    own = [p for p in found if p.shown and caller.sees_site(p.site.id if p.site else None)]
    late = _late(own, rules.watchdog.poll_late_minutes, app.clock.now())
    if late is not None:
        counted["latePolls"] = late
    return counted


def _severities(counts: Counter[Severity]) -> SeverityCounts:
    return {
        "critical": counts["critical"],
        "high": counts["high"],
        "medium": counts["medium"],
        "low": counts["low"],
    }


def _by_sink(alerts: Iterable[Alert], told: dict[str, list[AlertTicket]], seen: dict[str, Sink]) -> list[SinkTickets]:
    """Of alerts that are newest first; a sink without a ticket that is open, on its way or stuck is left out."""
    found: dict[str, SinkTickets] = {}
    for alert in alerts:
        for ticket in told.get(alert.id, ()):
            sink_id, state = ticket["sinkId"], ticket["state"]
            if state not in ("open", "pending", "held", "failed"):
                continue
            if sink_id not in found:
                found[sink_id] = {"sinkId": sink_id, "open": 0, "pending": 0, "held": 0, "failed": 0, "newest": []}
                if "kind" in ticket:
                    found[sink_id]["kind"] = ticket["kind"]
                if sink_id in seen:
                    found[sink_id]["name"] = seen[sink_id].name
            found[sink_id][state] += 1
            if state == "open" and len(found[sink_id]["newest"]) < NEWEST:
                found[sink_id]["newest"].append(_open(alert, ticket))
    return sorted(found.values(), key=lambda row: (-row["open"], row["sinkId"]))


def _open(alert: Alert, ticket: AlertTicket) -> OpenTicket:
    shown: OpenTicket = {"alertId": alert.id, "title": texts.title(alert), "openedAt": alert.opened_at}
    if "number" in ticket:
        shown["number"] = ticket["number"]
    if "url" in ticket:
        shown["url"] = ticket["url"]
    return shown


def _late(found: Sequence[Place], minutes: int, now: datetime) -> LatePolls | None:
    late, polled = watchdog.late(found, timedelta(minutes=minutes), now)
    if not late:
        return None
    return {"count": len(late), "of": polled, "minutes": minutes, "oldest": late[0][0]}
