"""Alerts: what is wrong with devices, what became of it at the sinks, and what people do about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Path, Query, Request
from pydantic import AwareDatetime, Field, StrictBool

from functions.paging import Page, PageDep, Paging
from functions.routing import ID, Acting, AppDep, Area, Caller, QueryWhy, request_id
from shared.access import ALERTS_MANAGE, DEVICES_READ, Principal
from shared.alerts import acts, reads, summary
from shared.alerts.records import Alert, order
from shared.alerts.summary import AlertSummary
from shared.alerts.texts import AlertView
from shared.app import App
from shared.devices import STATUSES
from shared.errors import InvalidInput
from shared.incidents.records import Snooze, SuppressedBy

area = Area("alerts")
AlertId = Annotated[str, Path(pattern=ID, description="Id of an alert.")]
Texts = list[Annotated[str, Query(max_length=200)]] | None
MAX_POSITION_CHARS = 200
LONGEST_SNOOZE = timedelta(days=90)


class AcknowledgeBody(Acting):
    """What is being done about it."""

    note: Annotated[str | None, Field(max_length=500, description="Goes into the ticket.")] = None


class SnoozeBody(Acting):
    """For how long; without any of the three until the incident ends."""

    until: Annotated[AwareDatetime | None, Field(description="At most 90 days from now.")] = None
    minutes: Annotated[int | None, Field(ge=1, le=129_600)] = None
    until_change: Annotated[StrictBool, Field(description="Until the status changes.")] = False

    def wanted(self, by: str, now: datetime) -> Snooze:
        """The snooze. Raises InvalidInput for an end that is not to come."""
        if self.until is not None and self.minutes is not None:
            raise InvalidInput("Send until or minutes, not both.", target="minutes")
        until = now + timedelta(minutes=self.minutes) if self.minutes is not None else self.until
        if until is not None and not now < until <= now + LONGEST_SNOOZE:
            raise InvalidInput("The end of a snooze is to come, within 90 days.", target="until")
        return Snooze(by=by, at=now, until=until and until.astimezone(UTC), until_change=self.until_change)


@area.get("/alerts", permission=DEVICES_READ)
async def list_alerts(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    state: Annotated[list[Literal["open", "closed", "suppressed"]] | None, Query(description="Default: all.")] = None,
    status: Annotated[Texts, Query(description="The last status seen.")] = None,
    severity: Annotated[list[Literal["critical", "high", "medium", "low"]] | None, Query()] = None,
    condition: Annotated[Texts, Query(description="What it is about: unavailable, flapping, outage...")] = None,
    kind: Annotated[list[Literal["device", "outage", "self"]] | None, Query()] = None,
    suppressed_by: Annotated[
        list[SuppressedBy | Literal["none"]] | None,
        Query(alias="suppressedBy", description="Why people were not told of it; `none`: they were."),
    ] = None,
    site_id: Annotated[Texts, Query(alias="siteId")] = None,
    client_name: Annotated[Texts, Query(alias="clientName")] = None,
    tenant_id: Annotated[Texts, Query(alias="tenantId")] = None,
    subscription_id: Annotated[Texts, Query(alias="subscriptionId")] = None,
    device_id: Annotated[Texts, Query(alias="deviceId")] = None,
    parent_id: Annotated[Texts, Query(alias="parentId", description="The outage that alerts belong to.")] = None,
    search: Annotated[str, Query(max_length=200, description="Part of a device's name.")] = "",
) -> Page[AlertView]:
    """Alerts of the caller's sites, newest first (the only order)."""
    page.order({"openedAt"}, "openedAt desc")
    if page.orderby not in (None, "openedAt desc"):
        raise InvalidInput("Alerts are ordered by `openedAt desc` only.", target="$orderby")
    if unknown := set(status or []) - set(STATUSES):
        raise InvalidInput(f"{', '.join(sorted(unknown))} is none of {', '.join(STATUSES)}.", target="status")
    wanted = reads.Filter(
        states=frozenset(state or []),
        statuses=frozenset(status or []),
        severities=frozenset(severity or []),
        conditions=frozenset(condition or []),
        kinds=frozenset(kind or []),
        suppressed_bys=frozenset(suppressed_by or []),
        site_ids=frozenset(site_id or []),
        client_names=frozenset(client_name or []),
        tenant_ids=frozenset(tenant_id or []),
        subscription_ids=frozenset(subscription_id or []),
        device_ids=frozenset(device_id or []),
        parent_ids=frozenset(parent_id or []),
        search=search,
        caller=caller,
    )
    above = _position(page)
    total = len(await reads.listed(app, wanted, limit=None)) if page.count else None
    found = await reads.listed(app, wanted, above=above, limit=page.top + 1)
    shown = found[: page.top]
    after = [order(shown[-1].subject_id, shown[-1].opened_at)] if len(found) > page.top else None
    return page.reply(await reads.shown(app, shown), after=after, total=total)


