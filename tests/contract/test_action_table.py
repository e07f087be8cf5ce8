"""Every action of every type, from a stored row to its end: what reaches Azure, and when it is said to be done.

The facts are the simulated Azure's own (sandbox/power/actions.yaml), which shares nothing with our rows. One
application without a host carries all of them out; each test puts the resource into the state it begins from.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import AzureError

from sandbox import arm_operations, scale_sets, scenarios
from sandbox.host import reset
from sandbox.power import faults, states, table
from sandbox.power.table import Action, PowerType
from sandbox.server import Sandbox
from sandbox.world import Resource, World
from shared import app as composition
from shared import capabilities, devices, health, jobs, operations, progress
from shared import settings as settings_module
from shared.access import ADMIN, DEVICES_READ, Principal
from shared.app import App
from shared.capabilities import VERBS
from shared.capabilities.model import OFF
from shared.connections import CONNECTIONS, Connection
from shared.devices import Device, Shown, places
from shared.devices.records import Health
from shared.errors import Conflict
from shared.health import run_states
from shared.microsoft.identity import refresh_secret_name
from shared.operations import follow, planned
from shared.operations.records import GUARDS, KEPT, Guard, Kept, plan_of
from shared.progress import OPERATIONS, TERMINAL, Operation
from shared.sites import SITES, Site
from shared.tenants import SUBSCRIPTIONS, TENANTS, Subscription, Tenant
from tests.app_fixtures import settings_for
from tests.mortal import Life, MortalQueues, mortal
from tests.sandbox.browser import consented, sign_in, tenant_called

ALICE = Principal("alice", "Alice", frozenset({ADMIN, DEVICES_READ}), None)
ALL = [pytest.param(row, action, id=f"{row.type}-{action.verb}") for row, action in table.actions()]
FOR_EVER = 1_000_000
ADDRESSES = [{"name": "ipconfig1", "properties": {}}]
MOST_STEPS = 20
"""More than an action takes that Azure ends after one poll, and whose state is then looked for in vain."""


@dataclass
class Office:
    """The application on a storage whose queues nobody reads, and the cloud beneath it."""

    app: App
    sandbox: Sandbox

    @property
    def world(self) -> World:
        return self.sandbox.cloud.world

    def resource(self, row: PowerType) -> Resource:
        """The resource of a type, in the subscription that has one of each."""
        cloud = next(one for one in self.world.subscriptions.values() if one.name == "Contoso Everything")
        return next(one for one in cloud.resources.values() if one.type == row.type)

    def advance(self, seconds: float) -> None:
        self.app.clock.advance(seconds)
        self.world.clock.advance(seconds)
        arm_operations.settle(self.world)

    def state(self, row: PowerType) -> Any:
        """The run state, in Azure's words."""
        resource = self.resource(row)
        if row.type == scale_sets.TYPE:
            return f"PowerState/{scale_sets.instances(self.world, resource)[0].power}"
        return states.read(row, resource)

    def prepare(self, row: PowerType, action: Action) -> None:
        """Put the resource into a state that the action may begin in; nothing is left of what was done to it before."""
        resource = self.resource(row)
        self.advance(600)
        self.world.behaviour.lro = "polls=1"
        resource.faults.clear()
        if row.running == states.PRESENT:
            present = ADDRESSES if action.verb == "stop" else []
            resource.properties = {**resource.properties, "ipConfigurations": present}
            return
        ours, pause = capabilities.find(row.type, action.verb), row.actions.get("pause")
        before = row.stopped if ours is None or ours.allowed_from <= OFF else row.running
        if action.verb == "resume" and pause is not None:
            before = pause.after
        before = action.needs[0] if action.needs else row.initial if before is None else before
        for target in scale_sets.instances(self.world, resource) if row.type == scale_sets.TYPE else [resource]:
            states.write(self.world, row, target, before)
            target.hibernated = action.verb == "resume"

    def rest(self, row: PowerType, which: str) -> None:
        """Put the resource into a state of its type's (as far as there is one), or one that nobody knows."""
        resource = self.resource(row)
        during = next((action.during for action in row.actions.values() if action.during is not None), row.running)
        known = {"initial": row.initial, "running": row.running, "stopped": row.stopped, "during": during}
        if row.running == states.PRESENT:
            addresses = [] if which == "stopped" else ADDRESSES
            resource.properties = {**resource.properties, "ipConfigurations": addresses}
            return
        value = known.get(which, "Dreaming")
        states.write(self.world, row, resource, row.initial if value is None else value)
        resource.hibernated = False

    async def ask(self, row: PowerType, action: Action) -> Operation:
        """Ask for an action, as the API does; nothing has been sent to Azure yet."""
        resource = self.resource(row)
        place = await places.of(self.app, resource.subscription_id)
        assert place is not None
        device = Device(
            id=devices.device_id(resource.subscription_id, resource.id),
            resource_id=resource.id,
            name=resource.name,
            type=row.type,
            subscription_id=resource.subscription_id,
            tenant_id=place.subscription.tenant_id,
            health=Health(status="available"),
            first_seen_at=self.app.clock.now(),
            changed_at=self.app.clock.now(),
        )
        # What an earlier test left, if it failed.
        await self.app.tables.delete(GUARDS, Guard(device_id=device.id, at=self.app.clock.now()))
        work = planned.DeviceWork(device_id=device.id, subscription_id=device.subscription_id, device_type=row.type)
        await self.app.tables.delete(planned.WORKS, work)
        if row.running == states.PRESENT and action.verb == "start":
            kept = Kept(device_id=device.id, subscription_id=device.subscription_id, value=ADDRESSES)
            await self.app.tables.put(KEPT, kept)
        return await operations.start(
            self.app, ALICE, Shown(device, place), action.verb, confirm=True, instances=instances(row, action)
        )

    async def step(self, operation: Operation, app: App | None = None) -> Operation:
        """What one message does, and the row that it leaves."""
        await operations.run(app or self.app, jobs.FollowOperation(operation_id=operation.id))
        return await progress.read(self.app, operation.id)

    async def follow(self, row: PowerType, operation: Operation) -> Operation:
        """Go on to the end, which must not come before Azure is done."""
        for _ in range(MOST_STEPS):
            operation = await self.step(operation)
            if operation.status in TERMINAL:
                told = (operation.result or {}).get("provenBy") != "acceptance"
                assert not told or arm_operations.running(self.world, self.resource(row)) is None
                return operation
        pytest.fail(
            f"{row.type}: {operation.status} after {MOST_STEPS} steps, {operation.state.get('phase')}. The row names"
            f" the state it waits for, and where it is read; the simulated resource shows {self.state(row)!r}.",
            pytrace=False,
        )

    def sent(self, row: PowerType, action: Action, since: int) -> list[dict[str, Any]]:
        """The requests that reached Azure for an action after that many of all."""
        path = f"{self.resource(row).id}/{action.operation}" if action.operation else self.resource(row).id
        rows = [one for one in self.sandbox.cloud.requests if one["service"] == "arm" and one["n"] > since]
        return [one for one in rows if one["method"] == action.method and one["url"].partition("?")[0] == path]


