"""Reading alerts: open and silent ones from one partition, closed ones month by month, merged newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared import outbox, progress
from shared.access import Principal
from shared.alerts import texts
from shared.alerts.gathering import in_turn
from shared.alerts.records import ALERTS, OPEN, Alert, closed_key, order, parse_id
from shared.app import App
from shared.devices import places
from shared.devices.places import Place
from shared.errors import NotFound

NOT_SUPPRESSED = "none"


@dataclass(frozen=True)
class Filter:
    """What a list keeps; an empty set keeps everything. Names are compared without case."""

    states: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    conditions: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    suppressed_bys: frozenset[str] = frozenset()
    """Why nobody was told; `none` of those that people were told of."""
    site_ids: frozenset[str] = frozenset()
    client_names: frozenset[str] = frozenset()
    tenant_ids: frozenset[str] = frozenset()
    subscription_ids: frozenset[str] = frozenset()
    device_ids: frozenset[str] = frozenset()
    parent_ids: frozenset[str] = frozenset()
    search: str = ""
    caller: Principal | None = field(default=None, compare=False)

    def keeps(self, alert: Alert) -> bool:
        """Whether an alert is shown."""
        about = alert.subject
        pairs: tuple[tuple[frozenset[str], Iterable[str]], ...] = (
            (self.states, [alert.state]),
            (self.statuses, [alert.status or ""]),
            (self.severities, [alert.severity]),
            (self.conditions, [alert.condition]),
            (self.kinds, [alert.kind]),
            (self.suppressed_bys, [alert.suppressed_by or NOT_SUPPRESSED]),
            (self.site_ids, sites_of(alert)),
            (self.client_names, [about.client_name]),
            (self.tenant_ids, [about.tenant_id]),
            (self.subscription_ids, [about.subscription_id]),
            (self.device_ids, [alert.device_id]),
            (self.parent_ids, [alert.parent_id or ""]),
        )
        for wanted, values in pairs:
            if wanted and not {w.casefold() for w in wanted}.intersection(value.casefold() for value in values):
                return False
        if self.search and not any(self.search.casefold() in name.casefold() for name in _names(alert)):
            return False
        return self.caller is None or sees(self.caller, alert)

    def wants(self, state: str) -> bool:
        """Whether alerts in that state can be in the list."""
        return not self.states or state in self.states


def sites_of(alert: Alert) -> list[str]:
    """The sites that an alert is about."""
    return alert.site_ids or ([alert.site_id] if alert.site_id is not None else [])


def sees(caller: Principal, alert: Alert) -> bool:
    """Whether an alert is of the caller's sites: an outage is when one of its sites is."""
    return caller.sites is None or not caller.sites.isdisjoint(sites_of(alert))


def _names(alert: Alert) -> list[str]:
    return [alert.subject.name, *(member.name for member in (alert.members.devices if alert.members else []))]


async def listed(app: App, wanted: Filter, *, above: str = "", limit: int | None) -> list[Alert]:
    """Alerts newest first, from beyond a position (`records.order` of the last one shown), at most `limit`."""
    found: list[Alert] = []
    async for alert in _merged(app, wanted, above):
        if wanted.keeps(alert):
            found.append(alert)
            if limit is not None and len(found) >= limit:
                break
    return found


async def _merged(app: App, wanted: Filter, above: str) -> AsyncIterator[Alert]:
    """Open and closed alerts in one order; of one that is being moved, the row that knows more."""
    opened: list[tuple[str, Alert]] = []
    if wanted.wants("open") or wanted.wants("suppressed"):
        every = [(order(a.subject_id, a.opened_at), a) for a in await app.tables.all(ALERTS, OPEN, **_where(wanted))]
        beyond = [row for row in every if row[0] > above]
        shown = Shown(await places.every(app) if beyond else [], wanted.caller)
        opened = sorted((row for row in beyond if shown.has(row[1])), key=lambda row: row[0], reverse=True)
    if wanted.wants("closed"):
        for month in progress.partitions(app.clock.now()):
            async for closed in app.tables.query(ALERTS, f"closed-{month}", above=above):
                key = order(closed.subject_id, closed.opened_at)
                while opened and opened[-1][0] < key:
                    yield opened.pop()[1]
                twin = opened.pop()[1] if opened and opened[-1][0] == key else None
                yield newer(twin, closed) or closed
    while opened:
        yield opened.pop()[1]