def _position(page: Paging) -> str:
    if page.after is None:
        return ""
    if len(page.after) != 1 or not isinstance(page.after[0], str) or len(page.after[0]) > MAX_POSITION_CHARS:
        raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken")
    return page.after[0]


async def _detail(app: App, caller: Principal, alert: Alert) -> AlertView:
    (shown,) = await reads.shown(app, [alert], timeline=True)
    return shown


def _why(request: Request, body: Acting | None) -> dict[str, str | None]:
    given = body or Acting()
    return {"reason": given.reason, "ticket_number": given.ticket_number, "request_id": request_id(request)}


@area.get("/alerts/summary", permission=DEVICES_READ)
async def summarize_alerts(app: AppDep, caller: Caller) -> AlertSummary:
    """What is open: alerts by client and severity, their tickets by sink; and polls that are late."""
    return await summary.summary(app, caller)


@area.get("/alerts/{alert_id}", permission=DEVICES_READ)
async def read_alert(app: AppDep, caller: Caller, alert_id: AlertId) -> AlertView:
    """One alert with its timeline."""
    return await _detail(app, caller, await reads.get(app, caller, alert_id))


@area.post("/alerts/{alert_id}/acknowledge", permission=ALERTS_MANAGE, idempotent=True)
async def acknowledge_alert(
    app: AppDep, caller: Caller, request: Request, alert_id: AlertId, body: AcknowledgeBody | None = None
) -> AlertView:
    """Say that you look after it; its tickets get a note. 409 when it is not open."""
    note = body.note if body else None
    return await _detail(app, caller, await acts.acknowledge(app, caller, alert_id, note, **_why(request, body)))


@area.delete("/alerts/{alert_id}/acknowledge", permission=ALERTS_MANAGE)
async def unacknowledge_alert(app: AppDep, caller: Caller, alert_id: AlertId, why: QueryWhy) -> AlertView:
    """Take an acknowledgement back."""
    return await _detail(app, caller, await acts.unacknowledge(app, caller, alert_id, **why))


@area.post("/alerts/{alert_id}/snooze", permission=ALERTS_MANAGE, idempotent=True)
async def snooze_alert(
    app: AppDep, caller: Caller, request: Request, alert_id: AlertId, body: SnoozeBody | None = None
) -> AlertView:
    """Silence it: no notes and no openings until the end of the snooze. It still closes. 409 when it is closed."""
    wanted = (body or SnoozeBody()).wanted(caller.name, app.clock.now())
    return await _detail(app, caller, await acts.snooze(app, caller, alert_id, wanted, **_why(request, body)))


@area.delete("/alerts/{alert_id}/snooze", permission=ALERTS_MANAGE)
async def wake_alert(app: AppDep, caller: Caller, alert_id: AlertId, why: QueryWhy) -> AlertView:
    """End a snooze now."""
    return await _detail(app, caller, await acts.wake(app, caller, alert_id, **why))


@area.post("/alerts/{alert_id}/redeliver", permission=ALERTS_MANAGE, status_code=202, idempotent=True)
async def redeliver_alert(
    app: AppDep, caller: Caller, request: Request, alert_id: AlertId, body: Acting | None = None
) -> AlertView:
    """Send its events again, under the same ids, to every sink that was told. 409 while that is under way."""
    return await _detail(app, caller, await acts.redeliver(app, caller, alert_id, **_why(request, body)))
