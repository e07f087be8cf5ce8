"""The policy as rows: the present one, every version of it, and who may see and change what of it.

It is kept as it was sent, in the wire's names: what an override does not say must stay unsaid. Nothing is stored that
was not read first; should a stored version not be readable all the same (by an older release, say), the last one before
it that is holds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from pydantic import Field, ValidationError
from pydantic_core import to_json

from shared import audit, sites
from shared.access import Principal
from shared.app import App
from shared.devices import places
from shared.errors import Conflict, ErrorDetail, Forbidden, InvalidInput, PreconditionFailed
from shared.incidents.policy import Override, Policy
from shared.jobs import ApplyEvents
from shared.sites import SiteMap
from shared.store.tables import Kind, Record, insert, put

log = logging.getLogger("tenantry.policy")
PARTITION, CURRENT_ROW, VERSION_PREFIX = "policy", "current", "version|"
MAX_CHARS = 24_000
"""Of a policy as JSON: with who and why it still fits a row."""
MAX_NUMBER = 99_999_999
TRIES = 8
FIRST_ETAG = '"default"'
"""The version of a policy that nobody set."""
RECENT = timedelta(minutes=10)
"""Twice the time between two looks of the watchdog: so long a change is made known again."""
_MEMORY = "policy"


class Version(Record):
    """A policy as it was set. `number` 0: the default, which nobody set. `at` is UTC."""

    number: int = 0
    at: datetime | None = None
    by: str = ""
    by_name: str = ""
    reason: str | None = None
    ticket_number: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    """See the module."""

    @property
    def policy(self) -> Policy | None:
        """The rules; None when they cannot be read."""
        try:
            return Policy.model_validate(self.data)
        except ValidationError:
            return None


@dataclass(frozen=True)
class Held:
    """The policy that holds."""

    stored: Version
    """The last version that was set; a change is made of it."""
    version: Version
    """The one whose rules hold: the same, or the last one before it that can be read."""
    policy: Policy


CURRENT = Kind("Policies", Version, lambda _: (PARTITION, CURRENT_ROW))
VERSIONS = Kind("Policies", Version, lambda v: (PARTITION, version_row(v.number)))


def version_row(number: int) -> str:
    """Row key of a version; later ones sort first."""
    return f"{VERSION_PREFIX}{MAX_NUMBER - number:08d}"


async def load(app: App) -> Policy:
    """The rules that hold now: one point read; they are parsed again only when they changed."""
    return (await held(app)).policy


async def held(app: App) -> Held:
    """The policy that holds now; with number 0 and FIRST_ETAG when nobody set one."""
    stored = await app.tables.get(CURRENT, PARTITION, CURRENT_ROW) or Version(etag=FIRST_ETAG)
    kept: Held | None = app.memory.get(_MEMORY)
    if kept is None or kept.stored.etag != stored.etag:
        policy = stored.policy
        kept = Held(stored, stored, policy) if policy is not None else await _last_readable(app, stored)
        app.memory[_MEMORY] = kept
    return kept


async def _last_readable(app: App, stored: Version) -> Held:
    """What holds in place of a version that cannot be read, so that alerts never stop for its sake."""
    found = Held(stored, Version(), Policy())
    async for row in app.tables.query(VERSIONS, PARTITION, prefix=VERSION_PREFIX):
        if row.number < stored.number and (policy := row.policy) is not None:
            found = Held(stored, row, policy)
            break
    log.error("version %d of the policy cannot be read: version %d holds", stored.number, found.version.number)
    return found


async def versions(app: App, *, above: int | None = None, limit: int) -> list[Version]:
    """Every version that was set, newest first, from below the number `above`; at most `limit`."""
    begin = version_row(above) if above is not None else ""
    return await app.tables.all(VERSIONS, PARTITION, prefix=VERSION_PREFIX, above=begin, limit=limit)


async def save(app: App, caller: Principal, wanted: Policy, *, etag: str | None, **why: str | None) -> Version:
    """Set the policy; gives the version that holds then, the same one when nothing changes.

    `etag` None: whatever version is there. A caller who is limited to sites sends what `view` showed him, with his
    own overrides changed. Every open and suppressed alert is judged again by the new rules. `why` goes to the audit
    log and the version (reason, ticket_number, request_id).

    Raises InvalidInput for names that no site has or a policy that is too large as a whole, Forbidden for a change
    that touches more than the caller's sites, PreconditionFailed when it is not that version any more, Conflict when
    others change it all the time.
    """
    site_map = await sites.load(app)
    for _ in range(TRIES):
        now = await held(app)
        before, present = now.stored, now.policy
        if etag is not None and before.etag != etag:
            raise PreconditionFailed("The policy has changed. Read it again.")
        new = wanted if caller.sites is None else merged(present, wanted, caller.sites, clients_of(site_map, caller))
        data, old, wished = sent(new), meaning(present), meaning(new)
        if before.number and before is now.version and old == wished:
            return before
        _check(new, present, site_map, data)
        stored = await _write(app, caller, before, data, why)
        if stored is None:
            continue
        await audit.record(
            app,
            caller.id,
            "policy.set",
            "alerts/policy",
            actor_name=caller.name,
            outcome="succeeded",
            reason=why.get("reason"),
            ticket_number=why.get("ticket_number"),
            request_id=why.get("request_id") or "",
            version=stored.number,
            changed=sorted(name for name in wished if wished[name] != old[name]),
        )
        await judge_again(app)
        return stored
    raise Conflict("The policy is being changed by many at once. Try again.")


async def _write(
    app: App, caller: Principal, before: Version, data: dict[str, Any], why: dict[str, str | None]
) -> Version | None:
    """The new version, stored as the present one and among all; None when another came first."""
    new = Version(
        number=before.number + 1,
        at=app.clock.now(),
        by=caller.id,
        by_name=caller.name,
        reason=why.get("reason"),
        ticket_number=why.get("ticket_number"),
        data=data,
    )
    first = before.number == 0
    try:
        await app.tables.transact(
            [insert(CURRENT, new) if first else put(CURRENT, new.changed(etag=before.etag)), insert(VERSIONS, new)]
        )
    except PreconditionFailed:
        # A write whose answer was lost is sent again by the SDK, and then meets itself.
        mine = (await held(app)).stored
        return mine if mine.changed(etag=None) == new else None
    mine = (await held(app)).stored
    return mine if mine.number == new.number else new


def _check(new: Policy, present: Policy, site_map: SiteMap, data: dict[str, Any]) -> None:
    """What is stored must be readable as a whole: each part of it may come from someone else.

    Names that were not there before must be of a site; what left meanwhile may stay.
    """
    details: list[ErrorDetail]
    try:
        Policy.model_validate(data)
    except ValidationError as error:
        details = [
            {
                "code": "invalidInput",
                "message": row["msg"],
                "target": ".".join(str(part) for part in row["loc"]) or "overrides",
            }
            for row in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise InvalidInput(
            f"The policy with what others have set in it would be wrong: {details[0]['message']}.",
            target=details[0]["target"],
            details=details,
        ) from error
    if (size := len(to_json(data))) > MAX_CHARS:
        raise InvalidInput(
            f"The policy has {size} characters of JSON; at most {MAX_CHARS} are kept. Name clients in place of sites.",
            target="overrides",
        )
    clients = {site.client_name.casefold() for site in site_map.by_id.values()}
    clients |= {name.casefold() for name in _named(present, lambda o: o.client_names)}
    known = site_map.by_id.keys() | _named(present, lambda o: o.site_ids)
    details = [
        {"code": "unknownSite", "message": f"There is no site {name}.", "target": f"overrides.{index}.siteIds"}
        for index, override in enumerate(new.overrides)
        for name in override.site_ids or []
        if name not in known
    ]
    details += [
        {
            "code": "unknownClient",
            "message": f"No site has the client {name}.",
            "target": f"overrides.{index}.clientNames",
        }
        for index, override in enumerate(new.overrides)
        for name in override.client_names or []
        if name.casefold() not in clients
    ]
    if details:
        raise InvalidInput(" ".join(row["message"] for row in details), target="overrides", details=details)


def _named(policy: Policy, names: Callable[[Override], list[str] | None]) -> set[str]:
    return {name for override in policy.overrides for name in names(override) or []}


async def judge_again(app: App) -> None:
    """Have every incident of every subscription that is shown judged by the policy that holds now."""
    shown = [place.subscription.id for place in await places.every(app) if place.shown]
    await app.queues.send_all(ApplyEvents(subscription_id=name, everything=True) for name in shown)


async def make_known(app: App) -> None:
    """Timer: judge again after a change of the last minutes, in case whoever made it died before he asked for it."""
    at = (await held(app)).stored.at
    if at is not None and app.clock.now() - at < RECENT:
        await judge_again(app)


def sent(policy: Policy) -> dict[str, Any]:
    """The policy as JSON in the wire's names, with what was set and nothing else."""
    return policy.model_dump(mode="json", by_alias=True, exclude_unset=True)


