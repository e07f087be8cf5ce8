"""What every kind of PSA has in common: which company a ticket is for, its priority, and the life of a ticket.

A kind gives a `Desk`, which is its vendor's API in seven verbs; the rules of when to search, to create, to leave alone
are here, once:

- A ticket is searched by its key before it is created, so a crash between the two makes no second one. Only a
  vendor who is still making the first, after we have given up waiting, can bring about a second: it is not tried again
  before LOST_SECONDS; and if there is a second after all, it is closed when the alert opens or closes.
- Every note ends with a mark made of the message's id, and is looked for before it is written: a retry writes it once.
- Title and priority follow the alert when ours change: what people set there in between stays.
- The closing note is written before the ticket is closed. So a closed ticket with that note was closed by us, in an
  attempt whose end is not known here; any other closed ticket was closed by people, and is left as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from shared.errors import InvalidInput
from shared.sinks.contract import (
    LOST_SECONDS,
    Message,
    Outlet,
    Receipt,
    SinkError,
    SinkSettings,
    TicketRef,
    secret,
    secret_fields,
)
from shared.sinks.http import Answer, pinned

T = TypeVar("T")
NumericId = Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]
"""The id of something in the PSA, all of which count in whole numbers; text, because that is what choices give."""
MAX_COMPANIES = 2000
MAX_CHOICES = 100
CLOSED_BY_HAND = "People closed the ticket; it was left as it is."
NOTED_BY_HAND = "People closed the ticket; it has a note that the device failed again, and stays closed."
REMOVED_BY_HAND = "The ticket is no longer there; no other one is made for this incident."
CLOSED_BEFORE = "The ticket was closed before; it was left as it is."
NO_TICKET = "There is no ticket of this alert."
SAME_KEY_AT_MOST = 20
"""Tickets of one alert that are looked at."""
_UNTOUCHED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Answers that say that nothing was begun, and that it may be tried again."""


class Mapped(BaseModel):
    """Tickets of a site go to this company."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    site_id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$", description="The site's id in Tenantry.")]
    company_id: Annotated[NumericId, Field(description="The company's id in the other system: choices `companies`.")]


class Priorities(BaseModel):
    """The other system's priority of each severity; without one a ticket has its default, or keeps what it has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    critical: NumericId | None = None
    high: NumericId | None = None
    medium: NumericId | None = None
    low: NumericId | None = None


class PsaSettings(SinkSettings):
    """What every PSA is told of clients and severities; a kind's settings add how to sign in and where tickets go."""

    HARMLESS: ClassVar = frozenset({"companies", "own_company_id", "priorities"})

    companies: Annotated[
        list[Mapped],
        Field(
            default_factory=list,
            max_length=MAX_COMPANIES,
            description="Which company the tickets of a site are for. Tickets of a site that is not here are held.",
        ),
    ]
    own_company_id: Annotated[
        NumericId | None,
        Field(description="Your own company: tickets that Tenantry opens on itself go there. Choices `companies`."),
    ] = None
    priorities: Annotated[
        Priorities, Field(description="Priority of a ticket by the alert's severity. Choices `priorities`.")
    ] = Priorities()

    @model_validator(mode="after")
    def _each_site_once(self) -> PsaSettings:
        sites = [row.site_id for row in self.companies]
        if len(set(sites)) != len(sites):
            raise ValueError("companies names a site twice")
        return self

    def named_sites(self) -> list[str]:
        """The sites that have a company."""
        return [row.site_id for row in self.companies]

    def company_ids(self) -> list[str]:
        """Every company that is named, once, in their order."""
        named = [row.company_id for row in self.companies]
        return list(dict.fromkeys([*named, *([self.own_company_id] if self.own_company_id is not None else [])]))


def require_secrets(settings: SinkSettings) -> None:
    """For `complete`: raises InvalidInput naming a secret that is not given."""
    for name in secret_fields(type(settings)):
        if not secret(getattr(settings, name)):
            field_name = to_camel(name)
            raise InvalidInput(f"{field_name} is missing.", target=f"settings.{field_name}")


async def check_url(outlet: Outlet, url: str) -> None:
    """For `check`: raises InvalidInput for a URL that may not be sent to."""
    await pinned(outlet, url)


def company_of(settings: PsaSettings, message: Message) -> str:
    """The company a message's ticket is for. Raises SinkError (held) that says what to set."""
    if message.site_id is None:
        if settings.own_company_id is None:
            raise SinkError("This alert belongs to no site: set ownCompanyId, your own company.", held=True)
        return settings.own_company_id
    for row in settings.companies:
        if row.site_id == message.site_id:
            return row.company_id
    client = f" ({message.client_name})" if message.client_name else ""
    raise SinkError(f"Site {message.site_id}{client} has no company: add it to companies.", held=True)


