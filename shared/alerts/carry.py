"""Carrying out what was decided: the alert's row first, then the sinks, then whatever the alert leaves behind.

Every effect has a number, and an alert's row knows the last one applied to it. So an effect that is carried out again
changes no row, and tells under the same ids, of which the outbox keeps one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from shared import outbox
from shared.alerts import texts
from shared.alerts.gathering import in_turn
from shared.alerts.records import ALERTS, OPEN, Alert, Step, StepKind, closed_key, extended
from shared.app import App
from shared.incidents.records import Effect
from shared.outbox import Notice

Event = Literal["opened", "updated", "closed"]


@dataclass
class Carried:
    """What the rows that were written ask for: `finish` does it. Until then all of it can be done again."""

    app: App
    notices: list[Notice] = field(default_factory=list)
    leaving: list[Alert] = field(default_factory=list)
    """Rows that another row of the same alert has taken the place of."""
    inside: Sequence[Alert] = ()
    """Devices of an outage that its texts describe one by one."""

    def tell(
        self,
        event: Event,
        alert: Alert,
        effect: Effect,
        *,
        sink_ids: Sequence[str] | None = None,
        reopened: bool = False,
    ) -> None:
        """Remember that these sinks of the alert, or all, are to be told."""
        told = alert.sink_ids if sink_ids is None else sink_ids
        if told:
            self.notices.append(_notice(event, alert, effect, told, self.inside, reopened=reopened))

    async def finish(self) -> None:
        """Tell the sinks, then delete the rows that are left behind."""
        if self.notices:
            known = await outbox.tickets(self.app, [(n.alert_id, n.sink_ids) for n in self.notices])
            for notice in self.notices:
                notice.data["tickets"] = known.get(notice.alert_id, [])
            await outbox.tell(self.app, self.notices)
        await in_turn(self.leaving, self._leave)
        self.notices, self.leaving = [], []

    async def _leave(self, row: Alert) -> None:
        present = await self.app.tables.get(ALERTS, *ALERTS.key(row))
        # The next alert of the same device may stand there by now.
        if present is not None and present.id == row.id and present.effect_count <= row.effect_count:
            await self.app.tables.delete(ALERTS, present)


def _notice(
    event: Event, alert: Alert, effect: Effect, sink_ids: Sequence[str], inside: Sequence[Alert], *, reopened: bool
) -> Notice:
    note = effect.note or texts.title(alert)
    return Notice(
        event=event,
        alert_id=alert.id,
        number=effect.number,
        at=effect.at,
        subject=alert.subject_id,
        data=dict(texts.view(alert, []))
        | ({"reopened": True} if reopened else {})
        | ({"note": effect.note} if effect.note else {}),
        title=texts.title(alert),
        text=texts.body(alert, effect.note, inside) if event == "opened" else texts.longer(note, inside),
        severity=alert.severity,
        site_id=alert.site_id,
        client_name=alert.subject.client_name,
        url=alert.subject.url,
        reopened=reopened,
        sink_ids=list(sink_ids),
    )


async def open_alert(carried: Carried, draft: Alert, effect: Effect, *, sink_ids: Sequence[str] | None = None) -> Alert:
    """Open an alert, or make its silent row a told one. `sink_ids` None: the sinks of its site.

    One that belongs to an outage (`parent_id`) is told by the outage only.
    """
    stored = await _of(carried.app, draft)
    if stored is not None and stored.state == "open" and stored.effect_count >= effect.number:
        alert = stored
    else:
        told = sink_ids if sink_ids is not None else await outbox.sinks_for(carried.app, draft.site_id)
        alert = await _put(
            carried.app,
            draft.changed(
                state="open",
                sink_ids=[] if draft.parent_id else list(told),
                timeline=_longer(stored, effect, "opened", draft),
                effect_count=effect.number,
                told_at=effect.at,
                **_NOT_SILENT,
            ),
            stored,
        )
    # Named by the alert alone, so that whoever opens it anew with none of our rows tells it under the same id.
    carried.tell("opened", alert, effect.changed(at=alert.opened_at, number=1))
    return alert


async def reopen_alert(
    carried: Carried, draft: Alert, effect: Effect, *, sink_ids: Sequence[str] | None = None
) -> Alert:
    """Open a closed alert again: its sinks are told so, under the same id.

    To sinks that were made since it is told as new; to all of them, if its row is gone or it only ever belonged to an
    outage.
    """
    app = carried.app
    before = await app.tables.get(ALERTS, *closed_key(draft.subject_id, draft.opened_at))
    stored = await _of(app, draft)
    past = before or stored
    known = list(past.sink_ids) if past is not None else []
    if stored is not None and stored.state == "open" and stored.effect_count >= effect.number:
        alert = stored
    else:
        concerned = sink_ids if sink_ids is not None else await outbox.sinks_for(app, draft.site_id)
        alert = await _put(
            app,
            draft.changed(
                state="open",
                sink_ids=[] if draft.parent_id else list(dict.fromkeys([*known, *concerned])),
                timeline=await _reopened(app, past, draft, effect),
                effect_count=effect.number,
                told_at=(past.told_at if past is not None else None) or effect.at,
                closed_at=None,
                close_reason=None,
                **_NOT_SILENT,
            ),
            stored,
        )
    carried.tell("opened", alert, effect, sink_ids=[s for s in alert.sink_ids if s in known], reopened=True)
    carried.tell("opened", alert, effect, sink_ids=[s for s in alert.sink_ids if s not in known])
    if before is not None and before.effect_count < alert.effect_count:
        carried.leaving.append(before)
    return alert


async def update_alert(carried: Carried, draft: Alert, effect: Effect, *, tell: bool = True) -> Alert | None:
    """Change an open or silent alert, and tell its sinks; None when it is not there any more."""
    stored = await _of(carried.app, draft)
    if stored is None:
        return None
    if stored.effect_count < effect.number:
        kept = stored.changed(
            timeline=_longer(stored, effect, _change(stored, draft), draft),
            effect_count=effect.number,
            **_said(draft),
        )
        stored = await _put(carried.app, kept, stored)
    if tell and stored.state == "open":
        carried.tell("updated", stored, effect)
    return stored


async def close_alert(carried: Carried, alert: Alert, reason: str, effect: Effect) -> Alert | None:
    """Close an open alert with a reason, and tell its sinks; None when there is no row of it.

    What was stored first decides when and why it closed.
    """
    app = carried.app
    opened = await _of(app, alert)
    stored = await app.tables.get(ALERTS, *closed_key(alert.subject_id, alert.opened_at))
    if stored is None or stored.effect_count < effect.number:
        if opened is None:
            return stored
        ended = opened.changed(
            timeline=_longer(opened, effect, "closed", alert, texts.closing(reason, effect.note)),
            effect_count=effect.number,
            **(
                _said(alert)
                | {"state": "closed", "closed_at": effect.at, "close_reason": reason, "effects": []}
                | {"parent_id": opened.parent_id or alert.parent_id}
                # Who looked after it is still of interest; the silence is not.
                | {"acknowledgement": opened.acknowledgement, "snooze": None}
                | _NOT_SILENT
            ),
        )
        stored = await _put(app, ended, stored)
    words = effect.changed(
        at=stored.closed_at or effect.at, note=texts.closing(stored.close_reason or reason, effect.note)
    )
    carried.tell("closed", stored, words)
    if opened is not None and opened.effect_count < stored.effect_count:
        carried.leaving.append(opened)
    return stored


async def suppress(carried: Carried, draft: Alert, effect: Effect) -> Alert:
    """Show that a device is not available and why nobody is told."""
    stored = await _of(carried.app, draft)
    if stored is not None and stored.effect_count >= effect.number:
        return stored
    silent = draft.changed(
        state="suppressed",
        sink_ids=[],
        timeline=_longer(stored, effect, "suppressed", draft),
        effect_count=effect.number,
    )
    return await _put(carried.app, silent, stored)


async def release(carried: Carried, draft: Alert, effect: Effect) -> None:
    """End a silent alert of which nobody was ever told: with a reason it is kept as closed, else it goes."""
    app = carried.app
    stored = await _of(app, draft)
    if stored is None or stored.state != "suppressed" or stored.effect_count >= effect.number:
        return
    reason = effect.close_reason
    if reason is None:
        await app.tables.delete(ALERTS, stored)
        return
    ended = stored.changed(
        state="closed",
        status=draft.status,
        status_reason=draft.status_reason,
        closed_at=effect.at,
        close_reason=reason,
        snooze=None,
        timeline=_longer(stored, effect, "closed", draft, texts.closing(reason, effect.note)),
        effect_count=effect.number,
    )
    await _put(app, ended, await app.tables.get(ALERTS, *ALERTS.key(ended)))
    carried.leaving.append(stored)


async def raise_alert(app: App, draft: Alert, note: str, *, sink_ids: Sequence[str]) -> Alert:
    """Open an alert that has no incident behind it (Tenantry's own), and tell these sinks. Repeated, it does so once.

    While one of the same subject is open, that one is given.
    """
    present = await app.tables.get(ALERTS, OPEN, draft.subject_id)
    carried, alert = Carried(app), present or draft
    effect = Effect(kind="open", at=alert.opened_at, alert_id=alert.id, number=1, note=note)
    alert = await open_alert(carried, alert, effect, sink_ids=sink_ids)
    await carried.finish()
    return alert


async def follow_alert(app: App, alert: Alert, note: str, at: datetime) -> None:
    """Tell the sinks of an open alert that has no incident behind it what is new; what was said before, not again."""
    [step] = extended([], Step(at=at, what="changed", detail=note))
    if any(step.detail == known.detail for known in alert.timeline):
        return
    carried = Carried(app)
    effect = Effect(kind="update", at=at, alert_id=alert.id, number=alert.effect_count + 1, note=note)
    await update_alert(carried, alert, effect)
    await carried.finish()


async def end_alert(app: App, alert: Alert, reason: str, note: str, at: datetime) -> None:
    """Close an alert that has no incident behind it. Repeated, it does so once."""
    carried = Carried(app)
    effect = Effect(kind="close", at=at, alert_id=alert.id, number=alert.effect_count + 1, note=note)
    await close_alert(carried, alert, reason, effect)
    await carried.finish()


_NOT_SILENT = {"suppressed_by": None, "suppressed_until": None, "suppressed_detail": None}
_SAID = (
    "condition",
    "severity",
    "since",
    "status",
    "status_reason",
    "suppressed_by",
    "suppressed_until",
    "suppressed_detail",
    "acknowledgement",
    "snooze",
    "last_join_at",
    "members",
)
"""What of an alert may change while it is there; what it is about stays as it was when it was made."""


def _said(alert: Alert) -> dict[str, Any]:
    return {name: getattr(alert, name) for name in _SAID}


async def _of(app: App, draft: Alert) -> Alert | None:
    """The row in the partition of open ones, if it is of this very alert."""
    stored = await app.tables.get(ALERTS, OPEN, draft.subject_id)
    return stored if stored is not None and stored.id == draft.id else None


async def _put(app: App, wanted: Alert, before: Alert | None) -> Alert:
    """Write over the row that was read, or over whatever an alert before it has left there."""
    return await app.tables.put(ALERTS, wanted.changed(etag=before.etag if before is not None else None))


def _longer(before: Alert | None, effect: Effect, what: StepKind, now: Alert, detail: str = "") -> list[Step]:
    step = Step(at=effect.at, what=what, status=now.status, detail=detail or effect.note or now.status_reason)
    return extended(before.timeline if before is not None else [], step)


async def _reopened(app: App, past: Alert | None, now: Alert, effect: Effect) -> list[Step]:
    """The timeline of an alert that opens again, with a step for each ticket that people closed and that stays so."""
    timeline = _longer(past, effect, "reopened", now)
    if past is None or not past.sink_ids or now.parent_id:
        return timeline
    for ticket in (await outbox.tickets(app, [(past.id, past.sink_ids)]))[past.id]:
        if ticket.get("closedByHand"):
            words = f"Ticket {ticket['number']}" if ticket.get("number") else "The ticket"
            told = f"{words} was closed by hand: it gets a note of this, and stays closed."
            timeline = extended(timeline, Step(at=effect.at, what="changed", detail=told))
    return timeline


def _change(before: Alert, after: Alert) -> StepKind:
    """What an update is about."""
    if before.acknowledgement != after.acknowledgement:
        return "acknowledged" if after.acknowledgement is not None else "unacknowledged"
    if before.snooze != after.snooze:
        return "snoozed" if after.snooze is not None else "woken"
    return "changed"
