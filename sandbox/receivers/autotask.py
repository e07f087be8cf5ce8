"""Autotask PSA as its REST API shows it: zones, tickets with picklists, notes below tickets, companies.

Sources: autotask.net/help/developerhelp/content/apis/REST (entities, query calls, security: 401, thresholds), the
Swagger of github.com/KelvinTegelaar/AutotaskAPI (v1.json: notes are made at Tickets/{id}/Notes only; PATCH has the id
in its body), github.com/tphakala/go-autotask (a ticket that is gone is `{"item": null}`; versions that have no zone
information are advertised), github.com/ecitsolutions/Autotask (lengths, what a ticket needs).
"""

from __future__ import annotations

import hmac
import re
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sandbox.receivers.autotask_query import BadQuery, run, value_of, wanted
from sandbox.receivers.base import Ticket
from sandbox.receivers.rest import RestReceiver, Route, whole
from sandbox.wire import Call, CloudError, Reply
from sandbox.world import Cloud

COMPLETE = 5
LOCKED_AFTER = 10
"""Wrong secrets in a row that lock an API user."""
PICKLISTS: dict[str, dict[int, str]] = {
    "status": {1: "New", 5: "Complete", 8: "In Progress", 7: "Waiting Customer", 20: "Resolved"},
    "priority": {4: "Critical", 1: "High", 2: "Medium", 3: "Low"},
    "queueID": {29682833: "Monitoring Alert", 5: "Client Portal", 8: "Recurring Tickets"},
    "ticketCategory": {3: "Standard", 4: "RMM Alert"},
    "ticketType": {1: "Service Request", 2: "Incident", 5: "Alert"},
    "source": {2: "Phone", 8: "Monitoring Alert"},
}
NOTE_PICKLISTS: dict[str, dict[int, str]] = {
    "noteType": {1: "Task Summary", 2: "Task Detail", 3: "Task Notes"},
    "publish": {1: "All Autotask Users", 2: "Internal Project Team", 4: "Internal & Co-Managed"},
}
DEFAULTS = {"priority": 2, "status": 1}
TEXTS = {"title": 255, "description": 8000, "externalID": 50}
NOTE_TEXTS = {"title": 250, "description": 32000}
TICKET_FIELDS = (
    "id",
    "ticketNumber",
    "companyID",
    "title",
    "description",
    "status",
    "priority",
    "queueID",
    "ticketCategory",
    "ticketType",
    "source",
    "externalID",
    "dueDateTime",
    "createDate",
    "completedDate",
    "assignedResourceID",
)
NOTE_FIELDS = ("id", "ticketID", "title", "description", "noteType", "publish", "createDateTime")
COMPANY_FIELDS = ("id", "companyName", "isActive")
READ_ONLY = {"id", "ticketNumber", "createDate", "completedDate"}
OLD_CLIENT = 99
"""A company that is not active any more."""
route = Route()


