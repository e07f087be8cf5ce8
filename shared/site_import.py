"""Sites out of a CSV file: `client,site[,tenant]`, one row per site, repeatable."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from shared import names, sites, tenants
from shared.access import Principal
from shared.app import App
from shared.connections.record import trail
from shared.errors import Conflict, InvalidInput
from shared.sites import SITES, Site, SiteMap
from shared.store.tables import Write, insert, put
from shared.tenants import Tenant

MAX_ROWS = 5000
CHUNK = 90
"""Rows written in one transaction."""
ID_LENGTH = 63
ImportOutcome = Literal["created", "updated", "unchanged", "failed"]


@dataclass(frozen=True)
class Row:
    """One row and what became of it. `number` counts lines of data from 1."""

    number: int
    client_name: str
    site_name: str
    tenant: str = ""
    site_id: str = ""
    result: ImportOutcome | None = None
    """None: not decided yet."""
    error: str | None = None


def read(text: str) -> list[Row]:
    """The rows of a file. Raises InvalidInput when the header or the number of rows is wrong. Pure."""
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = [(name or "").strip().lower() for name in reader.fieldnames or []]
        if header[:2] != ["client", "site"] or header[2:] not in ([], ["tenant"]):
            raise InvalidInput("The first line must be client,site or client,site,tenant.", target="header")
        reader.fieldnames = header
        rows = []
        for number, line in enumerate(reader, start=1):
            if number > MAX_ROWS:
                raise InvalidInput(f"At most {MAX_ROWS} rows at once.", target="rows")
            client, site, tenant = ((line.get(name) or "").strip() for name in ("client", "site", "tenant"))
            rows.append(_checked(Row(number, client, site, tenant), extra=None in line))
    except csv.Error as error:
        raise InvalidInput(f"This is not a CSV file: {error}.", target="body") from error
    return rows


def _checked(row: Row, *, extra: bool) -> Row:
    if extra:
        return replace(row, result="failed", error="The row has more columns than the header.")
    for name, value in (("client", row.client_name), ("site", row.site_name)):
        if not 1 <= len(value) <= names.MAX_CHARS:
            return replace(row, result="failed", error=f"The {name} needs 1 to {names.MAX_CHARS} characters.")
        if not names.shows(value):
            return replace(row, result="failed", error=f"The {name} has a control character.")
    return row


def derive_id(client_name: str, site_name: str, taken: Collection[str]) -> str:
    """An id for a new site: readable, `[a-z0-9-]`, the same for the same names while nobody else took it. Pure."""
    plain = unicodedata.normalize("NFKD", f"{client_name} {site_name}").encode("ascii", "ignore").decode().lower()
    readable = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:ID_LENGTH].strip("-")
    if readable and readable not in taken:
        return readable
    seed = f"{client_name}\0{site_name}"
    while True:
        digest = hashlib.sha256(seed.encode()).hexdigest()
        if (found := f"{readable[: ID_LENGTH - 11].strip('-')}-{digest[:10]}".strip("-")) not in taken:
            return found
        seed = digest


def find_tenant(named: str, known: Iterable[Tenant]) -> Tenant | str:
    """The synced tenant that a cell names by id, domain or display name, or why there is none. Pure."""
    wanted = named.casefold()
    found = [
        tenant
        for tenant in known
        if wanted
        in (
            tenant.id,
            tenant.default_domain.casefold(),
            tenant.initial_domain.casefold(),
            tenant.display_name.casefold(),
        )
    ]
    if not found:
        return f"There is no tenant {named}."
    if len(found) > 1:
        return f"{len(found)} tenants are called {named}. Use the tenant id."
    if found[0].status != "synced":
        return f"{found[0].display_name} is {found[0].status}. Sync it first."
    return found[0]


def decide(present: SiteMap, rows: list[Row], known: list[Tenant]) -> tuple[list[Write], list[Row]]:
    """The writes for some rows, and the rows with their results. Pure."""
    by_name = {_names(site.client_name, site.site_name): site for site in present.by_id.values()}
    taken = present.by_id.keys() | present.gone
    wanted: dict[str, Site] = {}
    results = []
    for row in rows:
        if row.result:
            results.append(row)
            continue
        old = by_name.get(_names(row.client_name, row.site_name))
        if old is not None and old.deleting:
            results.append(replace(row, site_id=old.id, result="failed", error="The site is being deleted."))
            continue
        site_id = old.id if old else derive_id(row.client_name, row.site_name, taken | wanted.keys())
        new = wanted.get(site_id) or old or Site(id=site_id, client_name="", site_name="")
        new = new.changed(client_name=row.client_name, site_name=row.site_name)
        after = SiteMap([*present.by_id.values(), *wanted.values()])
        try:
            new = _mapped(after, new, row.tenant, known)
        except (Conflict, InvalidInput) as error:
            results.append(replace(row, site_id=old.id if old else "", result="failed", error=error.message))
            continue
        result: ImportOutcome = "created" if site_id not in present.by_id else "unchanged" if new == old else "updated"
        by_name[_names(row.client_name, row.site_name)] = new
        wanted[site_id] = new
        results.append(replace(row, site_id=site_id, result=result))
    writes = [
        put(SITES, site) if site.id in present.by_id else insert(SITES, site)
        for site in wanted.values()
        if site != present.by_id.get(site.id)
    ]
    return writes, results


def _names(client_name: str, site_name: str) -> tuple[str, str]:
    return client_name.casefold(), site_name.casefold()


def _mapped(present: SiteMap, site: Site, tenant: str, known: list[Tenant]) -> Site:
    """The site with the tenant of its row; without one, or mapped to it already, as it is."""
    if not tenant:
        return site
    found = find_tenant(tenant, known)
    if isinstance(found, str):
        raise InvalidInput(found)
    if site.tenant_id == found.id:
        return site
    new = site.changed(tenant_id=found.id, subscription_ids=None)
    if taken := present.overlap(new):
        raise Conflict(f"The site {taken[0].id} has subscriptions of {found.display_name} already.")
    return new


async def run(app: App, text: str, *, by: Principal, **why: str | None) -> list[Row]:
    """Import a file: every good row is kept, every bad one says why. Raises InvalidInput when it is no such file."""
    rows, known = read(text), await tenants.every(app)
    results: list[Row] = []
    for begin in range(0, len(rows), CHUNK):
        chunk, done = rows[begin : begin + CHUNK], list[Row]()

        def change(present: SiteMap, chunk: list[Row] = chunk, done: list[Row] = done) -> list[Write]:
            writes, done[:] = decide(present, chunk, known)
            return writes

        before = await sites.write(app, change)
        await sites.close_what_left(app, before)
        results += done
    await trail(app, by, "sites.import", f"{len(results)} rows", "succeeded", why)
    return results


class ImportedSite(TypedDict):
    """A row of an imported file, numbered from 1, and what became of it."""

    row: int
    clientName: str
    siteName: str
    siteId: str | None
    result: ImportOutcome
    error: NotRequired[str]


def view(row: Row) -> ImportedSite:
    """As the API shows it."""
    shown: ImportedSite = {
        "row": row.number,
        "clientName": row.client_name,
        "siteName": row.site_name,
        "siteId": row.site_id or None,
        "result": row.result or "failed",
    }
    if row.error:
        shown["error"] = row.error
    return shown
