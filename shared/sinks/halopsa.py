"""HaloPSA: tickets of a client, found again by a reference in their details.

A ticket has no field of its own for another system's key that every installation can search, so its details end with
one (`tenantry` and 24 hexadecimal digits), and what a search of the details gives is compared before it counts.
Sources: the vendor's swagger as github.com/covenanttechnologysolutions/halopsa-rest has it (parameters of GET /Tickets,
/Actions, /Status), github.com/homotechsual/HaloAPI (sign-in, authinfo, the closed status), github.com/KelvinTegelaar/
CIPP-API (fields of a new ticket; an action must have an outcome), docs.d3security.com/integration-docs/halopsa (500
requests in five minutes). An action does not move a ticket to another status; that takes a POST of the ticket.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr

from shared.sinks import psa
from shared.sinks.contract import Message, Outlet, Receipt, SinkError, TicketRef, secret
from shared.sinks.halopsa_api import Api, Login
from shared.sinks.memory import remembered
from shared.sinks.public_address import MAX_URL_CHARS

KIND = "halopsa"
TITLE = "HaloPSA"
TICKETS = True
CONCURRENCY = 2
PER_MINUTE = 30
"""A hosted HaloPSA takes 500 requests in five minutes; a message takes three."""
READ_AT_ONCE = 100
"""The largest page of tickets."""
NOTES_LOOKED_AT = 100
CLIENTS_AT_ONCE, MAX_PAGES = 500, 40
FOUND_AT_MOST = 5
"""A search that gives more tickets whose details it does not show has not searched."""
INTERNAL_NOTE = "7"
"""The built-in outcome `Internal Note` (Private Note), which mails nobody."""
_MINUTES = timedelta(minutes=10)


class Settings(psa.PsaSettings):
    """How to sign in, and how tickets look there."""

    HARMLESS: ClassVar = psa.PsaSettings.HARMLESS | {
        "ticket_type_id",
        "closed_status_id",
        "reopened_status_id",
        "note_outcome_id",
        "notes_hidden",
    }

    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_URL_CHARS,
            title="HaloPSA URL",
            description="Where you sign in to HaloPSA, such as https://contoso.halopsa.com.",
        ),
    ]
    client_id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            title="Client ID",
            description="Of an API application: Configuration > Integrations > HaloPSA API > View Applications, with "
            "Client ID and Secret (Services). Its agent needs to read and edit tickets and to read clients.",
        ),
    ]
    client_secret: Annotated[
        SecretStr | None,
        Field(max_length=500, title="Client secret", description="Shown once, when the application is made."),
    ] = None
    tenant: Annotated[
        str,
        Field(
            max_length=200,
            title="Tenant",
            description="As Configuration > Integrations > HaloPSA API shows it. Left out, HaloPSA is asked for it.",
        ),
    ] = ""
    ticket_type_id: Annotated[
        psa.NumericId | None,
        Field(title="Ticket type", description="Choices `ticketTypes`. Without it HaloPSA takes its default."),
    ] = None
    closed_status_id: Annotated[
        psa.NumericId | None,
        Field(title="Closed status", description="Choices `closedStatuses`. Without it HaloPSA's own, which is 9."),
    ] = None
    reopened_status_id: Annotated[
        psa.NumericId,
        Field(title="Status of a reopened ticket", description="Choices `openStatuses`. 1 is New."),
    ] = "1"
    note_outcome_id: Annotated[
        psa.NumericId,
        Field(title="Outcome of a note", description="Choices `outcomes`. 7 is the built-in internal note."),
    ] = INTERNAL_NOTE
    notes_hidden: Annotated[bool, Field(title="Hide notes from the client's users")] = True


def complete(settings: Settings) -> tuple[Settings, dict[str, str]]:
    """The settings as they are. Raises InvalidInput without the secret."""
    psa.require_secrets(settings)
    return settings, {}


async def check(outlet: Outlet, settings: Settings) -> None:
    """Raises InvalidInput for a URL that may not be sent to."""
    await psa.check_url(outlet, settings.url)


async def test(outlet: Outlet, settings: Settings, _message: Message) -> Receipt:
    """Sign in; look at statuses, outcome, type, priorities and every client. Raises SinkError."""
    desk = Desk(outlet, settings)
    closed = await desk.closed_status()
    shut, opened = await desk.statuses()
    psa.require([closed], shut, "Closed status", "closedStatusId")
    psa.require([settings.reopened_status_id], opened, "Open status", "reopenedStatusId")
    psa.require([settings.note_outcome_id], await desk.named("outcomes"), "Outcome", "noteOutcomeId")
    if settings.ticket_type_id is not None:
        psa.require([settings.ticket_type_id], await desk.named("ticketTypes"), "Ticket type", "ticketTypeId")
    priorities = psa.priority_ids(settings)
    if priorities:
        psa.require(priorities, await desk.named("priorities"), "Priority", "priorities")
    clients = settings.company_ids()
    psa.require(clients, await desk.clients(set(clients)), "Client", "companies")
    said = f"Closes with {shut[closed]}, reopens with {opened[settings.reopened_status_id]}; {len(clients)} clients."
    return Receipt(HTTPStatus.OK, detail=said)


async def open(outlet: Outlet, settings: Settings, message: Message) -> Receipt:  # noqa: A001 - the contract's verb
    """Open the ticket of the alert, or open it again. Raises SinkError."""
    return await psa.open_ticket(Desk(outlet, settings), settings, message)


async def update(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Add a note; title and priority follow the alert. Raises SinkError."""
    return await psa.update_ticket(Desk(outlet, settings), settings, message)