def instances(row: PowerType, action: Action) -> list[str]:
    """The instances to name: those of the fact's example, where a body names some."""
    ours = capabilities.find(row.type, action.verb)
    if ours is None or not ours.instances or not isinstance(action.body, dict):
        return []
    named: Any = next((action.body[name] for name in ("instanceIds", "nodes", "nodeName") if name in action.body), [])
    return [named] if isinstance(named, str) else list(named)


def fits(sent: Any, action: Action, resource: Resource) -> bool:
    """Whether a body is the one in the facts. A whole resource carries the example in it, or all but the addresses."""
    if action.method == "PUT":
        whole = isinstance(sent, dict) and sent.get("id") == resource.id
        if action.body is not None:
            return whole and all(sent["properties"].get(k) == v for k, v in action.body["properties"].items())
        return whole and sent["properties"].get("ipConfigurations") == (ADDRESSES if action.verb == "start" else None)
    if isinstance(action.body, list):
        return isinstance(sent, list) and bool(sent) and all(isinstance(name, str) for name in sent)
    return bool(sent == action.body) or (sent is None and not action.required)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(quiet_storage: str, sandbox: Sandbox, control: httpx.AsyncClient) -> AsyncIterator[Office]:
    scenarios.reset(sandbox.cloud, "actions")
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        settings = await settings_for("http://localhost:7071", quiet_storage, sandbox, control)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            app = composition.build(settings_module.load())
        stack.push_async_callback(app.aclose)
        await reset.empty_storage(quiet_storage, app.transport.azure)
        app.queues = MortalQueues(app.queues, Life(FOR_EVER), (jobs.Job,), [])
        world = sandbox.cloud.world
        tenant = tenant_called(world, "Contoso")
        await app.vault.set(refresh_secret_name("c1"), await sign_in(sandbox, http))
        consented(sandbox, tenant)
        cloud = next(one for one in world.subscriptions.values() if one.name == "Contoso Everything")
        connection = Connection(
            id="c1",
            name="N",
            partner_tenant_id=world.partner.id,
            cloud="AzureCloud",
            status="active",
            created_at=app.clock.now(),
        )
        await app.tables.put(CONNECTIONS, connection)
        stored = Tenant(
            id=tenant.id, display_name="Contoso", connection_id="c1", relationship="reseller", status="synced"
        )
        await app.tables.put(TENANTS, stored)
        subscription = Subscription(
            id=cloud.id, tenant_id=tenant.id, connection_id="c1", name=cloud.name, access="adminAgents"
        )
        await app.tables.put(SUBSCRIPTIONS, subscription)
        site = Site(id="contoso-hq", client_name="Contoso", site_name="HQ", tenant_id=tenant.id)
        await app.tables.put(SITES, site)
        yield Office(app, sandbox)


