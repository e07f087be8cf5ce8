"""The incident machine: what is right now, against what was done before, gives what is to be done.

Everything here is pure: the incident that is returned, effects included, is stored before anything is carried out.
The fields of an incident that an alert shows (condition, severity, status, reason) are as they were last told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from shared.incidents import business, notes
from shared.incidents.history import History, merge, read
from shared.incidents.ids import alert_id, naming
from shared.incidents.judgement import Verdict, earliest, judge
from shared.incidents.policy import Rules
from shared.incidents.records import (
    SIGHTINGS_KEPT,
    Acknowledgement,
    CloseReason,
    Effect,
    Incident,
    Observation,
    Severity,
    Snooze,
    SuppressedBy,
)
from shared.incidents.severity import below, severity_of

REOPENABLE: frozenset[CloseReason] = frozenset({"recovered", "userInitiated", "plannedWork"})
_NOT_SUPPRESSED = {"suppressed_by": None, "suppressed_until": None, "suppressed_detail": None}
_SILENTLY_SHOWN = (*_NOT_SUPPRESSED, "condition", "severity", "status")
_TICK = timedelta(milliseconds=1)

Stepped = tuple[Incident, tuple[Effect, ...]]


@dataclass(frozen=True, slots=True)
class _Silence:
    """Why an alert that would be opened or shown is not told."""

    by: SuppressedBy
    until: datetime | None
    detail: str | None


def step(incident: Incident, observation: Observation, rules: Rules, now: datetime) -> Stepped:
    """The incident after new sightings, or after nothing but time, and the effects that this has.

    `observation.planned` has all planned work of the device that ended within the last flap window and grace: what
    excused a spell has to be known as long as the spell counts.
    """
    sightings = merge(incident.sightings, observation.sightings)
    history = read(sightings, now)
    incident = incident.changed(sightings=sightings)
    verdict = judge(history, observation.planned, rules, now)
    severity: Severity | None = None
    if verdict.condition is not None:
        severity = severity_of(rules.severities, observation.type, observation.tags, verdict.condition)
    snooze = incident.snooze
    snoozed = snooze is not None and not _snooze_is_over(snooze, history, now)
    # Of what was down already when it was first read, nobody was told before.
    since = None if observation.first else verdict.since
    work = _Step(incident.changed(snooze=snooze if snoozed else None), now, since)
    if verdict.kind == "open" or (verdict.keeps and incident.phase == "open"):
        silence = None if incident.phase == "open" else _silence(work.incident, severity, rules, now)
        if silence is not None:
            _suppress(work, verdict, severity, silence, rules)
        elif incident.phase == "open":
            _keep(work, verdict, severity, rules, woken=snooze if not snoozed else None)
        else:
            _open(work, verdict, severity, rules)
    elif verdict.kind == "suppressed" and verdict.by is not None:
        if incident.phase == "open":
            _close(work, _why_suppressed(verdict, history, incident), verdict, history)
        _suppress(work, verdict, severity, _Silence(verdict.by, verdict.until, verdict.detail), rules)
    else:
        _calm(work, verdict, history)
    due = [verdict.due_at, work.incident.suppressed_until]
    if work.incident.phase != "quiet" and work.incident.snooze is not None:
        due.append(work.incident.snooze.until)
    if work.incident.phase == "suppressed" and work.reopenable(rules):
        due.append(_reopenable_until(work.incident, rules))
    if work.incident.phase == "quiet":
        due = [history.due_at]
    work.set(due_at=earliest(due, now))
    return work.done()


def acknowledge(incident: Incident, by: str, note: str | None, now: datetime) -> Stepped:
    """Somebody takes an alert over. Without one, or said again (same time), nothing happens."""
    wanted = Acknowledgement(by=by, at=now, note=note)
    if incident.acknowledgement == wanted:
        return incident, ()
    return _said(incident, now, f"Acknowledged by {by}" + (f": {note}" if note else ""), acknowledgement=wanted)


def unacknowledge(incident: Incident, by: str, now: datetime) -> Stepped:
    """Nobody looks after the alert any more."""
    if incident.acknowledgement is None:
        return incident, ()
    return _said(incident, now, f"No longer acknowledged, by {by}", acknowledgement=None)


def snooze(incident: Incident, asked: Snooze, now: datetime) -> Stepped:
    """No more noise about the device, as the snooze says. Without an alert, or said again, nothing happens."""
    if incident.snooze == asked:
        return incident, ()
    due_at = earliest((incident.due_at, asked.until), now)
    return _said(incident, now, notes.snoozed(asked), snooze=asked, due_at=due_at)


def wake(incident: Incident, by: str, now: datetime) -> Stepped:
    """End a snooze. What changed meanwhile is told by the next step, which is due at once."""
    if incident.snooze is None:
        return incident, ()
    return _said(incident, now, f"The snooze was ended by {by}", snooze=None, due_at=now)


def close(incident: Incident, reason: CloseReason, now: datetime) -> Stepped:
    """The device leaves our sight, or its alert another takes over: nothing stays open, and nothing is remembered.

    What was seen of the device is forgotten, but for an outage that takes the alert over: see `absorb`.
    """
    work = _Step(incident, now)
    if incident.phase == "open":
        work.close(reason, notes.CLOSED[reason])
    elif work.silent:
        work.release(reason, notes.CLOSED[reason])
    kept = incident.sightings if reason == "mergedIntoOutage" else []
    work.set(phase="quiet", sightings=kept, acknowledgement=None, snooze=None, due_at=None, **_NOT_SUPPRESSED)
    return work.done()


def absorb(incident: Incident, now: datetime) -> Stepped:
    """An outage takes over a device's open alert: its own one closes, and one within the outage opens in its place."""
    if incident.phase != "open":
        return incident, ()
    work = _Step(incident, now)
    work.close("mergedIntoOutage", notes.CLOSED["mergedIntoOutage"])
    work.make_alert()
    work.set(phase="open", told=True, closed_at=None, close_reason=None)
    work.effect("open", "It belongs to an outage")
    return work.done()


