"""The sentences that effects carry into tickets."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.incidents.history import History
from shared.incidents.judgement import Verdict, clock_time
from shared.incidents.policy import Rules
from shared.incidents.records import CloseReason, Incident, Severity, Snooze, SuppressedBy

CLOSED: dict[CloseReason, str] = {
    "recovered": "It is available again",
    "deviceDeleted": "The resource was deleted from Azure",
    "siteUnmapped": "Its subscription is no longer mapped to a site",
    "tenantUnsynced": "Its tenant is no longer synced",
    "subscriptionGone": "Its subscription is gone",
    "userInitiated": "It was stopped on purpose by a user",
    "plannedWork": "It is down because of planned work",
    "policyChanged": "By the present policy this needs no ticket",
    "mergedIntoOutage": "It goes on in the ticket of the outage that it belongs to",
}
"""Why an alert closed; the one place where that is said."""
_SUPPRESSED: dict[SuppressedBy, str] = {
    "hold": "It waits, should the device be back soon",
    "unknown": "Azure does not know its state, which mostly passes",
    "userInitiated": "Somebody of the customer took it down on purpose",
    "azurePlanned": "Azure maintains it by plan",
    "action": "An action took it down",
    "schedule": "A schedule took it down",
    "maintenance": "It is in maintenance",
    "snooze": "It is snoozed",
    "businessHours": "It waits for business hours",
}


def opened(verdict: Verdict, *, again: bool, rules: Rules) -> str:
    """Of an alert that opens, for the first time or again."""
    head = "It is back within the time to reopen. " if again else ""
    since = f" since {clock_time(verdict.since)}" if verdict.since else ""
    if verdict.condition == "flapping":
        return f"{head}{flapping(verdict, rules)}"
    if verdict.condition == "overdue":
        return f"{head}Not back{since}. It waited for: {verdict.detail}."
    return f"{head}{(verdict.condition or 'unknown').capitalize()}{since}{_because(verdict.reason)}."


def changes(incident: Incident, verdict: Verdict, now_severity: Severity | None, rules: Rules) -> list[str]:
    """What differs from what was told last; empty when nothing does."""
    said: list[str] = []
    if verdict.condition != incident.condition:
        if verdict.condition == "flapping":
            said.append(flapping(verdict, rules))
        elif verdict.condition == "overdue":
            said.append(f"It is not back. It waited for: {verdict.detail}.")
        elif incident.condition == "flapping":
            said.append(f"It no longer flaps: {verdict.status} now{_because(verdict.reason)}.")
    if not said and (verdict.status != incident.status or verdict.reason != incident.status_reason):
        was = f" (was {incident.status})" if verdict.status != incident.status and incident.status else ""
        said.append(f"Now {verdict.status}{was}{_because(verdict.reason)}.")
    if now_severity != incident.severity:
        said.append(severity(now_severity))
    return said


def flapping(verdict: Verdict, rules: Rules) -> str:
    """Of a device that goes and comes."""
    quiet = _minutes(timedelta(minutes=rules.flap_window_minutes))
    return (
        f"It is flapping: {verdict.changes} changes between available and not. Nothing more is written about them;"
        f" it ends when it has not changed for {quiet}."
    )


def severity(level: Severity | None) -> str:
    """Of a new severity."""
    return f"Severity is now {level}."


def snoozed(asked: Snooze) -> str:
    """Of a snooze that begins."""
    ends = [f"until {clock_time(asked.until)}"] if asked.until else []
    ends += ["until its state changes"] if asked.until_change else []
    return f"Snoozed by {asked.by} {' or '.join(ends) or 'until it ends'}"


def woken(asked: Snooze | None) -> str:
    """Of a snooze that is over."""
    return f"The snooze of {asked.by} is over." if asked else ""


def suppressed(by: SuppressedBy, until: datetime | None, detail: str | None) -> str:
    """Of an incident that nobody is told of."""
    if by == "snooze" and detail:
        return f"{detail}."
    about = f": {detail.rstrip('.')}" if detail else ""
    return f"{_SUPPRESSED[by]}{about}{f'; until {clock_time(until)}' if until else ''}."


def closed(reason: CloseReason, verdict: Verdict, history: History, incident: Incident) -> str:
    """Of an alert that closes. `incident`: as it was told last."""
    words = CLOSED[reason]
    last = history.statements[-1] if history.statements else None
    if reason == "recovered" and last is not None and last.status == "available":
        if incident.condition == "flapping" and incident.since is not None:
            lasted = _minutes(last.at - incident.since)
            return f"{words} since {clock_time(last.at)}, after going up and down for {lasted}."
        begin = history.spells[-1].begin if history.spells else None
        lasted = f", after {_minutes(last.at - begin)}" if begin else ""
        return f"{words} since {clock_time(last.at)}{lasted}."
    if reason == "recovered" and last is not None:
        return f"It was available again, and that it is {last.status} now is no incident so far."
    if reason in ("userInitiated", "plannedWork") and verdict.detail:
        return f"{words}: {verdict.detail.rstrip('.')}."
    return f"{words}."


def _because(reason: str | None) -> str:
    return f": {reason.rstrip('.')}" if reason else ""


def _minutes(span: timedelta) -> str:
    total = max(0, round(span.total_seconds() / 60))
    if total < 120:
        return f"{total} minute{'' if total == 1 else 's'}"
    if total < 48 * 60:
        return f"{total // 60} h {total % 60} min"
    return f"{total // 1440} days"
