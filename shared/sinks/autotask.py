"""Autotask PSA: tickets in one queue, found again by their `externalID`.

Tickets have that field (50 characters, searchable, for integrations to use); an alert's id is longer, so it holds a
hash of it. Status 5, Complete, is the system's own; statuses of one's own may close too.
Sources: autotask.net/help/developerhelp/content/apis/REST/Entities/TicketsEntity.htm and TicketNotesEntity.htm; field
lengths: github.com/ecitsolutions/Autotask (New-AtwsTicket); the API itself: shared/sinks/autotask_api.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr

from shared.sinks import psa
from shared.sinks.autotask_api import BASE, QUERY_PAGE, Api, Login
from shared.sinks.contract import Message, Outlet, Receipt, SinkError, TicketRef, secret
from shared.sinks.public_address import MAX_URL_CHARS

KIND = "autotask"
TITLE = "Autotask PSA"
TICKETS = True
CONCURRENCY = 2
"""Three requests at once are allowed for an integration and endpoint (API thread limiting); reading back is one."""
PER_MINUTE = 30
"""A database takes 10,000 requests an hour from all its integrations together; a message takes up to four."""
KEY_FIELD, KEY_CHARS = "externalID", 50
TITLE_CHARS, NOTE_TITLE_CHARS, TEXT_CHARS = 255, 250, 8000
COMPLETE = "5"
"""Status of a completed ticket; every database has it."""
PUBLISH = {"internal": 2, "client": 1}
"""`Internal Project Team`, and `All Autotask Users`, which the client's portal shows too."""
TICKET_FIELDS = ("id", "ticketNumber", "status")


class Settings(psa.PsaSettings):
    """How to sign in, where tickets go, and how they look there."""

    HARMLESS: ClassVar = psa.PsaSettings.HARMLESS | {
        "queue_id",
        "ticket_category_id",
        "ticket_type_id",
        "source_id",
        "new_status_id",
        "complete_status_id",
        "due_in_hours",
        "note_type_id",
        "notes",
    }

    username: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            title="API user name",
            description="Of an API user: Admin > Resources/Users (HR) > New > New API User. It is also called Key. Its "
            "security level needs to read companies, and to read, add and edit tickets and ticket notes.",
        ),
    ]
    secret: Annotated[
        SecretStr | None, Field(max_length=200, title="API secret", description="Made together with the user's key.")
    ] = None
    integration_code: Annotated[
        SecretStr | None,
        Field(
            max_length=100,
            title="API tracking identifier",
            description="On the same page of the API user: the identifier of your integration.",
        ),
    ] = None
    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_URL_CHARS,
            title="Server",
            description="Where the zone of your database is asked for. Leave it as it is.",
        ),
    ] = BASE
    queue_id: Annotated[
        psa.NumericId | None,
        Field(title="Queue", description="Where tickets are opened. Choices `queues`. Without it they wait."),
    ] = None
    ticket_category_id: Annotated[
        psa.NumericId | None,
        Field(title="Ticket category", description="Choices `ticketCategories`. Without it: the default category."),
    ] = None
    ticket_type_id: Annotated[
        psa.NumericId | None, Field(title="Ticket type", description="Choices `ticketTypes`, such as Alert.")
    ] = None
    source_id: Annotated[
        psa.NumericId | None, Field(title="Source", description="Choices `sources`, such as Monitoring Alert.")
    ] = None
    new_status_id: Annotated[
        psa.NumericId, Field(title="Status of an open ticket", description="New and reopened. Choices `statuses`.")
    ] = "1"
    complete_status_id: Annotated[
        psa.NumericId, Field(title="Status of a closed ticket", description="Choices `statuses`. 5 is Complete.")
    ] = COMPLETE
    due_in_hours: Annotated[
        int | None,
        Field(ge=1, le=8760, title="Due in hours", description="Null: as the ticket category's default says."),
    ] = 24
    note_type_id: Annotated[psa.NumericId, Field(title="Note type", description="Choices `noteTypes`.")] = "1"
    notes: Annotated[
        Literal["internal", "client"],
        Field(title="Notes are shown to", description="Your own people, or all Autotask users, the client too."),
    ] = "internal"


