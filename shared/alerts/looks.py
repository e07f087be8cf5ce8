"""A look at one device: what is remembered of it, what is new, and how the incident is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.alerts import due
from shared.alerts.gathering import put_all
from shared.alerts.records import ALERTS, OPEN, Alert, Subject
from shared.alerts.surroundings import Surroundings
from shared.app import App
from shared.devices.records import DEVICE_PREFIX, DEVICES, Device, HealthEvent
from shared.incidents.records import INCIDENTS, Incident

TICK = timedelta(milliseconds=1)
"""The unit of the times in ids."""


@dataclass(frozen=True)
class Look:
    """One device that is looked at: what is remembered of it, what is new, and what it is."""

    incident: Incident
    events: tuple[HealthEvent, ...]
    device: Device | None
    """As it was last seen; None when nothing is stored of it any more."""
    row: Alert | None = None
    """Its row among the open and silent alerts."""

    @property
    def id(self) -> str:
        """Of the device."""
        return self.incident.device_id

    @property
    def type(self) -> str:
        """ARM's name of its type."""
        return self.device.type if self.device else self.row.subject.type if self.row else ""

    @property
    def first_poll(self) -> bool:
        """Whether it was down already when its subscription was first read."""
        return any(event.first_poll for event in self.events) or (self.row is not None and self.row.first_poll)

    def subject(self, app: App, around: Surroundings) -> Subject | None:
        """What its alert is about."""
        if self.device is not None:
            return around.subject(app, self.device)
        return self.row.subject if self.row is not None else None


async def load(app: App, device_id: str, events: Sequence[HealthEvent]) -> Look:
    """What is known of a device."""
    subscription_id = INCIDENTS.key(Incident(device_id=device_id))[0]
    incident = await app.tables.get(INCIDENTS, subscription_id, device_id)
    row = None
    if incident is not None and (incident.phase != "quiet" or incident.effects):
        row = await app.tables.get(ALERTS, OPEN, device_id)
    newest = max(events, key=lambda event: event.change.seen_at, default=None)
    device = newest.device if newest else None
    if device is None:
        device = await app.tables.get(DEVICES, subscription_id, f"{DEVICE_PREFIX}{device_id}")
    return Look(incident or Incident(device_id=device_id), tuple(events), device, row)


def time_of(look: Look, now: datetime) -> datetime:
    """The time that counts for a device: later than all that is known of it, whatever the clock of this worker says."""
    incident = look.incident
    known = [at + TICK for at in (incident.opened_at, incident.closed_at) if at is not None]
    return max([now, *known, *(event.change.seen_at for event in look.events)])


async def store(app: App, changes: Sequence[tuple[Look, Incident]], now: datetime) -> list[Look]:
    """The looks with their incidents as they were stored, the next look at each before it."""
    pairs = [(after.device_id, after.due_at) for _, after in changes]
    await due.remember_all(app, [(device_id, at) for device_id, at in pairs if at is not None], now)
    changed = [after.changed(etag=look.incident.etag) for look, after in changes if after != look.incident]
    stored = {incident.device_id: incident for incident in await put_all(app, INCIDENTS, changed)}
    return [replace(look, incident=stored.get(look.id, look.incident)) for look, _ in changes]
