"""How long rows are kept: one table of ages, one daily sweep.

Ages count from the last write of a row, as the storage service notes it. The audit log goes by whole days, so that what
remains of a chain is whole. What is not named here is kept until its owner removes it (a connection, a tenant, a site,
a device).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared import audit, devices
from shared.app import App
from shared.devices import places
from shared.settings import Settings

log = logging.getLogger("tenantry.retention")
ROWS_PER_SWEEP = 50_000
"""Of one table and day: more than a day makes, and little enough for one run of the timer. The rest goes tomorrow."""


@dataclass(frozen=True)
class Age:
    """A table, how long its rows are kept, and the row keys [from, to) it is about (None: all)."""

    table: str
    keep: Callable[[Settings], timedelta]
    rows: tuple[str, str] | None = None
    except_partition: str = ""
    """One that is kept however old."""
    where: str = ""
    """On promoted columns: what of the rows it is about."""


AGES: tuple[Age, ...] = (
    Age("Alerts", lambda s: timedelta(days=s.audit_retention_days), except_partition="open"),
    Age("Announcements", lambda s: timedelta(days=s.change_retention_days)),
    # What is in line stays: it ends by itself within a week. A ticket's row stays as long as its alert.
    Age("Deliveries", lambda s: timedelta(days=s.change_retention_days), ("d|", "d}")),
    Age("Deliveries", lambda s: timedelta(days=s.change_retention_days), ("x|", "x}")),
    Age("Deliveries", lambda s: timedelta(days=s.audit_retention_days), ("t|", "t}")),
    Age("Devices", lambda s: timedelta(days=s.change_retention_days), ("change|", "change}")),
    Age("Exports", lambda _: devices.EXPORT_LIFE),
    Age("Idempotency", lambda _: timedelta(days=2)),
    Age("Incidents", lambda _: timedelta(days=30), where="phase eq 'quiet'"),
    # Counted from when a window was made, which may be a year before it begins.
    Age("Maintenance", lambda s: timedelta(days=s.audit_retention_days + 400)),
    Age("OperationItems", lambda s: timedelta(days=s.audit_retention_days)),
    Age("OperationKeys", lambda s: timedelta(days=s.audit_retention_days)),
    # A lane that nobody wrote for so long is empty.
    Age("OperationLanes", lambda s: timedelta(days=s.audit_retention_days)),
    Age("Operations", lambda s: timedelta(days=s.audit_retention_days)),
    Age("PlannedWork", lambda s: timedelta(days=s.audit_retention_days)),
    Age("Poison", lambda s: timedelta(days=s.change_retention_days)),
    Age("ScheduleRuns", lambda s: timedelta(days=s.audit_retention_days)),
    Age("SignIns", lambda _: timedelta(days=1)),
    Age("SinkTries", lambda _: timedelta(days=1)),
)


async def sweep(app: App) -> int:
    """Delete what is older than its age, and what a cut-off removal left behind; gives the number of rows."""
    total = 0
    for age in AGES:
        removed = await _sweep_table(app, age)
        if removed:
            log.info("%s: %d rows older than %s removed", age.table, removed, age.keep(app.settings))
        total += removed
    total += await _sweep_audit(app)
    for place in await places.every(app):
        if not place.shown:
            total += await devices.forget_subscription(app, place.subscription.id)
    return total


async def _sweep_table(app: App, age: Age) -> int:
    before = app.clock.now() - age.keep(app.settings)
    found = await app.tables.untouched(age.table, before, rows=age.rows, where=age.where, limit=ROWS_PER_SWEEP)
    return await _delete(app, age.table, [key for key in found if key[0] != age.except_partition])


async def _sweep_audit(app: App) -> int:
    """Remove the days of the audit log that are too old.

    From when it is kept is stored first: what is half removed, and a day whose day before is gone, are then no sign of
    somebody's hand.
    """
    kept_from = f"{app.clock.now() - timedelta(days=app.settings.audit_retention_days):%Y-%m-%d}"
    log_row = await audit.log_of(app)
    if log_row.kept_from is None or log_row.kept_from < kept_from:
        await app.tables.put(audit.LOG, log_row.changed(kept_from=kept_from))
    removed = await _delete(app, "Audit", await app.tables.before("Audit", kept_from, limit=ROWS_PER_SWEEP))
    if removed:
        log.info("Audit: %d rows of days before %s removed", removed, kept_from)
    return removed


async def _delete(app: App, table: str, keys: list[tuple[str, str]]) -> int:
    by_partition: dict[str, list[str]] = {}
    for partition, row in keys:
        by_partition.setdefault(partition, []).append(row)
    for partition, rows in by_partition.items():
        await app.tables.delete_rows(table, partition, rows)
    return len(keys)