def complete(settings: Settings) -> tuple[Settings, dict[str, str]]:
    """The settings as they are. Raises InvalidInput without a secret."""
    psa.require_secrets(settings)
    return settings, {}


async def check(outlet: Outlet, settings: Settings) -> None:
    """Raises InvalidInput for a URL that may not be sent to."""
    await psa.check_url(outlet, settings.url)


async def test(outlet: Outlet, settings: Settings, _message: Message) -> Receipt:
    """Find the zone, sign in, and look for the field, every value and every company that is set. Raises SinkError."""
    api = _api(outlet, settings)
    fields, note_fields = await api.fields("Tickets"), await api.fields("TicketNotes")
    key = fields.get(KEY_FIELD.lower())
    if key is None or not key.searchable or not key.writable or 0 < key.length < len(_key("")):
        raise SinkError(f"Tickets cannot be found by {KEY_FIELD} here: each alert could get two.", permanent=True)
    if settings.queue_id is None:
        raise SinkError("The sign-in works. Choose a queue: queueId.", permanent=True)
    for what, setting, name, wanted in _picked(settings):
        there = (note_fields if setting == "noteTypeId" else fields).get(name)
        psa.require(wanted, there.values if there is not None else (), what, setting)
    companies = settings.company_ids()
    for some in psa.chunks(companies, QUERY_PAGE):
        filters = [{"op": "in", "field": "id", "value": [int(one) for one in some]}]
        rows = await api.query("Companies", [*filters, _ACTIVE], ("id",))
        psa.require(some, [str(row["id"]) for row in rows], "Active company", "companies")
    zone = await api.zone()
    queue, status = fields["queueid"].values[settings.queue_id], fields["status"].values[settings.complete_status_id]
    text = f"{zone.name or zone.api}: queue {queue}, closes with {status}; {len(companies)} companies."
    return Receipt(HTTPStatus.OK, detail=text)


async def open(outlet: Outlet, settings: Settings, message: Message) -> Receipt:  # noqa: A001 - the contract's verb
    """Open the ticket of the alert, or open it again. Raises SinkError."""
    return await psa.open_ticket(Desk(outlet, settings), settings, message)


