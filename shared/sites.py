"""Clients' sites, and which tenant and subscriptions each stands for.

Every change of any site counts up one revision row in the same transaction: two people cannot map one subscription to
two sites at once, and a reader knows by one point read whether the map it holds is still the present one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shared import access, tenants
from shared.access import Principal
from shared.app import App
from shared.connections.record import trail
from shared.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from shared.jobs import CloseAlerts
from shared.store.tables import Kind, Record, Write, delete, insert, put
from shared.tenants import Subscription, Tenant

ABOVE = "!~"
"""Sites' keys sort above this, those of what else lies in their partition below."""
TRIES = 8
MAX_SUBSCRIPTIONS = 500
"""What one site's row holds."""


class Site(Record):
    """A client's site. `tenant_id` None: not mapped. `subscription_ids` None: every subscription of the tenant."""

    id: str
    client_name: str
    site_name: str
    tenant_id: str | None = None
    subscription_ids: list[str] | None = None
    """Lower-case."""
    deleting: bool = False
    """Being taken out of the grants; then the row goes."""

    def covers(self, tenant_id: str, subscription_id: str) -> bool:
        """Whether the subscription (any case) belongs to this site."""
        if self.tenant_id != tenant_id:
            return False
        return self.subscription_ids is None or subscription_id.lower() in self.subscription_ids


class Revision(Record):
    """Counts every change of any site. It lies in the sites' partition, so that one transaction writes both."""

    number: int = 0


class Gone(Record):
    """The id of a site that was deleted. Tickets, sinks, schedules, policies and the log go on naming it."""

    id: str


GONE = "!gone|"
SITES = Kind("Sites", Site, lambda s: ("site", s.id))
GONE_IDS = Kind("Sites", Gone, lambda g: ("site", GONE + g.id))
REVISION = Kind("Sites", Revision, lambda r: ("site", "!revision"))


class SiteMap:
    """Which site a subscription belongs to; built from all sites, never changed.

    `gone`: ids of deleted sites, which no other site gets; known to who changes sites only.
    """

    def __init__(self, sites: Iterable[Site], gone: Iterable[str] = ()) -> None:
        self.by_id: dict[str, Site] = {site.id: site for site in sites}
        self.gone = frozenset(gone)
        self._by_tenant: dict[str, list[Site]] = {}
        for site in self.by_id.values():
            if site.tenant_id is not None:
                self._by_tenant.setdefault(site.tenant_id, []).append(site)

    def of(self, tenant_id: str, subscription_id: str) -> Site | None:
        """The site of a subscription, or None."""
        return next((s for s in self.of_tenant(tenant_id) if s.covers(tenant_id, subscription_id)), None)

    def of_tenant(self, tenant_id: str) -> list[Site]:
        """The sites mapped to a tenant, wholly or in part."""
        return self._by_tenant.get(tenant_id, [])

    @property
    def tenant_ids(self) -> frozenset[str]:
        """Every mapped tenant."""
        return frozenset(self._by_tenant)

    def overlap(self, wanted: Site) -> tuple[Site, str] | None:
        """Another site that has a subscription of a wanted mapping, and which (`every one`), or None."""
        for other in self.of_tenant(wanted.tenant_id or ""):
            if other.id == wanted.id:
                continue
            if other.subscription_ids is None or wanted.subscription_ids is None:
                return other, "every one"
            if shared := sorted(set(other.subscription_ids) & set(wanted.subscription_ids)):
                return other, ", ".join(shared)
        return None


async def every(app: App) -> list[Site]:
    """All sites, by id."""
    return await app.tables.all(SITES, "site", above=ABOVE)


async def load(app: App) -> SiteMap:
    """The present map: one point read when nothing changed since this process last asked."""
    revision = await app.tables.get(REVISION, "site", "!revision")
    mark = revision.etag if revision else None
    kept: tuple[str | None, SiteMap] | None = app.memory.get("sites")
    if kept is None or kept[0] != mark or mark is None:
        kept = (mark, SiteMap(await every(app)))
        app.memory["sites"] = kept
    return kept[1]


async def get(app: App, site_id: str) -> Site:
    """One site. Raises NotFound."""
    site = await app.tables.get(SITES, "site", site_id)
    if site is None:
        raise NotFound(f"There is no site {site_id}.")
    return site


async def find(app: App, site_id: str) -> Site | None:
    """One site, or None."""
    return await app.tables.get(SITES, "site", site_id)


async def seen_by(app: App, caller: Principal) -> list[Site]:
    """The sites in a caller's scope."""
    return [site for site in (await load(app)).by_id.values() if caller.sees_site(site.id)]


async def tenants_seen_by(app: App, caller: Principal) -> frozenset[str] | None:
    """The tenants that a caller's sites are mapped to; None means all."""
    if caller.sites is None:
        return None
    return frozenset(site.tenant_id for site in await seen_by(app, caller) if site.tenant_id is not None)


