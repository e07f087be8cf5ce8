"""Collections on the wire: `{"value", "nextLink", "count"}`, sorted, paged by an opaque token that survives changes."""

from __future__ import annotations

import base64
import binascii
import heapq
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Generic, NotRequired, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request
from typing_extensions import TypedDict

from functions.routing import AppDep
from shared.errors import InvalidInput

T = TypeVar("T")
V = TypeVar("V")
MAX_TOP = 1000


class Page(TypedDict, Generic[V]):
    """One page of a collection; without `nextLink` it is the last one. `count` is that of all matches, if asked for."""

    value: list[V]
    nextLink: NotRequired[str]
    count: NotRequired[int]


class Paging:
    """The paging parameters of a request; routes take it as `PageDep`."""

    def __init__(
        self, request: Request, base_url: str, top: int, skiptoken: str | None, orderby: str | None, count: bool
    ) -> None:
        self.top, self.orderby, self.count = top, orderby, count
        self._request, self._base = request, base_url
        self.after: list[Any] | None = _decode(skiptoken) if skiptoken else None

    def order(self, columns: Iterable[str], default: str) -> tuple[str, bool]:
        """The column to sort by, and whether descending. Raises InvalidInput for an unknown one."""
        words = (self.orderby or default).split()
        known = set(columns)
        if not words or words[0] not in known or len(words) > 2 or (words[1:] and words[1] not in ("asc", "desc")):
            raise InvalidInput(
                f"$orderby takes one of {', '.join(sorted(known))}, then asc or desc.", target="$orderby"
            )
        return words[0], words[1:] == ["desc"]

    def next_link(self, after: Sequence[Any]) -> str:
        """The absolute URL of the page after a position."""
        query = [(k, v) for k, v in self._request.query_params.multi_items() if k != "$skiptoken"]
        query.append(("$skiptoken", _encode(after)))
        path = self._request.url.path.removeprefix("/api")
        return f"{self._base}{path}?{urlencode(query, safe='$')}"

    def reply(self, value: list[V], *, after: Sequence[Any] | None, total: int | None = None) -> Page[V]:
        """The body of a page; `after` is the position of its last item when more follow."""
        body: Page[V] = {"value": value}
        if after is not None:
            body["nextLink"] = self.next_link(after)
        if self.count and total is not None:
            body["count"] = total
        return body

    def of(
        self,
        items: Collection[T],
        *,
        columns: Mapping[str, Callable[[T], Any]],
        default: str,
        key: Callable[[T], str],
        view: Callable[[T], V],
    ) -> Page[V]:
        """Sort and page items held in memory.

        `columns` gives each sortable value (None sorts first), `key` a unique id.

        The token holds the last item's sort value and id, so items that come and go do not shift the pages.
        """
        column, descending = self.order(columns, default)
        value_of = columns[column]

        def position(item: T) -> tuple[int, Any, str]:
            value = value_of(item)
            value = value.casefold() if isinstance(value, str) else value
            return (0, "", key(item)) if value is None else (1, value, key(item))

        following: Iterable[T] = items
        if self.after is not None:
            if len(self.after) != 4 or self.after[0] != f"{column} {descending}":
                raise InvalidInput("$skiptoken belongs to another $orderby.", target="$skiptoken")
            following = _beyond(items, lambda item: _plain(position(item)), tuple(self.after[1:]), descending)
        # A page is picked, and one more to know whether others follow: sorting 100,000 takes eight times as long.
        chunk = (heapq.nlargest if descending else heapq.nsmallest)(self.top + 1, following, key=position)
        more = len(chunk) > self.top
        chunk = chunk[: self.top]
        after = [f"{column} {descending}", *_plain(position(chunk[-1]))] if more else None
        return self.reply([view(item) for item in chunk], after=after, total=len(items))


async def _page(
    request: Request,
    app: AppDep,
    top: Annotated[int, Query(alias="$top", ge=1, le=MAX_TOP, description="Items in one page.")] = 100,
    skiptoken: Annotated[str | None, Query(alias="$skiptoken", max_length=4000)] = None,
    orderby: Annotated[str | None, Query(alias="$orderby", max_length=100, description="column [desc]")] = None,
    count: Annotated[bool, Query(alias="$count", description="Add the number of all matches.")] = False,
) -> Paging:
    return Paging(request, app.settings.public_api_url, top, skiptoken, orderby, count)


PageDep = Annotated[Paging, Depends(_page)]


def _plain(position: tuple[int, Any, str]) -> tuple[int, Any, str]:
    """A position whose value survives JSON (times become text, which sorts alike)."""
    rank, value, key = position
    return rank, value if isinstance(value, int | float | str | bool) else str(value), key


def _beyond(
    items: Iterable[T], position: Callable[[T], tuple[int, Any, str]], last: tuple[Any, ...], descending: bool
) -> Iterator[T]:
    """The items that follow `last`."""
    try:
        for item in items:
            here = position(item)
            if here < last if descending else here > last:
                yield item
    except TypeError as error:
        raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken") from error


def _encode(after: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(after), separators=(",", ":")).encode()).decode().rstrip("=")


def _decode(token: str) -> list[Any]:
    try:
        after = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        json.dumps(after, ensure_ascii=False).encode()  # half of a surrogate pair is no text that a query could have
    except (ValueError, binascii.Error) as error:
        raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken") from error
    if not isinstance(after, list):
        raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken")
    return after
