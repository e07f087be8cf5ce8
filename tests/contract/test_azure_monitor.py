"""What Azure Monitor is sent, by a process that is set up as in Azure, and what it is not."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_settings import NEEDED

ROOT = Path(__file__).parent.parent.parent
KEY = "00000000-0000-4000-8000-000000000001"
PROGRAM = """
import asyncio, logging, os, sys
import httpx
from azure.core.pipeline.transport import HttpRequest
from functions import tracing
from functions.api import asgi, create
from shared import settings, telemetry
from shared.microsoft.transport import open_transport

passed_on = []


class Worker(logging.Handler):
    def emit(self, record):
        passed_on.append(self.format(record))


async def main():
    logging.getLogger().addHandler(Worker())
    logging.getLogger().setLevel(logging.INFO)
    configured = settings.load()
    telemetry.start(configured)
    api = create([])

    @api.get("/api/example/{secret}")
    async def example(secret: str) -> None:
        transport = open_transport(configured)
        await transport.http.get(f"{configured.arm_url}/subscriptions/canary?sig=canary")
        await transport.http.get(f"{os.environ['ELSEWHERE']}/canary?sig=canary")
        request = HttpRequest("GET", f"{configured.key_vault_url}/secrets/canary?sig=canary")
        await transport.azure.send(request)
        await transport.close()
        logging.getLogger("tenantry.example").warning("asked https://x.example/canary?sig=canary")
        logging.getLogger("other").warning("asked https://x.example/canary?sig=canary")
        raise ValueError("canary")

    transport = httpx.ASGITransport(asgi(api, "https://portal.example"))
    async with httpx.AsyncClient(transport=transport, base_url="https://api.example") as client:
        await client.get("/api/example/canary?code=canary", headers={"x-ms-client-request-id": "call-1"})
    telemetry.level("tenantry.poll.age", 5.0, state="read")
    telemetry.flush()
    assert not [line for line in passed_on if "canary" in line], passed_on
    assert len(passed_on) == 3, passed_on


asyncio.run(main())
"""


@dataclass
class Ingestion:
    """Stands for the ingestion endpoint of Azure Monitor, and for any other server."""

    url: str
    items: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The items of a base type, without those that the SDK sends of itself."""
        found = [item["data"]["baseData"] for item in self.items if item["data"]["baseType"] == kind]
        return [row for row in found if not str(row.get("metrics", [{}])[0].get("name", "")).startswith("_OTEL")]


@pytest.fixture
def ingestion() -> Iterator[Ingestion]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path != "/v2.1/track":
                self.answer({})
                return
            items = json.loads(body)
            found.items += items
            self.answer({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []})

        def answer(self, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    # By several names, as several services.
    with ThreadingHTTPServer(("0.0.0.0", 0), Handler) as server:  # noqa: S104
        found = Ingestion(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


async def test_azure_monitor_is_sent_requests_calls_logs_and_metrics_and_no_secret(ingestion: Ingestion) -> None:
    named = {name.upper(): value for name, value in NEEDED.items()} | {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={KEY};IngestionEndpoint={ingestion.url}/",
        "ARM_URL": ingestion.url,
        "KEY_VAULT_URL": ingestion.url.replace("127.0.0.1", "localhost"),
        "ELSEWHERE": ingestion.url.replace("127.0.0.1", "127.0.0.2"),
        "OTEL_TRACES_SAMPLER": "always_on",
        # What the SDK tells Microsoft of itself.
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    }
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM),
        cwd=ROOT,
        env={**os.environ, **named},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await child.communicate()
    assert child.returncode == 0, said.decode()
    assert "canary" not in json.dumps(ingestion.items)

    [request] = ingestion.of("RequestData")
    assert request["name"] == "GET /api/example/{secret}"
    assert request["success"] is False
    assert request["properties"]["tenantry.correlation_id"] == "call-1"
    calls = {call["name"]: call for call in ingestion.of("RemoteDependencyData")}
    assert set(calls) == {"GET /subscriptions/*", "GET /secrets/*"}
    assert {call["properties"]["tenantry.service"] for call in calls.values()} == {"arm", "vault"}
    assert {call["target"] for call in calls.values()} == {
        ingestion.url.partition("//")[2],
        ingestion.url.partition("//")[2].replace("127.0.0.1", "localhost"),
    }
    lines = {line["message"]: line["properties"] for line in ingestion.of("MessageData")}
    assert set(lines) == {"asked https://x.example/***"}
    [failed] = ingestion.of("ExceptionData")
    assert failed["properties"]["correlation_id"] == "call-1"
    assert failed["exceptions"][0]["typeName"] == "ValueError"
    metrics = [(row["metrics"][0]["name"], *row["properties"].values()) for row in ingestion.of("MetricData")]
    assert set(metrics) == {
        ("tenantry.poll.age", "read"),
        ("tenantry.microsoft.calls", "arm", "200"),
        ("tenantry.microsoft.calls", "vault", "200"),
    }
    traces = {item["tags"]["ai.operation.id"] for item in ingestion.items if "ai.operation.id" in item["tags"]}
    assert len(traces) == 1
    assert {item["tags"]["ai.cloud.role"] for item in ingestion.items} == {"tenantry"}