def said(override: Override) -> dict[str, Any]:
    """An override as JSON in the wire's names: the names it has and the rules it sets."""
    return override.model_dump(mode="json", by_alias=True, exclude_unset=True)


def full(policy: Policy) -> dict[str, Any]:
    """The rules that hold where no override does, defaults included, as JSON in the wire's names."""
    return policy.model_dump(mode="json", by_alias=True, exclude={"overrides"})


def meaning(policy: Policy) -> dict[str, Any]:
    """The whole policy as JSON in the wire's names: equal for policies that say the same."""
    return {**full(policy), "overrides": [said(row) for row in policy.overrides]}


def clients_of(site_map: SiteMap, caller: Principal) -> frozenset[str]:
    """The clients of a caller's sites, without case."""
    return frozenset(site.client_name.casefold() for site in site_map.by_id.values() if caller.sees_site(site.id))


def narrowed(override: Override, site_ids: Collection[str], clients: Collection[str]) -> dict[str, Any] | None:
    """An override as someone sees it who is limited to sites and their clients; None when it is about others only."""
    shown = said(override)
    if override.site_ids is not None:
        shown["siteIds"] = [name for name in override.site_ids if name in site_ids]
    if override.client_names is not None:
        shown["clientNames"] = [name for name in override.client_names if name.casefold() in clients]
    return None if [] in (shown.get("siteIds"), shown.get("clientNames")) else shown


