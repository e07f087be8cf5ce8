"""The control API: worlds, time, knobs, faults, the request log, and what happens behind everybody's back."""

import time
from typing import Any

import httpx
import jwt
import pytest

from sandbox import tokens
from sandbox.server import Sandbox
from sandbox.wire import CloudError
from sandbox.world import Resource, World
from tests.sandbox.browser import ARM, authorize, client, post_token, tenant_called

SUBSCRIPTIONS = "/subscriptions?api-version=2022-12-01"


async def arm_headers(sandbox: Sandbox, http: httpx.AsyncClient) -> dict[str, str]:
    """What the customer's own automation sends to ARM."""
    world = sandbox.cloud.world
    form = {**client(world, "automation"), "grant_type": "client_credentials", "scope": ARM}
    answer = await post_token(sandbox, http, tenant_called(world, "Contoso").id, **form)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def machine(world: World) -> Resource:
    """A running virtual machine of Contoso."""
    subscription = world.subscriptions[tenant_called(world, "Contoso").subscription_ids[0]]
    return next(row for row in subscription.resources.values() if row.power == "running")


async def statuses(sandbox: Sandbox, http: httpx.AsyncClient, headers: dict[str, str], resource: Resource) -> Any:
    """The current availability status of a resource, as Resource Health gives it."""
    url = f"{sandbox.urls['arm']}{resource.id}/providers/Microsoft.ResourceHealth/availabilityStatuses/current"
    answer = await http.get(url, params={"api-version": "2025-05-01"}, headers=headers)
    return answer.json()["properties"]


# Worlds and time


async def test_the_world_names_everything_a_test_needs(control: httpx.AsyncClient, world: World) -> None:
    shown = (await control.get("/world")).json()
    assert shown["partner"]["name"] == "Northwind Managed Services"
    assert {row["name"] for row in shown["tenants"]} >= {"Contoso", "Fabrikam", "Adatum", "Litware", "Tailspin Toys"}
    assert set(shown["people"]) >= {"alice", "bob", "carol", "mallory", "dave", "erin", "frank"}
    assert set(shown["services"]) == {"control", "login", "arm", "graph", "partnercenter", "vault"}
    assert shown["receivers"]["webhook"]["secret"].startswith("whsec_")
    assert shown["applications"]["tenantry"]["secret"] in world.applications["tenantry"].secrets.values()
    assert "resources" not in shown["tenants"][0]["subscriptions"][0]


async def test_resources_are_listed_when_asked_for(control: httpx.AsyncClient, world: World) -> None:
    shown = (await control.get("/world", params={"resources": "true"})).json()
    rows = [row for t in shown["tenants"] for s in t["subscriptions"] for row in s["resources"]]
    assert len(rows) >= 200
    assert world.resource(rows[0]["id"]) is not None
    assert set(rows[0]) == {"id", "type", "reported"}


