"""Autotask's REST API as far as tickets need it: the zone, queries, picklists, and what its errors mean.

Sources: autotask.net/help/developerhelp/content/apis/REST (REST_Basic_Query_Calls, REST_Security_Auth,
General_Topics), its Swagger in github.com/KelvinTegelaar/AutotaskAPI (v1.json: paths and fields), and how public
clients meet it: github.com/tphakala/go-autotask, github.com/KelvinTegelaar/AutotaskAPI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from shared.sinks import psa
from shared.sinks.contract import Outlet, SinkError, SinkSettings
from shared.sinks.http import Answer, call
from shared.sinks.memory import forget, remembered

VERSION = "V1.0"
"""Of the API. `versioninformation` names later ones too, which have no zoneInformation."""
BASE = "https://webservices2.autotask.net"
"""Any zone tells which zone a user's database is in."""
DOMAIN = ".autotask.net"
QUERY_PAGE = 500
"""Records of a query at most; also conditions of one."""
_DAY, _MINUTES = timedelta(days=1), timedelta(minutes=10)
THREADS_WAIT, THRESHOLD_WAIT = 5.0, 60.0
"""Seconds to wait when it does not say: too many requests at once, or in the last hour."""
_PASSING = ("unexpected error", "timeout", "timed out", "deadlock", "try again", "maintenance", "unavailable")
"""Words of a 500 that is not about the request. Every other one that names errors is how it refuses what was sent."""


@dataclass(frozen=True)
class Login:
    """Who calls. `base` is where the zone is asked for."""

    username: str
    secret: str
    integration_code: str
    base: str = BASE


@dataclass(frozen=True)
class Zone:
    """Where a user's database is: `api` ends with a slash, `web` is for people."""

    name: str
    api: str
    web: str


@dataclass(frozen=True)
class Field:
    """A field of an entity. `values` of a picklist: its active ones, id -> label, in their order."""

    name: str
    length: int
    searchable: bool
    writable: bool
    values: Mapping[str, str]
    default: str | None