def is_own(override: Override, site_ids: Collection[str]) -> bool:
    """Whether it can change nothing but these sites."""
    return override.site_ids is not None and set(override.site_ids) <= set(site_ids)


def merged(present: Policy, wanted: Policy, site_ids: Collection[str], clients: Collection[str]) -> Policy:
    """The policy after a change by someone limited to sites: his own overrides as wanted, all else as it is. Pure.

    `wanted` is what he was shown with his overrides added, changed, moved or left out. What he was not shown keeps its
    place before the same neighbour. Raises Forbidden when anything else differs.
    """
    said_no = "You may change overrides whose siteIds are all yours. "
    if changed := {name for name, value in full(present).items() if full(wanted)[name] != value}:
        raise Forbidden(f"{said_no}{', '.join(sorted(changed))} holds for every site; ask an Integration.Admin.")
    waiting = [(row, narrowed(row, site_ids, clients), is_own(row, site_ids)) for row in present.overrides]
    result: list[Override] = []
    for index, row in enumerate(wanted.overrides):
        at = next((at for at, (_, shown, _) in enumerate(waiting) if shown == said(row)), None)
        passed = waiting[:at] if at is not None else []
        in_order = at is not None and all(shown is None or own for _, shown, own in passed)
        if at is not None and in_order:
            result += [*(other for other, shown, _ in passed if shown is None), waiting[at][0]]
            del waiting[: at + 1]
        elif is_own(row, site_ids):
            result.append(row)
        else:
            raise Forbidden(f"{said_no}overrides.{index} is about more, or was changed or moved.")
    if any(shown is not None and not own for _, shown, own in waiting):
        raise Forbidden(f"{said_no}An override that is about more was changed, moved or left out.")
    hidden = [row for row, shown, _ in waiting if shown is None]
    return present.model_copy(update={"overrides": [*result, *hidden]})


