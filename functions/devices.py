"""Devices: list, summary, one device, its history, export and refresh."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, NotRequired

from fastapi import Depends, Path, Query, Request, Response
from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from functions.paging import Page, PageDep
from functions.routing import ID, Acting, AppDep, Area, Body, Caller, request_id
from shared import alerts, devices, health, progress
from shared.access import DEVICES_READ
from shared.devices import listing
from shared.devices.export import COLUMNS
from shared.devices.records import Status
from shared.errors import InvalidInput

area = Area("devices")
MAX_VALUES = 100
"""Of one filter."""
EVERYTHING = devices.Filter()
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
DeviceId = Annotated[str, Path(pattern=ID, description="Id of a device, as lists give it.")]


def _filter(
    client_names: Annotated[list[Text] | None, Query(alias="clientName", max_length=MAX_VALUES)] = None,
    site_ids: Annotated[list[Text] | None, Query(alias="siteId", max_length=MAX_VALUES)] = None,
    tenant_ids: Annotated[list[Text] | None, Query(alias="tenantId", max_length=MAX_VALUES)] = None,
    subscription_ids: Annotated[list[Text] | None, Query(alias="subscriptionId", max_length=MAX_VALUES)] = None,
    resource_groups: Annotated[list[Text] | None, Query(alias="resourceGroup", max_length=MAX_VALUES)] = None,
    types: Annotated[list[Text] | None, Query(alias="type", max_length=MAX_VALUES)] = None,
    regions: Annotated[list[Text] | None, Query(alias="region", max_length=MAX_VALUES)] = None,
    statuses: Annotated[list[Status] | None, Query(alias="status", max_length=MAX_VALUES)] = None,
    power_states: Annotated[list[Text] | None, Query(alias="powerState", max_length=MAX_VALUES)] = None,
    search: Annotated[str, Query(max_length=200, description="Part of a name, without case.")] = "",
) -> devices.Filter:
    return devices.Filter(
        client_names=tuple(client_names or ()),
        site_ids=tuple(site_ids or ()),
        tenant_ids=tuple(tenant_ids or ()),
        subscription_ids=tuple(subscription_ids or ()),
        resource_groups=tuple(resource_groups or ()),
        types=tuple(types or ()),
        regions=tuple(regions or ()),
        statuses=tuple(statuses or ()),
        power_states=tuple(power_states or ()),
        search=search.strip(),
    )


FilterDep = Annotated[devices.Filter, Depends(_filter)]


class DevicePage(TypedDict):
    """One page of devices. `lastRefreshed` is the newest refresh among the subscriptions of all matches."""

    value: list[devices.DeviceView]
    nextLink: NotRequired[str]
    count: NotRequired[int]
    lastRefreshed: datetime | None


class PresentAlert(TypedDict, total=False):
    """The alert of a device, told or silent; at most one."""

    openAlert: alerts.AlertBrief
    suppressedAlert: alerts.AlertBrief


class DeviceDetail(devices.DeviceFacts, PresentAlert):
    """A device with all that is known of it."""


class RefreshBody(Acting):
    """Which tenants to read again; all in scope when none are named."""

    tenant_ids: list[Text] | None = Field(None, max_length=1000)


class FilterBody(Body):
    """What a list filters on, each one value or several."""

    client_name: list[Text] | Text | None = None
    site_id: list[Text] | Text | None = None
    tenant_id: list[Text] | Text | None = None
    subscription_id: list[Text] | Text | None = None
    resource_group: list[Text] | Text | None = None
    type: list[Text] | Text | None = None
    region: list[Text] | Text | None = None
    status: list[Status] | Status | None = None
    power_state: list[Text] | Text | None = None
    search: str | None = Field(None, max_length=200)

    def merged(self, query: devices.Filter = EVERYTHING) -> devices.Filter:
        """The filter of the query, with what the body names in place of it."""
        return devices.Filter(
            client_names=_several(self.client_name) or query.client_names,
            site_ids=_several(self.site_id) or query.site_ids,
            tenant_ids=_several(self.tenant_id) or query.tenant_ids,
            subscription_ids=_several(self.subscription_id) or query.subscription_ids,
            resource_groups=_several(self.resource_group) or query.resource_groups,
            types=_several(self.type) or query.types,
            regions=_several(self.region) or query.regions,
            statuses=_several(self.status) or query.statuses,
            power_states=_several(self.power_state) or query.power_states,
            search=(self.search or query.search).strip(),
        )


class ExportBody(FilterBody, Acting):
    """What a list filters on, and the columns of the file."""

    columns: list[Text] = Field(default_factory=list, max_length=len(COLUMNS))


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else () if value is None else (value,)


@area.get("/devices", permission=DEVICES_READ)
async def list_devices(app: AppDep, caller: Caller, page: PageDep, wanted: FilterDep) -> DevicePage:
    """Devices in the caller's sites. `lastRefreshed` is the newest refresh among their subscriptions."""
    found = await devices.find_all(app, caller, wanted)
    rows = page.of(
        found.rows,
        columns=listing.COLUMNS,
        default="name",
        key=lambda row: row.entry.id,
        view=lambda row: listing.view(app, row),
    )
    return {**rows, "lastRefreshed": found.last_refreshed}


