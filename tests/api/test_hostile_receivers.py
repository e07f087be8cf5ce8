"""Receivers that answer nonsense, or repeat what we told them: an error in words, none of our secrets, never a 500."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.estate import Estate
from tests.telling import alert_of, log_of, tell, ticket_of

SECRETS = ("sek-rit/1+", "sek-rit-2", "sek-rit-token")
ANSWERS: dict[str, bytes] = {
    "deep": b"[" * 100_000,
    "list": b"[1, 2, 3]",
    "null": b"null",
    "number": b"12",
    "long": b"1" * 10_000,
    "text": b'"\xff\xfe"',
    "rows": b'[{"noid": 1}]',
}
TOKENS: dict[str, Any] = {
    "header": {"access_token": "a\r\nX-Evil: 1"},
    "unicode": {"access_token": "tök😀"},
    "object": {"access_token": {"a": 1}},
    "huge": {"access_token": "t", "expires_in": 1e300},
    "word": {"access_token": "t", "expires_in": "abc"},
    "nan": {"access_token": "t", "expires_in": "nan"},
}


async def answer(request: web.Request) -> web.Response:
    """By the first step of the path: the kind's own places are answered well, and what comes after as the step says."""
    how, path = request.match_info["how"], request.path
    body = (await request.read()).decode()
    if how == "echo" and path.endswith("/token"):
        return web.json_response({"access_token": SECRETS[2]})
    if how == "echo" and path.endswith("/authinfo"):
        return web.json_response({})
    if how == "echo" and "zoneInformation" in path:
        return web.json_response({"zoneName": "z", "url": f"http://{request.host}/echo/"})
    if how == "echo" and "companyinfo" in path:
        return web.json_response({"Codebase": "v1"})
    if how in ("echo", "echo-all"):
        said = json.dumps({**request.headers, "path": request.path_qs, "body": body})
        return web.json_response({"message": said, "errors": [said], "error": {"code": said}}, status=422)
    if how in ANSWERS:
        return web.Response(body=ANSWERS[how], content_type="application/json")
    if path.endswith("/authinfo"):
        return web.json_response({"auth_url": ["x"]} if how == "place" else {})
    if path.endswith("/token"):
        return web.json_response(TOKENS.get(how, {"access_token": "t"}))
    if "companyinfo" in path:
        return web.json_response({"Codebase": {"x": 1} if how == "codebase" else "v1"})
    if "zoneInformation" in path:
        return web.json_response({"url": "http://[" if how == "zone" else f"http://{request.host}/{how}/"})
    row = {"id": "x", "name": "externalID", "length": "abc", "picklistValues": [1]}
    return web.json_response({"fields": [row], "items": [row], "tickets": [row], "statuses": ["x"], "clients": [{}]})


@pytest_asyncio.fixture
async def stranger() -> AsyncIterator[str]:
    """Where the receiver listens."""
    app = web.Application()
    app.router.add_route("*", "/{how}{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://localhost:{runner.addresses[0][1]}"
    await runner.cleanup()


def settings(kind: str, url: str) -> dict[str, Any]:
    """Of a sink of that kind at this URL."""
    one, two, _ = SECRETS
    companies = {"companies": [{"siteId": "contoso-hq", "companyId": "1"}]}
    found: dict[str, dict[str, Any]] = {
        "connectwise": {
            "url": url,
            "company": "c",
            "publicKey": "p",
            "privateKey": one,
            "clientId": two,
            "boardId": "1",
        }
        | companies,
        "halopsa": {"url": url, "clientId": "i", "clientSecret": one} | companies,
        "autotask": {"url": url, "username": "ue", "secret": one, "integrationCode": two, "queueId": "1"} | companies,
        "teams": {"webhookUrl": f"{url}/{one}?sig={two}"},
        "webhook": {"url": f"{url}/{two}"},
    }
    return found[kind]


async def sink_at(estate: Estate, kind: str, url: str, **changes: Any) -> dict[str, Any]:
    """A sink for one site."""
    body = {"kind": kind, "name": "Stranger", "siteIds": ["contoso-hq"], "settings": settings(kind, url) | changes}
    made: dict[str, Any] = await estate.call("POST", "/sinks", 201, json=body)
    return made


@pytest.mark.parametrize(
    "kind, ways",
    [
        ("connectwise", [*ANSWERS, "codebase", "odd"]),
        ("halopsa", [*ANSWERS, *TOKENS, "place", "odd"]),
        ("autotask", [*ANSWERS, "zone", "odd"]),
    ],
)
async def test_an_odd_answer_is_an_error_in_words(estate: Estate, stranger: str, kind: str, ways: list[str]) -> None:
    for how in ways:
        sink = await sink_at(estate, kind, f"{stranger}/{how}")
        tried = await estate.call("POST", f"/sinks/{sink['id']}/test")
        assert tried["outcome"] == "failed", how
        assert not tried["detail"].startswith("It failed with an unexpected answer"), (how, tried["detail"])
        chosen = await estate.alice.get(f"/sinks/{sink['id']}/choices/companies")
        assert chosen.status_code in (400, 503), (how, chosen.text)
        await estate.call("DELETE", f"/sinks/{sink['id']}", 204)


@pytest.mark.parametrize("how", [*ANSWERS, "odd"])
async def test_a_workflow_takes_whatever_is_answered_with_success(estate: Estate, stranger: str, how: str) -> None:
    sink = await sink_at(estate, "teams", f"{stranger}/{how}")
    assert (await estate.call("POST", f"/sinks/{sink['id']}/test"))["outcome"] == "passed"


@pytest.mark.parametrize(
    "kind, how",
    [(k, h) for k in ("connectwise", "halopsa", "autotask") for h in ("echo", "echo-all")]
    + [("teams", "echo"), ("webhook", "echo")],
)
async def test_secrets_that_a_receiver_repeats_are_shown_nowhere(
    estate: Estate, stranger: str, kind: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    sink = await sink_at(estate, kind, f"{stranger}/{how}")
    alert = alert_of(estate.app, "a")
    await tell(estate, alert, ["opened"], [sink["id"]])
    tried = await estate.call("POST", f"/sinks/{sink['id']}/test")
    assert tried["outcome"] == "failed"
    assert "[secret]" in tried["detail"] or how == "echo-all"
    await estate.alice.get(f"/sinks/{sink['id']}/choices/companies")
    shown = [
        str(tried),
        (await estate.alice.get(f"/sinks/{sink['id']}/deliveries")).text,
        str(await ticket_of(estate, alert, sink)),
        str(await log_of(estate, sink)),
        caplog.text,
    ]
    member = f"c+p:{SECRETS[0]}"
    for text in (*SECRETS, "sek-rit", base64.b64encode(member.encode()).decode()):
        assert not [found for found in shown if text in found]


async def test_a_secret_that_no_header_takes_is_told_by_the_name_of_its_header(estate: Estate, stranger: str) -> None:
    sink = await sink_at(estate, "autotask", f"{stranger}/odd", secret="a\r\nb")
    tried = await estate.call("POST", f"/sinks/{sink['id']}/test")
    assert tried["detail"].startswith("What is set for Secret cannot be sent")
