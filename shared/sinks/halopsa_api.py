"""HaloPSA's REST API as far as tickets need it: where to sign in, the token, lists, and what its errors mean.

Sources: as in shared/sinks/halopsa.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from shared.sinks import psa
from shared.sinks.contract import Outlet, SinkError, SinkSettings
from shared.sinks.http import Answer, call
from shared.sinks.memory import forget, remembered

_DAY = timedelta(days=1)
_EARLY = timedelta(minutes=1)
"""A token is not used in its last minute."""
_USUAL_SECONDS = 600.0
"""Of a token whose life is not told, or is no number of seconds."""
_A_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Login:
    """Who calls, and where. `tenant` is empty when HaloPSA is to be asked for it."""

    url: str
    client_id: str
    client_secret: str
    tenant: str


@dataclass(frozen=True)
class _Token:
    text: str
    until: datetime


class Api:
    """The API with one sink's settings. Every method raises SinkError."""

    def __init__(self, outlet: Outlet, settings: SinkSettings, login: Login) -> None:
        self._outlet, self._settings, self._login = outlet, settings, login

    async def rows(self, path: str, query: Mapping[str, str], name: str, *, key: str = "id") -> list[dict[str, Any]]:
        """A list, which comes bare or under its name with the counts of its pages; each row has its `key`."""
        return (await self.request("GET", path, path, query=query)).rows(name, key=key)

    async def post(self, path: str, body: Mapping[str, Any], what: str) -> dict[str, Any]:
        """Make or change one thing: the API takes lists, and answers with the one thing or a list of it."""
        answer = await self.request("POST", path, what, body=[body])
        if isinstance(answer.json(), list):
            rows = answer.rows()
            if not rows:
                raise answer.odd("is empty")
            return rows[0]
        return answer.row()

    async def request(
        self, method: str, path: str, what: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """One request. A token that is refused is asked for anew once: rights are written into it."""
        answer = await self._send(method, path, query, body)
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            forget(self._outlet, "token")
            answer = await self._send(method, path, query, body)
        return psa.judge(answer, what, _said(answer))

    async def _send(self, method: str, path: str, query: Mapping[str, str] | None, body: Any) -> Answer:
        headers = {"Authorization": f"Bearer {await self._token()}", "Accept": "application/json"}
        url = f"{self._login.url}/api/{path}"
        return await call(self._outlet, method, url, headers=headers, params=query or None, body=body)

    async def _token(self) -> str:
        async def ask() -> _Token:
            place, tenant = await self._sign_in_place()
            form = {
                "grant_type": "client_credentials",
                "client_id": self._login.client_id,
                "client_secret": self._login.client_secret,
                "scope": "all",
            }
            answer = await call(self._outlet, "POST", place, form=form, params={"tenant": tenant} if tenant else None)
            said = _said(answer)
            if answer.status == HTTPStatus.BAD_REQUEST and "invalid_client" in answer.beginning:
                raise answer.error(permanent=True, disable=True, message=f"HaloPSA refuses the sign-in: {said}")
            found = psa.judge(answer, "HaloPSA's sign-in", said).object()
            token = found.get("access_token")
            if not isinstance(token, str) or not _A_TOKEN.fullmatch(token):
                raise SinkError("HaloPSA's sign-in gave no token that can be used.", status=answer.status)
            return _Token(token, self._outlet.now + _life(found.get("expires_in")) - _EARLY)

        token = await remembered(self._outlet, self._settings, "token", _DAY, ask)
        if token.until <= self._outlet.now:
            forget(self._outlet, "token")
            token = await remembered(self._outlet, self._settings, "token", _DAY, ask)
        return token.text

    async def _sign_in_place(self) -> tuple[str, str]:
        """URL of the token endpoint, and the tenant to name there."""

        async def ask() -> tuple[str, str]:
            answer = await call(self._outlet, "GET", f"{self._login.url}/api/authinfo")
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                psa.judge(answer, "HaloPSA's place to sign in")
            try:
                told = answer.object()
            except SinkError:
                told = {}  # an installation without such a place
            place, tenant = told.get("auth_url"), told.get("tenant_id")
            if not all(isinstance(value, str | None) for value in (place, tenant)):
                raise SinkError("HaloPSA does not say where to sign in: auth_url and tenant_id are no texts.")
            return f"{(place or f'{self._login.url}/auth').rstrip('/')}/token", tenant or ""

        place, tenant = await remembered(self._outlet, self._settings, "place", _DAY, ask)
        return place, self._login.tenant or tenant


def _life(seconds: Any) -> timedelta:
    """How long a token lasts, by what it says: a number, or the text of one."""
    try:
        told = float(seconds)
    except (TypeError, ValueError, OverflowError):
        told = 0.0
    return timedelta(seconds=told if 0 < told <= _DAY.total_seconds() else _USUAL_SECONDS)


def _said(answer: Answer) -> str:
    """The API's own words for an error."""
    found = answer.told()
    words = (found.get("Message"), found.get("message"), found.get("error_description"), found.get("error"))
    return next((str(word) for word in words if word), "")