@area.get("/devices/summary", permission=DEVICES_READ)
async def summarize_devices(app: AppDep, caller: Caller, wanted: FilterDep) -> devices.DeviceSummary:
    """Counts by status, type, region and client, and each subscription that cannot be refreshed, reason and age."""
    return await devices.summary(app, caller, wanted)


@area.post("/devices/export", permission=DEVICES_READ, idempotent=True, status_code=202)
async def export_devices(
    app: AppDep, caller: Caller, request: Request, response: Response, wanted: FilterDep, body: ExportBody | None = None
) -> progress.OperationView:
    """Begin a CSV export; the operation's result is `{downloadUrl, rows, expiresAt}`. Filters by query or body."""
    body = body or ExportBody()
    unknown = sorted(set(body.columns) - set(COLUMNS))
    if unknown:
        raise InvalidInput(f"No such column: {', '.join(unknown)}. Known: {', '.join(COLUMNS)}.", target="columns")
    operation = await devices.start_export(
        app,
        caller,
        body.merged(wanted),
        body.columns,
        request_id=request_id(request),
        reason=body.reason,
        ticket_number=body.ticket_number,
    )
    return _accepted(app, response, operation)


@area.get(
    "/devices/exports/{operation_id}",
    permission=DEVICES_READ,
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def download_device_export(
    app: AppDep, caller: Caller, operation_id: Annotated[str, Path(pattern=ID)]
) -> Response:
    """The file of an export, for two days, for whoever asked for it: text/csv, UTF-8."""
    content = await devices.read_export(app, caller, operation_id)
    headers = {"Content-Disposition": 'attachment; filename="devices.csv"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


@area.post("/devices/refresh", permission=DEVICES_READ, idempotent=True, status_code=202)
async def refresh_devices(
    app: AppDep, caller: Caller, request: Request, response: Response, body: RefreshBody | None = None
) -> progress.OperationView:
    """Read the devices of these tenants again: an operation with one item per subscription."""
    body = body or RefreshBody()
    operation = await health.start_refresh(
        app,
        caller,
        body.tenant_ids,
        request_id=request_id(request),
        reason=body.reason,
        ticket_number=body.ticket_number,
    )
    return _accepted(app, response, operation)


def _accepted(app: AppDep, response: Response, operation: progress.Operation) -> progress.OperationView:
    response.headers["Operation-Location"] = f"{app.settings.public_api_url}/operations/{operation.id}"
    return progress.view(operation, app.clock.now())


@area.get("/devices/{device_id}", permission=DEVICES_READ)
async def read_device(app: AppDep, caller: Caller, response: Response, device_id: DeviceId) -> DeviceDetail:
    """One device with tags, recommended actions and its open alert, if there is one."""
    shown = await devices.get(app, caller, device_id)
    response.headers["ETag"] = str(shown.device.etag)
    alert = await alerts.present_alert_of(app, device_id)
    present: PresentAlert = {}
    if alert is not None and alert.state == "open":
        present["openAlert"] = alerts.brief(alert)
    elif alert is not None:
        present["suppressedAlert"] = alerts.brief(alert)
    return {**devices.view(app, shown), **present}


@area.get("/devices/{device_id}/history", permission=DEVICES_READ)
async def list_device_history(
    app: AppDep, caller: Caller, page: PageDep, device_id: DeviceId
) -> Page[devices.HealthChange]:
    """Changes of a device's health, newest first (the only order)."""
    page.order({"at"}, "at desc")
    if page.orderby not in (None, "at desc"):
        raise InvalidInput("The history is ordered by `at desc` only.", target="$orderby")
    shown = await devices.get(app, caller, device_id)
    above = ""
    if page.after is not None:
        if len(page.after) != 1 or not devices.in_history(shown, page.after[0]):
            raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken")
        above = page.after[0]
    found = await devices.history(app, shown, above=above, limit=page.top + 1)
    changes = found[: page.top]
    after = [devices.CHANGES.key(changes[-1])[1]] if len(found) > page.top else None
    total = await devices.count_history(app, shown) if page.count else None
    return page.reply([devices.view_change(change) for change in changes], after=after, total=total)
