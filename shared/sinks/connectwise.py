"""ConnectWise PSA (Manage): tickets on one service board, found again by `externalXRef`.

Sources: developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide (sign-in, conditions, paging, patch), and
how public clients call it: github.com/christaylorcodes/ConnectWiseManageAPI (company info and codebase, headers,
errors), github.com/KerkhoffTechnologies/django-connectwise (a codebase that moves on answers 404; notes; a board's
statuses; names of the hosted servers).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr

from shared.sinks import psa
from shared.sinks.connectwise_api import Api, Login, server
from shared.sinks.contract import Message, Outlet, Receipt, SinkError, TicketRef, secret
from shared.sinks.memory import remembered
from shared.sinks.public_address import MAX_URL_CHARS

KIND = "connectwise"
TITLE = "ConnectWise PSA"
TICKETS = True
CONCURRENCY = 6
PER_MINUTE = 300
"""No limit is published; more than allowed is answered with 429 and Retry-After, which is heeded."""
MAX_SUMMARY = 100
MAX_XREF = 100
READ_AT_ONCE = 100
"""Ids in one condition; also the most that `read` is given."""
NOTES_LOOKED_AT = 100
"""The newest; a retry comes long before people have written so many."""
TICKET_FIELDS = "id,summary,closedFlag,board,status"
_MINUTES = timedelta(minutes=10)


class Settings(psa.PsaSettings):
    """How to sign in, the board, and how tickets look there."""

    HARMLESS: ClassVar = psa.PsaSettings.HARMLESS | {
        "board_id",
        "type_id",
        "closed_status_id",
        "reopened_status_id",
        "notes",
    }

    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_URL_CHARS,
            title="Server",
            description="Where you sign in to ConnectWise PSA, such as https://na.myconnectwise.net.",
        ),
    ]
    company: Annotated[
        str,
        Field(
            min_length=1, max_length=100, title="Login company", description="The company name that you sign in with."
        ),
    ]
    public_key: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            title="Public key",
            description="Of an API member: System > Members > API Members > API Keys. Its role needs Service Desk > "
            "Service Tickets (add, edit, inquire), Companies > Company Maintenance (inquire) and System > Table Setup "
            "(inquire).",
        ),
    ]
    private_key: Annotated[
        SecretStr | None,
        Field(max_length=200, title="Private key", description="Shown once, when the API key is made."),
    ] = None
    client_id: Annotated[
        SecretStr | None,
        Field(max_length=100, title="Client ID", description="Your own, from developer.connectwise.com/ClientID."),
    ] = None
    board_id: Annotated[
        psa.NumericId | None,
        Field(title="Service board", description="Where tickets are opened. Choices `boards`. Without it they wait."),
    ] = None
    type_id: Annotated[
        psa.NumericId | None,
        Field(title="Type", description="For boards whose tickets must have a type. Choices `types`."),
    ] = None
    closed_status_id: Annotated[
        psa.NumericId | None,
        Field(
            title="Closed status",
            description="Choices `closedStatuses`. Without it the board's own first closed status is used.",
        ),
    ] = None
    reopened_status_id: Annotated[
        psa.NumericId | None,
        Field(
            title="Status of a reopened ticket",
            description="Choices `openStatuses`. Without it the board's default status is used.",
        ),
    ] = None
    notes: Annotated[
        Literal["internal", "discussion"],
        Field(title="Notes go to", description="Internal analysis, or the discussion, which the client may see."),
    ] = "internal"


def complete(settings: Settings) -> tuple[Settings, dict[str, str]]:
    """The settings as they are. Raises InvalidInput without a secret."""
    psa.require_secrets(settings)
    return settings, {}


async def check(outlet: Outlet, settings: Settings) -> None:
    """Raises InvalidInput for a URL that may not be sent to."""
    await psa.check_url(outlet, server(settings.url))


async def test(outlet: Outlet, settings: Settings, _message: Message) -> Receipt:
    """Sign in, and look at the board, its statuses, the priorities and every company. Raises SinkError."""
    desk = Desk(outlet, settings)
    if settings.board_id is None:
        await desk.api.rows("service/boards", {"pageSize": "1", "fields": "id"})
        raise SinkError("The sign-in works. Choose a service board: boardId.", permanent=True)
    board = (await desk.api.request("GET", f"service/boards/{settings.board_id}", "The service board")).object()
    closed = await desk.closed_status(settings.board_id)
    opened = await desk.open_status(settings.board_id)
    if settings.type_id is not None:
        types = await desk.api.rows(f"service/boards/{settings.board_id}/types", {"pageSize": "1000", "fields": "id"})
        psa.require([settings.type_id], _ids(types), "Type", "typeId")
    priorities = psa.priority_ids(settings)
    if priorities:
        found = await desk.api.rows("service/priorities", {"pageSize": "1000", "fields": "id"})
        psa.require(priorities, _ids(found), "Priority", "priorities")
    companies = settings.company_ids()
    for some in psa.chunks(companies, READ_AT_ONCE):
        query = {"conditions": f"deletedFlag=false and id in ({','.join(some)})", "pageSize": str(READ_AT_ONCE)}
        found = await desk.api.rows("company/companies", query | {"fields": "id"})
        psa.require(some, _ids(found), "Company", "companies")
    return Receipt(
        HTTPStatus.OK,
        detail=f"Board {board.get('name')}: closes with {_name(closed)}, reopens with {_name(opened)}; "
        f"{len(companies)} companies.",
    )


async def open(outlet: Outlet, settings: Settings, message: Message) -> Receipt:  # noqa: A001 - the contract's verb
    """Open the ticket of the alert, or open it again. Raises SinkError."""
    return await psa.open_ticket(Desk(outlet, settings), settings, message)


async def update(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Add a note; title and priority follow the alert. Raises SinkError."""
    return await psa.update_ticket(Desk(outlet, settings), settings, message)