async def subscriptions_seen_by(app: App, caller: Principal, tenant_id: str) -> list[Subscription]:
    """The subscriptions of a tenant that belong to a caller's sites."""
    rows, present = await tenants.subscriptions(app, tenant_id), await load(app)
    if caller.sites is None:
        return rows
    return [row for row in rows if (site := present.of(tenant_id, row.id)) and caller.sees_site(site.id)]


async def matching(app: App, caller: Principal, *, client_names: list[str] | None, search: str | None) -> list[Site]:
    """The sites in scope that match: any of the clients, and the text in a name or the id (case does not count)."""
    wanted, text = set(client_names or []), (search or "").casefold()
    return [
        site
        for site in await seen_by(app, caller)
        if (not wanted or site.client_name in wanted)
        and text in f"{site.client_name}\n{site.site_name}\n{site.id}".casefold()
    ]


async def write(app: App, decide: Callable[[SiteMap], list[Write]]) -> SiteMap:
    """Change sites: `decide` gives the writes (at most 99) for the map as it is, none to leave it.

    It may be called again when somebody else was faster. Gives the map that `decide` saw last. Raises what it raises,
    and Conflict when others are always faster.
    """
    for _ in range(TRIES):
        revision = await app.tables.get(REVISION, "site", "!revision")
        gone = await app.tables.all(GONE_IDS, "site", prefix=GONE)
        before = SiteMap(await every(app), [row.id for row in gone])
        writes = decide(before)
        if not writes:
            return before
        counted = (
            insert(REVISION, Revision(number=1))
            if revision is None
            else put(REVISION, revision.changed(number=revision.number + 1))
        )
        try:
            await app.tables.transact([*writes, counted])
        except PreconditionFailed:
            continue
        return before
    raise Conflict("Sites are being changed by many at once. Try again.")


def _of(present: SiteMap, site_id: str, etag: str | None) -> Site:
    """The site as it is. Raises NotFound; PreconditionFailed when it is not that version (None: any is)."""
    site = present.by_id.get(site_id)
    if site is None:
        raise NotFound(f"There is no site {site_id}.")
    if etag is not None and site.etag != etag:
        raise PreconditionFailed("The site has changed. Read it again.")
    return site


def refuse_deletion(site: Site) -> None:
    """Raises Conflict while the site is being deleted."""
    if site.deleting:
        raise Conflict(f"The site {site.id} is being deleted. Delete it again, then make another.", code="siteDeleted")


async def missing(app: App, site_ids: Iterable[str]) -> list[str]:
    """Which of them are no sites, or being deleted."""
    present = (await load(app)).by_id
    return [name for name in sorted(set(site_ids)) if name not in present or present[name].deleting]


async def require_known(app: App, site_ids: Iterable[str]) -> None:
    """Raises InvalidInput that names each of them that is no site."""
    if unknown := await missing(app, site_ids):
        raise InvalidInput(
            f"There is no site {', '.join(unknown)}.",
            code="unknownSite",
            target="siteIds",
            details=[
                {"code": "unknownSite", "message": f"There is no site {name}.", "target": "siteIds"} for name in unknown
            ],
        )


async def save(
    app: App,
    site_id: str,
    client_name: str,
    site_name: str,
    *,
    by: Principal,
    etag: str | None = None,
    **why: str | None,
) -> tuple[Site, bool]:
    """Create or rename a site; gives it and whether it is new. `etag` None: whatever version is there.

    Raises PreconditionFailed when the site is not that version, Conflict for the id of one that was deleted.
    """

    def decide(present: SiteMap) -> list[Write]:
        old = present.by_id.get(site_id)
        if etag is not None and (old is None or old.etag != etag):
            raise PreconditionFailed("The site has changed. Read it again.")
        if old is not None:
            refuse_deletion(old)
        elif site_id in present.gone:
            said = f"{site_id} was a site that is deleted: what is stored of it still names it. Use another id."
            raise Conflict(said, code="siteDeleted")
        base = old or Site(id=site_id, client_name="", site_name="")
        new = base.changed(client_name=client_name, site_name=site_name)
        return [] if new == old else [put(SITES, new) if old else insert(SITES, new)]

    before = await write(app, decide)
    await trail(app, by, "site.set", site_id, "succeeded", why)
    return await get(app, site_id), site_id not in before.by_id


async def map_tenant(
    app: App,
    site_id: str,
    tenant_id: str,
    subscription_ids: list[str] | None,
    *,
    by: Principal,
    etag: str | None = None,
    **why: str | None,
) -> Site:
    """Let a site stand for a synced tenant, or for some of its subscriptions. `etag` None: whatever version is there.

    Raises NotFound for the site, InvalidInput for an unknown tenant or a subscription that is not its own, Conflict
    when the tenant is not synced or another site has one of the subscriptions, PreconditionFailed when the site is not
    that version.
    """
    tenant = await _mappable(app, tenant_id.lower())
    known = await tenants.subscriptions(app, tenant.id)
    narrowed = _narrowed(subscription_ids, known)

    def decide(present: SiteMap) -> list[Write]:
        old = _of(present, site_id, etag)
        refuse_deletion(old)
        return mapping(present, old, tenant.id, narrowed)

    before = await write(app, decide)
    await close_what_left(app, before)
    await trail(app, by, "site.map", site_id, "succeeded", why, tenant_id=tenant.id)
    return await get(app, site_id)


