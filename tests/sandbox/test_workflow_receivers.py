"""The receivers behind workflow triggers: what the trigger refuses, and what turns out in the run."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

CARD: dict[str, Any] = {"type": "AdaptiveCard", "version": "1.4", "body": []}


def posted(card: Any = None, **fields: Any) -> dict[str, Any]:
    """A message with one card."""
    content = {**CARD, **fields} if card is None else card
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [attachment]}


async def url_of(control: httpx.AsyncClient, kind: str) -> str:
    found: str = (await control.get("/world")).json()["receivers"][kind]["url"]
    return found


async def shown(control: httpx.AsyncClient, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = (await control.get(f"/receivers/{kind}")).json()
    return found


@pytest.mark.parametrize("kind", ["teams", "logicapps"])
async def test_a_trigger_refuses_by_url_and_state(
    control: httpx.AsyncClient, http: httpx.AsyncClient, kind: str
) -> None:
    url = await url_of(control, kind)

    async def code(address: str, method: str = "POST") -> tuple[int, str]:
        answer = await http.request(method, address, json={})
        return answer.status_code, answer.json()["error"]["code"] if answer.content else ""

    assert (await code(url))[0] == 202
    assert await code(url, "GET") == (404, "NotFound")
    assert await code(url.replace("/workflows/", "/workflows/x")) == (404, "WorkflowNotFound")
    assert await code(url.partition("&sig=")[0]) == (401, "DirectApiAuthorizationRequired")
    assert await code(f"{url}x") == (401, "AuthorizationFailed")
    await control.put(f"/receivers/{kind}", json={"required": ["board"]})
    assert await code(url) == (400, "TriggerInputSchemaMismatch")
    await control.put(f"/receivers/{kind}", json={"enabled": False})
    assert await code(url) == (400, "WorkflowTriggerIsNotEnabled")
    await control.delete(f"/receivers/{kind}")
    assert (await code(url))[0] == 202


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"type": "message"},
        {"type": "message", "attachments": []},
        posted([]),
        posted({"type": "MessageCard"}),
        posted(version="2.0"),
        posted(body=[{"type": "Unknown"}]),
        posted(actions=[{"type": "Action.Unknown"}]),
        posted(actions=[{"type": "Action.OpenUrl", "url": "javascript:x"}]),
        posted(actions=[{"type": "Action.OpenUrl", "url": "https://a.example"}] * 7),
        posted(body=[{"type": "TextBlock", "text": "x" * 30_000}]),
    ],
)
async def test_a_card_that_teams_would_not_show_fails_its_run_after_the_202(
    control: httpx.AsyncClient, http: httpx.AsyncClient, body: Any
) -> None:
    assert (await http.post(await url_of(control, "teams"), json=body)).status_code == 202
    seen = await shown(control, "teams")
    assert [run["status"] for run in seen["runs"]] == ["Failed"]
    assert seen["cards"] == []


async def test_text_that_teams_renders_is_told_from_text_that_it_shows(
    control: httpx.AsyncClient, http: httpx.AsyncClient
) -> None:
    bold, mention, when = "a **b**", "<at>Bob</at>", "{{DATE(2026-01-01T00:00:00Z)}}"
    body = [
        {"type": "TextBlock", "text": bold},
        {
            "type": "Container",
            "items": [{"type": "RichTextBlock", "inlines": [bold, {"type": "TextRun", "text": "c"}]}],
        },
        {"type": "FactSet", "facts": [{"title": "T", "value": bold}]},
        {"type": "RichTextBlock", "inlines": [mention]},
        {"type": "ColumnSet", "columns": [{"type": "Column", "items": [{"type": "TextBlock", "text": when}]}]},
        {"type": "TextBlock", "text": "plain"},
    ]
    await http.post(await url_of(control, "teams"), json=posted(body=body))
    [card] = (await shown(control, "teams"))["cards"]
    assert card["texts"] == [bold, f"{bold}c", f"T: {bold}", mention, when, "plain"]
    assert card["active"] == [bold, f"T: {bold}", mention, when]


async def test_a_logic_app_reads_json_only(control: httpx.AsyncClient, http: httpx.AsyncClient) -> None:
    url = await url_of(control, "logicapps")
    for content, media in (
        (b'{"data": {}}', "application/cloudevents+json"),
        (b"[", "application/json"),
        (b"[]", "application/json"),
    ):
        assert (await http.post(url, content=content, headers={"Content-Type": media})).status_code == 202
    assert [run["status"] for run in (await shown(control, "logicapps"))["runs"]] == ["Failed"] * 3
