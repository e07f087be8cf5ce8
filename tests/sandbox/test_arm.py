"""Resource Manager: subscriptions, lists, access and refusals, as Microsoft's clients meet them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from sandbox import arm_access, cast, first_party
from sandbox.azure_types import VM
from sandbox.server import Sandbox
from sandbox.world import Subscription
from tests.sandbox.azure import SCOPE, Azure
from tests.sandbox.partner import Partner

AUTHORIZATION = "providers/Microsoft.Authorization"


@pytest_asyncio.fixture
async def azure(sandbox: Sandbox) -> AsyncIterator[Azure]:
    async with Azure(sandbox) as azure:
        yield azure


@pytest_asyncio.fixture
async def partner(azure: Azure) -> Partner:
    return Partner(azure.sandbox, azure.http)


def reached_by(azure: Azure, access: str) -> Subscription:
    """A customer's subscription that the partner gets into in one way: agents, lighthouse, none."""
    agents = azure.world.partner.admin_agents_group
    for subscription in azure.world.subscriptions.values():
        holders = {row.principal_id for row in subscription.role_assignments}
        ways = {"lighthouse": bool(subscription.managed_by), "agents": agents in holders}
        if subscription.tenant_id != azure.world.partner.id and ways.get(access, not any(ways.values())):
            return subscription
    raise AssertionError(access)


async def agent_token(azure: Azure, partner: Partner, tenant_id: str) -> str:
    """Dave's ARM token in a customer's tenant, after the consent that allows it."""
    body = {
        "applicationId": partner.app_id,
        "applicationGrants": [{"enterpriseApplicationId": first_party.ARM, "scope": "user_impersonation"}],
    }
    reply = await partner.partner_center("POST", f"/customers/{tenant_id}/applicationconsents", json=body)
    assert reply.status_code in (200, 201), reply.text
    return await partner.user_token(tenant_id, SCOPE)