def mapping(present: SiteMap, old: Site, tenant_id: str, subscription_ids: list[str] | None) -> list[Write]:
    """The write that maps a site; none when it says so already. Raises Conflict when another site overlaps."""
    new = old.changed(tenant_id=tenant_id, subscription_ids=subscription_ids)
    if new == old:
        return []
    if taken := present.overlap(new):
        other, which = taken
        raise Conflict(
            f"The site {other.id} ({other.client_name}, {other.site_name}) has {which} of these subscriptions. "
            "Unmap or narrow it first.",
            code="overlap",
            target="subscriptionIds",
        )
    return [put(SITES, new)]


async def unmap(app: App, site_id: str, *, by: Principal, etag: str | None = None, **why: str | None) -> Site:
    """Let a site stand for no tenant; its devices leave the lists and their alerts close.

    `etag` None: whatever version is there. Raises NotFound; PreconditionFailed when the site is not that version.
    """

    def decide(present: SiteMap) -> list[Write]:
        old = _of(present, site_id, etag)
        return [put(SITES, old.changed(tenant_id=None, subscription_ids=None))] if old.tenant_id else []

    before = await write(app, decide)
    await close_what_left(app, before)
    await trail(app, by, "site.unmap", site_id, "succeeded", why, tenant_id=before.by_id[site_id].tenant_id)
    return await get(app, site_id)


async def remove(app: App, site_id: str, *, by: Principal, etag: str | None = None, **why: str | None) -> None:
    """Delete a site that is not mapped, take it out of every grant, and let no other site ever have its id.

    `etag` None: whatever version is there. Raises NotFound; Conflict while it is mapped; PreconditionFailed when it is
    not that version.
    """

    def begin(present: SiteMap) -> list[Write]:
        old = _of(present, site_id, etag)
        if old.tenant_id is not None:
            raise Conflict("The site is mapped to a tenant. Delete its mapping first.", code="siteMapped")
        return [] if old.deleting else [put(SITES, old.changed(deleting=True))]

    def end(present: SiteMap) -> list[Write]:
        old = present.by_id.get(site_id)
        return [delete(SITES, old), put(GONE_IDS, Gone(id=site_id))] if old is not None and old.deleting else []

    # Marked first: a deletion that is refused takes no grant away, and who grants the site after that takes it back.
    # The row last: after a crash the site is still there to be deleted again.
    await write(app, begin)
    await access.withdraw(app, site_id)
    await write(app, end)
    await trail(app, by, "site.delete", site_id, "succeeded", why)


async def unmap_tenants(app: App, tenant_ids: frozenset[str]) -> None:
    """Unmap every site of tenants that are being forgotten."""
    while True:

        def decide(present: SiteMap) -> list[Write]:
            mapped = [site for site in present.by_id.values() if site.tenant_id in tenant_ids][:90]
            return [put(SITES, site.changed(tenant_id=None, subscription_ids=None)) for site in mapped]

        before = await write(app, decide)
        if not before.tenant_ids & tenant_ids:
            return


async def _mappable(app: App, tenant_id: str) -> Tenant:
    try:
        tenant = await tenants.get(app, tenant_id)
    except NotFound as error:
        raise InvalidInput(error.message, code="unknownTenant", target="tenantId") from error
    if tenant.status != "synced":
        raise Conflict(f"{tenant.display_name} is {tenant.status}. Sync it first.", code="notSynced", target="tenantId")
    return tenant


def _narrowed(subscription_ids: list[str] | None, known: list[Subscription]) -> list[str] | None:
    if subscription_ids is None:
        return None
    wanted = sorted({subscription_id.lower() for subscription_id in subscription_ids})
    own = {row.id for row in known}
    if unknown := [subscription_id for subscription_id in wanted if subscription_id not in own]:
        raise InvalidInput(
            f"The tenant has no subscription {', '.join(unknown)}.",
            code="unknownSubscription",
            target="subscriptionIds",
            details=[{"code": "unknownSubscription", "message": "unknown", "target": name} for name in unknown],
        )
    return wanted


async def close_what_left(app: App, before: SiteMap) -> None:
    """Close the alerts of subscriptions that belonged to a site and belong to none now."""
    after = await load(app)
    for tenant_id in before.tenant_ids:
        if before.of_tenant(tenant_id) == after.of_tenant(tenant_id):
            continue
        for row in await tenants.subscriptions(app, tenant_id):
            if before.of(tenant_id, row.id) and not after.of(tenant_id, row.id):
                await app.queues.send(CloseAlerts(subscription_id=row.id, reason="siteUnmapped"))
