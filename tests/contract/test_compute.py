"""The compute client against the simulated Azure: bulk power states, actions sent once and followed step by step."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sandbox import scenarios
from sandbox.azure_types import VM
from sandbox.server import Sandbox
from sandbox.world import Resource
from shared import capabilities
from shared.capabilities import requests
from shared.errors import AccessDenied, MicrosoftError, Throttled
from shared.health import run_states
from shared.microsoft import arm_actions, compute
from shared.microsoft.transport import Transport, open_transport
from shared.settings import Settings
from tests.sandbox.azure import Azure


@dataclass
class Client:
    """Our compute client, in the hands of Contoso's automation application."""

    azure: Azure
    transport: Transport
    settings: Settings

    @property
    def machine(self) -> Resource:
        """A running machine of Contoso."""
        return next(row for row in self.azure.machines if row.power == "running")

    async def states(self) -> dict[str, str]:
        found = await compute.machines(
            self.settings, self.transport.azure, self.azure.credential, self.azure.subscription.id
        )
        return run_states.of_machines(found)

    async def state(self, resource_id: str) -> str:
        row = capabilities.known(VM)
        assert row is not None
        asked = requests.state(row, resource_id)
        answer = await arm_actions.read(
            self.settings, self.transport.azure, self.azure.credential, asked.method, asked.path, asked.query
        )
        return capabilities.state_of(row.state, answer)

    async def begin(self, verb: str, resource_id: str, request_id: str = "") -> arm_actions.Progress:
        chosen = request_id or str(uuid.uuid4())
        return await compute.begin(
            self.settings, self.transport.azure, self.azure.credential, resource_id, verb, chosen
        )

    async def follow(self, verb: str, resource_id: str, token: str) -> arm_actions.Progress:
        return await compute.follow(
            self.settings, self.transport.azure, self.azure.credential, resource_id, verb, token
        )


@pytest_asyncio.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    scenarios.reset(sandbox.cloud)
    sandbox.cloud.world.behaviour.lro = "polls=1"
    settings = Settings.model_validate(
        {
            "key_vault_url": "https://unused.vault.azure.net",
            "public_api_url": "https://unused/api",
            "portal_url": "https://unused",
            "api_tenant_id": "unused",
            "api_client_id": "unused",
            "portal_client_id": "unused",
            "partner_client_id": "unused",
            "arm_url": sandbox.urls["arm"],
        }
    )
    transport = open_transport(settings)
    async with Azure(sandbox) as azure:
        yield Client(azure, transport, settings)
    await transport.close()


async def requests_to_arm(control: httpx.AsyncClient, method: str, since: int = 0) -> list[dict[str, Any]]:
    answer = (await control.get("/requests", params={"service": "arm", "since": since})).json()
    return [row for row in answer["requests"] if row["method"] == method]


async def last_request(control: httpx.AsyncClient) -> int:
    return int((await control.get("/requests")).json()["last"])


async def fault(control: httpx.AsyncClient, **what: Any) -> None:
    (await control.post("/faults", json={"service": "arm", **what})).raise_for_status()


async def test_every_machine_of_a_subscription_has_its_power_state(client: Client) -> None:
    states = await client.states()
    assert states == {m.id.lower(): m.power for m in client.azure.machines}
    assert states


async def test_pages_are_followed_to_the_last(client: Client, sandbox: Sandbox) -> None:
    subscription = client.azure.subscription
    template = client.machine
    for number in range(1200):
        name = f"{template.name}-{number}"
        resource_id = template.id.rpartition("/")[0] + f"/{name}"
        subscription.resources[resource_id.lower()] = Resource(**{**vars(template), "id": resource_id, "name": name})
    subscription.version += 1
    assert len(await client.states()) == len([r for r in subscription.resources.values() if r.type == VM]) > 1200


@pytest.mark.parametrize(
    "verb, before, after",
    [("start", "deallocated", "running"), ("deallocate", "running", "deallocated"), ("restart", "running", "running")],
)
async def test_an_action_is_followed_one_request_at_a_time(
    client: Client, control: httpx.AsyncClient, verb: str, before: str, after: str
) -> None:
    machine = client.machine
    machine.power = before
    since = await last_request(control)
    begun = await client.begin(verb, machine.id, "00000000-aaaa-bbbb-cccc-000000000001")
    assert (begun.finished, begun.error) == (False, None)
    assert 0 < begun.delay <= 1
    (post,) = await requests_to_arm(control, "POST", since)
    assert post["clientRequestId"] == "00000000-aaaa-bbbb-cccc-000000000001"
    first = await client.follow(verb, machine.id, begun.token)
    assert not first.finished
    second = await client.follow(verb, machine.id, begun.token)
    assert (second.finished, second.error) == (True, None)
    polls = await requests_to_arm(control, "GET", since)
    assert len(polls) == 2
    assert len({post["clientRequestId"], *(row["clientRequestId"] for row in polls)}) == 3
    assert await client.state(machine.id) == after


