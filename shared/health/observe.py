"""What a poll sees of one subscription: the answers of Azure, joined on the lower-cased resource id.

Pure. An observation is small and comparable; records are made of it only where something changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from shared.devices.records import Health, status_of
from shared.health import run_states

FORMAT = "3"
"""Of what is stored. Raised, every subscription is compared again at its next poll."""
PREFIX_CHARS = 3
"""Of a digest: the format, and of which kinds there are resources whose run states are read in bulk."""
MAX_TAG_CHARS, SMALL_TAG_CHARS = 8_000, 1_200
"""Of JSON. Tags below the second need no counting: even if every character were escaped they would fit."""
MAX_TEXT_CHARS, MAX_URL_CHARS, MAX_ACTIONS = 800, 500, 5
"""A device, its event and its change must fit a row each (shared/store/tables.py)."""
MAX_TITLE_CHARS = 200
NO_ISSUE = ("", "")
_MARKER = "/providers/microsoft.resourcehealth/"


@dataclass(frozen=True, slots=True)
class Seen:
    """One resource as Azure shows it now."""

    resource_id: str
    name: str
    type: str
    region: str
    resource_group: str
    tags: tuple[tuple[str, str], ...]
    listed: bool
    """Whether Resource Health knows it."""
    state: str
    occurred: str
    reason: str
    reason_type: str
    context: str
    category: str
    actions: tuple[tuple[str, str], ...]
    """(text, link) of what Azure recommends, while it is not available."""
    issue: tuple[str, str]
    """Correlation id and title of an active service issue that impacts it; both empty without one."""
    power_state: str


_VALUES = attrgetter(*(field.name for field in fields(Seen)))


def join(
    resources: Iterable[Mapping[str, Any]], statuses: Iterable[Mapping[str, Any]], states: Mapping[str, str]
) -> list[Seen]:
    """Every resource of the inventory with its health and run state, in order of the lower-cased id.

    Items as in shared/microsoft/{inventory,resource_health}.py; `states` is by lower-cased id. A status of what the
    inventory does not list is dropped: Resource Health goes on for a while about resources that were deleted.
    """
    health: dict[str, Mapping[str, Any]] = {}
    for status in statuses:
        lowered = str(status.get("id") or "").lower()
        health[lowered.partition(_MARKER)[0]] = status.get("properties") or {}
    seen: dict[str, Seen] = {}
    for resource in resources:
        resource_id = str(resource.get("id") or "")
        key = resource_id.lower()
        seen[key] = _seen(resource_id, key, resource, health.get(key), states.get(key, ""))
    return [seen[key] for key in sorted(seen)]


def _seen(
    resource_id: str, key: str, resource: Mapping[str, Any], health: Mapping[str, Any] | None, power_state: str
) -> Seen:
    state = ""
    occurred = reason = reason_type = context = category = ""
    actions: tuple[tuple[str, str], ...] = ()
    issue = NO_ISSUE
    if health is not None:
        state = str(health.get("availabilityState") or "")
        occurred = str(health.get("occuredTime") or "")
        reason = str(health.get("summary") or health.get("title") or "")[:MAX_TEXT_CHARS]
        reason_type = str(health.get("reasonType") or "")[:100]
        context = str(health.get("context") or "")[:100]
        category = str(health.get("category") or "")[:100]
        if state.lower() != "available":
            actions = _actions(health.get("recommendedActions") or ())
            issue = _issue(health.get("serviceImpactingEvents") or ())
    return Seen(
        resource_id,
        str(resource.get("name") or key.rpartition("/")[2]),
        str(resource.get("type") or ""),
        str(resource.get("location") or ""),
        group_of(resource_id),
        _tags(resource.get("tags") or {}),
        health is not None,
        state,
        occurred,
        reason,
        reason_type,
        context,
        category,
        actions,
        issue,
        power_state,
    )


def _issue(given: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """The active one that began last.

    Fields: learn.microsoft.com/rest/api/resourcehealth/availability-statuses/list.
    """
    active = [
        event for event in given if str((event.get("status") or {}).get("value") or "").lower() not in ("", "resolved")
    ]
    if not active:
        return NO_ISSUE
    newest = max(active, key=lambda event: str(event.get("eventStartTime") or ""))
    title = str((newest.get("incidentProperties") or {}).get("title") or "")[:MAX_TITLE_CHARS]
    return str(newest.get("correlationId") or title)[:MAX_TITLE_CHARS], title


def _actions(given: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Links that only Azure's portal understands (`<#ResourceBlade>`) are left out."""
    found = []
    for action in given:
        url = str(action.get("actionUrl") or "")
        usable = url.startswith("https://") and len(url) <= MAX_URL_CHARS
        found.append((str(action.get("action") or "")[:MAX_TEXT_CHARS], url if usable else ""))
    return tuple(found[:MAX_ACTIONS])


def _tags(given: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """In order of their names; those that would not fit the row any more are left out."""
    tags = [(name, str(given[name] if given[name] is not None else "")) for name in sorted(given)]
    if sum(len(name) + len(value) for name, value in tags) <= SMALL_TAG_CHARS:
        return tuple(tags)
    kept, room = [], MAX_TAG_CHARS
    for name, value in tags:
        room -= len(json.dumps([name, value], ensure_ascii=False))
        if room < 0:
            break
        kept.append((name, value))
    return tuple(kept)


def group_of(resource_id: str) -> str:
    """The resource group in an ARM id, as it is spelled there; empty when there is none."""
    parts = resource_id.split("/", 5)
    return parts[4] if len(parts) > 5 and parts[3].lower() == "resourcegroups" else ""


def digest_of(seen: list[Seen]) -> str:
    """A hash of all that is stored of an observation; it tells besides whose run states are to be read in bulk."""
    kinds = run_states.kinds_of(one.type for one in seen)
    told = "".join(kind if kind in kinds else "-" for kind in (run_states.MACHINES, run_states.OTHERS))
    text = json.dumps([_VALUES(one) for one in seen], separators=(",", ":"), ensure_ascii=False)
    return f"{FORMAT}{told}{hashlib.sha256(text.encode()).hexdigest()}"


def mark_of(seen: Seen) -> str:
    """A hash of all that is stored of one resource."""
    text = json.dumps(_VALUES(seen), separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def kinds_in(digest: str | None) -> frozenset[str]:
    """The kinds (shared/health/run_states.py) of resources that there were when that digest was made."""
    if digest is None or not digest.startswith(FORMAT):
        return frozenset()
    return frozenset(digest[len(FORMAT) : PREFIX_CHARS]) - {"-"}


def health_of(seen: Seen) -> Health:
    """The record of what Resource Health says."""
    if not seen.listed:
        return Health(status="notReported")
    return Health(
        status=status_of(seen.state),
        since=_time(seen.occurred),
        reason=seen.reason or None,
        reason_type=seen.reason_type or None,
        context=seen.context or None,
        category=seen.category or None,
        recommended_actions=[{"text": text} | ({"url": url} if url else {}) for text, url in seen.actions],
        service_issue=seen.issue[0] or None,
        service_issue_title=seen.issue[1] or None,
    )


def _time(text: str) -> datetime | None:
    """UTC; Azure writes seven digits after the second. None for what is no time."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