@pytest.mark.parametrize("row,action", ALL)
async def test_the_request_is_the_one_in_the_facts_and_its_end_is_the_real_one(
    office: Office, row: PowerType, action: Action
) -> None:
    office.prepare(row, action)
    before = office.sandbox.cloud.request_count
    ended = await office.follow(row, await office.ask(row, action))
    assert (ended.status, ended.error) == ("succeeded", None), "see `ends_in` and the state's words in the row"
    [sent] = office.sent(row, action, before)
    query = dict(parse_qsl(sent["url"].partition("?")[2]))
    assert query == {**action.query, "api-version": action.version}
    assert fits(sent.get("body"), action, office.resource(row)), sent
    assert sent["clientRequestId"] == (ended.result or {})["clientRequestId"]
    if action.after is not None:
        assert office.state(row) == action.after
    ours = capabilities.find(row.type, action.verb)
    assert ours is not None
    if ours.ends_in not in ("", *ours.allowed_from) and not ended.state["instances"]:
        assert (ended.result or {})["provenBy"] == "state", "the row's `ends` or the state's path is not the facts'"
        with pytest.raises(Conflict) as refused:
            await office.ask(row, action)
        assert refused.value.code == "actionNotAvailable"
        assert ours.ends_in in refused.value.message


@pytest.mark.parametrize("row,action", ALL)
async def test_a_failure_ends_it_with_azures_code(office: Office, row: PowerType, action: Action) -> None:
    office.prepare(row, action)
    begun = await office.ask(row, action)
    # What Azure neither answers nor lets us ask for can only be missed in the state.
    untold = action.poll == "-" or action.later
    kind = "lock" if untold else "preempted" if "A" in (action.poll or "") and action.verb == "stop" else "allocation"
    faults.put(office.resource(row), {"verb": "*", "kind": kind})
    ended = await office.follow(row, begun)
    codes = {"allocation": "AllocationFailed", "lock": "ScopeLocked", "preempted": "OperationPreempted"}
    assert ended.status == ("canceled" if kind == "preempted" else "failed")
    assert ended.error is not None
    assert ended.error["code"] == codes[kind]
    assert ended.error["message"]


