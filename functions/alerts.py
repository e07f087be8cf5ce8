"""Alerts: what is wrong with devices, and what became of it at the sinks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query, Request

from functions.paging import Page, PageDep
from functions.routing import ID, Acting, AppDep, Area, Caller, request_id
from shared.access import ALERTS_MANAGE, DEVICES_READ
from shared.alerts import reads
from shared.alerts.records import order
from shared.devices import STATUSES
from shared.errors import InvalidInput

area = Area("alerts")
AlertId = Annotated[str, Path(pattern=ID, description="Id of an alert.")]
Text = Annotated[str, Query(max_length=200)]
Texts = list[Annotated[str, Query(max_length=200)]] | None
MAX_POSITION_CHARS = 200


@area.get("/alerts", permission=DEVICES_READ)
async def list_alerts(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    state: Annotated[list[Literal["open", "closed", "suppressed"]] | None, Query(description="Default: all.")] = None,
    status: Annotated[Texts, Query(description="The last status seen.")] = None,
    site_id: Annotated[Texts, Query(alias="siteId")] = None,
    client_name: Annotated[Texts, Query(alias="clientName")] = None,
    tenant_id: Annotated[Texts, Query(alias="tenantId")] = None,
    subscription_id: Annotated[Texts, Query(alias="subscriptionId")] = None,
    device_id: Annotated[Texts, Query(alias="deviceId")] = None,
    search: Annotated[str, Query(max_length=200, description="Part of a device's name.")] = "",
) -> dict[str, Any]:
    """Alerts of the caller's sites, newest first (the only order)."""
    page.order({"openedAt"}, "openedAt desc")
    if page.orderby not in (None, "openedAt desc"):
        raise InvalidInput("Alerts are ordered by `openedAt desc` only.", target="$orderby")
    if unknown := set(status or []) - set(STATUSES):
        raise InvalidInput(f"{', '.join(sorted(unknown))} is none of {', '.join(STATUSES)}.", target="status")
    wanted = reads.Filter(
        states=frozenset(state or []),
        statuses=frozenset(status or []),
        site_ids=frozenset(site_id or []),
        client_names=frozenset(client_name or []),
        tenant_ids=frozenset(tenant_id or []),
        subscription_ids=frozenset(subscription_id or []),
        device_ids=frozenset(device_id or []),
        search=search,
        caller=caller,
    )
    above = _position(page)
    total = len(await reads.listed(app, wanted, limit=None)) if page.count else None
    found = await reads.listed(app, wanted, above=above, limit=page.top + 1)
    shown = found[: page.top]
    after = [order(shown[-1].device_id, shown[-1].opened_at)] if len(found) > page.top else None
    return page.reply(await reads.shown(app, shown), after=after, total=total)


def _position(page: Page) -> str:
    if page.after is None:
        return ""
    if len(page.after) != 1 or not isinstance(page.after[0], str) or len(page.after[0]) > MAX_POSITION_CHARS:
        raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken")
    return page.after[0]


@area.get("/alerts/{alert_id}", permission=DEVICES_READ)
async def read_alert(app: AppDep, caller: Caller, alert_id: AlertId) -> dict[str, Any]:
    """One alert with its timeline."""
    (shown,) = await reads.shown(app, [await reads.get(app, caller, alert_id)], timeline=True)
    return shown


@area.post("/alerts/{alert_id}/redeliver", permission=ALERTS_MANAGE, status_code=202, idempotent=True)
async def redeliver(
    app: AppDep, caller: Caller, request: Request, alert_id: AlertId, body: Acting | None = None
) -> dict[str, Any]:
    """Send its events again, under the same ids, to every sink that was told. 409 while that is under way."""
    why = body or Acting()
    alert = await reads.redeliver(
        app,
        caller,
        alert_id,
        reason=why.reason,
        ticket_number=why.ticket_number,
        request_id=request_id(request),
    )
    (shown,) = await reads.shown(app, [alert], timeline=True)
    return shown