class _Step:
    """An incident being changed, and the effects so far."""

    def __init__(self, incident: Incident, now: datetime, since: datetime | None = None) -> None:
        self.incident = incident
        self.now = now
        self.since = since
        """Begin of the present spell, if an alert that is made now is named by it."""
        self.effects: list[Effect] = []

    @property
    def silent(self) -> bool:
        """Whether an alert is shown of which nobody was told."""
        return self.incident.phase == "suppressed" and self.incident.alert_id is not None and not self.incident.told

    def reopenable(self, rules: Rules) -> bool:
        """Whether the last alert is to be opened again rather than a new one."""
        until = _reopenable_until(self.incident, rules)
        return until is not None and self.now < until

    def set(self, **values: object) -> None:
        """Change the incident."""
        self.incident = self.incident.changed(**values)

    def effect(self, kind: str, note: str = "", reason: CloseReason | None = None) -> None:
        """One more thing to do."""
        number = self.incident.effect_count + 1
        made = Effect.model_validate(
            {
                "kind": kind,
                "at": self.now,
                "number": number,
                "alert_id": self.incident.alert_id or "",
                "close_reason": reason,
                "note": note,
            }
        )
        self.effects.append(made)
        self.set(effect_count=number, effects=[*self.incident.effects, made])

    def make_alert(self) -> None:
        """A new id, later than every one before. Nobody looks after it yet."""
        at = naming(self.since, self.now)
        # The clock of the worker that closed the one before may have been ahead of Azure's.
        ended = self.incident.closed_at if self.since is not None else None
        for before in (self.incident.opened_at, ended):
            if before is not None:
                at = max(at, naming(None, before) + _TICK)
        self.set(alert_id=alert_id(self.incident.device_id, at), opened_at=at, acknowledgement=None)

    def close(self, reason: CloseReason, note: str) -> None:
        """Close the open alert. A snooze for a time goes on without it; who looks after it still does if it reopens."""
        self.effect("close", note, reason)
        self.set(phase="quiet", closed_at=self.now, close_reason=reason)
        self.end_snooze()

    def release(self, reason: CloseReason, note: str) -> None:
        """End the silent alert untold. It is kept as closed, so that it can be said later why nobody was told.

        Of one that only waited for its device to be back at once nothing is kept.
        """
        if self.incident.suppressed_by == "hold":
            self.effect("release")
        else:
            self.effect("release", note, reason)
        self.set(alert_id=None, condition=None, severity=None, since=None, acknowledgement=None)

    def end_snooze(self) -> None:
        """Drop a snooze that was not for a time."""
        asked = self.incident.snooze
        if asked is not None and asked.until is None:
            self.set(snooze=None)

    def done(self) -> Stepped:
        """The incident and the effects of this step."""
        return self.incident, tuple(self.effects)


def _open(work: _Step, verdict: Verdict, severity: Severity | None, rules: Rules) -> None:
    again = work.reopenable(rules)
    if not again and not work.silent:
        work.make_alert()
    work.set(
        phase="open",
        told=True,
        closed_at=None,
        close_reason=None,
        **_NOT_SUPPRESSED,
        **_shown(work.incident, verdict, severity),
    )
    work.effect("reopen" if again else "open", notes.opened(verdict, again=again, rules=rules))