async def close(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Add the last note and give the ticket a closed status of its board. Raises SinkError."""
    return await psa.close_ticket(Desk(outlet, settings), message)


async def read(outlet: Outlet, settings: Settings, tickets: Sequence[TicketRef]) -> list[TicketRef]:
    """Up to 100 tickets in one request. Raises SinkError."""
    if not tickets:
        return []
    query = {
        "conditions": f"id in ({','.join(str(int(ticket.external_id)) for ticket in tickets)})",
        "pageSize": str(READ_AT_ONCE),
        "fields": "id,closedFlag",
    }
    rows = await Desk(outlet, settings).api.rows("service/tickets", query)
    still_open = {str(row["id"]) for row in rows if not row.get("closedFlag")}
    return [replace(row, state="open" if row.external_id in still_open else "closed") for row in tickets]


CHOICES = ("companies", "boards", "types", "closedStatuses", "openStatuses", "priorities")


async def choices(outlet: Outlet, settings: Settings, name: str, search: str) -> list[dict[str, str]]:
    """Companies, boards, priorities, and the types and statuses of the chosen board. Raises InvalidInput, SinkError."""
    psa.only_choices(name, CHOICES)
    desk = Desk(outlet, settings)
    found: list[dict[str, Any]]
    if name in ("closedStatuses", "openStatuses"):
        statuses = await desk.statuses(settings.board_id) if settings.board_id else []
        found = [row for row in statuses if bool(row.get("closedStatus")) == (name == "closedStatuses")]
        found = [row for row in found if search.casefold() in _name(row).casefold()]
    elif name == "types" and settings.board_id is None:
        found = []
    else:
        path, always = {
            "companies": ("company/companies", "deletedFlag=false"),
            "boards": ("service/boards", "inactiveFlag=false"),
            "priorities": ("service/priorities", ""),
            "types": (f"service/boards/{settings.board_id}/types", "inactiveFlag=false"),
        }[name]
        conditions = [part for part in (always, f"name contains {_text(search)}" if search else "") if part]
        query = {"orderBy": "name asc", "pageSize": str(psa.MAX_CHOICES), "fields": "id,name"}
        found = await desk.api.rows(path, query | ({"conditions": " and ".join(conditions)} if conditions else {}))
    return [{"id": str(row["id"]), "name": _name(row)} for row in found[: psa.MAX_CHOICES]]


class Desk:
    """The API with one sink's settings, for one message. Every method raises SinkError."""

    def __init__(self, outlet: Outlet, settings: Settings) -> None:
        self._outlet, self._settings = outlet, settings
        keys = secret(settings.private_key), secret(settings.client_id)
        self.api = Api(outlet, settings, Login(settings.url, settings.company, settings.public_key, *keys))
        self._boards: dict[str, str] = {}
        """Of the tickets that were looked at: people move them, and statuses are a board's own."""

    async def find(self, key: str, known: str = "") -> list[TicketRef]:
        """Every ticket with the alert's id, open or closed, the oldest first."""
        query = {
            "conditions": f"externalXRef={_text(_xref(key))}",
            "orderBy": "id asc",
            "pageSize": str(psa.SAME_KEY_AT_MOST),
            "fields": TICKET_FIELDS,
        }
        return [self._ref(row) for row in await self.api.rows("service/tickets", query)]

    async def get(self, external_id: str, key: str) -> TicketRef | None:
        """One ticket, asked for as a list: a 404 may also be the record of a server in maintenance."""
        wanted = f"id={int(external_id)} and externalXRef={_text(_xref(key))}"
        query = {"conditions": wanted, "pageSize": "1", "fields": TICKET_FIELDS}
        rows = await self.api.rows("service/tickets", query)
        return self._ref(rows[0]) if rows else None

    async def create(self, message: Message, company_id: str) -> TicketRef:
        """A new ticket on the board."""
        settings = self._settings
        if settings.board_id is None:
            raise SinkError("Choose the service board that tickets go to: boardId.", held=True)
        body: dict[str, Any] = {
            "summary": message.title[:MAX_SUMMARY],
            "board": {"id": int(settings.board_id)},
            "company": {"id": int(company_id)},
            "initialDescription": psa.opening_text(message),
            "externalXRef": _xref(message.key),
        }
        priority = psa.priority_of(settings, message.severity)
        if priority is not None:
            body["priority"] = {"id": int(priority)}
        if settings.type_id is not None:
            body["type"] = {"id": int(settings.type_id)}
        made = await self.api.request("POST", "service/tickets", "The new ticket", body=body)
        return self._ref(made.row())

    async def noted(self, ticket: TicketRef, text: str) -> bool:
        """Whether one of the newest notes has this text in it."""
        query = {"orderBy": "id desc", "pageSize": str(NOTES_LOOKED_AT), "fields": "id,text"}
        rows = await self.api.rows(f"service/tickets/{ticket.external_id}/notes", query)
        return any(text in str(row.get("text") or "") for row in rows)

    async def note(self, ticket: TicketRef, text: str) -> None:
        """A note where the settings say; the API refuses one that says nowhere."""
        internal = self._settings.notes == "internal"
        body = {
            "text": text,
            "internalAnalysisFlag": internal,
            "detailDescriptionFlag": not internal,
            "resolutionFlag": False,
        }
        await self.api.request("POST", f"service/tickets/{ticket.external_id}/notes", "The note", body=body)

    async def change(self, ticket: TicketRef, title: str, priority: str) -> None:
        """Another summary, another priority."""
        body: list[dict[str, Any]] = (
            [{"op": "replace", "path": "summary", "value": title[:MAX_SUMMARY]}] if title else []
        )
        body += [{"op": "replace", "path": "priority", "value": {"id": int(priority)}}] if priority else []
        await self.api.request("PATCH", f"service/tickets/{ticket.external_id}", "Summary and priority", body=body)

    async def close(self, ticket: TicketRef) -> None:
        """Give it a closed status of the board that it is on now."""
        status = await self.closed_status(self._boards[ticket.external_id])
        if not (await self._set_status(ticket, status)).get("closedFlag"):
            raise SinkError(f"Status {_name(status)} does not close tickets: set closedStatusId.", permanent=True)

    async def reopen(self, ticket: TicketRef) -> None:
        """Give it an open status of the board that it is on now."""
        await self._set_status(ticket, await self.open_status(self._boards[ticket.external_id]))

    async def statuses(self, board_id: str) -> list[dict[str, Any]]:
        """The board's statuses that are in use, in their order."""

        async def ask() -> list[dict[str, Any]]:
            rows = await self.api.rows(f"service/boards/{board_id}/statuses", {"pageSize": "1000"})
            used = [row for row in rows if not row.get("inactive")]
            return sorted(used, key=lambda row: (row.get("sortOrder") or 0, row["id"]))

        return await remembered(self._outlet, self._settings, f"statuses:{board_id}", _MINUTES, ask)

    async def closed_status(self, board_id: str) -> dict[str, Any]:
        """The one that is set, when it is of this board, else its first closed one, `Closed` before others."""
        rows = await self.statuses(board_id)
        closed = [row for row in rows if row.get("closedStatus")]
        wanted = self._settings.closed_status_id if board_id == self._settings.board_id else None
        if wanted is not None:
            psa.require([wanted], _ids(closed), "Status", "closedStatusId")
            return next(row for row in closed if str(row["id"]) == wanted)
        if not closed:
            raise SinkError(f"Board {board_id} has no closed status.", permanent=True)
        return min(closed, key=lambda row: "closed" not in _name(row).casefold())

    async def open_status(self, board_id: str) -> dict[str, Any]:
        """The one that is set, when it is of this board, else its default."""
        rows = await self.statuses(board_id)
        opened = [row for row in rows if not row.get("closedStatus")]
        wanted = self._settings.reopened_status_id if board_id == self._settings.board_id else None
        if wanted is not None:
            psa.require([wanted], _ids(opened), "Status", "reopenedStatusId")
            return next(row for row in opened if str(row["id"]) == wanted)
        if not opened:
            raise SinkError(f"Board {board_id} has no open status.", permanent=True)
        return min(opened, key=lambda row: not row.get("defaultFlag"))

    async def _set_status(self, ticket: TicketRef, status: Mapping[str, Any]) -> dict[str, Any]:
        body = [{"op": "replace", "path": "status", "value": {"id": status["id"]}}]
        answer = await self.api.request("PATCH", f"service/tickets/{ticket.external_id}", "The status", body=body)
        return answer.object()

    def _ref(self, row: Mapping[str, Any]) -> TicketRef:
        found = str(row["id"])
        board = row.get("board")
        self._boards[found] = str(board.get("id", "")) if isinstance(board, dict) else ""
        place = "v4_6_release/services/system_io/Service/fv_sr100_request.rails"
        company = quote(self._settings.company, safe="")
        server = self._settings.url.rstrip("/").replace("://api-", "://", 1)
        url = f"{server}/{place}?service_recid={found}&companyName={company}"
        return TicketRef(found, found, url, "closed" if row.get("closedFlag") else "open")


def _xref(key: str) -> str:
    """The alert's id as the field takes it."""
    return key if len(key) <= MAX_XREF else hashlib.sha256(key.encode()).hexdigest()


def _text(value: str) -> str:
    """A string of a condition; what would end it is left out."""
    return '"' + value.replace("\\", "").replace('"', "") + '"'


def _name(row: Mapping[str, Any]) -> str:
    return str(row.get("name") or row["id"])


def _ids(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(row["id"]) for row in rows]
