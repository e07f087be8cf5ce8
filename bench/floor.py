"""The floor: the requests of a poll cycle, sent again by a bare client that does nothing with the answers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import time
from collections.abc import Iterable
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import aiohttp

from bench.stage import Stage

ARM = "https://management.azure.com/.default"
VERIFIER = "v" * 50


class Floor:
    """Sends requests with a bounded number in flight; keeps its connections between runs, as the host does."""

    def __init__(self, stage: Stage, in_flight: int) -> None:
        self.stage, self.in_flight = stage, in_flight
        self._tokens: dict[str, str] = {}
        context = ssl.create_default_context(cafile=str(stage.authority))
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight, ssl=context))

    async def __aenter__(self) -> Self:
        """Get a token for each tenant, which is not part of what is measured."""
        refresh_token = await self._sign_in()
        for tenant in self.stage.world["tenants"]:
            if tenant["name"].startswith("Customer "):
                form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "scope": ARM}
                token = (await self._token(tenant["tenantId"], form))["access_token"]
                self._tokens |= {subscription["id"]: token for subscription in tenant["subscriptions"]}
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._http.close()

    async def run(self, requests: Iterable[dict[str, Any]]) -> float:
        """Seconds that the requests take."""
        arm = self.stage.world["services"]["arm"]["url"]
        waiting = list(requests)
        waiting.reverse()

        async def work() -> None:
            while waiting:
                asked = waiting.pop()
                url, body = f"{arm}{_path(asked['url'])}", asked.get("body")
                token = self._tokens[_subscription(asked)]
                headers = {"Authorization": f"Bearer {token}"}
                async with self._http.request(asked["method"], url, headers=headers, json=body) as answer:
                    await answer.read()
                    answer.raise_for_status()

        begin = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(self.in_flight)))
        return time.perf_counter() - begin

    async def _sign_in(self) -> str:
        """The refresh token of dave, by authorization code and PKCE."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
        redirect = f"{self.stage.system.host_url}/api/connections/callback"
        query = {
            "client_id": self.stage.world["applications"]["tenantry"]["clientId"],
            "response_type": "code",
            "redirect_uri": redirect,
            "scope": f"{ARM} offline_access openid",
            "state": "bench",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "login_hint": "dave",
        }
        control = self.stage.world["services"]["control"]["url"]
        answer = await self.stage.http.get(f"{control}/organizations/oauth2/v2.0/authorize", params=query)
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": VERIFIER}
        given = await self._token("organizations", {**form, "scope": f"{ARM} offline_access openid"})
        return str(given["refresh_token"])

    async def _token(self, tenant: str, form: dict[str, str]) -> dict[str, Any]:
        application = self.stage.world["applications"]["tenantry"]
        login = self.stage.world["services"]["login"]["url"]
        client = {"client_id": application["clientId"], "client_secret": application["secret"]}
        async with self._http.post(f"{login}/{tenant}/oauth2/v2.0/token", data=client | form) as answer:
            body: dict[str, Any] = await answer.json()
            if answer.status != 200:
                raise RuntimeError(f"no token for {tenant}: {body}")
            return body


def _subscription(asked: dict[str, Any]) -> str:
    """Whose request it is: a query names its subscription in the body."""
    named = asked.get("body") or {}
    return str(named["subscriptions"][0]) if "subscriptions" in named else asked["url"].split("/subscriptions/")[1][:36]


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"