async def close(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Add the last note and give the ticket the closed status. Raises SinkError."""
    return await psa.close_ticket(Desk(outlet, settings), message)


async def read(outlet: Outlet, settings: Settings, tickets: Sequence[TicketRef]) -> list[TicketRef]:
    """Up to 100 tickets in one request. Raises SinkError."""
    if not tickets:
        return []
    found = {row.external_id: row for row in await Desk(outlet, settings).present([t.external_id for t in tickets])}
    return [replace(t, state=found[t.external_id].state if t.external_id in found else "closed") for t in tickets]


async def choices(outlet: Outlet, settings: Settings, name: str, search: str) -> list[dict[str, str]]:
    """Clients as `companies`, ticket types, statuses, priorities, outcomes. Raises InvalidInput, SinkError."""
    psa.only_choices(name, ("companies", "closedStatuses", "openStatuses", *_NAMED))
    desk = Desk(outlet, settings)
    if name == "companies":
        found = await desk.search_clients(search)
    elif name in ("closedStatuses", "openStatuses"):
        closed, opened = await desk.statuses()
        found = closed if name == "closedStatuses" else opened
    else:
        found = await desk.named(name)
    matching = [(number, title) for number, title in found.items() if search.casefold() in title.casefold()]
    return [{"id": number, "name": title} for number, title in matching[: psa.MAX_CHOICES]]


_NAMED = {
    "ticketTypes": ("TicketType", "id"),
    "priorities": ("Priority", "priorityid"),
    "outcomes": ("Outcome", "id"),
}
"""Choices -> where they are, and the field that tickets and actions name them by. A priority is in several SLAs."""


class Desk:
    """The API with one sink's settings. Every method raises SinkError."""

    def __init__(self, outlet: Outlet, settings: Settings) -> None:
        self._outlet, self._settings = outlet, settings
        self._url = settings.url.rstrip("/")
        keys = settings.client_id, secret(settings.client_secret)
        self._api = Api(outlet, settings, Login(self._url, *keys, settings.tenant))

    async def find(self, key: str, known: str = "") -> list[TicketRef]:
        """Every ticket that has the alert's reference in its details, open or closed, the oldest first."""
        reference = _reference(key)
        query = {"search_details": reference, "pageinate": "true", "page_size": "50", "page_no": "1", "order": "id"}
        rows = await self._api.rows("Tickets", query, "tickets")
        unread = [row for row in rows if str(row["id"]) != known]
        bare = [row for row in unread if not row.get("details") and not row.get("details_html")]
        if len(bare) > FOUND_AT_MOST:
            raise SinkError("HaloPSA did not search the details of its tickets; without that none is opened.")
        unread = [row for row in unread if await self._refers(row, reference)]
        ours = [*unread, *(row for row in rows if str(row["id"]) == known)]
        return [await self._ref(row) for row in sorted(ours, key=lambda row: int(row["id"]))[: psa.SAME_KEY_AT_MOST]]

    async def get(self, external_id: str, key: str) -> TicketRef | None:
        """One ticket, asked for as a list: a 404 may also be the record of a server in maintenance."""
        for row in await self._rows([external_id]):
            if await self._refers(row, _reference(key)):
                return await self._ref(row)
        return None

    async def present(self, external_ids: Sequence[str]) -> list[TicketRef]:
        """Those of the tickets that are there."""
        return [await self._ref(row) for row in await self._rows(external_ids)]

    async def _refers(self, row: dict[str, Any], reference: str) -> bool:
        """Whether a ticket has a reference in its details, which are asked for when the list left them out."""
        if not row.get("details") and not row.get("details_html"):
            query = {"includedetails": "true"}
            answer = await self._api.request("GET", f"Tickets/{row['id']}", "The ticket", query=query)
            row.update(answer.row())
        return reference in f"{row.get('details')} {row.get('details_html')}"

    async def _rows(self, external_ids: Sequence[str]) -> list[dict[str, Any]]:
        ids = {str(int(found)) for found in external_ids}
        query = {
            "ticketids": ",".join(sorted(ids)),
            "pageinate": "true",
            "page_size": str(READ_AT_ONCE),
            "page_no": "1",
        }
        rows = await self._api.rows("Tickets", query, "tickets")
        return [row for row in rows if str(row["id"]) in ids and not row.get("deleted")]

    async def create(self, message: Message, company_id: str) -> TicketRef:
        """A new ticket for the client's general user; no template of HaloPSA's changes it."""
        settings = self._settings
        text = f"{psa.opening_text(message)}\n\nReference: {_reference(message.key)}"
        body: dict[str, Any] = {
            "summary": message.title,
            "details_html": _html(text),
            "client_id": int(company_id),
            "userlookup": {"id": -1, "lookupdisplay": "Enter Details Manually"},
            "donotapplytemplateintheapi": True,
            "_novalidate": True,
        }
        if settings.ticket_type_id is not None:
            body["tickettype_id"] = int(settings.ticket_type_id)
        priority = psa.priority_of(settings, message.severity)
        if priority is not None:
            body["priority_id"] = int(priority)
        return await self._ref(await self._api.post("Tickets", body, "The new ticket"))

    async def noted(self, ticket: TicketRef, text: str) -> bool:
        """Whether one of the newest actions has this text in it."""
        query = {"ticket_id": ticket.external_id, "count": str(NOTES_LOOKED_AT), "includehtmlnote": "true"}
        rows = await self._api.rows("Actions", query, "actions")
        return any(text in f"{row.get('note')} {row.get('note_html')}" for row in rows)

    async def note(self, ticket: TicketRef, text: str) -> None:
        """An action with the outcome that the settings name; without one the API refuses it."""
        body = {
            "ticket_id": int(ticket.external_id),
            "outcome_id": int(self._settings.note_outcome_id),
            "hiddenfromuser": self._settings.notes_hidden,
            "note_html": _html(text),
        }
        await self._api.post("Actions", body, "The note")

    async def change(self, ticket: TicketRef, title: str, priority: str) -> None:
        """Another summary, another priority."""
        body: dict[str, Any] = {"id": int(ticket.external_id)}
        body |= {"summary": title} if title else {}
        body |= {"priority_id": int(priority)} if priority else {}
        await self._api.post("Tickets", body, "Summary and priority")

    async def close(self, ticket: TicketRef) -> None:
        """The closed status."""
        await self._set_status(ticket, await self.closed_status(), "closedStatusId")

    async def reopen(self, ticket: TicketRef) -> None:
        """The open status that is set."""
        await self._set_status(ticket, self._settings.reopened_status_id, "reopenedStatusId")

    async def closed_status(self) -> str:
        """The one that is set, else HaloPSA's own: the one that its list leaves out when told to."""
        if self._settings.closed_status_id is not None:
            return self._settings.closed_status_id
        closed, _opened = await self.statuses()
        if not closed:
            raise SinkError("HaloPSA names no closed status: set closedStatusId.", permanent=True)
        return next(iter(closed))

    async def statuses(self) -> tuple[dict[str, str], dict[str, str]]:
        """Closed and open statuses of tickets, id -> name."""

        async def ask() -> tuple[dict[str, str], dict[str, str]]:
            every = _names(await self._api.rows("Status", {"type": "ticket"}, "statuses"), "id")
            opened = _names(
                await self._api.rows("Status", {"type": "ticket", "excludeclosed": "true"}, "statuses"), "id"
            )
            return {number: name for number, name in every.items() if number not in opened}, opened

        return await remembered(self._outlet, self._settings, "statuses", _MINUTES, ask)

    async def named(self, name: str) -> dict[str, str]:
        """Choices, id -> name."""
        path, key = _NAMED[name]
        return _names(await self._api.rows(path, {}, path.lower(), key=key), key)

    async def search_clients(self, search: str) -> dict[str, str]:
        """The first active clients whose name has the text in it, id -> name."""
        query = {"count": str(psa.MAX_CHOICES), "includeactive": "true", **({"search": search} if search else {})}
        return _names(await self._api.rows("Client", query, "clients"), "id")

    async def clients(self, wanted: set[str]) -> set[str]:
        """Those of the clients that are there and active."""
        seen: set[str] = set()
        for page in range(1, MAX_PAGES + 1):
            if wanted <= seen:
                break
            query = {"pageinate": "true", "page_size": str(CLIENTS_AT_ONCE), "page_no": str(page)}
            rows = await self._api.rows(
                "Client", query | {"includeactive": "true", "includeinactive": "false"}, "clients"
            )
            if not rows:
                break
            seen |= {str(row["id"]) for row in rows}
        return wanted & seen

    async def _set_status(self, ticket: TicketRef, status: str, setting: str) -> None:
        changed = await self._api.post(
            "Tickets", {"id": int(ticket.external_id), "status_id": int(status)}, "The status"
        )
        if str(changed.get("status_id", status)) != status:
            raise SinkError(f"HaloPSA did not take status {status}: look at {setting}.", permanent=True)

    async def _ref(self, row: Mapping[str, Any]) -> TicketRef:
        found, status = str(row["id"]), row.get("status_id")
        closed = bool(row.get("hasbeenclosed")) if status is None else str(status) == await self.closed_status()
        return TicketRef(found, found, f"{self._url}/tickets?id={found}", "closed" if closed else "open")


def _reference(key: str) -> str:
    """One word, so that a search by words finds it as one by letters does."""
    return f"tenantry{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def _html(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")


def _names(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, str]:
    """Id -> name, in their order; the first name of an id counts."""
    found: dict[str, str] = {}
    for row in rows:
        found.setdefault(str(row.get(key)), str(row.get("name") or row.get("outcome") or row.get("buttonname") or ""))
    return found