def error_of(reply: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = reply.json()["error"]
    return found


async def test_subscriptions_are_those_with_a_role(azure: Azure) -> None:
    rows = [row async for row in (await azure.subscriptions()).subscriptions.list()]
    assert {row.subscription_id for row in rows} == set(azure.contoso.subscription_ids)
    assert {row.state for row in rows} == {"Enabled"}
    assert {row.tenant_id for row in rows} == {azure.contoso.id}


async def test_without_any_role_the_list_is_empty_and_the_subscription_refused(azure: Azure) -> None:
    for subscription_id in azure.contoso.subscription_ids:
        azure.world.subscriptions[subscription_id].role_assignments.clear()
    assert [row async for row in (await azure.subscriptions()).subscriptions.list()] == []
    app = azure.world.applications["automation"]
    oid = cast.principal_id(azure.world, azure.contoso, "automation")
    with pytest.raises(HttpResponseError) as caught:
        await (await azure.subscriptions()).subscriptions.get(azure.subscription.id)
    assert caught.value.status_code == 403
    assert caught.value.error is not None
    assert caught.value.error.code == "AuthorizationFailed"
    assert caught.value.error.message == (
        f"The client '{app.app_id}' with object id '{oid}' does not have authorization to perform action "
        f"'Microsoft.Resources/subscriptions/read' over scope '/subscriptions/{azure.subscription.id}' or the scope is "
        "invalid. If access was recently granted, please refresh your credentials."
    )


async def test_an_unknown_subscription_is_not_found(azure: Azure) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        await (await azure.subscriptions()).subscriptions.get("00000000-0000-0000-0000-000000000001")
    assert caught.value.error is not None
    assert caught.value.error.code == "SubscriptionNotFound"


async def test_a_token_of_another_tenant_is_refused_with_the_right_one_named(azure: Azure) -> None:
    foreign = reached_by(azure, "agents")
    other = next(s for s in azure.world.subscriptions.values() if s.tenant_id not in (azure.contoso.id, foreign.id))
    with pytest.raises(ClientAuthenticationError) as caught:
        await (await azure.subscriptions()).subscriptions.get(other.id)
    assert caught.value.error is not None
    assert caught.value.error.code == "InvalidAuthenticationTokenTenant"
    challenge = (await azure.send("GET", f"/subscriptions/{other.id}")).headers["WWW-Authenticate"]
    assert f'authorization_uri="https://login.windows.net/{other.tenant_id}"' in challenge
    assert 'error="invalid_token"' in challenge


async def test_missing_token_and_missing_api_version_are_named(azure: Azure) -> None:
    reply = await azure.http.get("/subscriptions", params={"api-version": "2022-12-01"})
    assert (reply.status_code, error_of(reply)["code"]) == (401, "AuthenticationFailed")
    reply = await azure.send("GET", "/subscriptions", version="")
    assert (reply.status_code, error_of(reply)["code"]) == (400, "MissingApiVersionParameter")


async def test_a_token_for_another_resource_is_refused(azure: Azure) -> None:
    token = (await azure.credential.get_token("https://graph.microsoft.com/.default")).token
    reply = await azure.send("GET", "/subscriptions", token=token)
    assert reply.status_code == 401
    assert "wrong audience" in error_of(reply)["message"]


async def test_tokens_of_the_classic_audience_are_accepted(azure: Azure) -> None:
    token = (await azure.credential.get_token("https://management.core.windows.net//.default")).token
    assert (await azure.send("GET", "/subscriptions", token=token)).status_code == 200


async def test_admin_agents_reach_a_customer_through_the_foreign_group(azure: Azure, partner: Partner) -> None:
    subscription = reached_by(azure, "agents")
    token = await agent_token(azure, partner, subscription.tenant_id)
    rows = (await azure.send("GET", "/subscriptions", token=token)).json()["value"]
    assert subscription.id in {row["subscriptionId"] for row in rows}
    reply = await azure.send("GET", f"/subscriptions/{subscription.id}/resources", token=token)
    assert len(reply.json()["value"]) == len(subscription.resources)


async def test_delegated_subscriptions_are_seen_from_the_managing_tenant(azure: Azure, partner: Partner) -> None:
    subscription = reached_by(azure, "lighthouse")
    token = await partner.app_token(partner.home, SCOPE)
    rows = {r["subscriptionId"]: r for r in (await azure.send("GET", "/subscriptions", token=token)).json()["value"]}
    assert rows[subscription.id]["homeTenantId"] == subscription.tenant_id
    assert rows[subscription.id]["managedByTenants"] == [{"tenantId": partner.home}]
    assert (await azure.send("GET", f"/subscriptions/{subscription.id}/resources", token=token)).status_code == 200
    assignments = f"/subscriptions/{subscription.id}/{AUTHORIZATION}/roleAssignments/{uuid.uuid4()}"
    reply = await azure.send("PUT", assignments, token=token, json={"properties": {}})
    assert (reply.status_code, error_of(reply)["code"]) == (403, "AuthorizationFailed")


async def test_resources_follow_next_links_although_the_client_rewrites_the_api_version(azure: Azure) -> None:
    azure.world.extra["arm.page_size"] = 7
    rows = [row async for row in (await azure.resources()).resources.list()]
    assert [row.id for row in rows] == [row.id for row in azure.subscription.resources.values()]
    assert rows[0].created_time is None


async def test_expanded_times_and_state_are_given(azure: Azure) -> None:
    client = await azure.resources()
    pages = client.resources.list(expand="createdTime,changedTime,provisioningState")
    row = await anext(aiter(pages))
    assert row.created_time is not None
    assert row.provisioning_state == "Succeeded"


@pytest.mark.parametrize(
    "text,kept",
    [
        (f"resourceType eq '{VM}'", lambda r: r.type == VM),
        (f"RESOURCETYPE eq '{VM.lower()}' or resourceType eq 'Microsoft.KeyVault/vaults'", None),
        ("tagName eq 'environment' and tagValue eq 'test'", lambda r: r.tags["environment"] == "test"),
        ("substringof('web', name)", lambda r: "web" in r.name),
        ("", lambda r: True),
    ],
)
async def test_resources_are_filtered(azure: Azure, text: str, kept: Any) -> None:
    keep = kept or (lambda r: r.type in (VM, "Microsoft.KeyVault/vaults"))
    rows = (
        await azure.send("GET", f"/subscriptions/{azure.subscription.id}/resources", params={"$filter": text})
    ).json()
    assert [row["id"] for row in rows["value"]] == [r.id for r in azure.subscription.resources.values() if keep(r)]


@pytest.mark.parametrize("text", ["nonsense", "colour eq 'red'", "tagName eq 'a' and name eq 'b'"])
async def test_a_filter_that_is_not_understood_is_refused(azure: Azure, text: str) -> None:
    reply = await azure.send("GET", f"/subscriptions/{azure.subscription.id}/resources", params={"$filter": text})
    assert (reply.status_code, error_of(reply)["code"]) == (400, "InvalidFilterInQueryString")


async def test_top_limits_a_page_and_the_rest_follows(azure: Azure) -> None:
    path = f"/subscriptions/{azure.subscription.id}/resources"
    page = (await azure.send("GET", path, params={"$top": "3"})).json()
    assert len(page["value"]) == 3
    assert page["nextLink"].startswith(azure.url)
    reply = await azure.send("GET", path, params={"$top": "0"})
    assert (reply.status_code, error_of(reply)["code"]) == (400, "InvalidTopValue")
    reply = await azure.send("GET", path, params={"$skiptoken": "x"})
    assert (reply.status_code, error_of(reply)["code"]) == (400, "InvalidSkipToken")


async def test_resource_groups_are_those_of_the_resources(azure: Azure) -> None:
    client = await azure.resources()
    names = {row.name async for row in client.resource_groups.list()}
    assert names == {row.resource_group for row in azure.subscription.resources.values()}
    group = next(iter(names))
    assert group is not None
    assert (await client.resource_groups.get(group.upper())).name == group
    path = f"/subscriptions/{azure.subscription.id}/resourcegroups"
    assert [(await azure.send("HEAD", f"{path}/{name}")).status_code for name in (group, "rg-nowhere")] == [204, 404]
    inside = [row async for row in client.resources.list_by_resource_group(group)]
    assert len(inside) == sum(row.resource_group == group for row in azure.subscription.resources.values())
    with pytest.raises(ResourceNotFoundError) as caught:
        await client.resource_groups.get("rg-nowhere")
    assert caught.value.error is not None
    assert caught.value.error.code == "ResourceGroupNotFound"


async def test_a_resource_is_found_in_any_case_and_a_missing_one_named(azure: Azure) -> None:
    client, vault = await azure.resources(), next(r for r in azure.subscription.resources.values() if "Vault" in r.type)
    found = await client.resources.get_by_id(vault.id.upper(), api_version="2023-07-01")
    assert found.id == vault.id
    with pytest.raises(ResourceNotFoundError) as caught:
        await client.resources.get_by_id(f"{vault.id}x", api_version="2023-07-01")
    assert caught.value.error is not None
    assert caught.value.error.code == "ResourceNotFound"
    assert f"{vault.type}/{vault.name}x' under resource group '{vault.resource_group}'" in str(caught.value)


async def test_every_resource_of_the_world_answers_by_its_id(azure: Azure) -> None:
    for resource in azure.subscription.resources.values():
        reply = await azure.send("GET", resource.id)
        assert reply.status_code == 200, resource.id
        assert reply.json()["type"] == resource.type


async def test_what_a_machine_names_exists(azure: Azure) -> None:
    for machine in azure.machines:
        interface = machine.properties["networkProfile"]["networkInterfaces"][0]["id"]
        configuration = (await azure.send("GET", interface)).json()["properties"]["ipConfigurations"][0]
        address = await azure.send("GET", configuration["properties"]["publicIPAddress"]["id"])
        assert address.json()["properties"]["ipConfiguration"]["id"] == configuration["id"]
        disk = machine.properties["storageProfile"]["osDisk"]["managedDisk"]["id"]
        assert (await azure.send("GET", disk)).json()["properties"]["diskState"] == "Attached"


async def test_a_type_has_its_own_list(azure: Azure) -> None:
    base = f"/subscriptions/{azure.subscription.id}/providers"
    rows = (await azure.send("GET", f"{base}/Microsoft.Network/networkInterfaces")).json()["value"]
    assert len(rows) >= len(azure.machines)
    assert all(row["properties"]["ipConfigurations"] for row in rows)
    reply = await azure.send("GET", f"{base}/Microsoft.KeyVault/managedHSMs")
    assert (reply.status_code, error_of(reply)["code"]) == (404, "InvalidResourceType")
    reply = await azure.send("GET", f"{base}/Microsoft.Nonsense/things")
    assert (reply.status_code, error_of(reply)["code"]) == (404, "InvalidResourceNamespace")


async def test_tags_are_changed_through_both_ways(azure: Azure) -> None:
    machine = azure.machines[0]
    tags = f"{machine.id}/providers/Microsoft.Resources/tags/default"
    body = {"operation": "Merge", "properties": {"tags": {"owner": "ops"}}}
    merged = (await azure.send("PATCH", tags, json=body)).json()["properties"]["tags"]
    assert merged == {**merged, "owner": "ops"}
    assert "environment" in merged
    body = {"operation": "Delete", "properties": {"tags": {"owner": "ops"}}}
    assert "owner" not in (await azure.send("PATCH", tags, json=body)).json()["properties"]["tags"]
    body = {"operation": "Replace", "properties": {"tags": {"a": "b"}}}
    await azure.send("PATCH", tags, json=body)
    assert (await azure.send("GET", tags)).json()["properties"]["tags"] == {"a": "b"}
    await azure.send("PATCH", machine.id, json={"tags": {"c": "d"}})
    listed = (await azure.send("GET", f"/subscriptions/{azure.subscription.id}/resources")).json()["value"]
    assert next(row for row in listed if row["id"] == machine.id)["tags"] == {"c": "d"}


async def test_providers_locations_and_tenants_are_listed(azure: Azure) -> None:
    client = await azure.resources()
    provider = await client.providers.get("microsoft.compute")
    assert provider.registration_state == "Registered"
    assert provider.resource_types is not None
    kinds = {row.resource_type: row for row in provider.resource_types}
    assert "West Europe" in (kinds["virtualMachines"].locations or [])
    rows = [row async for row in client.providers.list()]
    assert "Microsoft.Storage" in {row.namespace for row in rows}
    subscriptions = await azure.subscriptions()
    locations = [row.name async for row in subscriptions.subscriptions.list_locations(azure.subscription.id)]
    assert "westeurope" in locations
    assert [row.tenant_id async for row in subscriptions.tenants.list()] == [azure.contoso.id]


async def test_a_batch_answers_each_request_under_its_name(azure: Azure) -> None:
    machine = azure.machines[0]
    body = {
        "requests": [
            {"httpMethod": "GET", "name": "one", "url": f"https://management.azure.com{machine.id}?api-version=1"},
            {"httpMethod": "GET", "name": "two", "url": f"{machine.id}x?api-version=1"},
        ]
    }
    answers = {r["name"]: r for r in (await azure.send("POST", "/batch", json=body)).json()["responses"]}
    assert answers["one"]["httpStatusCode"] == 200
    assert answers["one"]["content"]["id"] == machine.id
    assert answers["two"]["httpStatusCode"] == 404
    assert answers["two"]["content"]["error"]["code"] == "ResourceNotFound"


async def test_a_reader_reads_but_does_not_act(azure: Azure) -> None:
    own = cast.principal_id(azure.world, azure.contoso, "automation")
    next(row for row in azure.subscription.role_assignments if row.principal_id == own).role = arm_access.READER
    machine = azure.machines[0]
    assert (await azure.send("GET", machine.id)).status_code == 200
    reply = await azure.send("POST", f"{machine.id}/deallocate")
    assert reply.status_code == 403
    assert f"perform action '{VM}/deallocate/action' over scope '{machine.id}'" in error_of(reply)["message"]


async def test_permissions_are_those_of_the_callers_roles(azure: Azure) -> None:
    path = f"/subscriptions/{azure.subscription.id}/{AUTHORIZATION}/permissions"
    rows = (await azure.send("GET", path)).json()["value"]
    assert [row["actions"] for row in rows] == [["*"]]
    assert "Microsoft.Authorization/*/Write" in rows[0]["notActions"]


class TestRoleAssignments:
    """Assigning a role, as the owner that AdminAgents are."""

    @pytest_asyncio.fixture
    async def owner(self, azure: Azure, partner: Partner) -> tuple[Subscription, str]:
        subscription = reached_by(azure, "agents")
        return subscription, await agent_token(azure, partner, subscription.tenant_id)

    @staticmethod
    def path(subscription: Subscription, name: str | None = None) -> str:
        return f"/subscriptions/{subscription.id}/{AUTHORIZATION}/roleAssignments/{name or uuid.uuid4()}"

    @staticmethod
    def body(subscription: Subscription, principal: str, role: str = arm_access.READER) -> dict[str, Any]:
        definition = f"/subscriptions/{subscription.id}/{AUTHORIZATION}/roleDefinitions/{role}"
        return {"properties": {"roleDefinitionId": definition, "principalId": principal}}

    async def test_a_new_role_counts_and_a_second_one_is_refused(
        self, azure: Azure, partner: Partner, owner: tuple[Subscription, str]
    ) -> None:
        subscription, token = owner
        principal = cast.principal_id(azure.world, azure.world.tenants[subscription.tenant_id], "tenantry")
        own = await partner.app_token(subscription.tenant_id, SCOPE)
        target = f"/subscriptions/{subscription.id}/resources"
        assert (await azure.send("GET", target, token=own)).status_code == 403
        body = self.body(subscription, principal)
        reply = await azure.send("PUT", self.path(subscription), token=token, json=body)
        assert reply.status_code == 201
        assert reply.json()["properties"]["principalType"] == "ServicePrincipal"
        assert (await azure.send("GET", target, token=own)).status_code == 200
        reply = await azure.send("PUT", self.path(subscription), token=token, json=body)
        assert reply.status_code == 409
        assert error_of(reply) == {"code": "RoleAssignmentExists", "message": "The role assignment already exists."}

    async def test_a_role_counts_only_after_the_replication_lag(
        self, azure: Azure, partner: Partner, owner: tuple[Subscription, str]
    ) -> None:
        subscription, token = owner
        principal = cast.principal_id(azure.world, azure.world.tenants[subscription.tenant_id], "tenantry")
        own = await partner.app_token(subscription.tenant_id, SCOPE)
        azure.world.behaviour.replication_lag = 60
        await azure.send("PUT", self.path(subscription), token=token, json=self.body(subscription, principal))
        target = f"/subscriptions/{subscription.id}/resources"
        assert (await azure.send("GET", target, token=own)).status_code == 403
        azure.world.clock.advance(61)
        assert (await azure.send("GET", target, token=own)).status_code == 200

    async def test_an_unknown_principal_is_named_without_dashes(
        self, azure: Azure, owner: tuple[Subscription, str]
    ) -> None:
        subscription, token = owner
        nobody = str(uuid.uuid4())
        body = self.body(subscription, nobody)
        reply = await azure.send("PUT", self.path(subscription), token=token, json=body)
        assert (reply.status_code, error_of(reply)["code"]) == (400, "PrincipalNotFound")
        assert error_of(reply)["message"].startswith(
            f"Principal {nobody.replace('-', '')} does not exist in the directory {subscription.tenant_id}."
        )

    async def test_an_assignment_is_listed_read_and_deleted(
        self, azure: Azure, owner: tuple[Subscription, str]
    ) -> None:
        subscription, token = owner
        principal = cast.principal_id(azure.world, azure.world.tenants[subscription.tenant_id], "tenantry")
        path = self.path(subscription)
        await azure.send("PUT", path, token=token, json=self.body(subscription, principal))
        listed = f"/subscriptions/{subscription.id}/{AUTHORIZATION}/roleAssignments"
        rows = (
            await azure.send("GET", listed, token=token, params={"$filter": f"principalId eq '{principal}'"})
        ).json()
        assert [row["properties"]["principalId"] for row in rows["value"]] == [principal]
        assert (await azure.send("GET", path, token=token)).json()["name"] == path.rsplit("/", 1)[-1]
        other = self.body(subscription, principal, arm_access.CONTRIBUTOR)
        reply = await azure.send("PUT", path, token=token, json=other)
        assert error_of(reply)["code"] == "RoleAssignmentUpdateNotPermitted"
        assert (await azure.send("DELETE", path, token=token)).status_code == 200
        assert (await azure.send("DELETE", path, token=token)).status_code == 204
        assert error_of(await azure.send("GET", path, token=token))["code"] == "RoleAssignmentNotFound"

    async def test_role_definitions_are_found_by_name_and_an_unknown_one_refused(
        self, azure: Azure, owner: tuple[Subscription, str]
    ) -> None:
        subscription, token = owner
        listed = f"/subscriptions/{subscription.id}/{AUTHORIZATION}/roleDefinitions"
        rows = (await azure.send("GET", listed, token=token, params={"$filter": "roleName eq 'Reader'"})).json()[
            "value"
        ]
        assert [row["name"] for row in rows] == [arm_access.READER]
        assert (await azure.send("GET", f"{listed}/{arm_access.READER}", token=token)).status_code == 200
        group = azure.world.partner.admin_agents_group or ""
        body = self.body(subscription, group, str(uuid.uuid4()))
        reply = await azure.send("PUT", self.path(subscription), token=token, json=body)
        assert (reply.status_code, error_of(reply)["code"]) == (404, "RoleDefinitionDoesNotExist")
        reply = await azure.send("PUT", self.path(subscription, "no-guid"), token=token, json=body)
        assert (reply.status_code, error_of(reply)["code"]) == (400, "InvalidRoleAssignmentId")


async def test_throttling_answers_429_with_the_time_to_wait(azure: Azure) -> None:
    azure.contoso.traps.add("throttles")
    path = f"/subscriptions/{azure.subscription.id}"
    await azure.credential.get_token(SCOPE)
    replies = await asyncio.gather(*(azure.send("GET", path) for _ in range(30)))
    refused = [reply for reply in replies if reply.status_code == 429]
    assert 0 < len(refused) < 30
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert error_of(refused[0])["code"] == "SubscriptionRequestsThrottled"


async def test_unknown_paths_are_refused_as_arm_does(azure: Azure) -> None:
    assert error_of(await azure.send("GET", "/nonsense"))["code"] == "MissingSubscription"
    reply = await azure.send("DELETE", f"/subscriptions/{azure.subscription.id}/nonsense/x")
    assert (reply.status_code, error_of(reply)["code"]) == (404, "InvalidResourceType")