async def update(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Add a note; title and priority follow the alert. Raises SinkError."""
    return await psa.update_ticket(Desk(outlet, settings), settings, message)


async def close(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Add the last note and complete the ticket. Raises SinkError."""
    return await psa.close_ticket(Desk(outlet, settings), message)


async def read(outlet: Outlet, settings: Settings, tickets: Sequence[TicketRef]) -> list[TicketRef]:
    """Up to 100 tickets in one request. Raises SinkError."""
    if not tickets:
        return []
    filters = [{"op": "in", "field": "id", "value": [int(ticket.external_id) for ticket in tickets]}]
    rows = await _api(outlet, settings).query("Tickets", filters, TICKET_FIELDS)
    still_open = {str(row["id"]) for row in rows if not _closed(settings, row)}
    return [replace(row, state="open" if row.external_id in still_open else "closed") for row in tickets]


_ACTIVE: Mapping[str, Any] = {"op": "eq", "field": "isActive", "value": True}
PICKLISTS = {
    "queues": ("Tickets", "queueid"),
    "statuses": ("Tickets", "status"),
    "priorities": ("Tickets", "priority"),
    "ticketCategories": ("Tickets", "ticketcategory"),
    "ticketTypes": ("Tickets", "tickettype"),
    "sources": ("Tickets", "source"),
    "noteTypes": ("TicketNotes", "notetype"),
}
"""Choices that are picklists of the database: entity and field."""


async def choices(outlet: Outlet, settings: Settings, name: str, search: str) -> list[dict[str, str]]:
    """Active companies, and the values of the picklists. Raises InvalidInput, SinkError."""
    psa.only_choices(name, ("companies", *PICKLISTS))
    api = _api(outlet, settings)
    if name == "companies":
        named = [{"op": "contains", "field": "companyName", "value": search}] if search else []
        rows = await api.query("Companies", [_ACTIVE, *named], ("id", "companyName"), limit=psa.MAX_CHOICES)
        found = sorted((str(row.get("companyName") or row["id"]), str(row["id"])) for row in rows)
        return [{"id": identifier, "name": label} for label, identifier in found]
    entity, field = PICKLISTS[name]
    there = (await api.fields(entity)).get(field)
    values = there.values if there is not None else {}
    rows_found = [{"id": one, "name": label} for one, label in values.items() if search.casefold() in label.casefold()]
    return rows_found[: psa.MAX_CHOICES]


class Desk:
    """The API with one sink's settings, for one message. Every method raises SinkError."""

    def __init__(self, outlet: Outlet, settings: Settings) -> None:
        self._outlet, self._settings, self._api = outlet, settings, _api(outlet, settings)

    async def find(self, key: str, known: str = "") -> list[TicketRef]:
        """Every ticket with the alert's key, open or closed, the oldest first."""
        rows = await self._api.query("Tickets", [{"op": "eq", "field": KEY_FIELD, "value": _key(key)}], TICKET_FIELDS)
        return [await self._ref(row) for row in sorted(rows, key=lambda row: int(row["id"]))[: psa.SAME_KEY_AT_MOST]]

    async def get(self, external_id: str, key: str) -> TicketRef | None:
        """One ticket, by a query: that of one that is gone gives nothing, whatever a GET of it answers."""
        filters: list[dict[str, Any]] = [
            {"op": "eq", "field": "id", "value": int(external_id)},
            {"op": "eq", "field": KEY_FIELD, "value": _key(key)},
        ]
        rows = await self._api.query("Tickets", filters, TICKET_FIELDS)
        return await self._ref(rows[0]) if rows else None

    async def create(self, message: Message, company_id: str) -> TicketRef:
        """A new ticket in the queue. Its number is asked for: the answer has the id only."""
        settings = self._settings
        if settings.queue_id is None:
            raise SinkError("Choose the queue that tickets go to: queueId.", held=True)
        body: dict[str, Any] = {
            "companyID": int(company_id),
            "title": message.title[:TITLE_CHARS],
            "description": _fitting(psa.opening_text(message), ""),
            "status": int(settings.new_status_id),
            "priority": await self._priority(message.severity),
            "queueID": int(settings.queue_id),
            KEY_FIELD: _key(message.key),
        }
        if settings.due_in_hours is not None:
            due = self._outlet.now.astimezone(UTC) + timedelta(hours=settings.due_in_hours)
            body["dueDateTime"] = f"{due:%Y-%m-%dT%H:%M:%SZ}"
        given = {
            "ticketCategory": settings.ticket_category_id,
            "ticketType": settings.ticket_type_id,
            "source": settings.source_id,
        }
        body |= {name: int(value) for name, value in given.items() if value is not None}
        made = await self._api.request("POST", "Tickets", "The new ticket", body)
        identifier = made.get("itemId") if isinstance(made, dict) else None
        found = await self.get(str(identifier), message.key) if isinstance(identifier, int) else None
        if found is None:
            raise SinkError("The new ticket cannot be read: may the API user see tickets of this company?")
        return found

    async def noted(self, ticket: TicketRef, text: str) -> bool:
        """Whether a note of the ticket has this text in it.

        It is searched without its brackets, which a database may take for a pattern, and compared here.
        """
        filters: list[dict[str, Any]] = [
            {"op": "eq", "field": "ticketID", "value": int(ticket.external_id)},
            {"op": "contains", "field": "description", "value": text.strip("[]")},
        ]
        rows = await self._api.query("TicketNotes", filters, ("id", "description"))
        return any(text in str(row.get("description") or "") for row in rows)

    async def note(self, ticket: TicketRef, text: str) -> None:
        """A note for those whom the settings name. It has a title: some ticket categories ask for one."""
        said, _, tail = text.rpartition("\n\n")
        body = {
            "title": (said or text).partition("\n")[0][:NOTE_TITLE_CHARS],
            "description": _fitting(said, tail),
            "noteType": int(self._settings.note_type_id),
            "publish": PUBLISH[self._settings.notes],
        }
        await self._api.request("POST", f"Tickets/{ticket.external_id}/Notes", "The note", body)

    async def change(self, ticket: TicketRef, title: str, priority: str) -> None:
        """Another title, another priority."""
        body: dict[str, Any] = {"id": int(ticket.external_id)}
        body |= {"title": title[:TITLE_CHARS]} if title else {}
        body |= {"priority": int(priority)} if priority else {}
        await self._api.request("PATCH", "Tickets", "Title and priority", body)

    async def close(self, ticket: TicketRef) -> None:
        """Complete it."""
        await self._status(ticket, self._settings.complete_status_id)

    async def reopen(self, ticket: TicketRef) -> None:
        """Give it the status of new ones."""
        await self._status(ticket, self._settings.new_status_id)

    async def _status(self, ticket: TicketRef, status: str) -> None:
        body = {"id": int(ticket.external_id), "status": int(status)}
        await self._api.request("PATCH", "Tickets", "The status", body)

    async def _priority(self, severity: str) -> int:
        """The one that is set, else the database's default, else its first: a ticket must have one."""
        wanted = psa.priority_of(self._settings, severity)
        if wanted is None:
            field = (await self._api.fields("Tickets")).get("priority")
            wanted = (field.default or next(iter(field.values), None)) if field is not None else None
        if wanted is None:
            raise SinkError("Autotask has no priority: set priorities.", permanent=True)
        return int(wanted)

    async def _ref(self, row: Mapping[str, Any]) -> TicketRef:
        found, web = str(row["id"]), (await self._api.zone()).web
        place = f"Autotask/AutotaskExtend/ExecuteCommand.aspx?Code=OpenTicketDetail&TicketID={found}"
        state: Literal["open", "closed"] = "closed" if _closed(self._settings, row) else "open"
        return TicketRef(found, str(row.get("ticketNumber") or found), f"{web}/{place}" if web else "", state)


def _api(outlet: Outlet, settings: Settings) -> Api:
    login = Login(settings.username, secret(settings.secret), secret(settings.integration_code), settings.url)
    return Api(outlet, settings, login)


def _key(key: str) -> str:
    """What an alert's id is in `externalID`."""
    return f"tenantry-{hashlib.sha256(key.encode()).hexdigest()[: KEY_CHARS - 10]}"


def _closed(settings: Settings, row: Mapping[str, Any]) -> bool:
    return str(row.get("status")) in (COMPLETE, settings.complete_status_id)


def _fitting(text: str, tail: str) -> str:
    """The text with its last paragraph, which stays whole, in what a description takes."""
    end = f"\n\n{tail}" if tail else ""
    room = TEXT_CHARS - len(end)
    return (text if len(text) <= room else f"{text[: room - 1]}…") + end


def _picked(settings: Settings) -> list[tuple[str, str, str, list[str]]]:
    """Everything that is set out of a picklist: what it is, the setting, the field, the values."""
    rows: list[tuple[str, str, str, list[str | None]]] = [
        ("Queue", "queueId", "queueid", [settings.queue_id]),
        ("Status", "newStatusId", "status", [settings.new_status_id]),
        ("Status", "completeStatusId", "status", [settings.complete_status_id]),
        ("Ticket category", "ticketCategoryId", "ticketcategory", [settings.ticket_category_id]),
        ("Ticket type", "ticketTypeId", "tickettype", [settings.ticket_type_id]),
        ("Source", "sourceId", "source", [settings.source_id]),
        ("Note type", "noteTypeId", "notetype", [settings.note_type_id]),
        ("Priority", "priorities", "priority", list(psa.priority_ids(settings))),
    ]
    return [(what, setting, name, [one for one in wanted if one is not None]) for what, setting, name, wanted in rows]