class Autotask(RestReceiver):
    """One database. `PUT {zone?, revoked?, unlocked?, threshold?, hidden?}` beside the moods.

    `zone` moves the database (the old zone knows no such user), `revoked: true` refuses the secret, `unlocked: true`
    lets a user in again who was locked, `threshold` is how many requests an hour takes, `hidden: [field]` are fields
    that cannot be searched.
    """

    kind = "autotask"
    routes = route

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        guid = cloud.world.guid
        self.username = f"{guid(self.kind, 'user')[:8]}@msp.example"
        self.secret = guid(self.kind, "secret").replace("-", "")[:25]
        self.code = guid(self.kind, "code").replace("-", "").upper()[:27]
        self.rows: dict[int, dict[str, Any]] = {}
        self.by_key: dict[str, dict[int, None]] = {}
        """Ids of tickets by their externalID."""
        self.notes: dict[int, list[dict[str, Any]]] = {}
        """By ticket."""
        self._ready()

    def _ready(self) -> None:
        self.zone, self.revoked, self.failures, self.threshold = 5, False, 0, 10_000
        self.hidden: list[str] = []
        self.asked: deque[float] = deque()
        """Times of the requests of the last hour."""
        self.made = 0
        """Tickets and notes so far: what is deleted leaves its id unused."""

    def describe(self) -> dict[str, Any]:
        """Server, sign-in, and what can be chosen."""
        return {
            "url": self.url,
            "username": self.username,
            "secret": self.secret,
            "integrationCode": self.code,
            "queueId": "29682833",
            "companies": {str(number): name for number, name in self.companies().items()},
        }

    def settle(self, body: dict[str, Any]) -> None:
        """As every receiver, and what becomes of the database (see the class)."""
        own = ("zone", "revoked", "unlocked", "threshold", "hidden")
        super().settle({k: v for k, v in body.items() if k not in own})
        self.zone = int(body.get("zone", self.zone))
        self.revoked = bool(body.get("revoked", self.revoked))
        self.threshold = int(body.get("threshold", self.threshold))
        self.hidden = [str(name) for name in body.get("hidden", self.hidden)]
        if body.get("unlocked"):
            self.failures = 0

    def clear(self) -> None:
        """Forget the tickets too."""
        super().clear()
        self.rows.clear()
        self.by_key.clear()
        self.notes.clear()
        self._ready()

    def companies(self) -> dict[int, str]:
        """Number 0 is the provider itself; the last one is not active."""
        names = [self.cloud.world.partner.name, *(tenant.name for tenant in self.cloud.world.customers())]
        return {number and 29683500 + number: name for number, name in enumerate(names)} | {OLD_CLIENT: "Old Client"}

    def shown(self) -> dict[str, Any]:
        """As every receiver, and `failures`: wrong secrets in a row."""
        return {**super().shown(), "failures": self.failures}

    def below(self, call: Call) -> str:
        """The path with any zone taken for `zone`."""
        return re.sub(r"^/zone\d+/", "/zone/", super().below(call))

    def verify(self, call: Call) -> bool:
        """Whether user, secret and tracking identifier are right, and known in this zone."""
        given = [call.headers.get(name, "") for name in ("username", "secret", "apiintegrationcode")]
        right = [self.username, self.secret, self.code]
        same = [hmac.compare_digest(one.encode(), other.encode()) for one, other in zip(given, right, strict=True)]
        return all(same) and not self.revoked and f"/zone{self.zone}/" in call.path

    def worded(self, error: CloudError) -> Any:
        """A list of texts."""
        return {"errors": [error.message]}

    def failure(self, status: int) -> Any:
        """Too many requests at once, or a stumble."""
        if status == 429:
            return {"errors": ["This API tracking identifier's thread threshold of 3 threads has been exceeded."]}
        return {"errors": ["An unexpected error occurred."]} if status == 500 else {}

    def by_hand(self, ticket_id: str, state: str) -> Ticket:
        """A person completes a ticket, or takes it up again."""
        ticket = super().by_hand(ticket_id, state)
        self.put_status(self.rows[int(ticket_id)], COMPLETE if state == "closed" else 8)
        return ticket

    def removed_by_hand(self, ticket_id: str) -> None:
        """A person deletes the ticket."""
        super().removed_by_hand(ticket_id)
        del self.rows[int(ticket_id)]

    def put_status(self, row: dict[str, Any], status: int) -> None:
        """A ticket's status, and what follows from it."""
        row["status"] = status
        row["completedDate"] = self.stamp() if status == COMPLETE else None
        self.tickets[str(row["id"])].turn("closed" if status == COMPLETE else "open")

    def signed_in(self, call: Call) -> None:
        """Raises CloudError 401, and 429 when the hour's requests are used up."""
        if not self.verify(call) or self.failures >= LOCKED_AFTER:
            self.failures += int(not self.verify(call))
            raise CloudError(401, "Unauthorized", "", body={"errors": []})
        self.failures = 0
        now = self.now().timestamp()
        while self.asked and self.asked[0] <= now - timedelta(hours=1).total_seconds():
            self.asked.popleft()
        if len(self.asked) >= self.threshold:
            raise CloudError(429, "Threshold", "The number of requests exceeds the hourly threshold for this database.")
        self.asked.append(now)

    def index(self, row: Mapping[str, Any]) -> None:
        """Have a ticket found by its externalID."""
        self.by_key.setdefault(str(row["externalID"]).casefold(), {})[int(row["id"])] = None

    def candidates(self, body: Any) -> list[dict[str, Any]]:
        """The tickets that a query about ids or one externalID can be true of, as an index gives them; else all."""
        numbers = wanted(body, "id")
        if numbers is None:
            keys = wanted(body, "externalID")
            if keys is None:
                return list(self.rows.values())
            numbers = [number for key in keys for number in self.by_key.get(str(key).casefold(), [])]
        found = dict.fromkeys(whole(number) or 0 for number in numbers)
        return [self.rows[number] for number in found if number in self.rows]

    def queried(self, call: Call, entity: str, rows: Sequence[dict[str, Any]], fields: Sequence[str]) -> Reply:
        """A page of what matches. Raises CloudError."""
        self.signed_in(call)
        searchable = [name for name in fields if name not in self.hidden]
        try:
            found, limit = run(call.body, entity, rows, searchable)
        except BadQuery as error:
            raise _refused(str(error)) from error
        more = f"{call.base_url}{call.path}/next?paging=opaque" if len(found) > limit else None
        details = {"count": len(found[:limit]), "requestCount": limit, "prevPageUrl": None, "nextPageUrl": more}
        return Reply({"items": found[:limit], "pageDetails": details})

    def fields(
        self, call: Call, fields: Sequence[str], picklists: Mapping[str, Mapping[int, str]], texts: Mapping[str, int]
    ) -> Reply:
        """What is known of an entity's fields."""
        self.signed_in(call)
        rows = [
            {
                "name": name,
                "dataType": "string" if name in texts else "integer",
                "length": texts.get(name, 0),
                "isRequired": name in ("companyID", "title", "status", "priority"),
                "isReadOnly": name in READ_ONLY,
                "isQueryable": name not in self.hidden,
                "isReference": False,
                "isPickList": name in picklists,
                "picklistValues": _picklist(name, picklists[name]) if name in picklists else None,
            }
            for name in fields
        ]
        return Reply({"fields": rows})


