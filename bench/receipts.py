"""What receivers have after many deliveries: each alert's ticket once and closed once, or each event at least once."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from bench.stage import Stage
from shared.app import App
from shared.outbox.records import LOG, LOGGED, TICKET, TICKETS

PAGE = 2000
OPENED, CLOSED = "tenantry.alert.opened", "tenantry.alert.closed"
ALERT = re.compile(r"^Tenantry alert (\S+)$", re.MULTILINE)
"""The last line of a ticket's first text: found so, it does not matter how a kind makes its key."""


async def of_all(stage: Stage, app: App, sinks: dict[str, str], alerts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Of each sink (kind -> id) what its receiver has of these alerts.

    `{expected, taken, missing, doubles, wrong, requests, perDelivery, answers, faults, lostAnswers}`: deliveries that
    were to come and came (an opening and a closing of each alert), those that never came, those that came once more,
    what is not as it should be (in words), requests the receiver was sent, also per delivery, how it answered them,
    and its faults by kind.
    """
    found = {}
    for kind, sink in sinks.items():
        counts = await stage.control("GET", f"/receivers/{kind}/counts")
        of_kind = await (_events(stage, kind, alerts) if kind == "webhook" else _tickets(stage, kind, alerts))
        answers, lost, expected = dict(counts["answers"]), int(counts["lost"]), 2 * len(alerts)
        words = {"429": "429", "503": "503", "0": "dropped"}
        faults = {word: int(answers[status]) for status, word in words.items() if status in answers} | {"lost": lost}
        of_kind["wrong"] += await _own_records(app, sink, alerts)
        found[kind] = {
            "expected": expected,
            **of_kind,
            "requests": counts["requests"],
            "perDelivery": round(counts["requests"] / expected, 2),
            "answers": answers,
            "faults": faults,
            "lostAnswers": lost,
        }
    return found


async def _tickets(stage: Stage, kind: str, alerts: Sequence[str]) -> dict[str, Any]:
    """Of a receiver of tickets: exactly one for each alert, closed exactly once, with one note that says so."""
    rows = (await stage.control("GET", f"/receivers/{kind}/tickets"))["tickets"]
    by_alert: dict[str, list[dict[str, Any]]] = defaultdict(list)
    wrong = []
    for row in rows:
        named = ALERT.search(row["notes"][0]) if row["notes"] else None
        if named is None:
            wrong.append(f"ticket {row['id']} is of no alert")
        else:
            by_alert[named.group(1)].append(row)
    known = set(alerts)
    for alert, tickets in by_alert.items():
        if alert not in known:
            wrong.append(f"ticket {tickets[0]['id']} is of an alert that nobody opened")
        if len(tickets) > 1:
            wrong.append(f"alert {alert} has {len(tickets)} tickets")
        for row in tickets:
            if row["closings"] > 1 or len(row["notes"]) > 2:
                wrong.append(
                    f"ticket {row['id']} was closed {row['closings']} times, with {len(row['notes']) - 1} notes"
                )
            elif row["state"] != "closed" or len(row["notes"]) < 2:
                wrong.append(f"ticket {row['id']} is {row['state']}, with {len(row['notes']) - 1} notes")
    opened = known & set(by_alert)
    closed = [alert for alert in opened if any(row["closings"] for row in by_alert[alert])]
    doubles = len(rows) - len(by_alert) + sum(max(0, row["closings"] - 1) for row in rows)
    return {
        "taken": len(opened) + len(closed),
        "missing": 2 * len(known) - len(opened) - len(closed),
        "doubles": doubles,
        "wrong": wrong,
    }


async def _events(stage: Stage, kind: str, alerts: Sequence[str]) -> dict[str, Any]:
    """Of a receiver of events: each at least once, always under one id, rightly signed, in the order of its alert."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    taken: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], int] = {}
    wrong = []
    async for place, row in _arrivals(stage, kind):
        body = row["body"]
        event = (str(body["data"]["id"]), str(body["type"]))
        ids[event].add(row["headers"]["webhook-id"])
        if row["headers"]["webhook-id"] != body["id"]:
            wrong.append(f"{event} came with the id {body['id']} as {row['headers']['webhook-id']}")
        if not row["verified"]:
            wrong.append(f"{event} came with a wrong signature")
        if row["status"] == 200:
            taken[event] += 1
            first.setdefault(event, place)
    wrong += [f"{event} came under {len(several)} ids" for event, several in ids.items() if len(several) > 1]
    wanted = {(alert, kind_of_event) for alert in alerts for kind_of_event in (OPENED, CLOSED)}
    wrong += [f"{event} was never told" for event in set(ids) - wanted]
    for alert in alerts:
        opened, closed = first.get((alert, OPENED)), first.get((alert, CLOSED))
        if closed is not None and (opened is None or opened > closed):
            wrong.append(f"alert {alert} closed before it opened")
    came = wanted & set(taken)
    return {
        "taken": len(came),
        "missing": len(wanted) - len(came),
        "doubles": taken.total() - len(came),
        "wrong": wrong,
    }


async def _arrivals(stage: Stage, kind: str) -> Any:
    """Every request with its place in their order."""
    place = 0
    while True:
        query = {"skip": str(place), "top": str(PAGE)}
        rows = (await stage.control("GET", f"/receivers/{kind}", params=query))["deliveries"]
        for row in rows:
            yield place, row
            place += 1
        if len(rows) < PAGE:
            return


async def _own_records(app: App, sink: str, alerts: Sequence[str]) -> list[str]:
    """What our own log and tickets say that is not as it should be."""
    wrong = []
    states: Counter[str] = Counter()
    async for row in app.tables.rows(LOG.table, sink, prefix=LOGGED, select=["RowKey", "state"]):
        states[row["state"]] += 1
    if dict(states) != {"delivered": 2 * len(alerts)}:
        wrong.append(f"our log has {dict(states)}")
    left = {ticket.alert_id: ticket async for ticket in app.tables.query(TICKETS, sink, prefix=TICKET)}
    by_hand = sum(ticket.closed_by_hand for ticket in left.values())
    closed = sum(ticket.state == "closed" for ticket in left.values())
    if by_hand or closed != len(alerts):
        wrong.append(f"our tickets: {closed} of {len(alerts)} closed, {by_hand} of them by hand")
    return wrong