def _where(wanted: Filter) -> dict[str, Any]:
    """What of the filter the storage can do: of silent alerts there may be many."""
    states = [state for state in ("open", "suppressed") if wanted.wants(state)]
    return {"where": "state eq @state", "parameters": {"state": states[0]}} if len(states) == 1 else {}


def newer(opened: Alert | None, closed: Alert | None) -> Alert | None:
    """Of the two rows that one alert may have for a moment, the one that knows more."""
    if opened is None or closed is None:
        return opened or closed
    return opened if opened.effect_count > closed.effect_count else closed


class Shown:
    """Whether an open alert is shown, by where its devices stand now.

    It is hidden as soon as its tenant is unsynced or its site unmapped; the job that closes it comes later.
    """

    def __init__(self, found: Sequence[Place], caller: Principal | None) -> None:
        self._caller = caller
        self._sites = {p.subscription.id: p.site.id for p in found if p.shown and p.site is not None}

    def has(self, alert: Alert) -> bool:
        """Whether it is."""
        if alert.kind == "self":
            return self._caller is None or sees(self._caller, alert)
        if alert.kind == "outage":
            return any(self._sees(site) for site in set(self._sites.values()).intersection(sites_of(alert)))
        site = self._sites.get(alert.subject.subscription_id)
        return site is not None and self._sees(site)

    def _sees(self, site_id: str) -> bool:
        return self._caller is None or self._caller.sees_site(site_id)


async def find(app: App, alert_id: str) -> Alert | None:
    """One alert whoever asks, or None."""
    place = parse_id(alert_id)
    if place is None:
        return None
    opened = await app.tables.get(ALERTS, OPEN, place[0])
    closed = await app.tables.get(ALERTS, *closed_key(*place))
    return newer(opened if opened is not None and opened.id == alert_id else None, closed)


async def get(app: App, caller: Principal, alert_id: str) -> Alert:
    """One alert. Raises NotFound, also outside the caller's sites and for an open one whose device is not shown."""
    alert = await find(app, alert_id)
    if (
        alert is not None
        and sees(caller, alert)
        and (alert.state == "closed" or Shown(await _places(app, alert), caller).has(alert))
    ):
        return alert
    raise NotFound(f"There is no alert {alert_id}.")


async def _places(app: App, alert: Alert) -> list[Place]:
    if alert.kind == "self":
        return []
    if alert.kind == "outage":
        return await places.every(app)
    place = await places.of(app, alert.subject.subscription_id)
    return [place] if place is not None else []


async def present_alert_of(app: App, device_id: str) -> Alert | None:
    """The open or silent alert of a device, or None."""
    return await app.tables.get(ALERTS, OPEN, device_id)


async def shown(app: App, alerts: Sequence[Alert], *, timeline: bool = False) -> list[texts.AlertView]:
    """The alerts as the API shows them, with their tickets; one that has none of its own shows its outage's."""
    outages = sorted({alert.parent_id for alert in alerts if alert.parent_id is not None and not alert.sink_ids})
    parents = {row.id: row for row in await in_turn(outages, lambda parent: find(app, parent)) if row is not None}
    told = [*alerts, *parents.values()]
    tickets = await outbox.tickets(app, [(alert.id, alert.sink_ids) for alert in told if alert.sink_ids])
    return [
        texts.view(
            alert,
            tickets.get(alert.id if alert.sink_ids else alert.parent_id or alert.id, []),
            timeline=timeline,
        )
        for alert in alerts
    ]