def priority_of(settings: PsaSettings, severity: str) -> str | None:
    """The id of the priority of a severity, None for the other system's default."""
    found: str | None = getattr(settings.priorities, severity, None)
    return found


def priority_ids(settings: PsaSettings) -> list[str]:
    """Every priority that is named, once."""
    named = (priority_of(settings, severity) for severity in Priorities.model_fields)
    return list(dict.fromkeys(found for found in named if found is not None))


def mark(message: Message) -> str:
    """What a note ends with: the same over retries of a message, different for any other message."""
    return f"[Tenantry {hashlib.sha256(message.id.encode()).hexdigest()[:12]}]"


def noted_text(message: Message, text: str = "") -> str:
    """A text, by default the message's, as a note with its mark."""
    return f"{text or message.text or message.title}\n\n{mark(message)}"


def opening_text(message: Message) -> str:
    """The text a ticket begins with: all there is to know, and where to look."""
    link = f"\n\n{message.url}" if message.url and message.url not in message.text else ""
    return f"{message.text or message.title}{link}"


class Desk(Protocol):
    """One PSA with one sink's settings. Every method raises SinkError."""

    async def find(self, key: str, known: str = "") -> list[TicketRef]:
        """Every ticket of an alert, open or closed, the oldest first. `known`: the id of one that is known as its."""
        ...

    async def get(self, external_id: str, key: str) -> TicketRef | None:
        """A ticket as it is now; None when it is gone, or is not that of the key: another desk counts alike."""
        ...

    async def create(self, message: Message, company_id: str) -> TicketRef:
        """Make the ticket, with `message.key` where `find` finds it."""
        ...

    async def noted(self, ticket: TicketRef, text: str) -> bool:
        """Whether a note of the ticket has this in it."""
        ...

    async def note(self, ticket: TicketRef, text: str) -> None:
        """Add an internal note."""
        ...

    async def change(self, ticket: TicketRef, title: str, priority: str) -> None:
        """Give it another title and the priority of an id, each if not empty."""
        ...

    async def close(self, ticket: TicketRef) -> None:
        """Give it a closed status of its board."""
        ...

    async def reopen(self, ticket: TicketRef) -> None:
        """Give it an open status of its board."""
        ...


async def open_ticket(desk: Desk, settings: PsaSettings, message: Message) -> Receipt:
    """`SinkKind.open` for a PSA. Raises SinkError."""
    known = _known(message)
    company = company_of(settings, message) if known is None else ""
    found, others = await _tickets(desk, message)
    if found is None:
        if known is None:
            return Receipt(HTTPStatus.CREATED, _given(await _create(desk, message, company), message))
        return _gone(replace(known, state="closed"), ours=known.state == "closed" and not message.reopened)
    for other in others:
        await _end(desk, other, message, f"The ticket of this incident is {found.number}; this one was made twice.")
    if found.state == "closed":
        if known is None or known.state != "closed":
            if message.reopened:
                # The device was back meanwhile: people hear of it, and decide about their ticket.
                await _note_once(desk, found, message)
                return _by_hand(found, NOTED_BY_HAND)
            return _by_hand(found, CLOSED_BY_HAND)
        if not message.reopened:
            return Receipt(HTTPStatus.OK, found, detail=CLOSED_BEFORE)
        await desk.reopen(found)
        found = replace(found, state="open")
    if message.reopened:
        await _note_once(desk, found, message)
        found = await _follow(desk, settings, found, message)
    elif known is None:
        found = _given(found, message)
    return Receipt(HTTPStatus.OK, found)


async def update_ticket(desk: Desk, settings: PsaSettings, message: Message) -> Receipt:
    """`SinkKind.update` for a PSA: a note, and title and priority when ours changed. Raises SinkError."""
    known = _known(message)
    found = _still_open(
        message, await desk.get(known.external_id, message.key) if known else await _first(desk, message)
    )
    if isinstance(found, Receipt):
        return found
    await _note_once(desk, found, message)
    return Receipt(HTTPStatus.OK, await _follow(desk, settings, found, message))


async def close_ticket(desk: Desk, message: Message) -> Receipt:
    """`SinkKind.close` for a PSA: the last note, then the closed status, on every ticket. Raises SinkError."""
    ours, others = await _tickets(desk, message)
    found = _still_open(message, ours)
    if isinstance(found, TicketRef):
        await _end(desk, found, message)
        found = Receipt(HTTPStatus.OK, replace(found, state="closed"))
    elif found.closed_by_hand and ours is not None and await desk.noted(ours, mark(message)):
        found = Receipt(HTTPStatus.OK, ours)
    for other in others:
        await _end(desk, other, message)
    return found


def _known(message: Message) -> TicketRef | None:
    return message.ticket if message.ticket is not None and message.ticket.external_id else None


async def _first(desk: Desk, message: Message) -> TicketRef | None:
    return next(iter(await desk.find(message.key)), None)