class Api:
    """The API with one sink's settings. Every method raises SinkError."""

    def __init__(self, outlet: Outlet, settings: SinkSettings, login: Login) -> None:
        self._outlet, self._settings, self._login = outlet, settings, login

    async def zone(self) -> Zone:
        """The zone of the user, asked once a day and without credentials."""

        async def ask() -> Zone:
            user = quote(self._login.username, safe="")
            url = f"{self._login.base.rstrip('/')}/atservicesrest/{VERSION}/zoneInformation?user={user}"
            answer = await call(self._outlet, "GET", url)
            said = _said(answer)
            if said and _about_request(answer, said):
                message = f"Autotask has no zone for {self._login.username}: {said}"
                raise answer.error(permanent=True, disable=True, message=message)
            found = _judge(answer, "The zone").json()
            api = str(found.get("url") or "").rstrip("/") if isinstance(found, dict) else ""
            if not api or not _at_autotask(self._login.base, api):
                raise SinkError(f"The zone of {self._login.username} is not at Autotask: {api}.", status=answer.status)
            # One zone gave its path with a doubled slash.
            parts = urlsplit(api)
            api = parts._replace(path=parts.path.replace("//", "/")).geturl()
            web = str(found.get("webUrl") or "").rstrip("/")
            web = web if web.startswith("https://") else ""
            return Zone(str(found.get("zoneName") or ""), f"{api}/{VERSION}/", web)

        return await remembered(self._outlet, self._settings, "zone", _DAY, ask)

    async def request(self, method: str, path: str, what: str, body: Any = None) -> Any:
        """The answer's JSON."""
        return (await self._ask(method, path, what, body)).json()

    async def _ask(self, method: str, path: str, what: str, body: Any = None) -> Answer:
        """The answer. A database that moved to another zone is followed: the old one knows no such user."""
        zone = await self.zone()
        answer = await self._send(method, zone, path, body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            forget(self._outlet, "zone")
            present = await self.zone()
            if present != zone:
                answer = await self._send(method, present, path, body)
        return _judge(answer, what)

    async def query(
        self, entity: str, filters: Sequence[Mapping[str, Any]], fields: Sequence[str], *, limit: int = QUERY_PAGE
    ) -> list[dict[str, Any]]:
        """Records that match every filter (`{op, field, value}`), at most `limit` of them in no order."""
        body = {"MaxRecords": limit, "IncludeFields": list(fields), "Filter": list(filters)}
        return (await self._ask("POST", f"{entity}/query", entity, body)).rows("items")

    async def fields(self, entity: str) -> dict[str, Field]:
        """An entity's fields by their names in lower case, asked every few minutes."""

        async def ask() -> dict[str, Field]:
            answer = await self._ask("GET", f"{entity}/entityInformation/fields", f"The fields of {entity}")
            try:
                return {field.name.lower(): field for field in map(_field, answer.object()["fields"])}
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise answer.odd(f"has no fields of {entity} as Autotask describes them") from error

        return await remembered(self._outlet, self._settings, f"fields:{entity}", _MINUTES, ask)

    async def _send(self, method: str, zone: Zone, path: str, body: Any) -> Answer:
        headers = {
            "ApiIntegrationCode": self._login.integration_code,
            "UserName": self._login.username,
            "Secret": self._login.secret,
            "Accept": "application/json",
        }
        return await call(self._outlet, method, f"{zone.api}{path}", headers=headers, body=body)


def _field(row: Mapping[str, Any]) -> Field:
    picked = [one for one in row.get("picklistValues") or [] if one.get("isActive", True)]
    picked.sort(key=lambda one: int(one.get("sortOrder") or 0))
    default = next((str(one["value"]) for one in picked if one.get("isDefaultValue")), None)
    return Field(
        name=str(row.get("name") or ""),
        length=int(row.get("length") or 0),
        searchable=bool(row.get("isQueryable")),
        writable=not row.get("isReadOnly"),
        values={str(one["value"]): str(one.get("label") or one["value"]) for one in picked},
        default=default,
    )


def _said(answer: Answer) -> str:
    """Its own words for an error, from `{"errors": [...]}`; the rows are texts, or objects with a message."""
    rows = answer.told().get("errors")
    if not isinstance(rows, list):
        return ""
    return " ".join(str(row.get("message", "")) if isinstance(row, dict) else str(row) for row in rows).strip()


def _about_request(answer: Answer, said: str) -> bool:
    """Whether an error is about what was asked: a business rule that refuses is told as a 500 with errors."""
    words = said.casefold()
    refused = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR)
    return answer.status in refused and not any(word in words for word in (*_PASSING, "threshold"))


def _judge(answer: Answer, what: str) -> Answer:
    """The answer when it is 2xx. Raises SinkError: see `psa.judge`; and a 500 that names errors is permanent."""
    if answer.ok:
        return answer
    said = _said(answer)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or "threshold" in said.casefold():
        wait = THREADS_WAIT if "thread threshold" in said.casefold() else THRESHOLD_WAIT
        asked = answer.retry_after
        text = f"{what}: {answer.status} {said or answer.beginning}"
        raise SinkError(text, status=answer.status, retry_after=wait if asked is None else asked)
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR and said and _about_request(answer, said):
        raise answer.error(permanent=True, message=f"{what}: {said}")
    return psa.judge(answer, what, said)


def _at_autotask(base: str, zone: str) -> bool:
    """Whether a zone is Autotask's, or where it was asked for: credentials go nowhere else."""
    try:
        asked, given = urlsplit(base), urlsplit(zone)
    except ValueError:
        return False
    if not given.hostname or asked.scheme != given.scheme:
        return False
    return asked.netloc == given.netloc or all(str(row.hostname).endswith(DOMAIN) for row in (asked, given))