async def test_a_reset_makes_a_new_world_and_turns_the_clock_back(control: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await control.post("/clock", json={"advanceSeconds": 86_400})
    await control.put("/behaviour", json={"latencyMs": 1})
    await control.post("/faults", json={"service": "arm"})
    answer = await control.post("/reset", json={"scenario": "empty", "seed": 7})
    assert (answer.json()["scenario"], answer.json()["seed"]) == ("empty", 7)
    assert sandbox.cloud.clock.offset.total_seconds() == 0
    assert sandbox.cloud.world.behaviour.latency_ms == 0
    assert not sandbox.cloud.faults
    assert (await control.get("/world")).json()["tenants"] == []


@pytest.mark.parametrize(
    "method,path,body,code",
    [
        ("POST", "/reset", {"scenario": "unheard-of"}, "UnknownScenario"),
        ("POST", "/reset", {"scenario": "scale", "tenants": 5, "subscriptions": 2}, "BadSize"),
        ("POST", "/reset", {"size": 5}, "UnknownField"),
        ("POST", "/reset", [], "BadBody"),
        ("POST", "/clock", {"advanceSeconds": -1}, "BadClock"),
        ("PUT", "/behaviour", {"lro": "sometimes"}, "BadBehaviour"),
        ("POST", "/faults", {"status": 500}, "BadFault"),
        ("POST", "/faults", {"service": "arm", "kind": "loud"}, "BadFault"),
        ("PUT", "/people/dave", {"refusedWith": 1}, "BadRefusal"),
        ("PUT", "/people/nobody", {"mfa": False}, "UnknownPerson"),
        ("POST", "/tokens", {"person": "nobody"}, "UnknownPerson"),
        ("POST", "/tokens", {"application": "nothing"}, "UnknownApplication"),
        ("PUT", "/applications/nothing", {}, "UnknownApplication"),
        ("PUT", "/tenants/nowhere", {}, "TenantNotFound"),
        ("PUT", "/relationships/none", {}, "RelationshipNotFound"),
        ("PUT", "/subscriptions/none", {}, "SubscriptionNotFound"),
        ("PUT", "/resources", {"resourceId": "/subscriptions/none"}, "ResourceNotFound"),
        ("PUT", "/health", {"resourceId": "/x"}, "ResourceNotFound"),
        ("POST", "/clock", {}, "BadBody"),
        ("POST", "/reset", {"seed": "many"}, "BadBody"),
        ("PUT", "/behaviour", {"latencyMs": "long"}, "BadBody"),
        ("POST", "/faults", {"service": "arm", "path": "("}, "BadFault"),
        ("POST", "/subscriptions", {"tenantId": "nowhere", "name": "x"}, "TenantNotFound"),
        ("POST", "/resources", {"subscriptionId": "none", "type": "x"}, "SubscriptionNotFound"),
        ("GET", "/receivers/pigeon", None, "UnknownReceiver"),
        ("PUT", "/receivers/webhook", {"colour": "red"}, "UnknownField"),
        ("GET", "/unheard-of", None, "NotFound"),
    ],
)
async def test_a_wrong_control_call_says_what_is_wrong(
    control: httpx.AsyncClient, method: str, path: str, body: Any, code: str
) -> None:
    answer = await control.request(method, path, json=body)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["code"] == code


async def test_malformed_json_is_refused(control: httpx.AsyncClient) -> None:
    answer = await control.post("/reset", content=b"{")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")


async def test_the_clock_steps_forward(control: httpx.AsyncClient, world: World) -> None:
    before = world.clock.now()
    await control.post("/clock", json={"advanceSeconds": 3600})
    assert 3600 <= (world.clock.now() - before).total_seconds() < 3660


async def test_the_authority_is_served(control: httpx.AsyncClient) -> None:
    assert (await control.get("/ca.pem")).text.startswith("-----BEGIN CERTIFICATE-----")


# Tokens


async def test_a_token_is_as_sign_in_would_give_it(control: httpx.AsyncClient, world: World) -> None:
    answer = (await control.post("/tokens", json={"person": "alice"})).json()
    claims = jwt.decode(answer["accessToken"], options={"verify_signature": False})
    assert claims["roles"] == ["Integration.Admin"]
    assert claims["oid"] == world.people["alice"].object_id
    mallory = (await control.post("/tokens", json={"person": "mallory"})).json()
    assert "roles" not in jwt.decode(mallory["accessToken"], options={"verify_signature": False})


async def test_a_token_of_another_tenant_is_well_signed(control: httpx.AsyncClient, world: World) -> None:
    answer = (await control.post("/tokens", json={"person": "frank"})).json()
    claims = jwt.decode(answer["accessToken"], options={"verify_signature": False})
    assert claims["tid"] == world.people["frank"].tenant_id != world.partner.id


async def test_an_expired_token_is_refused_as_expired(
    sandbox: Sandbox, control: httpx.AsyncClient, world: World
) -> None:
    api = world.applications["tenantry-api"].app_id
    body = {"person": "alice", "lifetimeSeconds": -10, "roles": ["CloudDevices.Read"]}
    token = (await control.post("/tokens", json=body)).json()["accessToken"]
    assert jwt.decode(token, options={"verify_signature": False})["roles"] == ["CloudDevices.Read"]
    with pytest.raises(CloudError, match="ExpiredAuthenticationToken"):
        tokens.verify(sandbox.cloud, token, {api})


async def test_a_token_of_a_daemon_carries_its_roles(control: httpx.AsyncClient) -> None:
    answer = (await control.post("/tokens", json={"application": "daemon"})).json()
    claims = jwt.decode(answer["accessToken"], options={"verify_signature": False})
    assert (claims["idtyp"], claims["roles"]) == ("app", ["CloudDevices.Read", "Alerts.Manage"])


async def test_the_roles_of_a_person_can_be_changed(control: httpx.AsyncClient) -> None:
    await control.put("/people/mallory", json={"apiRoles": ["Collections.Read"]})
    answer = (await control.post("/tokens", json={"person": "mallory"})).json()
    claims = jwt.decode(answer["accessToken"], options={"verify_signature": False})
    assert claims["roles"] == ["Collections.Read"]


# Faults, latency, the log


async def test_a_fault_answers_so_many_times_after_so_many(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    headers = await arm_headers(sandbox, http)
    fault = {"service": "arm", "path": "/subscriptions$", "status": 429, "retryAfter": 7, "times": 2, "after": 1}
    await control.post("/faults", json=fault)
    answers = [await http.get(sandbox.urls["arm"] + SUBSCRIPTIONS, headers=headers) for _ in range(4)]
    assert [row.status_code for row in answers] == [200, 429, 429, 200]
    assert answers[1].headers["retry-after"] == "7"
    assert answers[1].json()["error"]["code"] == "TooManyRequests"


async def test_a_fault_hits_only_its_service_method_and_path(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    headers = await arm_headers(sandbox, http)
    for fault in ({"service": "graph"}, {"service": "arm", "method": "POST"}, {"service": "arm", "path": "/tenants"}):
        await control.post("/faults", json=fault)
    assert (await http.get(sandbox.urls["arm"] + SUBSCRIPTIONS, headers=headers)).status_code == 200
    assert len((await control.get("/faults")).json()["faults"]) == 3
    assert (await control.delete("/faults")).status_code == 204
    assert (await control.get("/faults")).json()["faults"] == []


async def test_a_fault_for_all_services_spares_the_control_api(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await control.post("/faults", json={"service": "*", "status": 503, "times": 100})
    assert (await http.get(sandbox.urls["arm"] + SUBSCRIPTIONS)).status_code == 503
    assert (await http.get(f"{sandbox.urls['login']}/common/discovery/v2.0/keys")).status_code == 503
    assert (await control.get("/world")).status_code == 200


async def test_a_disconnect_drops_the_connection_without_an_answer(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    headers = await arm_headers(sandbox, http)
    await control.post("/faults", json={"service": "arm", "kind": "disconnect"})
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(sandbox.urls["arm"] + SUBSCRIPTIONS, headers=headers)
    assert (await http.get(sandbox.urls["arm"] + SUBSCRIPTIONS, headers=headers)).status_code == 200


async def test_a_slow_fault_delays_the_real_answer(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    headers = await arm_headers(sandbox, http)
    await control.post("/faults", json={"service": "arm", "kind": "slow", "delayMs": 60})
    started = time.monotonic()
    assert (await http.get(sandbox.urls["arm"] + SUBSCRIPTIONS, headers=headers)).status_code == 200
    assert time.monotonic() - started >= 0.06


async def test_a_probable_fault_follows_the_seed(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    outcomes = []
    for _ in range(2):
        await control.post("/reset", json={"seed": 11})
        await control.post("/faults", json={"service": "login", "probability": 0.3, "times": 1000})
        url = f"{sandbox.urls['login']}/common/discovery/v2.0/keys"
        outcomes.append([(await http.get(url)).status_code for _ in range(40)])
    assert outcomes[0] == outcomes[1]
    assert 2 < outcomes[0].count(503) < 25


async def test_latency_is_added_to_every_microsoft_call(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await control.put("/behaviour", json={"latencyMs": 50})
    started = time.monotonic()
    await http.get(f"{sandbox.urls['login']}/common/discovery/v2.0/keys")
    assert time.monotonic() - started >= 0.05
    assert (await control.get("/behaviour")).json()["latencyMs"] == 50


async def test_the_log_has_what_arrived_and_no_secret(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    since = (await control.get("/requests")).json()["last"]
    headers = {"x-ms-client-request-id": "c-1", "x-ms-correlation-request-id": "k-1"}
    await http.get(sandbox.urls["arm"] + SUBSCRIPTIONS, headers=headers)
    await authorize(sandbox, http, "dave")
    shown = await control.get("/requests", params={"since": since, "service": "arm"})
    (row,) = shown.json()["requests"]
    assert (row["method"], row["url"], row["status"]) == ("GET", "/subscriptions?api-version=2022-12-01", 401)
    assert (row["clientRequestId"], row["correlationId"]) == ("c-1", "k-1")
    everything = (await control.get("/requests", params={"since": since})).text
    assert "s-1" not in everything
    assert "code=" not in everything


# Azure behind everybody's back


async def test_health_changes_as_told(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World
) -> None:
    headers, vm = await arm_headers(sandbox, http), machine(world)
    body = {
        "resourceId": vm.id.upper(),
        "availabilityState": "Degraded",
        "reasonType": "Planned",
        "summary": "Disk is slow.",
        "at": "2026-01-02T03:04:05+00:00",
    }
    assert (await control.put("/health", json=body)).status_code == 200
    shown = await statuses(sandbox, http, headers, vm)
    assert (shown["availabilityState"], shown["reasonType"]) == ("Degraded", "Planned")
    assert shown["summary"] == "Disk is slow."
    assert shown["occuredTime"].startswith("2026-01-02T03:04:05")
    assert [row.state for row in vm.health_history[:2]] == ["Degraded", "Available"]


@pytest.mark.parametrize("state", ["Available", "Unavailable", "Unknown", None])
async def test_every_state_of_resource_health_can_be_set(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World, state: str | None
) -> None:
    headers, vm = await arm_headers(sandbox, http), machine(world)
    await control.put("/health", json={"resourceId": vm.id, "availabilityState": state})
    assert (await statuses(sandbox, http, headers, vm))["availabilityState"] == state


async def test_an_unknown_state_is_refused(control: httpx.AsyncClient, world: World) -> None:
    answer = await control.put("/health", json={"resourceId": machine(world).id, "availabilityState": "Fine"})
    assert answer.json()["error"]["code"] == "BadHealth"


async def test_a_resource_can_vanish_from_resource_health(control: httpx.AsyncClient, world: World) -> None:
    vm = machine(world)
    await control.put("/health", json={"resourceId": vm.id, "reported": False})
    assert vm.health is None


async def test_a_machine_stopped_behind_our_back_says_so(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World
) -> None:
    headers, vm = await arm_headers(sandbox, http), machine(world)
    await control.put("/resources", json={"resourceId": vm.id, "power": "deallocated"})
    shown = await statuses(sandbox, http, headers, vm)
    assert (shown["availabilityState"], shown["context"]) == ("Unavailable", "Customer Initiated")
    await control.put("/resources", json={"resourceId": vm.id, "power": "running"})
    assert (await statuses(sandbox, http, headers, vm))["availabilityState"] == "Available"
    refused = await control.put("/resources", json={"resourceId": vm.id, "power": "flying"})
    assert refused.json()["error"]["code"] == "BadPower"


async def test_a_deleted_resource_is_gone(control: httpx.AsyncClient, world: World) -> None:
    vm = machine(world)
    version = world.subscriptions[vm.subscription_id].version
    await control.put("/resources", json={"resourceId": vm.id, "deleted": True})
    assert world.resource(vm.id) is None
    assert world.subscriptions[vm.subscription_id].version > version


async def test_the_next_operation_can_be_made_to_fail(control: httpx.AsyncClient, world: World) -> None:
    vm = machine(world)
    fault = {"verb": "start", "code": "AllocationFailed", "message": "No room."}
    await control.put("/resources", json={"resourceId": vm.id, "fault": fault})
    assert vm.faults == {"start": {"code": "AllocationFailed", "message": "No room."}}


async def test_access_to_a_subscription_can_be_taken_and_given(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World
) -> None:
    headers = await arm_headers(sandbox, http)
    chosen = tenant_called(world, "Contoso").subscription_ids[0]

    async def access() -> str:
        tenants = (await control.get("/world")).json()["tenants"]
        contoso = next(row for row in tenants if row["name"] == "Contoso")
        return str(next(row["access"] for row in contoso["subscriptions"] if row["id"] == chosen))

    seen = [await access()]
    for body in ({"role": False}, {"role": True}, {"access": "lighthouse"}, {"access": "own"}):
        await control.put(f"/subscriptions/{chosen}", json=body)
        seen.append(await access())
    assert seen == ["agents", "none", "agents", "lighthouse", "own"]
    listed = (await http.get(sandbox.urls["arm"] + SUBSCRIPTIONS, headers=headers)).json()["value"]
    assert len(listed) == 3, "the customer's own automation keeps its role"
    await control.put(f"/subscriptions/{chosen}", json={"deleted": True})
    listed = (await http.get(sandbox.urls["arm"] + SUBSCRIPTIONS, headers=headers)).json()["value"]
    assert len(listed) == 2


async def test_customers_subscriptions_and_resources_can_appear(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World
) -> None:
    body = {"name": "Relecloud", "domain": "relecloud.example"}
    tenant = (await control.post("/tenants", json=body)).json()["tenantId"]
    made = (await control.post("/subscriptions", json={"tenantId": tenant, "name": "Relecloud Production"})).json()[
        "id"
    ]
    vm = {"subscriptionId": made, "type": "microsoft.compute/virtualmachines"}
    ids = [(await control.post("/resources", json=vm)).json()["resourceId"] for _ in range(2)]
    assert len(set(ids)) == 2
    assert len(world.subscriptions[made].resources) == 8, "each machine has a disk, an interface and an address"
    assert world.tenants[tenant] in world.customers()
    assert [row.status for row in world.relationships_of(tenant)] == ["active"]
    refused = await control.post("/resources", json={"subscriptionId": made, "type": "Contoso.Own/things"})
    assert refused.json()["error"]["code"] == "BadType"
    advisor = {"name": "Trey Research", "domain": "trey.example", "relationship": "advisor"}
    tenant = (await control.post("/tenants", json=advisor)).json()["tenantId"]
    assert world.relationships_of(tenant) == []


# Directories


async def test_a_relationship_can_end_and_lose_its_group(control: httpx.AsyncClient, world: World) -> None:
    relationship = world.relationships_of(tenant_called(world, "Fabrikam").id)[0]
    path = f"/relationships/{relationship.id}"
    await control.put(path, json={"group": False})
    assert not relationship.assignments
    await control.put(path, json={"group": True})
    await control.put(path, json={"roles": relationship.roles[:1]})
    (assignment,) = relationship.assignments.values()
    assert assignment["roles"] == relationship.roles
    assert (await control.put(path, json={"status": "terminated"})).json()["status"] == "terminated"


async def test_consent_can_be_withdrawn_and_a_customer_lost(control: httpx.AsyncClient, world: World) -> None:
    fabrikam = tenant_called(world, "Fabrikam")
    body = {"relationship": "none", "premium": False, "consent": False}
    assert (await control.put(f"/tenants/{fabrikam.id}", json=body)).status_code == 200
    assert not fabrikam.premium
    assert fabrikam not in world.customers()


async def test_a_registration_can_be_changed(control: httpx.AsyncClient, world: World) -> None:
    body = {"redirectUris": ["http://localhost:1/back"], "secret": "new"}
    await control.put("/applications/tenantry", json=body)
    app = world.applications["tenantry"]
    assert (app.redirect_uris, list(app.secrets.values())) == (["http://localhost:1/back"], ["new"])
