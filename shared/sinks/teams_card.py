"""The adaptive card of an event: pure. Version 1.4, what Teams shows in every client.

Elements: adaptivecards.io/explorer. Nothing here is a `TextBlock`: see shared/sinks/teams.py.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from shared.sinks.contract import ALERT_EVENTS, Message

TITLE_CHARS, FACT_CHARS, WORD_CHARS, URL_CHARS = 200, 300, 60, 1200
MAX_LINKS = 4
"""Teams shows six actions of a card."""
MAX_FACTS = 12
OPERATION = "tenantry.operation.completed"
DONE = {"start": "started", "stop": "stopped", "restart": "restarted", "pause": "paused", "resume": "resumed"}
"""What an action did to a device."""
OUTCOMES = {"succeeded": "Action done", "failed": "Action failed", "canceled": "Action canceled"}
"""How an action ended; else nobody knows."""
OUTCOME_STYLES = {"succeeded": "good", "failed": "attention"}
WORDS = {
    "opened": "Opened",
    "reopened": "Opened again",
    "updated": "Updated",
    "closed": "Closed",
}
STYLES = {"critical": "attention", "high": "attention", "medium": "warning", "low": "accent"}
"""Colour of what is open, by severity; what is closed is `good`."""
ALERT_FACTS = (
    ("clientName", "Client"),
    ("siteName", "Site"),
    ("deviceName", "Resource"),
    ("typeName", "Type"),
    ("resourceGroup", "Resource group"),
    ("region", "Region"),
    ("subscriptionName", "Subscription"),
    ("status", "State"),
    ("statusReason", "Reason"),
    ("since", "Since"),
)
"""Fields of an alert's data, and what they are called. What changed or closed is told by its text: the card shows whose
it is only."""
OPERATION_FACTS = (
    ("clientName", "Client"),
    ("deviceName", "Resource"),
    ("askedBy", "By"),
    ("reason", "Reason"),
    ("ticketNumber", "Ticket"),
)
STATES = {
    "available": "Available",
    "unavailable": "Unavailable",
    "degraded": "Degraded",
    "unknown": "Unknown",
    "notReported": "Not reported",
}
LINKS = {"azure": "Open in Azure", "portal": "Open in Tenantry"}
"""What links of an event's data are called; others by their own name."""


def card(message: Message, text_chars: int) -> dict[str, Any]:
    """The card of a message, with at most `text_chars` characters of its long text. Nothing is said twice."""
    data = _data(message)
    verb = message.type.rpartition(".")[2]
    word, style, title, said = _word(message, verb), "emphasis", plain(message.title), plain(message.text)
    if message.type in ALERT_EVENTS:
        style = _style(message, verb)
        if verb == "opened" and isinstance(data.get("note"), str):
            said = plain("\n".join([data["note"], *_devices(data)]))
        facts = _facts(message, data, "opened" if verb == "opened" else "")
    elif message.type == OPERATION:
        style = OUTCOME_STYLES.get(str(data.get("status")), "warning")
        word, title, said = OUTCOMES.get(str(data.get("status")), "Outcome unknown"), _deed(data), _outcome(data)
        facts = _named(data, OPERATION_FACTS)
    else:
        facts = _other_facts(data)
    title = _cut(title, TITLE_CHARS)
    body: list[dict[str, Any]] = [
        {
            "type": "Container",
            "style": style,
            "bleed": True,
            "items": [
                _line(_run(word, weight="Bolder", size="Small" if title else "Large")),
                *([_line(_run(title, weight="Bolder", size="Large"))] if title else []),
            ],
        }
    ]
    if said and text_chars:
        body.append(_paragraph(_cut(said, text_chars)))
    shown = f"{title}\n{said}".casefold() if text_chars else title.casefold()
    facts = [(name, value) for name, value in facts if plain(value).casefold() not in shown][:MAX_FACTS]
    body += [_fact(name, value, first=number == 0) for number, (name, value) in enumerate(facts)]
    made: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "msteams": {"width": "Full"},
    }
    if actions := _links(message, data):
        made["actions"] = actions
    return made


def plain(text: str) -> str:
    """Text that is shown as it is, whatever it says.

    Control and formatting characters go (right-to-left marks would let a name read as another). `{{` would begin a
    date function, `<` a mention that Workflows resolves (`<at>`): both are kept readable and lose their meaning.
    """
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return kept.replace("\t", " ").replace("{{", "{ {").replace("<", "\N{FULLWIDTH LESS-THAN SIGN}").strip()


def _word(message: Message, verb: str) -> str:
    """What happened, in a word or two, with the severity of an alert."""
    if message.type not in ALERT_EVENTS:
        subject = message.type.split(".")[1:-1]
        return _cut(plain(" ".join([*subject, verb]).replace("_", " ")).capitalize() or "Event", WORD_CHARS)
    word = WORDS["reopened"] if verb == "opened" and message.reopened else WORDS.get(verb, verb)
    return _cut(f"{word} · {plain(message.severity)}", WORD_CHARS) if message.severity and verb != "closed" else word


def _style(message: Message, verb: str) -> str:
    return "good" if verb == "closed" else STYLES.get(message.severity, "warning")


