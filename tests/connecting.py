"""The way of an administrator and a browser through a connection, for every test that needs one."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx


async def draft(alice: httpx.AsyncClient, tenant_id: str, name: str = "Northwind") -> dict[str, Any]:
    """A new connection as the API shows it."""
    answer = await alice.post("/connections", json={"name": name, "partnerTenantId": tenant_id})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def begin_sign_in(alice: httpx.AsyncClient, connection_id: str) -> str:
    """The address of Microsoft's sign-in page."""
    answer = await alice.post(f"/connections/{connection_id}/authorize")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["authorizationUrl"])


async def press(url: str, **form: str) -> str:
    """Press a button of the sign-in page (person=..., or cancel=...): the address the browser is sent to."""
    async with httpx.AsyncClient(timeout=30) as browser:
        answer = await browser.post(url, data=form)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


async def come_back(url: str) -> dict[str, str]:
    """Follow the way back to the application: what the portal is told."""
    async with httpx.AsyncClient(timeout=60) as browser:
        answer = await browser.get(url)
    assert answer.status_code == 302, answer.text
    target = urlsplit(answer.headers["location"])
    return dict(parse_qsl(target.query))


async def sign_in(alice: httpx.AsyncClient, connection_id: str, person: str = "dave") -> dict[str, str]:
    """Generate Token as a person: what the portal is told at the end."""
    return await come_back(await press(await begin_sign_in(alice, connection_id), person=person))


async def connect(alice: httpx.AsyncClient, control: httpx.AsyncClient, person: str = "dave") -> str:
    """The id of an active connection to the partner of the world."""
    world = (await control.get("/world")).json()
    connection = await draft(alice, world["partner"]["tenantId"])
    told = await sign_in(alice, connection["id"], person)
    assert "error" not in told, told
    tested = (await alice.post(f"/connections/{connection['id']}/test")).json()
    assert tested["outcome"] == "passed", tested
    completed = await alice.post(f"/connections/{connection['id']}/complete")
    assert completed.status_code == 200, completed.text
    return str(connection["id"])


async def shown(alice: httpx.AsyncClient, connection_id: str) -> dict[str, Any]:
    """A connection as the API shows it."""
    answer = await alice.get(f"/connections/{connection_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def checks(alice: httpx.AsyncClient, connection_id: str) -> tuple[str, dict[str, dict[str, str]]]:
    """The outcome of a connection's test, and its checks by id."""
    answer = await alice.post(f"/connections/{connection_id}/test")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body["outcome"], {check["id"]: check for check in body["checks"]}
