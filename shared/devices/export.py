"""Devices as CSV: an operation whose result names where the file can be fetched."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from shared import audit, jobs, progress
from shared.access import DEVICES_READ, Principal
from shared.app import App
from shared.clock import rfc3339
from shared.devices import listing
from shared.devices.listing import Filter
from shared.errors import NotFound
from shared.store import packed

TABLE = "Exports"
PLACES = "places"
"""Row of the subscriptions (a JSON list of ids) whose devices are in the file."""
PART_BYTES = 4_000_000
"""Of CSV in one stored value: well below what fits even if it hardly compresses."""
LIFE = timedelta(days=2)
COLUMNS: dict[str, str] = {
    "name": "Name",
    "status": "Status",
    "statusSince": "Status since",
    "statusReason": "Reason",
    "powerState": "Power state",
    "typeName": "Type",
    "type": "Resource type",
    "clientName": "Client",
    "siteName": "Site",
    "tenantName": "Tenant",
    "subscriptionName": "Subscription",
    "resourceGroup": "Resource group",
    "region": "Region",
    "lastRefreshed": "Last refreshed",
    "resourceId": "Resource id",
    "portalUrl": "Portal",
    "id": "Id",
}
"""Column -> heading, in the order of a file that names no columns."""
_FILTER = TypeAdapter(Filter)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width forms of the first four: some spreadsheets take them for the same."""


async def start_export(
    app: App,
    caller: Principal,
    wanted: Filter,
    columns: list[str],
    *,
    request_id: str = "",
    reason: str | None = None,
    ticket_number: str | None = None,
) -> progress.Operation:
    """Begin an export of what the caller may see; `columns` are keys of COLUMNS, none means all of them."""
    found = await listing.visible_places(app, caller)
    operation = await progress.start(
        app,
        "devices.export",
        reader=DEVICES_READ,
        created_by=caller.id,
        site_ids=sorted({place.site.id for place in found if place.site}),
        state={
            "filter": asdict(wanted),
            "columns": columns or list(COLUMNS),
            "sites": None if caller.sites is None else sorted(caller.sites),
        },
        reason=reason,
        ticket_number=ticket_number,
    )
    await audit.record(
        app,
        caller.id,
        "devices.export",
        operation.id,
        actor_name=caller.name,
        request_id=request_id,
        reason=reason,
        ticket_number=ticket_number,
    )
    await app.queues.send(jobs.ExportDevices(operation_id=operation.id))
    return operation


async def run_export(app: App, job: jobs.ExportDevices) -> None:
    """Write the file of an operation; repeated, it writes the same places again."""
    operation = await progress.update(app, job.operation_id, status="running")
    if operation.status in progress.TERMINAL:
        return
    state = operation.state
    wanted = _FILTER.validate_python(state["filter"])
    sites = None if state["sites"] is None else frozenset(state["sites"])
    who = Principal(operation.created_by, "", frozenset({DEVICES_READ}), sites)
    found = await listing.find_all(app, who, wanted)
    rows = sorted(found.rows, key=lambda row: (row.entry.name.casefold(), row.entry.id))
    text = to_csv(state["columns"], (listing.view(app, row) for row in rows)).encode()
    contained = json.dumps(sorted({row.place.subscription.id for row in rows})).encode()
    await packed.write(app.tables, TABLE, operation.id, PLACES, contained, "1")
    parts = [text[begin : begin + PART_BYTES] for begin in range(0, len(text), PART_BYTES)]
    for number, part in enumerate(parts):
        await packed.write(app.tables, TABLE, operation.id, f"{number:04d}", part, str(len(parts)))
    result: progress.OperationResult = {
        "downloadUrl": f"{app.settings.public_api_url}/devices/exports/{operation.id}",
        "rows": len(rows),
        "expiresAt": rfc3339(app.clock.now() + LIFE),
    }
    await progress.update(app, operation.id, status="succeeded", percent_complete=100, result=result)


async def give_up_export(app: App, job: jobs.ExportDevices, reason: str) -> None:
    """The platform tried often enough: the operation has failed."""
    await progress.update(app, job.operation_id, status="failed", error={"code": "exportFailed", "message": reason})


async def read_export(app: App, caller: Principal, operation_id: str) -> bytes:
    """The file (UTF-8 with a mark, for spreadsheets), for whoever asked for it and still sees all that is in it.

    Raises NotFound, also when a tenant or subscription in it is not shown any more.
    """
    operation = await progress.read(app, operation_id)
    missing = NotFound(f"There is no export {operation_id}, or it has expired.")
    sites: list[str] | None = operation.state.get("sites")
    allowed = caller.sites is None or (sites is not None and caller.sites.issuperset(sites))
    mine = operation.created_by == caller.id or caller.sites is None
    if operation.kind != "devices.export" or operation.status != "succeeded" or not (allowed and mine):
        raise missing
    if app.clock.now() > operation.last_updated_at + LIFE:
        raise missing
    contained = await packed.read(app.tables, TABLE, operation_id, PLACES)
    if contained is None:
        raise missing
    seen = {place.subscription.id for place in await listing.visible_places(app, caller)}
    if not seen.issuperset(json.loads(contained[1])):
        raise NotFound("Not all that is in this export is still shown to you. Make the export again.")
    parts: list[bytes] = []
    total = 1
    while len(parts) < total:
        found = await packed.read(app.tables, TABLE, operation_id, f"{len(parts):04d}")
        if found is None:
            raise missing
        total = int(found[0])
        parts.append(found[1])
    return b"".join(parts)


def to_csv(columns: list[str], shown: Iterable[Mapping[str, object]]) -> str:
    """A heading and a line per device. Texts that a spreadsheet would take for a formula get an apostrophe in front.

    Source: owasp.org/www-community/attacks/CSV_Injection.
    """
    out = io.StringIO(newline="")
    out.write("\ufeff")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow([COLUMNS[column] for column in columns])
    for device in shown:
        writer.writerow([_cell(device.get(column)) for column in columns])
    return out.getvalue()


def _cell(value: Any) -> str:
    text = rfc3339(value) if isinstance(value, datetime) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
