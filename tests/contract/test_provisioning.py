"""Provisioning against the simulated cloud, job by job: resuming, waiting, what others did meanwhile, undoing."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import ResourceNotFoundError

from sandbox.arm_access import OWNER, READER, VM_CONTRIBUTOR
from sandbox.directory import APPLICATION_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR
from sandbox.host import reset
from sandbox.server import Sandbox
from sandbox.world import Fault
from sandbox.world import Subscription as CloudSubscription
from sandbox.world import Tenant as CloudTenant
from shared import app as composition
from shared import connections, jobs, progress, provisioning, sites, tenants
from shared import settings as settings_module
from shared.access import ADMIN, Principal
from shared.app import App
from shared.connections import CONNECTIONS, Connection
from shared.microsoft import arm
from shared.microsoft.identity import refresh_secret_name
from shared.provisioning import waiting
from shared.provisioning.steps import CONSENT, GRANTS, PRINCIPAL
from shared.tenants import TENANTS, Subscription, Tenant
from tests.app_fixtures import settings_for
from tests.sandbox.browser import sign_in, tenant_called

J = TypeVar("J", bound=jobs.Job)
ALICE = Principal("alice", "Alice", frozenset({ADMIN}), None)


@dataclass
class Office:
    """An application without a host, connected to Northwind, with Contoso listed."""

    app: App
    sandbox: Sandbox
    contoso: str

    @property
    def cloud(self) -> CloudTenant:
        return self.sandbox.cloud.world.tenants[self.contoso]

    async def tenant(self) -> Tenant:
        return await tenants.get(self.app, self.contoso)

    async def begin(self) -> jobs.ProvisionTenant:
        """Ask for the synchronization; its job, taken off the queue."""
        await provisioning.sync(self.app, [self.contoso], by=ALICE)
        [job] = await self.taken(jobs.ProvisionTenant)
        return job

    async def sync(self) -> Tenant:
        await provisioning.run(self.app, await self.begin())
        return await self.tenant()

    async def taken(self, kind: type[J]) -> list[J]:
        """The visible messages of a queue, taken off it."""
        client = self.app.queues._client(kind.QUEUE)
        try:
            found = [message async for message in client.receive_messages(max_messages=32)]
        except ResourceNotFoundError:
            return []
        for message in found:
            await client.delete_message(message)
        return [kind.model_validate_json(base64.b64decode(message.content)) for message in found]

    async def waiting(self, kind: type[jobs.Job]) -> int:
        """Messages of a queue, the hidden ones too."""
        properties = await self.app.queues._client(kind.QUEUE).get_queue_properties()
        return int(properties.approximate_message_count or 0)

    def calls(self, service: str, method: str = "") -> list[str]:
        return [
            row["url"]
            for row in self.sandbox.cloud.requests
            if row["service"] == service and method in ("", row["method"])
        ]

    def subscription(self, name: str) -> CloudSubscription:
        return next(row for row in self.sandbox.cloud.world.subscriptions.values() if row.name == name)

    def roles_of_ours(self, name: str) -> set[str]:
        principal = self.cloud.sp_of(self.sandbox.cloud.world.applications["tenantry"].app_id)
        assert principal is not None
        return {row.role for row in self.subscription(name).role_assignments if row.principal_id == principal.id}

    async def subscriptions(self) -> dict[str, Subscription]:
        return {row.name: row for row in await tenants.subscriptions(self.app, self.contoso)}

    async def item(self, job: jobs.ProvisionTenant | jobs.UnsyncTenant) -> progress.Item:
        items = await progress.items(self.app, str(job.operation_id))
        return next(item for item in items if item.target == self.contoso)


@pytest_asyncio.fixture(loop_scope="session")
async def office(quiet_storage: str, sandbox: Sandbox, control: httpx.AsyncClient) -> AsyncIterator[Office]:
    (await control.post("/reset", json={})).raise_for_status()
    settings = await settings_for("http://localhost:7071", quiet_storage, sandbox, control)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        app = composition.build(settings_module.load())
    await reset.empty_storage(quiet_storage, app.transport.azure)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(app.aclose)
        world = sandbox.cloud.world
        async with httpx.AsyncClient(timeout=30) as http:
            await app.vault.set(refresh_secret_name("c1"), await sign_in(sandbox, http))
        connection = Connection(
            id="c1",
            name="Northwind",
            partner_tenant_id=world.partner.id,
            cloud="AzureCloud",
            status="active",
            created_at=app.clock.now(),
            authorized_at=app.clock.now(),
        )
        await app.tables.put(CONNECTIONS, connection)
        contoso = tenant_called(world, "Contoso").id
        row = Tenant(id=contoso, display_name="Contoso", connection_id="c1", relationship="reseller")
        await app.tables.put(TENANTS, row)
        sandbox.cloud.requests.clear()
        yield Office(app, sandbox, contoso)


async def test_a_finished_job_that_runs_again_changes_nothing_and_announces_the_same(office: Office) -> None:
    job = await office.begin()
    await provisioning.run(office.app, job)
    before, made = await office.tenant(), len(office.cloud.service_principals)
    await provisioning.run(office.app, job)
    assert await office.tenant() == before
    assert len(office.cloud.service_principals) == made
    first, second = await office.taken(jobs.Announce)
    assert (first.event, first.subject) == ("tenantry.tenant.synced", office.contoso)
    assert first.event_id == second.event_id
    assert first.data["displayName"] == "Contoso"
    assert (await office.item(job)).status == "succeeded"


async def test_work_goes_on_at_the_first_undone_step(office: Office) -> None:
    job = await office.begin()
    busy = Fault("graph", "GET", "oauth2PermissionGrants", status=503, retry_after=5, times=1)
    office.sandbox.cloud.faults.append(busy)
    await provisioning.run(office.app, job)
    assert set((await office.tenant()).steps) == {CONSENT, PRINCIPAL}
    assert await office.waiting(jobs.ProvisionTenant) == 1
    consents = len(office.calls("partnercenter", "POST"))
    await provisioning.run(office.app, job)
    assert (await office.tenant()).status == "synced"
    assert len(office.calls("partnercenter", "POST")) == consents == 1


async def test_consent_that_was_given_while_the_answer_was_lost_counts_as_done(office: Office) -> None:
    await office.sync()
    principals = set(office.cloud.service_principals)
    await tenants.change(office.app, office.contoso, steps={}, status="deactivated")
    assert (await office.sync()).status == "synced"
    assert set(office.cloud.service_principals) == principals


async def test_replication_is_waited_out_by_successors_and_not_by_workers(office: Office) -> None:
    office.sandbox.cloud.world.behaviour.replication_lag = 60
    job = await office.begin()
    for _ in range(3):
        await provisioning.run(office.app, job)
    waited = await office.tenant()
    assert waited.status == "pending"
    assert GRANTS not in waited.steps
    for _ in range(4):
        office.sandbox.cloud.clock.advance(61)
        await provisioning.run(office.app, job)
    assert (await office.tenant()).status == "synced"
    principals = [row.app_id for row in office.cloud.service_principals.values()]
    assert len(principals) == len(set(principals))


async def test_waiting_ends_with_the_reason(office: Office) -> None:
    job = await office.begin()
    office.sandbox.cloud.faults.append(Fault("partnercenter", status=503, times=99))
    await provisioning.run(office.app, job.model_copy(update={"attempt": waiting.PATIENCE}))
    failed = await office.tenant()
    assert failed.status == "failed"
    assert "Partner Center" in str(failed.status_reason)
    item = await office.item(job)
    assert item.status == "failed"
    assert str(failed.status_reason) in str(item.error)
    [announced] = await office.taken(jobs.Announce)
    assert announced.event == "tenantry.tenant.failed"


async def test_a_group_that_may_not_give_graphs_permissions_fails_with_the_role_it_lacks(office: Office) -> None:
    world = office.sandbox.cloud.world
    for relationship in world.relationships_of(office.contoso):
        relationship.roles.remove(PRIVILEGED_ROLE_ADMINISTRATOR)
        for assignment in relationship.assignments.values():
            assignment["roles"] = list(relationship.roles)
    job = await office.begin()
    await provisioning.run(office.app, job)
    assert (await office.tenant()).status == "pending"
    await provisioning.run(office.app, job.model_copy(update={"attempt": waiting.DENIED_PATIENCE}))
    failed = await office.tenant()
    assert (failed.status, set(failed.steps)) == ("failed", {CONSENT, PRINCIPAL, GRANTS})
    assert "Tenantry GDAP the role Privileged Role Administrator" in str(failed.status_reason)
    assert "Request a new GDAP relationship that contains Privileged Role" in str(failed.status_fix)


async def test_in_the_own_tenant_an_administrator_is_asked_for_what_the_account_may_not_give(office: Office) -> None:
    world = office.sandbox.cloud.world
    world.people["dave"].directory_roles = {APPLICATION_ADMINISTRATOR}
    own = Tenant(id=world.partner.id, display_name="Northwind", connection_id="c1", relationship="own")
    await office.app.tables.put(TENANTS, own)
    await provisioning.sync(office.app, [own.id], by=ALICE)
    [job] = await office.taken(jobs.ProvisionTenant)
    await provisioning.run(office.app, job.model_copy(update={"attempt": waiting.DENIED_PATIENCE}))
    await provisioning.run(office.app, job.model_copy(update={"attempt": waiting.DENIED_PATIENCE}))
    failed = await tenants.get(office.app, own.id)
    assert failed.status == "failed"
    assert "Directory.Read.All" in str(failed.status_reason)
    assert "Privileged Role Administrator" in str(failed.status_fix)


async def test_a_long_wait_that_is_asked_for_is_a_hidden_message(office: Office) -> None:
    job = await office.begin()
    office.sandbox.cloud.faults.append(Fault("partnercenter", status=429, retry_after=45, times=1))
    async with asyncio.timeout(10):
        await provisioning.run(office.app, job)
    assert await office.taken(jobs.ProvisionTenant) == []
    assert await office.waiting(jobs.ProvisionTenant) == 1


async def test_a_job_given_up_by_the_platform_leaves_a_reason(office: Office) -> None:
    job = await office.begin()
    await provisioning.give_up(office.app, job, "It failed five times.")
    assert ((await office.tenant()).status, (await office.tenant()).status_reason) == (
        "failed",
        "It failed five times.",
    )
    assert (await office.item(job)).status == "failed"


async def test_half_made_azure_roles_are_completed(office: Office) -> None:
    await office.sync()
    both = {READER, VM_CONTRIBUTOR}
    assert office.roles_of_ours("Contoso Production") == both
    cloud = office.subscription("Contoso Production")
    cloud.role_assignments = [row for row in cloud.role_assignments if row.role != VM_CONTRIBUTOR]
    await office.sync()
    assert office.roles_of_ours("Contoso Production") == both


async def test_where_no_role_may_be_given_admin_agents_are_used(office: Office) -> None:
    for row in office.subscription("Contoso Production").role_assignments:
        row.role = READER if row.role == OWNER else row.role
    await office.sync()
    rows = await office.subscriptions()
    assert rows["Contoso Production"].access == "adminAgents"
    assert rows["Contoso Development"].access == "application"


async def test_every_way_to_a_subscription_gives_a_credential_that_reads_it(office: Office) -> None:
    world = office.sandbox.cloud.world
    by_group = office.subscription("Contoso Development")
    by_group.managed_by = {str(world.partner.admin_agents_group): READER}
    for row in office.subscription("Contoso Production").role_assignments:
        row.role = READER if row.role == OWNER else row.role
    tenant = await office.sync()
    rows = await office.subscriptions()
    assert {name: (row.access, row.access_by_person) for name, row in rows.items()} == {
        "Contoso Production": ("adminAgents", True),
        "Contoso Development": ("lighthouse", True),
        "Contoso Landing Zone": ("lighthouse", False),
    }
    for found in rows.values():
        credential = await tenants.arm_credential(office.app, tenant, found)
        state = await arm.subscription_state(office.app.settings, office.app.transport.azure, credential, found.id)
        assert state == "Enabled"


async def test_a_tenant_unsynced_while_a_step_ran_keeps_nothing_of_ours(office: Office) -> None:
    job = await office.begin()
    slow = Fault("partnercenter", "POST", kind="slow", status=0, delay_ms=600, times=1)
    office.sandbox.cloud.faults.append(slow)
    running = asyncio.create_task(provisioning.run(office.app, job))
    while not office.calls("partnercenter") and slow in office.sandbox.cloud.faults and slow.times:
        await asyncio.sleep(0.02)
    await tenants.change(office.app, office.contoso, status="deactivated")
    await running
    assert office.cloud.sp_of(office.app.settings.partner_client_id) is not None
    assert (await office.item(job)).status == "canceled"
    [removal] = await office.taken(jobs.UnsyncTenant)
    await provisioning.run_removal(office.app, removal)
    assert office.cloud.sp_of(office.app.settings.partner_client_id) is None
    assert not (await office.tenant()).removing


async def test_a_sign_in_that_is_gone_fails_the_tenant_and_marks_the_connection(office: Office) -> None:
    job = await office.begin()
    world = office.sandbox.cloud.world
    world.people["dave"].revoked_at = world.clock.now() + timedelta(seconds=1)
    await provisioning.run(office.app, job)
    assert (await office.tenant()).status == "failed"
    assert "revoked" in str((await office.tenant()).status_reason)
    assert (await connections.get(office.app, "c1")).status == "needsConsent"


async def test_a_removal_that_is_refused_says_what_to_delete_by_hand(office: Office) -> None:
    synced = await office.sync()
    operation = await provisioning.unsync(office.app, [office.contoso], by=ALICE)
    [job] = await office.taken(jobs.UnsyncTenant)
    world = office.sandbox.cloud.world
    for relationship in world.relationships_of(office.contoso):
        relationship.status = "terminated"
    office.app.identity.forget_tenant(office.contoso)
    await provisioning.run_removal(office.app, job)
    row = await office.tenant()
    assert (row.status, row.removing) == ("deactivated", False)
    assert str(synced.enterprise_app_id) in str(row.status_fix)
    assert (await progress.read(office.app, operation.id)).status == "failed"


async def test_a_message_that_was_lost_is_sent_again_by_the_hourly_refresh(office: Office) -> None:
    job = await office.begin()
    await tenants.run_refresh(office.app, jobs.RefreshTenants(connection_id="c1"))
    assert await office.taken(jobs.ProvisionTenant) == []
    office.app.clock.advance(3600)
    await tenants.run_refresh(office.app, jobs.RefreshTenants(connection_id="c1"))
    assert [row.operation_id for row in await office.taken(jobs.ProvisionTenant)] == [job.operation_id]


async def test_narrowing_and_unmapping_close_the_alerts_of_what_left(office: Office) -> None:
    await office.sync()
    first, *others = sorted(row.id for row in (await office.subscriptions()).values())
    await sites.save(office.app, "hq", "Contoso", "HQ", by=ALICE)
    await sites.map_tenant(office.app, "hq", office.contoso, None, by=ALICE)
    assert await office.taken(jobs.CloseAlerts) == []
    await sites.map_tenant(office.app, "hq", office.contoso, [first], by=ALICE)
    closed = await office.taken(jobs.CloseAlerts)
    assert {(job.subscription_id, job.reason) for job in closed} == {(other, "siteUnmapped") for other in others}
    await sites.unmap(office.app, "hq", by=ALICE)
    assert [job.subscription_id for job in await office.taken(jobs.CloseAlerts)] == [first]


async def test_of_two_who_map_one_subscription_at_once_one_wins(office: Office) -> None:
    await office.sync()
    names = [f"site-{number}" for number in range(4)]
    for name in names:
        await sites.save(office.app, name, "Contoso", name, by=ALICE)
    results: list[Any] = await asyncio.gather(
        *(sites.map_tenant(office.app, name, office.contoso, None, by=ALICE) for name in names), return_exceptions=True
    )
    assert sum(isinstance(result, sites.Site) for result in results) == 1
    assert len((await sites.load(office.app)).of_tenant(office.contoso)) == 1
