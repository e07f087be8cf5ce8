"""ConnectWise PSA's REST API as far as tickets need it: where it is, the sign-in, and what its errors mean.

Sources: as in shared/sinks/connectwise.py.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from shared.sinks import psa
from shared.sinks.contract import Outlet, SinkError, SinkSettings
from shared.sinks.http import Answer, call
from shared.sinks.memory import forget, remembered

_CLOUD = frozenset({"na", "eu", "au", "aus", "za", "in", "staging", "sandbox-na", "sandbox-eu", "sandbox-au"})
"""Hosted at {region}.myconnectwise.net for people and api-{region}.myconnectwise.net for programs."""
_DAY = timedelta(days=1)
_LOST_ROUTE = "cannot route"
"""A 400 of the gateway: it knows no such company or codebase (\"Cannot route. Codebase/company is invalid\")."""


@dataclass(frozen=True)
class Login:
    """Who calls, and where. `url` is where people sign in."""

    url: str
    company: str
    public_key: str
    private_key: str
    client_id: str


class Api:
    """The API with one sink's settings. Every method raises SinkError."""

    def __init__(self, outlet: Outlet, settings: SinkSettings, login: Login) -> None:
        self._outlet, self._settings, self._login = outlet, settings, login

    async def rows(self, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """A list that fits on the page asked for; each row has an id."""
        return (await self.request("GET", path, path, query=query)).rows()

    async def request(
        self, method: str, path: str, what: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """One request to the API. When the codebase has moved on, it is asked for again and the request repeated."""
        root = await self._root()
        answer = await self._send(method, f"{root}{path}", query, body)
        if _lost(answer):
            forget(self._outlet, "root")
            present = await self._root()
            if present != root:
                answer = await self._send(method, f"{present}{path}", query, body)
        said = _said(answer)
        if answer.status == HTTPStatus.BAD_REQUEST and _LOST_ROUTE in said.casefold():
            raise answer.error(permanent=True, disable=True, message=f"{what}: 400 {said}")
        return psa.judge(answer, what, said)

    async def _send(self, method: str, url: str, query: Mapping[str, str] | None, body: Any) -> Answer:
        login = self._login
        member = f"{login.company}+{login.public_key}:{login.private_key}"
        headers = {
            "Authorization": f"Basic {base64.b64encode(member.encode()).decode()}",
            "clientId": login.client_id,
            "Accept": "application/vnd.connectwise.com+json",
            "Cache-Control": "no-cache",
        }
        return await call(self._outlet, method, url, headers=headers, params=query, body=body)

    async def _root(self) -> str:
        """Where the API is: its path has the version that the company runs now."""

        async def ask() -> str:
            base, company = server(self._login.url), self._login.company
            answer = await call(self._outlet, "GET", f"{base}/login/companyinfo/{quote(company, safe='')}")
            # A company that is not known is answered with null.
            found = psa.judge(answer, "The company's version").json()
            codebase = found.get("Codebase") if isinstance(found, dict) else None
            if not isinstance(codebase, str) or not codebase.strip("/"):
                raise SinkError(f"{base} knows no login company {company}.", status=answer.status)
            return f"{base}/{quote(codebase.strip('/'))}/apis/3.0/"

        return await remembered(self._outlet, self._settings, "root", _DAY, ask)


def server(url: str) -> str:
    """Where programs call; people know the hosted one by another name."""
    parts = urlsplit(url.rstrip("/"))
    region, _, rest = parts.netloc.partition(".")
    if rest == "myconnectwise.net" and region in _CLOUD:
        return parts._replace(netloc=f"api-{parts.netloc}").geturl()
    return parts.geturl()


def _lost(answer: Answer) -> bool:
    """Whether nobody listens at the codebase's path: a 404 that is not the API's own, or the gateway's 400."""
    if answer.status == HTTPStatus.NOT_FOUND:
        return not _said(answer)
    return answer.status == HTTPStatus.BAD_REQUEST and _LOST_ROUTE in answer.beginning.casefold()


def _said(answer: Answer) -> str:
    """The API's own words for an error: its message, and those of the fields."""
    found = answer.told()
    errors = found.get("errors")
    rows = errors if isinstance(errors, list) else []
    details = [str(row.get("message") or "") for row in rows if isinstance(row, dict)]
    return " ".join(part for part in (str(found.get("message") or ""), *details) if part)
