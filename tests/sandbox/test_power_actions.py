"""Every power action of every type, over TLS with a bare client: what it does, and what it refuses.

The world is made once for the module; each test puts the resource it acts on into the state it begins from.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import scenarios
from sandbox.arm_access import READER
from sandbox.power import faults, table
from sandbox.power.table import Action, PowerType
from sandbox.server import Sandbox
from tests.sandbox.power import Bare, bare_client

ALL = [pytest.param(row, action, id=f"{row.type}-{action.verb}") for row, action in table.actions()]
LONG = [pytest.param(*pair, id=f"{pair[0].type}-{pair[1].verb}") for pair in table.actions() if pair[1].long_running]


@pytest.fixture(autouse=True, scope="module")
def default_world(sandbox: Sandbox) -> None:
    """The world with one resource of every type, in place of the default one."""
    scenarios.reset(sandbox.cloud, "actions")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bare(sandbox: Sandbox, default_world: None) -> AsyncIterator[Bare]:
    async with bare_client(sandbox) as bare:
        yield bare


@pytest.mark.parametrize("row,action", ALL)
async def test_an_action_leads_to_its_state_by_its_own_protocol(bare: Bare, row: PowerType, action: Action) -> None:
    bare.prepare(row, action, "seconds=600")
    before = await bare.state(row)
    reply = await bare.act(row, action)
    assert reply.status_code == action.first, reply.text
    assert reply.status_code in action.accepts
    headers = {"A": "azure-asyncoperation", "L": "location"}
    poll = action.poll or ""
    assert {key for key, name in headers.items() if name in reply.headers} == set(poll) & set("AL")
    if action.long_running or action.later:
        assert await bare.state(row) == (before if action.during is None else action.during)
        assert await bare.poll(reply) in ("InProgress", None)
    bare.world.clock.advance(601)
    ended = await bare.follow(reply, row, action)
    assert ended["status"] == "Succeeded"
    if action.after is not None:
        assert await bare.state(row) == action.after
    assert (bool(reply.content)) is (action.returns == "resource")


@pytest.mark.parametrize("row,action", ALL)
async def test_what_is_not_asked_as_the_type_wants_it_is_refused(bare: Bare, row: PowerType, action: Action) -> None:
    bare.prepare(row, action)
    before = await bare.state(row)
    future = await bare.act(row, action, version="2099-01-01")
    assert (future.status_code, future.json()["error"]["code"]) == (400, "InvalidApiVersionParameter")
    assert action.version in future.json()["error"]["message"]
    path = f"{bare.resource(row).id}/{action.operation or ''}".rstrip("/")
    if action.required:
        empty = await bare.send(action.method, path, version=action.version)
        assert (empty.status_code, empty.json()["error"]["code"]) == (400, "InvalidRequestContent")
        wrong = await bare.send(action.method, path, version=action.version, json=["wrong", 1])
        assert wrong.status_code == (202 if isinstance(action.body, list) else 400)
        bare.prepare(row, action)
    assert await bare.state(row) == before


@pytest.mark.parametrize("row,action", ALL)
async def test_without_the_role_it_is_refused_by_name(bare: Bare, row: PowerType, action: Action) -> None:
    bare.prepare(row, action)
    assignment = next(one for one in bare.subscription.role_assignments if one.principal_type == "ServicePrincipal")
    role, assignment.role = assignment.role, READER
    try:
        reply = await bare.act(row, action)
    finally:
        assignment.role = role
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "AuthorizationFailed")
    message = reply.json()["error"]["message"]
    assert f"perform action '{action.rbac}' over scope '{bare.resource(row).id}'" in message


@pytest.mark.parametrize("row,action", LONG)
async def test_a_second_action_on_a_busy_resource_conflicts(bare: Bare, row: PowerType, action: Action) -> None:
    bare.prepare(row, action, "seconds=60")
    assert (await bare.act(row, action)).status_code == action.first
    second = await bare.act(row, action)
    assert (second.status_code, second.json()["error"]["code"]) == (409, "Conflict")
    bare.world.clock.advance(61)


@pytest.mark.parametrize("row,action", ALL)
async def test_an_action_that_fails_says_why_and_leaves_the_state(bare: Bare, row: PowerType, action: Action) -> None:
    bare.prepare(row, action, "polls=0")
    resource, before = bare.resource(row), await bare.state(row)
    faults.put(resource, {"verb": action.verb, "kind": "lock"})
    locked = await bare.act(row, action)
    assert (locked.status_code, locked.json()["error"]["code"]) == (409, "ScopeLocked")
    assert resource.id in locked.json()["error"]["message"]
    faults.put(resource, {"verb": action.verb, "kind": "allocation"})
    reply = await bare.act(row, action)
    if not action.long_running and not action.later:
        assert (reply.status_code, reply.json()["error"]["code"]) == (409, "AllocationFailed")
    elif action.poll in ("A", "L", "AL"):
        assert (await bare.follow(reply, row, action))["code"] == "AllocationFailed"
    bare.world.clock.advance(5)
    assert await bare.state(row) == before