async def _tickets(desk: Desk, message: Message) -> tuple[TicketRef | None, list[TicketRef]]:
    """The ticket of an alert, as it is now, and what else is open under its key."""
    known = _known(message)
    found = await desk.find(message.key, known.external_id if known else "")
    if known is None:
        ours = next(iter(found), None)
    else:
        ours = next((row for row in found if row.external_id == known.external_id), None)
        # A search may lag behind.
        ours = ours or await desk.get(known.external_id, message.key)
    return ours, [row for row in found if row.state == "open" and (ours is None or row.external_id != ours.external_id)]


def _still_open(message: Message, found: TicketRef | None) -> TicketRef | Receipt:
    """The open ticket of an alert that was told before, or what there is to say without one.

    A ticket that we know as closed was closed by us, or is never asked for again: what comes late changes nothing.
    """
    known = _known(message)
    ours = known is not None and known.state == "closed"
    if found is None:
        none = Receipt(HTTPStatus.OK, None, detail=NO_TICKET)
        return _gone(replace(known, state="closed"), ours=ours) if known is not None else none
    if found.state != "closed":
        return found
    return Receipt(HTTPStatus.OK, found, detail=CLOSED_BEFORE) if ours else _by_hand(found, CLOSED_BY_HAND)


async def _create(desk: Desk, message: Message, company: str) -> TicketRef:
    try:
        return await desk.create(message, company)
    except SinkError as error:
        refused = error.permanent or error.disable or error.held or error.status in _UNTOUCHED
        if not refused:
            # It may be under way still, and cannot be found before it is done.
            error.retry_after = max(LOST_SECONDS, error.retry_after or 0)
        raise


async def _end(desk: Desk, ticket: TicketRef, message: Message, text: str = "") -> None:
    await _note_once(desk, ticket, message, text)
    await desk.close(ticket)


def _given(ticket: TicketRef, message: Message) -> TicketRef:
    """A ticket that an opening made, now or in an attempt whose end is not known here."""
    return replace(ticket, title=message.title, severity=message.severity)


async def _follow(desk: Desk, settings: PsaSettings, ticket: TicketRef, message: Message) -> TicketRef:
    """Give a ticket the alert's title and the priority of its severity, each where it is not what we gave it last.

    What people set in between stays so, until ours changes again.
    """
    if message.late:
        return ticket
    last = message.ticket or TicketRef()
    title = message.title if last.title not in ("", message.title) else ""
    before, after = priority_of(settings, last.severity), priority_of(settings, message.severity)
    priority = after if after is not None and last.severity and after != before else ""
    if title or priority:
        await desk.change(ticket, title, priority)
    kept = last.severity if after is None else message.severity
    return replace(ticket, title=message.title, severity=kept or message.severity)


async def _note_once(desk: Desk, ticket: TicketRef, message: Message, text: str = "") -> None:
    if not await desk.noted(ticket, mark(message)):
        await desk.note(ticket, noted_text(message, text))


def _gone(ticket: TicketRef, *, ours: bool) -> Receipt:
    return Receipt(HTTPStatus.OK, ticket, detail=REMOVED_BY_HAND) if ours else _by_hand(ticket, REMOVED_BY_HAND)


def _by_hand(ticket: TicketRef, detail: str) -> Receipt:
    return Receipt(HTTPStatus.OK, ticket, closed_by_hand=True, detail=detail)


_OURS = frozenset({400, 406, 409, 411, 413, 414, 415, 422})
"""Statuses that are about what was sent: the same again gives the same answer."""


def judge(answer: Answer, what: str, said: str = "") -> Answer:
    """The answer when it is 2xx. Raises SinkError otherwise.

    401 and 403 switch the sink off: nothing can pass until somebody mends the credentials or their rights. What is
    about the request itself is permanent. All else may pass later, 404 too: the record of a vendor's maintenance.
    `what`: what was asked for, for people; `said`: the vendor's own words, else the answer's beginning.
    """
    if answer.ok:
        return answer
    text = f"{what}: {answer.status} {said or answer.beginning}".strip()
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise answer.error(
            permanent=True, disable=True, message=f"{text} (the credentials or their rights are refused)"
        )
    raise answer.error(permanent=answer.status in _OURS, message=text)


def require(wanted: Iterable[str], present: Iterable[str], what: str, setting: str) -> None:
    """For `test`: raises SinkError naming what is set and not there in the other system (`what`: `Company`)."""
    there = set(present)
    missing = [one for one in wanted if one not in there]
    if missing:
        shown = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
        raise SinkError(
            f"{what} {shown} of {setting} is not there, or these credentials cannot see it.", permanent=True
        )


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """The items in runs of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def only_choices(name: str, known: Iterable[str]) -> None:
    """Raises InvalidInput for a name of choices that there is none of."""
    names = sorted(known)
    if name not in names:
        raise InvalidInput(f"There are choices for {', '.join(names)}.", target="name")