def _picklist(field: str, values: Mapping[int, str]) -> list[dict[str, Any]]:
    rows = [
        {
            "value": str(number),
            "label": label,
            "isDefaultValue": DEFAULTS.get(field) == number,
            "sortOrder": order,
            "parentValue": "",
            "isActive": True,
            "isSystem": number == COMPLETE,
        }
        for order, (number, label) in enumerate(values.items())
    ]
    gone = {**rows[0], "value": "77", "label": "Out of use", "isDefaultValue": False, "isActive": False}
    return [*rows, gone]


def _refused(text: str) -> CloudError:
    """A business rule says no: a 500 that names it."""
    return CloudError(500, "Refused", text)


def _checked(
    body: Mapping[str, Any],
    known: Sequence[str],
    picklists: Mapping[str, Mapping[int, str]],
    texts: Mapping[str, int],
    required: Sequence[str],
) -> dict[str, Any]:
    """The fields of a body by their own names. Raises CloudError."""
    names = {name.casefold(): name for name in known}
    unknown = [key for key in body if str(key).casefold() not in names]
    if unknown:
        raise _refused(f"Could not find member '{unknown[0]}' on object.")
    given = {names[str(key).casefold()]: value for key, value in body.items()}
    for name in required:
        if given.get(name) in (None, ""):
            raise _refused(f"Value does not exist for the required: {name}; on the entity.")
    for name, values in picklists.items():
        if given.get(name) is not None and whole(given[name]) not in values:
            raise _refused(f"Picklist value does not exist for field: {name}.")
    for name, longest in texts.items():
        if len(str(given.get(name) or "")) > longest:
            raise _refused(f"The maximum length of {name} is {longest} characters.")
    return given


@route("GET", "/atservicesrest/versioninformation")
def versions(_self: Autotask, _call: Call, _params: dict[str, str]) -> Reply:
    """Versions of the API; the later one has no zone information."""
    return Reply({"apiVersions": ["V1.0", "V2.0"]})


@route("GET", "/atservicesrest/V1.0/zoneInformation")
def zone_information(self: Autotask, call: Call, _params: dict[str, str]) -> Reply:
    """Where a user's database is; asks for no sign-in. The path has its slash doubled, as one zone's had."""
    if call.query.get("user", "").casefold() != self.username.casefold():
        raise _refused("The user could not be found.")
    place = f"{self.url}/zone{self.zone}"
    return Reply(
        {
            "zoneName": f"Zone {self.zone}",
            "url": f"{place}//ATServicesRest/",
            "webUrl": f"https://ww{self.zone}.autotask.net/",
            "ci": 1000 + self.zone,
        }
    )


@route("POST", "/zone/ATServicesRest/V1.0/Companies/query")
def companies(self: Autotask, call: Call, _params: dict[str, str]) -> Reply:
    """Companies."""
    rows = [{"id": n, "companyName": name, "isActive": n != OLD_CLIENT} for n, name in self.companies().items()]
    return self.queried(call, "Companies", rows, COMPANY_FIELDS)


@route("GET", "/zone/ATServicesRest/V1.0/Tickets/entityInformation/fields")
def ticket_fields(self: Autotask, call: Call, _params: dict[str, str]) -> Reply:
    """Fields of tickets with their picklists."""
    return self.fields(call, TICKET_FIELDS, PICKLISTS, TEXTS)


@route("GET", "/zone/ATServicesRest/V1.0/TicketNotes/entityInformation/fields")
def note_fields(self: Autotask, call: Call, _params: dict[str, str]) -> Reply:
    """Fields of notes with their picklists."""
    return self.fields(call, NOTE_FIELDS, NOTE_PICKLISTS, NOTE_TEXTS)


