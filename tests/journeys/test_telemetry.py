"""What is told of the main job: one trace from its cause to its ticket, and neither a secret nor a person in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.host import Host
from shared import app as composition
from shared import telemetry
from shared.connections.signing_in import SIGN_INS
from shared.jobs import Watch
from shared.microsoft.identity import refresh_secret_name
from tests.app_fixtures import clients, emptied, settling
from tests.journeys.installation import Installation
from tests.unit.test_event_parsing import ALERT

FREE_TEXT = "Mrs Canary asked for it on the phone"
CLIENT_SECRET = "canary~8Q~client.secret.of.the.partner"


@dataclass
class Told:
    """What was told of one run, and what must be nowhere in it, by what it is."""

    lines: list[dict[str, Any]]
    logged: str
    text: str
    canaries: dict[str, str] = field(default_factory=dict)

    @property
    def spans(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "start_time" in line]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [span for span in self.spans if span["name"] == name]

    def points(self, metric: str) -> list[dict[str, Any]]:
        return [
            point
            for line in self.lines
            for resource in line.get("resource_metrics", ())
            for scope in resource["scope_metrics"]
            for found in scope["metrics"]
            if found["name"] == metric
            for point in found["data"]["data_points"]
        ]


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """What every logger says from INFO on, but for the host's stand-in and the sandbox's."""
    lines: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not record.name.startswith(("host", "sandbox")):
                lines.append(logging.Formatter().format(record))

    handler, root = Keeping(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


async def sign_in(alice: Installation, connection_id: str) -> dict[str, str]:
    """Sign dave in by hand; gives what of it must be told to nobody."""
    url = (await alice.call("POST", f"/connections/{connection_id}/authorize"))["authorizationUrl"]
    [row] = await composition.current().tables.all(SIGN_INS, "signin")
    async with httpx.AsyncClient(timeout=30) as browser:
        signed_in = await browser.get(url, params={**httpx.URL(url).params, "login_hint": "dave"})
        back = httpx.URL(signed_in.headers["location"])
        assert (await browser.get(back)).status_code == 302
    refresh = await composition.current().vault.get(refresh_secret_name(connection_id))
    assert refresh is not None
    return {
        "PKCE verifier": row.verifier,
        "nonce": row.nonce,
        "state": back.params["state"],
        "authorization code": back.params["code"],
        "refresh token": refresh,
    }


async def sinks(alice: Installation, world: dict[str, Any]) -> dict[str, str]:
    """A webhook, a workflow and a PSA; gives their secrets."""
    places = world["receivers"]
    await alice.add_webhook()
    workflow = places["logicapps"]["url"]
    await alice.call(
        "POST", "/sinks", 201, json={"kind": "logicApps", "name": "Flow", "settings": {"callbackUrl": workflow}}
    )
    desk = places["connectwise"]
    settings = {name: desk[name] for name in ("url", "company", "publicKey", "privateKey", "clientId", "boardId")}
    settings["companies"] = [{"siteId": "contoso-hq", "companyId": sorted(desk["companies"], key=int)[1]}]
    await alice.call("POST", "/sinks", 201, json={"kind": "connectwise", "name": "Desk", "settings": settings})
    return {
        "webhook secret": places["webhook"]["secret"],
        "workflow signature": httpx.URL(workflow).params["sig"],
        "PSA key": desk["privateKey"],
    }


async def main_job(alice: Installation) -> dict[str, str]:
    world = await alice.world()
    connection = await alice.call(
        "POST", "/connections", 201, json={"name": "Northwind", "partnerTenantId": world["partner"]["tenantId"]}
    )
    canaries = {"client secret": CLIENT_SECRET, "free text": FREE_TEXT}
    canaries |= await sign_in(alice, connection["id"])
    canaries["bearer token"] = alice.api.headers["Authorization"].partition(" ")[2]
    canaries["identity header"] = world["identity"]["header"]
    for person in ("alice", "dave"):
        canaries |= {
            f"{person}'s {what}": world["people"][person][what] for what in ("userPrincipalName", "displayName")
        }
    assert (await alice.call("POST", f"/connections/{connection['id']}/test"))["outcome"] == "passed"
    tenants = await alice.refresh()
    assert (await alice.sync(tenants["Contoso"]))["status"] == "succeeded"
    await alice.map_site("contoso-hq", "Contoso", tenants["Contoso"])
    await alice.call("POST", f"/connections/{connection['id']}/complete")
    canaries |= await sinks(alice, world)
    await alice.poll()
    source = await alice.call("POST", "/event-sources", 201, json={"kind": "azure-monitor", "name": "Contoso"})
    canaries["event source's secret"] = source["url"].rpartition("sig=")[2]
    async with httpx.AsyncClient(timeout=30) as azure:
        assert (await azure.post(source["url"], json=ALERT)).status_code == 200
    machines = await alice.every("/devices", type="Microsoft.Compute/virtualMachines", status="available")
    device = next(machine for machine in machines if machine.get("powerState") == "running")
    await alice.set_health(device["resourceId"], "Unavailable", reasonType="Unplanned", context="Platform Initiated")
    await alice.poll()
    begun = await alice.call("POST", f"/devices/{device['id']}/actions/restart", 202, json={"reason": FREE_TEXT})
    assert (await alice.finished(begun))["status"] == "succeeded"
    await alice.poll()
    assert [t["state"] for t in (await alice.received())["tickets"]] == ["closed"]
    await misfortune(alice, device["resourceId"])
    return canaries


async def misfortune(alice: Installation, resource_id: str) -> None:
    """A client that is throttled, a receiver that is gone, a secret that ends, a message that nobody can read."""
    app = composition.current()
    (await alice.control.post("/faults", json={"service": "arm", "status": 429, "times": 1})).raise_for_status()
    (await alice.control.put("/receivers/webhook", json={"status": 410})).raise_for_status()
    await alice.set_health(resource_id, "Unavailable", reasonType="Unplanned", context="Platform Initiated")
    await alice.poll()
    await app.queues.send_text("deliver", json.dumps({"sink_id": ["of no use", FREE_TEXT]}))
    soon = app.clock.now() + timedelta(days=20)
    await app.vault._client.set_secret("ends-soon", "x", expires_on=soon)
    await alice.run("renew_refresh_tokens")
    await app.queues.send(Watch())
    await alice.settle(60)


def neither_a_secret_nor_a_person_is_told(told: Told) -> None:
    assert all(len(canary) > 5 for canary in told.canaries.values()), told.canaries
    assert {what for what, canary in told.canaries.items() if canary in told.text} == set()


def neither_a_secret_nor_a_person_is_logged(told: Told) -> None:
    assert {what for what, canary in told.canaries.items() if canary in told.logged} == set()


def one_trace_goes_from_the_timer_to_the_ticket(told: Told) -> None:
    tickets = [s for s in told.named("deliver connectwise") if s["attributes"]["tenantry.event"].endswith("opened")]
    ticket = min(tickets, key=lambda span: str(span["start_time"]))
    by_id = {span["context"]["span_id"]: span for span in told.spans}
    trace = [span for span in told.spans if span["context"]["trace_id"] == ticket["context"]["trace_id"]]
    names = {span["name"] for span in trace}
    assert names >= {"timer poll_resource_health", "job poll-subscription", "GET arm", "job apply-events"}
    above, span = [], ticket
    while span["parent_id"] is not None:
        span = by_id[span["parent_id"]]
        above.append(span["name"])
    assert above == ["job apply-events", "job poll-subscription", "timer poll_resource_health"]
    below = [span for span in told.spans if span["parent_id"] == ticket["context"]["span_id"]]
    assert {span["name"] for span in below} >= {"POST receiver"}
    assert len(ticket["links"]) == 1
    sender = by_id[ticket["links"][0]["context"]["span_id"]]
    assert sender["name"] in ("job deliver", "job deliver-slow")


def one_trace_goes_from_a_request_to_the_calls_it_causes(told: Told) -> None:
    [request] = told.named("POST /api/devices/{device_id}/actions/{verb}")
    trace = [span for span in told.spans if span["context"]["trace_id"] == request["context"]["trace_id"]]
    jobs = [span for span in trace if span["name"] == "job follow-operation"]
    assert jobs
    assert {span["attributes"]["tenantry.correlation_id"] for span in [request, *jobs]} == {
        request["attributes"]["tenantry.correlation_id"]
    }
    asked = [str(span["attributes"].get("url.full")) for span in trace]
    machine = "/subscriptions/*/resourceGroups/*/providers/Microsoft.Compute/virtualMachines/*"
    assert [url for url in asked if url.endswith(f"{machine}/restart")]


def every_metric_is_recorded_with_its_attributes(told: Told) -> None:
    shown = {name: {tuple(sorted(p["attributes"])) for p in told.points(name)} for name in telemetry.UNITS}
    assert shown == {
        "tenantry.poll.age": {("state",)},
        "tenantry.poll.duration": {("outcome",)},
        "tenantry.microsoft.calls": {("service", "status")},
        "tenantry.microsoft.throttled": {("service",)},
        "tenantry.queue.depth": {("queue",)},
        "tenantry.queue.poison": {()},
        "tenantry.deliveries": {("kind", "outcome")},
        "tenantry.sinks.failing": {()},
        "tenantry.secrets.expiring": {()},
    }
    for name in ("tenantry.secrets.expiring", "tenantry.queue.poison", "tenantry.microsoft.throttled"):
        assert {point["value"] for point in told.points(name)} == {1}
    services = {point["attributes"]["service"] for point in told.points("tenantry.microsoft.calls")}
    assert services == {"arm", "graph", "login", "partnerCenter", "vault"}
    delivered = {p["attributes"]["kind"]: p["value"] for p in told.points("tenantry.deliveries")}
    assert set(delivered) == {"webhook", "logicApps", "connectwise"}


def a_log_line_has_the_ids_of_its_request_and_its_trace(told: Told) -> None:
    lines = [line for line in told.lines if "body" in line]
    [gone] = [line for line in lines if "is switched off" in line["body"]]
    [sender] = [span for span in told.spans if span["context"]["span_id"] == gone["span_id"]]
    assert sender["name"].startswith("job deliver")
    assert gone["trace_id"] == sender["context"]["trace_id"]
    assert gone["attributes"]["correlation_id"] == sender["attributes"]["tenantry.correlation_id"]
    assert all(line["attributes"]["correlation_id"] for line in lines)


async def test_the_main_job_is_told_without_a_secret_or_a_person(
    host: Host, control: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run for all that is held of it: the main job takes longer than all else here."""
    file = tmp_path / "telemetry.jsonl"
    monkeypatch.setenv("TELEMETRY", str(file))
    monkeypatch.setenv("PARTNER_CLIENT_SECRET_NAME", "partner-secret")
    with everything_logged() as logged:
        await emptied(host, control)
        await composition.current().vault.set("partner-secret", CLIENT_SECRET)
        (await control.put("/applications/tenantry", json={"secret": CLIENT_SECRET})).raise_for_status()
        async with clients(host, control) as made:
            canaries = await main_job(Installation(host.url, await made("alice"), control, settling(host)))
        await composition.close()
    text = file.read_text()
    told = Told([json.loads(line) for line in text.splitlines()], "\n".join(logged), text, canaries)
    neither_a_secret_nor_a_person_is_told(told)
    neither_a_secret_nor_a_person_is_logged(told)
    one_trace_goes_from_the_timer_to_the_ticket(told)
    one_trace_goes_from_a_request_to_the_calls_it_causes(told)
    every_metric_is_recorded_with_its_attributes(told)
    a_log_line_has_the_ids_of_its_request_and_its_trace(told)