@pytest.mark.parametrize("row,action", ALL)
async def test_a_worker_killed_while_sending_doubles_nothing_that_must_not_be(
    office: Office, row: PowerType, action: Action
) -> None:
    office.prepare(row, action)
    ours = capabilities.find(row.type, action.verb)
    assert ours is not None
    before = office.sandbox.cloud.request_count
    begun = await office.ask(row, action)
    # It stores what it keeps and that it is sending, sends, and dies before the answer is stored.
    with pytest.raises(AzureError):
        await office.step(begun, mortal(office.app, 3 if ours.keeps else 2, lost=jobs.Job))
    assert len(office.sent(row, action, before)) == 1
    office.advance(follow.SENDING.total_seconds() + 1)
    ended = await office.follow(row, begun)
    again = len(office.sent(row, action, before)) - 1
    if ours.repeatable:
        assert again <= 1
        assert ended.status == "succeeded"
    else:
        assert (ended.status, again) == ("outcomeUnknown", 0)
    if action.after is not None:
        assert office.state(row) == action.after


async def test_what_azure_took_and_never_does_is_told_as_timed_out(office: Office) -> None:
    row = table.load()["microsoft.automation/automationaccounts/jobs"]
    action = row.actions["pause"]
    office.prepare(row, action)
    begun = await office.ask(row, action)
    faults.put(office.resource(row), {"verb": "*", "kind": "allocation"})
    waiting = begun
    for _ in range(MOST_STEPS):
        waiting = await office.step(waiting)
    assert (waiting.status, waiting.state["phase"]) == ("running", "verifying")
    late = plan_of(waiting).changed(checks=follow.CHECKS + follow.SLOW_CHECKS)
    await office.app.tables.put(OPERATIONS, waiting.changed(state=late.into()))
    office.advance(follow.DEADLINE.total_seconds())
    ended = await office.step(waiting)
    assert (ended.status, (ended.error or {})["code"]) == ("failed", "timedOut")
    assert "running and not paused" in (ended.error or {})["message"]


async def test_a_status_that_cannot_be_read_is_no_failure_of_the_action(
    office: Office, control: httpx.AsyncClient
) -> None:
    row = table.load()["microsoft.compute/virtualmachines"]
    action = row.actions["start"]
    office.prepare(row, action)
    begun = await office.step(await office.ask(row, action))
    assert begun.state["phase"] == "following"
    fault = {"service": "arm", "method": "GET", "path": "/operations/", "status": 400, "times": 1}
    (await control.post("/faults", json=fault)).raise_for_status()
    begun = await office.step(begun)
    assert (begun.status, begun.state["phase"]) == ("running", "verifying")
    office.advance(60)
    assert (await office.follow(row, begun)).status == "succeeded"


BULK = [row for row in table.load().values() if row.listed and run_states.kinds_of([row.type])]
"""The types of which a poll reads the run state."""


@pytest.mark.parametrize("which", ["initial", "running", "stopped", "during", "strange"])
async def test_after_a_poll_a_list_offers_exactly_what_an_answer_does(office: Office, which: str) -> None:
    for row in BULK:
        office.rest(row, which)
    subscription_id = office.resource(BULK[0]).subscription_id
    await health.run_poll(office.app, jobs.PollSubscription(subscription_id=subscription_id))
    listed = {row.entry.type: row for row in (await devices.find_all(office.app, ALICE, devices.Filter())).rows}
    wrong = {}
    for row in BULK:
        entry = listed[row.type].entry
        if row.running == states.PRESENT:
            # Stopped from here; of one that was not, the answer alone knows that nothing can be put back.
            kept = Kept(device_id=entry.id, subscription_id=subscription_id, value=ADDRESSES)
            await office.app.tables.put(KEPT, kept)
        shown = await devices.get(office.app, ALICE, entry.id)
        only_azure = {verb for verb in VERBS if (ours := capabilities.find(row.type, verb)) and ours.only is not None}
        exact = [one.verb for one in await operations.answers(office.app, shown) if one.available]
        offered = capabilities.offered(row.type, entry.power_state)
        if offered != [verb for verb in exact if verb not in only_azure] or entry.power_state is None:
            wrong[row.type] = (entry.power_state, offered, exact)
    assert wrong == {}


def test_every_type_that_tells_its_own_state_and_is_on_a_list_is_read_in_bulk() -> None:
    """What else is there is told by a request for each resource only."""
    rest = {row.type for row in table.load().values() if row.listed} - {row.type for row in BULK}
    assert rest == {
        "Microsoft.Chaos/experiments",
        "Microsoft.Compute/cloudServices",
        "Microsoft.Compute/hostGroups/hosts",
        "Microsoft.Compute/virtualMachineScaleSets",
    }