async def test_an_action_done_at_once_needs_no_following(client: Client, sandbox: Sandbox) -> None:
    sandbox.cloud.world.behaviour.lro = "immediate"
    begun = await client.begin("restart", client.machine.id)
    assert (begun.finished, begun.error) == (True, None)


async def test_a_failure_shows_azures_code_and_text(client: Client) -> None:
    machine = client.machine
    machine.power = "deallocated"
    machine.faults["start"] = {"code": "AllocationFailed", "message": "Allocation failed. Try another size."}
    begun = await client.begin("start", machine.id)
    progress = begun
    while not progress.finished:
        progress = await client.follow("start", machine.id, begun.token)
    assert progress.error == {"code": "AllocationFailed", "message": "Allocation failed. Try another size."}


async def test_an_action_is_never_sent_again_by_the_client_itself(client: Client, control: httpx.AsyncClient) -> None:
    since = await last_request(control)
    await fault(control, method="POST", status=429, retryAfter=7, times=5)
    with pytest.raises(Throttled) as caught:
        await client.begin("restart", client.machine.id)
    assert caught.value.retry_after == 7
    assert len(await requests_to_arm(control, "POST", since)) == 1


@pytest.mark.parametrize("what", [{"kind": "disconnect"}, {"status": 500}, {"status": 504}])
async def test_a_lost_answer_is_told_apart_from_a_refusal(
    client: Client, control: httpx.AsyncClient, what: dict[str, Any]
) -> None:
    await fault(control, method="POST", times=1, **what)
    with pytest.raises(arm_actions.Unanswered):
        await client.begin("restart", client.machine.id)


async def test_an_unreachable_azure_took_nothing(client: Client) -> None:
    client.settings = client.settings.model_copy(update={"arm_url": "https://127.0.0.1:9"})
    with pytest.raises(Throttled):
        await client.begin("restart", client.machine.id)


async def test_a_conflict_is_azures_own(client: Client) -> None:
    machine = client.machine
    await client.begin("restart", machine.id)
    with pytest.raises(MicrosoftError) as caught:
        await client.begin("deallocate", machine.id)
    assert (caught.value.status, caught.value.remote_code) == (409, "Conflict")


async def test_a_status_url_that_is_gone_says_404(client: Client, control: httpx.AsyncClient) -> None:
    machine = client.machine
    begun = await client.begin("restart", machine.id)
    await fault(control, method="GET", status=404, times=1)
    with pytest.raises(MicrosoftError) as caught:
        await client.follow("restart", machine.id, begun.token)
    assert caught.value.status == 404


async def test_a_throttled_status_request_says_when_to_ask_again(client: Client, control: httpx.AsyncClient) -> None:
    machine = client.machine
    begun = await client.begin("restart", machine.id)
    await fault(control, method="GET", status=429, retryAfter=9, times=1)
    with pytest.raises(Throttled) as caught:
        await client.follow("restart", machine.id, begun.token)
    assert caught.value.retry_after == 9


async def test_missing_rights_are_told_with_a_fix(client: Client) -> None:
    client.azure.subscription.role_assignments.clear()
    with pytest.raises(AccessDenied) as caught:
        await client.states()
    assert caught.value.remote_code == "AuthorizationFailed"
    assert "Contributor" in caught.value.fix


@pytest.mark.parametrize(
    "view, state",
    [
        ({"statuses": [{"code": "PowerState/deallocated"}, {"code": "HibernationState/Hibernated"}]}, "hibernated"),
        ({"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": None}, {}]}, "unknown"),
        ({"statuses": [{"code": "PowerState/dreaming"}]}, "unknown"),
        ({"statuses": None}, "unknown"),
        (None, "unknown"),
    ],
)
def test_a_machine_of_the_list_is_in_the_state_of_its_view(view: Any, state: str) -> None:
    assert run_states.of_machines([{"id": "/A", "properties": {"instanceView": view}}]) == {"/a": state}
