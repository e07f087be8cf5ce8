"""ConnectWise PSA (Manage) as its REST API shows it: service boards with statuses of their own, tickets, notes.

Sources: developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide; shapes and texts as public clients meet
them: github.com/christaylorcodes/ConnectWiseManageAPI (issue 30: InvalidObject), github.com/KerkhoffTechnologies/
django-connectwise (fixtures), LabtechConsulting/ConnectWise-Manage-Powershell issue 12 (a note that says nowhere where
to show), thelazyadministrator.com 2024/06/06 (Link header).
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from sandbox.receivers.base import Ticket
from sandbox.receivers.conditions import BadConditions, parse, value_at
from sandbox.receivers.rest import RestReceiver, Route, whole
from sandbox.wire import Call, CloudError, Reply
from sandbox.world import Cloud

DEFAULT_PAGE, MAX_PAGE = 25, 1000
MAX_SUMMARY, MAX_XREF = 100, 100
BOARDS: dict[int, tuple[str, list[dict[str, Any]]]] = {
    1: (
        "Service Desk",
        [
            {"id": 16, "name": "New", "sortOrder": 0, "defaultFlag": True, "closedStatus": False, "inactive": False},
            {"id": 17, "name": "In Progress", "sortOrder": 10, "closedStatus": False, "inactive": False},
            {"id": 18, "name": "Cancelled", "sortOrder": 80, "closedStatus": True, "inactive": False},
            {"id": 19, "name": ">Closed", "sortOrder": 90, "closedStatus": True, "inactive": False},
            {"id": 20, "name": "Closed (old)", "sortOrder": 5, "closedStatus": True, "inactive": True},
        ],
    ),
    2: (
        "Monitoring",
        [
            {"id": 31, "name": "New (auto)", "sortOrder": 0, "defaultFlag": True, "closedStatus": False},
            {"id": 32, "name": "Resolved", "sortOrder": 50, "closedStatus": True, "inactive": False},
        ],
    ),
}
PRIORITIES = {1: "Priority 1 - Emergency", 2: "Priority 2 - High", 3: "Priority 3 - Normal", 4: "Priority 4 - Low"}
TYPES = {5: "Incident", 6: "Request"}
route = Route()


class ConnectWise(RestReceiver):
    """One company's server. `PUT {codebase?, revoked?, requireType?}` beside the moods.

    `codebase` is the path of the API after an upgrade (the old one is nowhere), `revoked: true` refuses the API key,
    `requireType: true` makes the boards refuse tickets without a type.
    """

    kind = "connectwise"
    routes = route

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        world = cloud.world
        self.company = "partner_psa"
        self.public_key = world.guid(self.kind, "public")[:16].replace("-", "")
        self.private_key = world.guid(self.kind, "private")[:16].replace("-", "")
        self.client_id = world.guid(self.kind, "client")
        self.rows: dict[int, dict[str, Any]] = {}
        self.notes: dict[int, list[dict[str, Any]]] = {}
        self.by_key: dict[str, list[int]] = {}
        self._ready()

    def _ready(self) -> None:
        self.codebase, self.revoked, self.require_type = "v2025_1", False, False

    def describe(self) -> dict[str, Any]:
        """Server, keys, and what can be chosen."""
        return {
            "url": self.url,
            "company": self.company,
            "publicKey": self.public_key,
            "privateKey": self.private_key,
            "clientId": self.client_id,
            "boardId": "1",
            "companies": {str(number): name for number, name in self.companies().items()},
        }

    def settle(self, body: dict[str, Any]) -> None:
        """As every receiver, and what becomes of the server (see the class)."""
        super().settle({k: v for k, v in body.items() if k not in ("codebase", "revoked", "requireType")})
        self.codebase = str(body.get("codebase", self.codebase))
        self.revoked = bool(body.get("revoked", self.revoked))
        self.require_type = bool(body.get("requireType", self.require_type))

    def clear(self) -> None:
        """Forget the tickets too."""
        super().clear()
        self.rows.clear()
        self.notes.clear()
        self.by_key.clear()
        self._ready()

    def below(self, call: Call) -> str:
        """The path with the codebase taken for `api`; the version-free path works as well."""
        path = super().below(call)
        for codebase in (self.codebase, "v4_6_release"):
            if path.casefold().startswith(f"/{codebase}/apis/3.0/"):
                return "/api" + path[len(f"/{codebase}/apis/3.0") :]
        return path

    def verify(self, call: Call) -> bool:
        """Whether company, keys and client id are right."""
        member = f"{self.company}+{self.public_key}:{self.private_key}"
        expected = f"Basic {base64.b64encode(member.encode()).decode()}"
        given = call.headers.get("authorization", "")
        right = hmac.compare_digest(given.encode(), expected.encode()) and not self.revoked
        return right and call.headers.get("clientid", "").casefold() == self.client_id

    def worded(self, error: CloudError) -> Any:
        """Code, message, and the fields that are wrong."""
        return {"code": error.code, "message": error.message, "errors": error.extra.get("errors")}

    def failure(self, status: int) -> Any:
        """Throttled, or the server's stumble."""
        if status == 429:
            return {"code": "RateLimitExceeded", "message": "API rate limit exceeded.", "errors": None}
        return {"code": "ConnectWiseApi", "message": f"The receiver was told to answer {status}.", "errors": None}

    def by_hand(self, ticket_id: str, state: str) -> Ticket:
        """A person gives the ticket the board's closed or default status."""
        ticket = super().by_hand(ticket_id, state)
        row = self.rows[int(ticket_id)]
        _name, statuses = BOARDS[row["board"]["id"]]
        used = [status for status in statuses if not status.get("inactive")]
        self.put_status(row, next(s for s in used if s["closedStatus"] == (state == "closed")))
        return ticket

    def removed_by_hand(self, ticket_id: str) -> None:
        """A person deletes the ticket."""
        super().removed_by_hand(ticket_id)
        del self.rows[int(ticket_id)]

    def put_status(self, row: dict[str, Any], status: Mapping[str, Any]) -> None:
        """A ticket's status, and what follows from it."""
        row["status"] = {"id": status["id"], "name": status["name"]}
        row["closedFlag"] = bool(status["closedStatus"])
        row["closedDate"] = self.stamp() if row["closedFlag"] else None
        self.tickets[str(row["id"])].turn("closed" if row["closedFlag"] else "open")

    def signed_in(self, call: Call) -> None:
        """Raises CloudError 401."""
        if not call.headers.get("clientid"):
            raise CloudError(401, "Unauthorized", "A clientId is required for all API requests.")
        if not self.verify(call):
            raise CloudError(401, "Unauthorized", "The user could not be authenticated.")

    def ticket(self, params: Mapping[str, str]) -> dict[str, Any]:
        """A ticket by the id in the path. Raises CloudError 404."""
        row = self.rows.get(whole(params["id"]) or 0)
        if row is None:
            raise CloudError(404, "NotFound", f"Ticket {params['id']} not found")
        return row

    def candidates(self, conditions: str) -> list[dict[str, Any]]:
        """The tickets that conditions about one id or reference can be true of, as an index gives them; else all."""
        by_id = re.fullmatch(r"id(?:=| in \()([0-9,]+)\)?", conditions)
        if by_id is not None:
            numbers = [int(part) for part in by_id.group(1).split(",") if part]
        else:
            by_key = re.fullmatch(r'externalXRef="([^"]*)"', conditions)
            if by_key is None:
                return list(self.rows.values())
            numbers = self.by_key.get(by_key.group(1).casefold(), [])
        return [self.rows[number] for number in numbers if number in self.rows]

    def paged(self, call: Call, rows: Sequence[dict[str, Any]]) -> Reply:
        """The page asked for: conditions, order, fields, and the Link header. Raises CloudError."""
        self.signed_in(call)
        try:
            test = parse(call.query.get("conditions", ""))
        except BadConditions as error:
            raise CloudError(400, "InvalidObject", f"conditions are invalid: {error}") from error
        found = [row for row in rows if test(row)]
        if order := call.query.get("orderby"):
            name, _, way = order.partition(" ")
            found.sort(key=lambda row: _ordered(value_at(row, name)), reverse=way.strip().casefold() == "desc")
        size = min(MAX_PAGE, whole(call.query.get("pagesize")) or DEFAULT_PAGE)
        page = max(1, whole(call.query.get("page")) or 1)
        start, headers = (page - 1) * size, {}
        if start + size < len(found):
            query = urlencode({**call.query, "page": str(page + 1)})
            headers["Link"] = f'<{call.base_url}{quote(call.path)}?{query}>; rel="next"'
        fields = [name for name in call.query.get("fields", "").split(",") if name]
        shown = [_only(row, fields) for row in found[start : start + size]]
        return Reply(shown, headers=headers)


