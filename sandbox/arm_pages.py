"""Lists of one subscription, kept ready: rows are serialised once per change and served by slicing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sandbox.wire import Call, CloudError, Reply
from sandbox.world import Resource, Subscription, World

DEFAULT_PAGE_SIZE = 1000
_KEPT_VARIANTS = 6

Rows = list[str]
"""Serialised JSON objects."""


def page_size(world: World) -> int:
    """Rows of a page; `World.extra["arm.page_size"]` makes it smaller."""
    return int(world.extra.get("arm.page_size", DEFAULT_PAGE_SIZE))


def rows_of(
    world: World,
    subscription: Subscription,
    kind: str,
    variant: object,
    build: Callable[[], Iterable[dict[str, Any]]],
    stamp: datetime | None = None,
) -> Rows:
    """The prepared rows of a list, built again only after the subscription or `stamp` changed.

    `kind` names the list, `variant` (hashable) what else decides its content: group, filter, expansion.
    """
    cache: dict[tuple[str, str], tuple[object, dict[object, Rows]]] = world.extra.setdefault("arm.pages", {})
    state: object = (subscription.version, stamp)
    known, variants = cache.get((subscription.id, kind), (None, {}))
    if known != state or len(variants) >= _KEPT_VARIANTS:
        variants = {}
        cache[(subscription.id, kind)] = (state, variants)
    if variant not in variants:
        variants[variant] = [json.dumps(row, separators=(",", ":")) for row in build()]
    return variants[variant]


def page_reply(call: Call, rows: Rows, size: int | None = None) -> Reply:
    """One page of prepared rows as {value, nextLink?}; the link is absolute and keeps every other query value.

    Raises CloudError 400 InvalidSkipToken for a token that no page has given.
    """
    size = size or page_size(call.world)
    token = call.query.get("$skiptoken", "0")
    if not token.isdecimal():
        raise CloudError(400, "InvalidSkipToken", f"The skip token '{token}' is not valid.")
    start = int(token)
    text = '{"value":[' + ",".join(rows[start : start + size]) + "]"
    if start + size < len(rows):
        text += ',"nextLink":' + json.dumps(call.link(**{"$skiptoken": str(start + size)}))
    return Reply(text=text + "}")


def top_of(call: Call) -> int | None:
    """`$top`, or None. Raises CloudError 400 InvalidTopValue."""
    value = call.query.get("$top", "")
    if not value:
        return None
    if not value.isdecimal() or not 1 <= int(value) <= DEFAULT_PAGE_SIZE:
        raise CloudError(400, "InvalidTopValue", f"The $top value '{value}' is not valid; it must be from 1 to 1000.")
    return int(value)


def timestamp(moment: datetime) -> str:
    """A time as ARM writes it: seven digits after the second, none when it is a whole second."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z" if not moment.microsecond else f"{moment:%Y-%m-%dT%H:%M:%S.%f}1Z"


_CONDITION = re.compile(
    r"""\s*(?:
        (?P<field>\w+)\s+(?P<op>eq|ne)\s+'(?P<value>(?:[^']|'')*)'
      | substringof\(\s*'(?P<part>(?:[^']|'')*)'\s*,\s*(?P<in_field>\w+)\s*\)
      | startswith\(\s*(?P<start_field>\w+)\s*,\s*'(?P<start>(?:[^']|'')*)'\s*\)
    )\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_FIELDS: dict[str, Callable[[Resource], str]] = {
    "resourcetype": lambda r: r.type,
    "type": lambda r: r.type,
    "name": lambda r: r.name,
    "location": lambda r: r.location,
    "resourcegroup": lambda r: r.resource_group,
}


def resource_filter(text: str) -> Callable[[Resource], bool]:
    """The predicate of a `$filter` on resources; empty text keeps everything.

    Known are resourceType, name, location, resourceGroup (eq, ne, substringof, startswith, joined by `and` and `or`)
    and tagName with tagValue, which stand alone. Raises CloudError 400 InvalidFilterInQueryString.
    Source: https://learn.microsoft.com/rest/api/resources/resources/list
    """
    if not text.strip():
        return lambda _resource: True
    tags = _tag_conditions(text)
    if tags is not None:
        name, value = tags
        return lambda r: any(k.lower() == name and (value is None or v == value) for k, v in r.tags.items())
    # `and` binds closer than `or`.
    groups = [
        [_condition(part, text) for part in re.split(r"\s+and\s+", group, flags=re.IGNORECASE)]
        for group in re.split(r"\s+or\s+", text, flags=re.IGNORECASE)
    ]
    return lambda resource: any(all(test(resource) for test in group) for group in groups)


def _condition(part: str, whole: str) -> Callable[[Resource], bool]:
    match = _CONDITION.fullmatch(part)
    field = ((match["field"] or match["in_field"] or match["start_field"]) if match else "").lower()
    if match is None or field not in _FIELDS:
        raise CloudError(400, "InvalidFilterInQueryString", f"Invalid $filter '{whole}' specified in the query string.")
    read = _FIELDS[field]
    if match["part"] is not None:
        wanted = match["part"].replace("''", "'").lower()
        return lambda r: wanted in read(r).lower()
    if match["start"] is not None:
        wanted = match["start"].replace("''", "'").lower()
        return lambda r: read(r).lower().startswith(wanted)
    wanted, equal = match["value"].replace("''", "'").lower(), match["op"].lower() == "eq"
    return lambda r: (read(r).lower() == wanted) is equal


def _tag_conditions(text: str) -> tuple[str, str | None] | None:
    """(tag name in lower case, value) of a filter by tag. Filters by tag cannot be mixed with others."""
    match = re.fullmatch(
        r"\s*tagName\s+eq\s+'([^']*)'(?:\s+and\s+tagValue\s+eq\s+'([^']*)')?\s*", text, flags=re.IGNORECASE
    )
    if match:
        return match[1].lower(), match[2]
    if re.search(r"\btag(name|value)\b", text, flags=re.IGNORECASE):
        raise CloudError(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
    return None