def _data(message: Message) -> dict[str, Any]:
    """The data of the event; empty when it is none that can be read."""
    try:
        body = json.loads(message.body)
    except ValueError:
        return {}
    data = body.get("data") if isinstance(body, dict) else None
    return data if isinstance(data, dict) else {}


def _facts(message: Message, data: dict[str, Any], verb: str) -> list[tuple[str, str]]:
    """Of an opening all there is to know, else whose it is."""
    given = {"clientName": message.client_name} | data
    found = _named(given, ALERT_FACTS if verb == "opened" else ALERT_FACTS[:3])
    issue = data.get("serviceIssue")
    if isinstance(issue, dict) and verb == "opened":
        named = f"{issue.get('title') or 'Service issue'} ({issue.get('id')})"
        rows = [("Azure service issue", named), ("Service", issue.get("service")), ("Regions", issue.get("region"))]
        found += [(name, value) for name, value in rows if isinstance(value, str) and value]
    members = data.get("members")
    if isinstance(members, dict) and verb == "opened":
        found.append(("Devices", f"{members.get('open')} of {members.get('count')} down"))
    return found


def _named(data: dict[str, Any], fields: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    rows = [(name, field, data.get(field)) for field, name in fields]
    return [
        (name, STATES.get(value, value) if field == "status" else _told(value))
        for name, field, value in rows
        if isinstance(value, str) and value
    ]


def _devices(data: dict[str, Any]) -> list[str]:
    """The devices of an outage, a line each."""
    members = data.get("members")
    rows = members.get("devices") if isinstance(members, dict) else None
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [f"{row.get('name')}: {_state(row.get('status'))}" for row in found]


def _state(status: Any) -> str:
    return STATES.get(status, status).lower() if isinstance(status, str) else "not known"


def _deed(data: dict[str, Any]) -> str:
    """`Contoso: vm-1 was restarted by Alice`, or what became of the attempt."""
    verb = str(data.get("kind") or "").rpartition(".")[2]
    client, device = str(data.get("clientName") or ""), str(data.get("deviceName") or "A resource")
    by = f" by {data['askedBy']}" if data.get("askedBy") else ""
    if data.get("status") == "succeeded":
        told = f"{device} {'were' if data.get('itemCount') else 'was'} {DONE.get(verb, verb)}{by}"
    else:
        ended = {"failed": "failed", "canceled": "was canceled"}.get(str(data.get("status")), "has no known outcome")
        told = f"{verb.capitalize()} of {device}{by} {ended}"
    return plain(f"{client}: {told}" if client else told)


def _outcome(data: dict[str, Any]) -> str:
    """Azure's words for what went wrong, and what to do; else how the machine is now."""
    error, result = data.get("error"), data.get("result")
    if isinstance(error, dict):
        return plain(" ".join(str(error[name]) for name in ("message", "fix") if error.get(name)))
    power = result.get("powerState") if isinstance(result, dict) else None
    return plain(f"It is {power} now.") if power else ""


def _other_facts(data: dict[str, Any]) -> list[tuple[str, str]]:
    """What there is to say of an operation, a tenant, a sink: its plain values."""
    rows = [(name, value) for name, value in data.items() if isinstance(value, str | int | float) and value != ""]
    return [(_spaced(name), _told(str(value))) for name, value in rows][:MAX_FACTS]


def _spaced(name: str) -> str:
    """`displayName` as `Display name`."""
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in name[:WORD_CHARS])
    return _cut(plain(spaced).capitalize(), WORD_CHARS)


def _told(value: str) -> str:
    """A value; a time to the minute in UTC (Teams has no date function of its own)."""
    if len(value) < 19 or value[4:5] != "-" or value[10:11] != "T":
        return value
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return value
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at.tzinfo is not None else value


def _links(message: Message, data: dict[str, Any]) -> list[dict[str, Any]]:
    named = data.get("links")
    links = [(LINKS.get(key, _spaced(key)), url) for key, url in named.items()] if isinstance(named, dict) else []
    issue = data.get("serviceIssue")
    if isinstance(issue, dict):
        links.append(("Azure service issue", issue.get("url")))
    if message.url:
        links.insert(0, ("Open resource" if message.type in ALERT_EVENTS else "Open", message.url))
    made: dict[str, str] = {}
    for title, url in links:
        if isinstance(url, str) and _openable(url) and url not in made.values() and title not in made:
            made[title] = url
    return [{"type": "Action.OpenUrl", "title": title, "url": url} for title, url in list(made.items())[:MAX_LINKS]]


def _openable(url: str) -> bool:
    """Whether it is an absolute web address: a card with any other one is not shown at all."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return len(url) <= URL_CHARS and parts.scheme in ("https", "http") and bool(parts.hostname)


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **style}


def _line(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _fact(name: str, value: str, *, first: bool) -> dict[str, Any]:
    shown = _line(_run(f"{name}: ", weight="Bolder"), _run(_cut(" ".join(plain(value).split()), FACT_CHARS)))
    return {**shown, "spacing": "Medium" if first else "Small"}


def _paragraph(text: str) -> dict[str, Any]:
    return {**_line(_run(text)), "spacing": "Medium"}


def _cut(text: str, chars: int) -> str:
    """The text, or its beginning with a mark that there is more."""
    return text if len(text) <= chars else text[: max(0, chars - 1)].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