def _ordered(value: Any) -> tuple[int, str]:
    """Numbers by value, then text without case."""
    return (value, "") if isinstance(value, int) else (0, str(value or "").casefold())


def _only(row: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    if not fields:
        return row
    wanted = {name.partition("/")[0].casefold() for name in fields}
    return {name: value for name, value in row.items() if name.casefold() in wanted}


def _invalid(resource: str, code: str, field: str, message: str) -> CloudError:
    errors = [{"code": code, "message": message, "resource": resource, "field": field}]
    return CloudError(400, "InvalidObject", f"{resource} object is invalid", extra={"errors": errors})


def _named(rows: Mapping[int, str]) -> list[dict[str, Any]]:
    return [{"id": number, "name": name, "inactiveFlag": False, "deletedFlag": False} for number, name in rows.items()]


def _reference(body: Mapping[str, Any], name: str, known: Mapping[int, str], *, needed: bool) -> dict[str, Any] | None:
    """`{id, name}` of what a ticket refers to by id or name. Raises CloudError."""
    given = body.get(name)
    if not given:
        if needed:
            raise _invalid("ticket", "MissingRequiredField", name, f"The {name} field is required.")
        return None
    number = whole(given.get("id")) if isinstance(given, dict) else None
    if number is None and isinstance(given, dict):
        number = next((key for key, value in known.items() if value == given.get("name")), None)
    if number is None or number not in known:
        raise _invalid("ticket", "InvalidField", f"{name}/id", f"{name} {given} could not be found.")
    return {"id": number, "name": known[number]}


@route("GET", "/login/companyinfo/{company}")
def company_info(self: ConnectWise, _call: Call, params: dict[str, str]) -> Reply:
    """Where the API of a company is; asks for no sign-in. An unknown company has no codebase."""
    if params["company"] != self.company:
        return Reply({"CompanyName": params["company"], "Codebase": None, "CompanyID": params["company"]})
    return Reply(
        {
            "CompanyName": self.company,
            "Codebase": f"{self.codebase}/",
            "VersionCode": self.codebase,
            "CompanyID": self.company,
            "IsCloud": True,
            "SiteUrl": self.url,
        }
    )


@route("GET", "/api/service/boards")
def boards(self: ConnectWise, call: Call, _params: dict[str, str]) -> Reply:
    """Service boards."""
    return self.paged(call, _named({number: name for number, (name, _) in BOARDS.items()}))


@route("GET", "/api/service/boards/{id}")
def board(self: ConnectWise, call: Call, params: dict[str, str]) -> Reply:
    """One board."""
    self.signed_in(call)
    found = BOARDS.get(whole(params["id"]) or 0)
    if found is None:
        raise CloudError(404, "NotFound", f"Board {params['id']} not found")
    return Reply({"id": int(params["id"]), "name": found[0], "inactiveFlag": False})


@route("GET", "/api/service/boards/{id}/statuses")
def statuses(self: ConnectWise, call: Call, params: dict[str, str]) -> Reply:
    """A board's statuses, those out of use included."""
    _name, rows = BOARDS.get(whole(params["id"]) or 0, ("", []))
    return self.paged(call, rows)


@route("GET", "/api/service/boards/{id}/types")
def types(self: ConnectWise, call: Call, params: dict[str, str]) -> Reply:
    """A board's types."""
    return self.paged(call, _named(TYPES) if whole(params["id"]) in BOARDS else [])


@route("GET", "/api/service/priorities")
def priorities(self: ConnectWise, call: Call, _params: dict[str, str]) -> Reply:
    """Priorities."""
    return self.paged(call, _named(PRIORITIES))


@route("GET", "/api/company/companies")
def companies(self: ConnectWise, call: Call, _params: dict[str, str]) -> Reply:
    """Companies."""
    return self.paged(call, _named(self.companies()))


@route("GET", "/api/service/tickets")
def tickets(self: ConnectWise, call: Call, _params: dict[str, str]) -> Reply:
    """Tickets, open and closed."""
    return self.paged(call, self.candidates(call.query.get("conditions", "")))


@route("GET", "/api/service/tickets/{id}")
def ticket(self: ConnectWise, call: Call, params: dict[str, str]) -> Reply:
    """One ticket."""
    self.signed_in(call)
    return Reply(self.ticket(params))


@route("POST", "/api/service/tickets")
def new_ticket(self: ConnectWise, call: Call, _params: dict[str, str]) -> Reply:
    """A new ticket: summary, board and company are needed."""
    self.signed_in(call)
    body = call.body
    summary, xref = str(body.get("summary") or ""), str(body.get("externalXRef") or "")
    if not summary:
        raise _invalid("ticket", "MissingRequiredField", "summary", "The summary field is required.")
    for name, value, longest in (("summary", summary, MAX_SUMMARY), ("externalXRef", xref, MAX_XREF)):
        if len(value) > longest:
            raise _invalid("ticket", "MaxLength", name, f"The {name} field exceeds {longest} characters.")
    names = {number: name for number, (name, _) in BOARDS.items()}
    place = _reference(body, "board", names, needed=True) or {}
    company = _reference(body, "company", self.companies(), needed=True) or {}
    number = 1000 + len(self.notes)
    row: dict[str, Any] = {
        "id": number,
        "summary": summary,
        "recordType": "ServiceTicket",
        "board": place,
        "company": company,
        "type": _reference(body, "type", TYPES, needed=self.require_type),
        "priority": _reference(body, "priority", PRIORITIES, needed=False) or {"id": 3, "name": PRIORITIES[3]},
        "externalXRef": xref or None,
        "_info": {"dateEntered": self.stamp(), "enteredBy": self.public_key},
    }
    self.rows[number], self.notes[number] = row, []
    self.by_key.setdefault(xref.casefold(), []).append(number)
    url = f"{self.url}/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid={number}"
    shown = self.new_ticket(number, xref, summary, company["id"], url)
    shown.priority = str(row["priority"]["id"])
    self.put_status(row, next(status for status in BOARDS[place["id"]][1] if status.get("defaultFlag")))
    if body.get("initialDescription"):
        shown.notes.append(str(body["initialDescription"]))
    return Reply(row, 201)


@route("PATCH", "/api/service/tickets/{id}")
def change(self: ConnectWise, call: Call, params: dict[str, str]) -> Reply:
    """JSON Patch: an array, whose paths have no leading slash."""
    self.signed_in(call)
    row = self.ticket(params)
    operations = call.body
    if not isinstance(operations, list):
        raise CloudError(400, "InvalidObject", "patchOperations object is invalid")
    for operation in operations:
        name, value = str(operation.get("path", "")).strip("/"), operation.get("value")
        if name == "status/id":
            name, value = "status", {"id": value}
        if operation.get("op") != "replace" or name not in ("status", "summary", "priority"):
            raise _invalid("ticket", "InvalidField", name, f"{name} cannot be changed here.")
        shown = self.tickets[str(row["id"])]
        if name == "summary":
            if len(str(value)) > MAX_SUMMARY:
                raise _invalid("ticket", "MaxLength", name, f"The {name} field exceeds {MAX_SUMMARY} characters.")
            row["summary"] = shown.title = str(value)
            continue
        if name == "priority":
            row["priority"] = _reference({name: value}, name, PRIORITIES, needed=True) or {}
            shown.priority = str(row["priority"]["id"])
            continue
        _name, known = BOARDS[row["board"]["id"]]
        wanted = whole(value.get("id")) if isinstance(value, dict) else None
        found = next((status for status in known if status["id"] == wanted), None)
        if found is None:
            raise _invalid("ticket", "InvalidField", "status/id", f"Status {wanted} is not on board {row['board']}.")
        self.put_status(row, found)
    return Reply(row)


@route("GET", "/api/service/tickets/{id}/notes")
def notes(self: ConnectWise, call: Call, params: dict[str, str]) -> Reply:
    """A ticket's notes."""
    self.signed_in(call)
    return self.paged(call, self.notes[self.ticket(params)["id"]])


@route("POST", "/api/service/tickets/{id}/notes")
def new_note(self: ConnectWise, call: Call, params: dict[str, str]) -> Reply:
    """A note, which must say where it is shown."""
    self.signed_in(call)
    row, body = self.ticket(params), call.body
    flags = {name: bool(body.get(name)) for name in ("detailDescriptionFlag", "internalAnalysisFlag", "resolutionFlag")}
    if not any(flags.values()):
        text = "Please choose where to display the notes in order to save this record."
        raise _invalid("serviceNote", "InvalidField", "detailDescriptionFlag", text)
    kept = self.notes[row["id"]]
    note = {"id": 1 + len(kept), "ticketId": row["id"], "text": str(body.get("text") or ""), **flags}
    kept.append(note | {"dateCreated": self.stamp(), "createdBy": self.public_key})
    self.tickets[str(row["id"])].notes.append(note["text"])
    return Reply(kept[-1], 201)


RECEIVER = ConnectWise
