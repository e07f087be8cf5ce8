"""What is told of a request, a job and an exception, and what is left out of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from functions import tracing
from functions.api import asgi, create
from shared import correlation, jobs, telemetry
from shared.settings import Settings
from tests.unit.test_settings import NEEDED

HOST = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Telemetry into a file; gives its lines so far."""
    file = tmp_path / "telemetry.jsonl"
    telemetry.start(Settings(**NEEDED, telemetry=str(file)))

    def lines() -> list[dict[str, Any]]:
        telemetry.flush()
        return [json.loads(line) for line in file.read_text().splitlines()]

    yield lines
    telemetry.stop()


def test_nothing_is_told_unless_the_settings_say_where() -> None:
    telemetry.start(Settings(**NEEDED))
    assert not telemetry.is_on()
    with telemetry.span("anything") as span:
        assert not span.is_recording()
        assert telemetry.traceparent() is None
    telemetry.count("tenantry.deliveries")


async def test_a_request_is_told_by_its_route_as_a_child_of_the_hosts_span(
    told: Callable[[], list[dict[str, Any]]],
) -> None:
    api = create([])

    @api.get("/api/example/{secret}")
    async def example(secret: str) -> None:
        raise ValueError(f"a text with {secret}")

    inside = asgi(api, "https://portal.example")

    async def hosted(scope: Scope, receive: Receive, send: Send) -> None:
        scope["azure_functions.trace_context"] = SimpleNamespace(trace_parent=HOST)
        await inside(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(hosted), base_url="https://api.example") as client:
        await client.get("/api/example/canary?code=canary", headers={"x-ms-client-request-id": "call-1"})
        await client.get("/api/nothing/canary")
    lines = told()
    assert "canary" not in json.dumps(lines)
    served, unknown = (line for line in lines if "start_time" in line)
    assert (served["name"], unknown["name"]) == ("GET /api/example/{secret}", "GET")
    assert served["kind"] == "SpanKind.SERVER"
    assert served["parent_id"] == f"0x{HOST.split('-')[2]}"
    assert served["status"]["status_code"] == "ERROR"
    assert served["attributes"] == {
        "http.request.method": "GET",
        "http.route": "/api/example/{secret}",
        "http.response.status_code": 500,
        "error.type": "500",
        "tenantry.correlation_id": "call-1",
    }
    [log] = [line for line in lines if "body" in line]
    assert log["body"] == "unhandled error, request call-1 GET /api/example/{secret}"
    assert log["attributes"]["exception.type"] == "ValueError"


@pytest.mark.parametrize(
    "path, shown",
    [
        ("/subscriptions", "/subscriptions"),
        ("/subscriptions/4f/resources", "/subscriptions/*/resources"),
        (
            "/subscriptions/4f/resourceGroups/Microsoft.Web/providers/Microsoft.Sql/servers/alice/databases/bob/resume",
            "/subscriptions/*/resourceGroups/*/providers/Microsoft.Sql/servers/*/databases/*/resume",
        ),
        (
            "/subscriptions/4f/resourceGroups/providers/providers/Microsoft.Web/sites/alice/providers/Microsoft.X/y/bob",
            "/subscriptions/*/resourceGroups/*/providers/Microsoft.Web/sites/*/providers/Microsoft.X/y/*",
        ),
        ("/providers/Microsoft.ResourceGraph/resources", "/providers/Microsoft.ResourceGraph/resources"),
        ("/v1.0/servicePrincipals(appId='4f')/owners", "/v1.0/servicePrincipals/owners"),
        ("/v1.0/users/alice@contoso.com", "/v1.0/users/*"),
        ("/contoso.onmicrosoft.com/oauth2/v2.0/token", "/*/oauth2/v2.0/token"),
        ("/secrets/connection-4f-refresh-token/9a", "/secrets/*"),
    ],
)
def test_a_path_is_told_without_names_and_ids(path: str, shown: str) -> None:
    assert telemetry.template(path) == shown


def test_of_an_exception_its_place_is_told_and_not_what_it_says(told: Callable[[], list[dict[str, Any]]]) -> None:
    correlation.begin("call-1")
    with pytest.raises(tracing.Failed) as failed, tracing.run("job example", "consumer"):
        raise ValueError("alice@contoso.com sent Bearer 0123456789")
    assert str(failed.value) == "job example: ValueError: *** sent Bearer ***"
    assert failed.value.__suppress_context__
    log, span = sorted(told(), key=lambda line: "start_time" in line)
    assert log["body"] == "job example failed"
    assert log["attributes"]["exception.type"] == span["attributes"]["error.type"] == "ValueError"
    assert "test_telemetry.py" in log["attributes"]["exception.stacktrace"]
    assert log["attributes"]["correlation_id"] == span["attributes"]["tenantry.correlation_id"] == "call-1"
    assert log["span_id"] == span["context"]["span_id"]
    assert "contoso" not in json.dumps([log, span])


def test_a_job_is_of_the_trace_that_sent_it_and_linked_to_the_hosts(told: Callable[[], list[dict[str, Any]]]) -> None:
    with tracing.run("job example", "consumer", parent=OTHER, link=HOST):
        assert (telemetry.traceparent() or "").split("-")[1] == OTHER.split("-")[1]
    [span] = told()
    assert span["parent_id"] == f"0x{OTHER.split('-')[2]}"
    assert [link["context"]["span_id"] for link in span["links"]] == [f"0x{HOST.split('-')[2]}"]


def test_a_trace_that_makes_no_sense_begins_a_new_one(told: Callable[[], list[dict[str, Any]]]) -> None:
    with tracing.run("job example", "consumer", parent="nonsense", link="nonsense"):
        pass
    [span] = told()
    assert span["parent_id"] is None
    assert span["links"] == []


def test_messages_of_the_version_before_have_no_trace_and_work() -> None:
    before = jobs.Deliver.model_validate_json('{"version": 1, "correlation_id": "c", "sink_id": "s"}')
    assert before.traceparent is None
    assert "traceparent" not in before.model_dump_json(exclude_none=True)
    now = before.model_copy(update={"traceparent": HOST})
    assert jobs.Deliver.model_validate_json(now.model_dump_json(exclude_none=True)) == now


def test_a_log_record_is_cleaned_in_a_copy() -> None:
    record = logging.LogRecord("tenantry.x", logging.INFO, __file__, 1, "to %s", ("alice@contoso.com",), None)
    assert telemetry.cleaned(record).getMessage() == "to ***"
    assert record.getMessage() == "to alice@contoso.com"