def view(version: Version, site_map: SiteMap, caller: Principal) -> dict[str, Any]:
    """A version as the API shows it: every rule, and of the overrides what can be about the caller's sites.

    One that cannot be read shows no rules, and says so (`unreadable`).
    """
    policy = version.policy
    shown: dict[str, Any] = {"unreadable": True} if policy is None else rules_seen(policy, site_map, caller)
    shown["version"] = version.number
    if version.at is not None:
        shown |= {"changedAt": version.at, "changedBy": version.by_name or version.by}
    return shown


def rules_seen(policy: Policy, site_map: SiteMap, caller: Principal) -> dict[str, Any]:
    """The rules of a policy, defaults included, with the overrides as the caller sees them."""
    clients = clients_of(site_map, caller)
    seen = [said(row) if caller.sites is None else narrowed(row, caller.sites, clients) for row in policy.overrides]
    return {**full(policy), "overrides": [row for row in seen if row is not None]}


def view_held(now: Held, site_map: SiteMap, caller: Principal) -> dict[str, Any]:
    """The version that holds; `unreadableVersion` is a later one that cannot be read."""
    shown = view(now.version, site_map, caller)
    return shown if now.version is now.stored else shown | {"unreadableVersion": now.stored.number}


def view_versions(rows: Sequence[Version], site_map: SiteMap, caller: Principal) -> list[dict[str, Any]]:
    """Versions as their list shows them, newest first: with what was otherwise before, and why.

    Why is for a caller who sees all that the change changed.

    Each row is compared with the next one, so one more is given than is shown, unless the list ends with the first
    version there was.
    """
    shown = []
    for row, before in pairwise([*rows, Version()]):
        why = {"reason": row.reason, "ticketNumber": row.ticket_number}
        if caller.sites is not None and not _sees_change(before, row, site_map, caller):
            why = {}
        shown.append(
            view(row, site_map, caller)
            | _former(before, row, site_map, caller)
            | {name: text for name, text in why.items() if text is not None}
        )
    return shown


def _former(before: Version, after: Version, site_map: SiteMap, caller: Principal) -> dict[str, Any]:
    """What a change replaced of what the caller sees, by rule; nothing when one of the two cannot be read."""
    old, new = before.policy, after.policy
    if old is None or new is None or before.number != after.number - 1:
        return {}
    was, now = rules_seen(old, site_map, caller), rules_seen(new, site_map, caller)
    return {"before": {name: value for name, value in was.items() if value != now[name]}}


def _sees_change(before: Version, after: Version, site_map: SiteMap, caller: Principal) -> bool:
    """Whether a change is about nothing that the caller does not see. He may see it as a whole, or there is none."""
    old, new = before.policy, after.policy
    if old is None or new is None or before.number != after.number - 1:
        return False
    if meaning(old) == meaning(new):
        return True
    clients = clients_of(site_map, caller)

    def hidden(policy: Policy) -> list[dict[str, Any]]:
        return [said(row) for row in policy.overrides if narrowed(row, caller.sites or (), clients) != said(row)]

    # With the same ones hidden and the same ones seen, one of the two was moved past the other.
    return hidden(old) == hidden(new) and rules_seen(old, site_map, caller) != rules_seen(new, site_map, caller)