def _keep(work: _Step, verdict: Verdict, severity: Severity | None, rules: Rules, *, woken: Snooze | None) -> None:
    """An open alert stays open: tell what changed, unless somebody asked for silence."""
    incident = work.incident
    if incident.snooze is not None:
        return
    said = [notes.woken(woken)] if woken is not None else []
    if verdict.condition != incident.condition or verdict.condition != "flapping":
        said += notes.changes(incident, verdict, severity, rules)
        work.set(**_shown(work.incident, verdict, severity))
    elif severity != incident.severity:
        said.append(notes.severity(severity))
        work.set(severity=severity)
    if said:
        work.effect("update", " ".join(said))


def _suppress(work: _Step, verdict: Verdict, severity: Severity | None, silence: _Silence, rules: Rules) -> None:
    """Show silently what is not told. While the last alert may still be opened again, there is no second one."""
    before = work.incident
    work.set(suppressed_by=silence.by, suppressed_until=silence.until, suppressed_detail=silence.detail)
    if work.silent:
        work.set(**_shown(work.incident, verdict, severity))
        if all(getattr(before, name) == getattr(work.incident, name) for name in _SILENTLY_SHOWN):
            return
    elif work.reopenable(rules):
        work.set(phase="suppressed", status=verdict.status)
        return
    else:
        work.make_alert()
        work.set(told=False, closed_at=None, close_reason=None)
    work.set(phase="suppressed", **_shown(work.incident, verdict, severity))
    work.effect("suppress", notes.suppressed(silence.by, silence.until, silence.detail))


def _calm(work: _Step, verdict: Verdict, history: History) -> None:
    """Nothing is wrong, or nothing that the rules count."""
    incident = work.incident
    if incident.phase == "open":
        reason = _why_quiet(verdict, history, incident)
        _close(work, reason, verdict, history)
    elif work.silent:
        reason = _why_quiet(verdict, history, incident)
        work.release(reason, notes.closed(reason, verdict, history, work.incident))
    work.end_snooze()
    work.set(phase="quiet", **_NOT_SUPPRESSED)
    if not history.gone:
        work.set(status=verdict.status, status_reason=verdict.reason)


def _close(work: _Step, reason: CloseReason, verdict: Verdict, history: History) -> None:
    if reason != "deviceDeleted":
        work.set(status=verdict.status, status_reason=verdict.reason)
    work.close(reason, notes.closed(reason, verdict, history, work.incident))


def _why_quiet(verdict: Verdict, history: History, incident: Incident) -> CloseReason:
    if history.gone:
        return "deviceDeleted"
    begun = incident.since or incident.opened_at or history.statements[0].at
    if not verdict.away or any(s.end is not None and s.end >= begun for s in history.spells):
        return "recovered"
    return "policyChanged"


def _why_suppressed(verdict: Verdict, history: History, incident: Incident) -> CloseReason:
    if verdict.by == "userInitiated":
        return "userInitiated"
    if verdict.by in ("azurePlanned", "action", "schedule", "maintenance"):
        return "plannedWork"
    return _why_quiet(verdict, history, incident)


def _shown(incident: Incident, verdict: Verdict, severity: Severity | None) -> dict[str, object]:
    since = verdict.since
    if len(incident.sightings) == SIGHTINGS_KEPT and incident.since is not None and since is not None:
        # The beginning of a long spell may have dropped out of what is remembered.
        since = min(since, incident.since) if incident.phase != "quiet" else since
    return {
        "condition": verdict.condition,
        "severity": severity,
        "status": verdict.status,
        "status_reason": verdict.reason,
        "since": since,
    }


def _silence(incident: Incident, severity: Severity | None, rules: Rules, now: datetime) -> _Silence | None:
    """What keeps an alert from opening now though the device deserves it."""
    if incident.snooze is not None:
        return _Silence("snooze", incident.snooze.until, notes.snoozed(incident.snooze))
    hours = rules.business_hours
    if hours is None or severity is None or not below(severity, hours.always_from):
        return None
    opens_at = business.next_open(hours, now)
    return None if opens_at == now else _Silence("businessHours", opens_at, None)


def _snooze_is_over(asked: Snooze, history: History, now: datetime) -> bool:
    if asked.until is not None and now >= asked.until:
        return True
    if not asked.until_change:
        return False
    return history.gone or any(
        later.seen_at > asked.at and earlier.status != later.status for earlier, later in pairwise(history.statements)
    )


def _reopenable_until(incident: Incident, rules: Rules) -> datetime | None:
    if incident.closed_at is None or incident.close_reason not in REOPENABLE:
        return None
    return incident.closed_at + timedelta(minutes=rules.reopen_minutes)


def _said(incident: Incident, now: datetime, words: str, **values: object) -> Stepped:
    """Change what people set on an alert, and tell it. Nothing without an alert."""
    work = _Step(incident, now)
    if incident.phase != "open" and not work.silent:
        return incident, ()
    work.set(**values)
    work.effect("update" if incident.phase == "open" else "suppress", words)
    return work.done()
