"""HaloPSA as its REST API shows it: sign-in with client credentials, tickets, actions, one closed status.

Sources: the vendor's swagger in github.com/covenanttechnologysolutions/halopsa-rest; github.com/homotechsual/HaloAPI
(authinfo, token, lists that take and give arrays, the text of an action without an outcome); github.com/KelvinTegelaar/
CIPP-API (fields of a ticket, pages of clients). An action does not move the ticket to a status.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sandbox.receivers.base import Ticket
from sandbox.receivers.rest import RestReceiver, Route, whole
from sandbox.wire import Call, CloudError, Reply
from sandbox.world import Cloud

CLOSED = 9
STATUSES = {1: "New", 2: "In Progress", 4: "With User", 8: "Pending Closure", CLOSED: "Closed"}
TYPES = {1: "Incident", 21: "Alert"}
PRIORITIES = {1: "Critical", 2: "High", 3: "Medium", 4: "Low"}
OUTCOMES = {7: "Private Note", 10: "Email User", 14: "Resolved"}
MAX_PAGE = 100
TOKEN_SECONDS = 3600
CLIENT_OFFSET = 10
"""Clients count from 12 here, so that nothing mistakes one system's ids for another's."""
route = Route()


class Halo(RestReceiver):
    """One tenant. `PUT {revoked?, forgetTokens?, terse?}` beside the moods.

    `revoked: true` refuses the application, `forgetTokens: true` makes every token that was given out invalid,
    `terse: true` leaves the details out of lists of tickets.
    """

    kind = "halopsa"
    routes = route

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.client_id = cloud.world.guid(self.kind, "client")
        self.client_secret = cloud.world.guid(self.kind, "secret")
        self.tenant = "partner"
        self.rows: dict[int, dict[str, Any]] = {}
        self.actions: dict[int, list[dict[str, Any]]] = {}
        self.tokens: dict[str, datetime] = {}
        """Token -> when it ends."""
        self.given = 0
        self.revoked, self.terse = False, False

    def describe(self) -> dict[str, Any]:
        """URL, application, and what can be chosen."""
        return {
            "url": self.url,
            "clientId": self.client_id,
            "clientSecret": self.client_secret,
            "tenant": self.tenant,
            "companies": {str(number): name for number, name in self.clients().items()},
        }

    def settle(self, body: dict[str, Any]) -> None:
        """As every receiver, and what becomes of the tenant (see the class)."""
        super().settle({k: v for k, v in body.items() if k not in ("revoked", "forgetTokens", "terse")})
        self.revoked = bool(body.get("revoked", self.revoked))
        self.terse = bool(body.get("terse", self.terse))
        if body.get("forgetTokens") or self.revoked:
            self.tokens.clear()

    def clear(self) -> None:
        """Forget the tickets too."""
        super().clear()
        self.rows.clear()
        self.actions.clear()
        self.tokens.clear()
        self.revoked, self.terse = False, False

    def clients(self) -> dict[int, str]:
        """Id -> name of every client."""
        return {CLIENT_OFFSET + number: name for number, name in self.companies().items()}

    def verify(self, call: Call) -> bool:
        """Whether the token is one that was given out and has not ended."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        return scheme == "Bearer" and token in self.tokens and self.tokens[token] > self.now()

    def record(self, call: Call, status: int, *, verified: bool) -> None:
        """As every receiver; a sign-in's form holds the secret and is not kept."""
        super().record(call, status, verified=verified)
        if call.path.casefold().endswith("/auth/token"):
            self.deliveries[-1] |= {"body": "***", "raw": "***"}

    def worded(self, error: CloudError) -> Any:
        """As the framework behind shows an exception; a 401 has no words."""
        return None if error.status == 401 else {"ClassName": "System.Exception", "Message": error.message}

    def by_hand(self, ticket_id: str, state: str) -> Ticket:
        """A person closes the ticket, or puts it in progress."""
        ticket = super().by_hand(ticket_id, state)
        self.put_status(self.rows[int(ticket_id)], CLOSED if state == "closed" else 2)
        return ticket

    def removed_by_hand(self, ticket_id: str) -> None:
        """A person deletes the ticket."""
        super().removed_by_hand(ticket_id)
        del self.rows[int(ticket_id)]

    def put_status(self, row: dict[str, Any], status: int) -> None:
        """A ticket's status, and what follows from it."""
        row |= {"status_id": status, "hasbeenclosed": status == CLOSED}
        row["dateclosed"] = self.stamp() if status == CLOSED else None
        self.tickets[str(row["id"])].turn("closed" if status == CLOSED else "open")

    def signed_in(self, call: Call) -> None:
        """Raises CloudError 401."""
        if not self.verify(call):
            raise CloudError(401, "Unauthorized", "The token is not valid.")

    def give_token(self) -> str:
        """A new token, good for an hour."""
        self.given += 1
        token = hashlib.sha256(f"{self.client_secret}|{self.given}".encode()).hexdigest()
        self.tokens[token] = self.now() + timedelta(seconds=TOKEN_SECONDS)
        return token