@route("POST", "/zone/ATServicesRest/V1.0/Tickets/query")
def tickets(self: Autotask, call: Call, _params: dict[str, str]) -> Reply:
    """Tickets, open and completed."""
    return self.queried(call, "Tickets", self.candidates(call.body), TICKET_FIELDS)


@route("POST", "/zone/ATServicesRest/V1.0/TicketNotes/query")
def notes(self: Autotask, call: Call, _params: dict[str, str]) -> Reply:
    """Notes of any ticket."""
    numbers = wanted(call.body, "ticketID")
    of = self.notes.values() if numbers is None else [self.notes.get(whole(number) or 0, []) for number in numbers]
    return self.queried(call, "TicketNotes", [note for notes in of for note in notes], NOTE_FIELDS)


@route("GET", "/zone/ATServicesRest/V1.0/Tickets/{id}")
def ticket(self: Autotask, call: Call, params: dict[str, str]) -> Reply:
    """One ticket; null when there is none."""
    self.signed_in(call)
    return Reply({"item": self.rows.get(whole(params["id"]) or 0)})


@route("POST", "/zone/ATServicesRest/V1.0/Tickets")
def new_ticket(self: Autotask, call: Call, _params: dict[str, str]) -> Reply:
    """A new ticket: company, title, status, priority, a queue or a person, and a due date unless a category has it."""
    self.signed_in(call)
    required = ["companyID", "title", "status", "priority"]
    if not value_of(call.body, "ticketCategory"):
        required.append("dueDateTime")
    if not value_of(call.body, "assignedResourceID"):
        required.append("queueID")
    given = _checked(call.body, TICKET_FIELDS, PICKLISTS, TEXTS, required)
    company = whole(given["companyID"])
    if company not in self.companies():
        raise _refused("Reference value on field: companyID of type: integer does not exist or is invalid.")
    if company == OLD_CLIENT:
        raise _refused("The company is inactive.")
    self.made += 1
    number, count = 74000 + self.made, len(self.rows) + 1
    row = dict.fromkeys(TICKET_FIELDS) | given
    row |= {"id": number, "ticketNumber": f"T{self.now():%Y%m%d}.{count:04d}", "createDate": self.stamp()}
    self.rows[number], self.notes[number] = row, []
    self.index(row)
    url = f"https://ww{self.zone}.autotask.net/Autotask/AutotaskExtend/ExecuteCommand.aspx"
    shown = self.new_ticket(number, str(given.get("externalID") or ""), str(given["title"]), company or 0, url)
    if given.get("description"):
        shown.notes.append(str(given["description"]))
    shown.priority = str(given["priority"])
    self.put_status(row, int(given["status"]))
    return Reply({"itemId": number})


@route("PATCH", "/zone/ATServicesRest/V1.0/Tickets")
def change(self: Autotask, call: Call, _params: dict[str, str]) -> Reply:
    """Change the fields that are given; the id is one of them."""
    self.signed_in(call)
    given = _checked(call.body, TICKET_FIELDS, PICKLISTS, TEXTS, ["id"])
    row = self.rows.get(whole(given["id"]) or 0)
    if row is None:
        raise _refused("No matching records found.")
    row |= {name: value for name, value in given.items() if name not in READ_ONLY}
    shown = self.tickets[str(row["id"])]
    shown.title, shown.priority = str(row["title"]), str(row["priority"])
    if "status" in given:
        self.put_status(row, int(row["status"]))
    self.index(row)
    return Reply({"itemId": row["id"]})


@route("POST", "/zone/ATServicesRest/V1.0/Tickets/{id}/Notes")
def new_note(self: Autotask, call: Call, params: dict[str, str]) -> Reply:
    """A new note."""
    self.signed_in(call)
    given = _checked(call.body, NOTE_FIELDS, NOTE_PICKLISTS, NOTE_TEXTS, ["description", "noteType", "publish"])
    number = whole(params["id"]) or 0
    if number not in self.rows:
        raise _refused("Reference value on field: ticketID of type: integer does not exist or is invalid.")
    self.made += 1
    row = {**given, "id": 900 + self.made, "ticketID": number, "createDateTime": self.stamp()}
    self.notes[number].append(row)
    self.tickets[str(number)].notes.append(str(given["description"]))
    return Reply({"itemId": row["id"]})


@route("POST", "/zone/ATServicesRest/V1.0/TicketNotes")
def misplaced_note(self: Autotask, call: Call, _params: dict[str, str]) -> Reply:
    """Notes are children of tickets: they are not made here."""
    self.signed_in(call)
    return Reply({"Message": "The requested resource does not support http method 'POST'."}, 405)


RECEIVER = Autotask