def _paged(call: Call, rows: Sequence[dict[str, Any]], name: str, largest: int = MAX_PAGE) -> Reply:
    """A list under its name: a page of it when asked to paginate, else `count` of it."""
    size, page = whole(call.query.get("count")) or len(rows), 1
    shown: dict[str, Any] = {"record_count": len(rows)}
    if call.query.get("pageinate") == "true":
        size = min(largest, whole(call.query.get("page_size")) or 50)
        page = whole(call.query.get("page_no")) or 1
        shown = {"page_no": page, "page_size": size, **shown}
    return Reply({**shown, name: list(rows[(page - 1) * size : page * size])})


def _text(note: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", note.replace("<br>", "\n")))


def _only_one(call: Call) -> dict[str, Any]:
    """The one thing of a body, which is an array. Raises CloudError 400."""
    body = call.body
    if not isinstance(body, list) or len(body) != 1 or not isinstance(body[0], dict):
        raise CloudError(400, "BadRequest", "The body must be an array of one object here.")
    found: dict[str, Any] = body[0]
    return found


@route("GET", "/api/authinfo")
def auth_info(self: Halo, _call: Call, _params: dict[str, str]) -> Reply:
    """Where to sign in; asks for no token."""
    return Reply({"auth_url": f"{self.url}/auth", "tenant_id": self.tenant})


@route("POST", "/auth/token")
def token(self: Halo, call: Call, _params: dict[str, str]) -> Reply:
    """A token for the application's secret."""
    form = call.form
    if form.get("grant_type") != "client_credentials":
        return Reply({"error": "unsupported_grant_type"}, 400)
    right = (form.get("client_id"), form.get("client_secret")) == (self.client_id, self.client_secret)
    if self.revoked or not right or call.query.get("tenant") != self.tenant:
        said = "The specified client credentials are invalid."
        return Reply({"error": "invalid_client", "error_description": said}, 400)
    given = {"access_token": self.give_token(), "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
    return Reply({"scope": "all", **given})


@route("GET", "/api/Tickets")
def tickets(self: Halo, call: Call, _params: dict[str, str]) -> Reply:
    """Tickets, open and closed, by ids and by words of their summary or details."""
    self.signed_in(call)
    rows = list(self.rows.values())
    if "ticketids" in call.query:
        wanted = sorted(whole(part) or 0 for part in call.query["ticketids"].split(","))
        rows = [self.rows[number] for number in wanted if number in self.rows]
    for name, field in (("search_details", "details"), ("search_summary", "summary")):
        if words := call.query.get(name, "").casefold():
            rows = [row for row in rows if words in str(row[field]).casefold()]
    if call.query.get("open_only") == "true":
        rows = [row for row in rows if not row["hasbeenclosed"]]
    hidden = {"details", "details_html"} if self.terse else {"details_html"}
    return _paged(call, [{k: v for k, v in row.items() if k not in hidden} for row in rows], "tickets")


@route("GET", "/api/Tickets/{id}")
def ticket(self: Halo, call: Call, params: dict[str, str]) -> Reply:
    """One ticket."""
    self.signed_in(call)
    row = self.rows.get(whole(params["id"]) or 0)
    if row is None:
        raise CloudError(404, "NotFound", "The ticket could not be found.")
    return Reply(row)


@route("POST", "/api/Tickets")
def post_ticket(self: Halo, call: Call, _params: dict[str, str]) -> Reply:
    """Make a ticket, or with an id change one."""
    self.signed_in(call)
    body = _only_one(call)
    if body.get("id"):
        row = self.rows.get(whole(body["id"]) or 0)
        if row is None:
            raise CloudError(404, "NotFound", "The ticket could not be found.")
        if "status_id" in body:
            if whole(body["status_id"]) not in STATUSES:
                raise CloudError(400, "BadRequest", f"Status {body['status_id']} does not exist.")
            self.put_status(row, int(body["status_id"]))
        if "priority_id" in body and whole(body["priority_id"]) not in PRIORITIES:
            raise CloudError(400, "BadRequest", f"priority_id {body['priority_id']} does not exist.")
        row |= {name: body[name] for name in ("summary", "priority_id") if name in body}
        shown = self.tickets[str(row["id"])]
        shown.title, shown.priority = str(row["summary"]), str(row["priority_id"])
        return Reply(row, 201)
    client, summary = whole(body.get("client_id")), str(body.get("summary") or "")
    if client is None or client not in self.clients():
        raise CloudError(400, "BadRequest", "Please select a valid Customer.")
    if not summary:
        raise CloudError(400, "BadRequest", "Please enter a Summary.")
    for name, known in (("priority_id", PRIORITIES), ("tickettype_id", TYPES)):
        if body.get(name) is not None and whole(body[name]) not in known:
            raise CloudError(400, "BadRequest", f"{name} {body[name]} does not exist.")
    number = 2000 + len(self.actions)
    note = str(body.get("details_html") or body.get("details") or "")
    row = {
        "id": number,
        "summary": summary,
        "details": _text(note),
        "details_html": note,
        "dateoccurred": self.stamp(),
        "client_id": client,
        "client_name": self.clients()[client],
        "tickettype_id": whole(body.get("tickettype_id")) or 1,
        "priority_id": whole(body.get("priority_id")) or 3,
    }
    self.rows[number] = row
    self.actions[number] = [{"id": 1, "ticket_id": number, "outcome": "Opened", "note": "", "note_html": ""}]
    found = re.search(r"tenantry[0-9a-f]{24}", row["details"])
    shown = self.new_ticket(number, found.group() if found else "", summary, client, f"{self.url}/tickets?id={number}")
    shown.notes.append(row["details"])
    shown.priority = str(row["priority_id"])
    self.put_status(row, 1)
    return Reply(row, 201)


@route("GET", "/api/Actions")
def actions(self: Halo, call: Call, _params: dict[str, str]) -> Reply:
    """A ticket's actions, newest first; the HTML of notes only when asked for."""
    self.signed_in(call)
    rows = self.actions.get(whole(call.query.get("ticket_id")) or 0, [])
    hidden = set() if call.query.get("includehtmlnote") == "true" else {"note_html"}
    return _paged(call, [{k: v for k, v in row.items() if k not in hidden} for row in reversed(rows)], "actions")


@route("POST", "/api/Actions")
def post_action(self: Halo, call: Call, _params: dict[str, str]) -> Reply:
    """An action, which must have an outcome; it moves no status."""
    self.signed_in(call)
    body = _only_one(call)
    number = whole(body.get("ticket_id")) or 0
    if number not in self.rows:
        raise CloudError(400, "BadRequest", "The ticket of this action could not be found.")
    outcome = whole(body.get("outcome_id"))
    if outcome not in OUTCOMES and body.get("outcome") not in OUTCOMES.values():
        raise CloudError(400, "BadRequest", "An Outcome must be entered for this Action")
    note = str(body.get("note_html") or body.get("note") or "")
    kept = self.actions[number]
    row = {"id": len(kept) + 1, "ticket_id": number, "outcome_id": outcome, "note": _text(note), "note_html": note}
    kept.append({**row, "hiddenfromuser": bool(body.get("hiddenfromuser")), "datetime": self.stamp()})
    self.tickets[str(number)].notes.append(_text(note))
    return Reply(kept[-1], 201)


@route("GET", "/api/Status")
def statuses(self: Halo, call: Call, _params: dict[str, str]) -> Reply:
    """Statuses of tickets, a bare list."""
    self.signed_in(call)
    without = CLOSED if call.query.get("excludeclosed") == "true" else None
    return Reply([{"id": key, "name": name, "type": 0} for key, name in STATUSES.items() if key != without])


@route("GET", "/api/TicketType")
def ticket_types(self: Halo, call: Call, _params: dict[str, str]) -> Reply:
    """Ticket types, a bare list."""
    self.signed_in(call)
    return Reply([{"id": key, "name": name} for key, name in TYPES.items()])


@route("GET", "/api/Priority")
def priorities(self: Halo, call: Call, _params: dict[str, str]) -> Reply:
    """Priorities of every SLA: `id` is the row's own, `priorityid` what tickets name."""
    self.signed_in(call)
    return Reply(
        [
            {"id": f"{sla}-{key}", "slaid": sla, "priorityid": key, "name": name}
            for sla in (1, 2)
            for key, name in PRIORITIES.items()
        ]
    )


@route("GET", "/api/Outcome")
def outcomes(self: Halo, call: Call, _params: dict[str, str]) -> Reply:
    """Outcomes, a bare list."""
    self.signed_in(call)
    return Reply([{"id": key, "outcome": name, "buttonname": name} for key, name in OUTCOMES.items()])


@route("GET", "/api/Client")
def clients(self: Halo, call: Call, _params: dict[str, str]) -> Reply:
    """Clients, by name."""
    self.signed_in(call)
    words = call.query.get("search", "").casefold()
    rows = [{"id": key, "name": name} for key, name in self.clients().items() if words in name.casefold()]
    return _paged(call, rows, "clients", largest=1000)


RECEIVER = Halo
