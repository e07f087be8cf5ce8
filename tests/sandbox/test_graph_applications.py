"""Microsoft Graph: service principals, grants and app roles in a customer's tenant, and what the directory refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from msgraph.generated.models.app_role_assignment import AppRoleAssignment
from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.service_principal import ServicePrincipal

from sandbox import first_party
from sandbox.directory import PRIVILEGED_ROLE_ADMINISTRATOR
from sandbox.server import Sandbox
from sandbox.world import Tenant
from tests.sandbox.partner import Partner, partner_of

READ_ALL = first_party.GRAPH_ROLES["Directory.Read.All"]
DENIED = (403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


@pytest_asyncio.fixture
async def partner(sandbox: Sandbox) -> AsyncIterator[Partner]:
    async with partner_of(sandbox) as made:
        yield made


@pytest.fixture
def contoso(partner: Partner) -> Tenant:
    return partner.tenant("Contoso")


@pytest_asyncio.fixture
async def token(partner: Partner, contoso: Tenant) -> str:
    """Dave's token in Contoso, once Partner Center has consented there."""
    assert (await partner.consent(contoso)).status_code == 201
    return await partner.user_token(contoso.id)


def error_of(reply: httpx.Response) -> tuple[int, str, str]:
    error = reply.json()["error"]
    return reply.status_code, error["code"], error["message"]


def principals(partner: Partner, tenant: Tenant) -> tuple[str, str]:
    """Object ids of Tenantry's and of Graph's service principals in a tenant."""
    world = partner.sandbox.cloud.world
    return world.guid("sp", tenant.id, partner.app_id), world.guid("sp", tenant.id, first_party.GRAPH)


def role_of(partner: Partner, tenant: Tenant, role: str = READ_ALL) -> dict[str, str]:
    ours, graph = principals(partner, tenant)
    return {"principalId": ours, "resourceId": graph, "appRoleId": role}


async def test_a_consented_application_is_found_by_its_application_id(
    partner: Partner, contoso: Tenant, token: str
) -> None:
    found = await partner.sdk(token).service_principals_with_app_id(partner.app_id).get()
    assert found is not None
    assert found.id == principals(partner, contoso)[0]
    assert found.sign_in_audience == "AzureADMultipleOrgs"
    listed = await partner.graph(
        token, "GET", "/servicePrincipals", params={"$filter": f"appId eq '{partner.app_id.upper()}'"}
    )
    assert [row["id"] for row in listed.json()["value"]] == [found.id]


async def test_graphs_own_principal_offers_microsofts_permission_ids(partner: Partner, token: str) -> None:
    graph = await partner.sdk(token).service_principals_with_app_id(first_party.GRAPH).get()
    assert graph is not None
    assert "7ab1d382-f21e-4acd-a863-ba3e13f7da61" in {str(role.id) for role in graph.app_roles or ()}
    assert "e1fe6dd8-ba31-4d61-89e7-88639da4683d" in {str(row.id) for row in graph.oauth2_permission_scopes or ()}


async def test_a_second_principal_of_the_same_application_conflicts(partner: Partner, token: str) -> None:
    with pytest.raises(ODataError) as caught:
        await partner.sdk(token).service_principals.post(ServicePrincipal(app_id=partner.app_id))
    assert caught.value.response_status_code == 409
    assert caught.value.error is not None
    assert caught.value.error.code == "Request_MultipleObjectsWithSameKeyValue"
    assert f"the service principal name {partner.app_id} is already in use" in (caught.value.error.message or "")


async def test_an_unknown_application_has_no_backing_object(partner: Partner, token: str) -> None:
    unknown = "11111111-2222-3333-4444-555555555555"
    reply = await partner.graph(token, "POST", "/servicePrincipals", json={"appId": unknown})
    assert error_of(reply)[:2] == (400, "Request_BadRequest")
    assert reply.json()["error"]["details"][0]["code"] == "NoBackingApplicationObject"


async def test_a_single_tenant_application_of_another_tenant_has_no_backing_object(
    partner: Partner, token: str
) -> None:
    api = partner.sandbox.cloud.world.applications["tenantry-api"].app_id
    reply = await partner.graph(token, "POST", "/servicePrincipals", json={"appId": api})
    assert reply.json()["error"]["details"][0]["code"] == "NoBackingApplicationObject"


async def test_an_upsert_makes_what_is_missing_and_leaves_what_is_there(partner: Partner, token: str) -> None:
    world = partner.sandbox.cloud.world
    world.applications["tenantry-api"].multi_tenant = True
    missing = f"/servicePrincipals(appId='{world.applications['tenantry-api'].app_id}')"
    assert (await partner.graph(token, "PATCH", missing, json={})).status_code == 404
    prefer = {"Prefer": "create-if-missing"}
    made = await partner.graph(token, "PATCH", missing, json={}, headers=prefer)
    assert (made.status_code, made.json()["displayName"]) == (201, "Tenantry API")
    name = {"displayName": "Renamed"}
    assert (await partner.graph(token, "PATCH", missing, json=name, headers=prefer)).status_code == 204
    assert (await partner.graph(token, "GET", missing)).json()["displayName"] == "Renamed"


async def test_a_duplicate_grant_says_permission_entry_already_exists(
    partner: Partner, contoso: Tenant, token: str
) -> None:
    ours, graph = principals(partner, contoso)
    with pytest.raises(ODataError) as caught:
        await partner.sdk(token).oauth2_permission_grants.post(
            OAuth2PermissionGrant(
                client_id=ours, consent_type="AllPrincipals", resource_id=graph, scope="User.Read.All"
            )
        )
    assert caught.value.response_status_code == 409
    assert caught.value.error is not None
    assert caught.value.error.message == "Permission entry already exists."


async def test_patching_a_grant_replaces_its_scope_and_shows_only_in_new_tokens(
    partner: Partner, contoso: Tenant, token: str
) -> None:
    ours, _ = principals(partner, contoso)
    listed = (await partner.graph(token, "GET", f"/servicePrincipals/{ours}/oauth2PermissionGrants")).json()["value"]
    assert len(listed) == 1
    path = f"/oauth2PermissionGrants/{listed[0]['id']}"
    scope = {"scope": "Directory.Read.All User.Read"}
    assert (await partner.graph(token, "PATCH", path, json=scope)).status_code == 204
    assert (await partner.graph(token, "GET", path)).json()["scope"] == "Directory.Read.All User.Read"
    new = await partner.user_token(contoso.id)
    assert error_of(await partner.graph(new, "PATCH", path, json=scope)) == DENIED
    assert (await partner.graph(token, "PATCH", path, json=scope)).status_code == 204


async def test_a_grant_to_azure_can_be_made_and_deleted(partner: Partner, contoso: Tenant, token: str) -> None:
    ours, _ = principals(partner, contoso)
    azure = partner.sandbox.cloud.world.guid("sp", contoso.id, first_party.ARM)
    body = {"clientId": ours, "consentType": "AllPrincipals", "resourceId": azure, "scope": "user_impersonation"}
    made = await partner.graph(token, "POST", "/oauth2PermissionGrants", json=body)
    assert made.status_code == 201
    path = f"/oauth2PermissionGrants/{made.json()['id']}"
    assert (await partner.graph(token, "DELETE", path)).status_code == 204
    assert error_of(await partner.graph(token, "DELETE", path))[:2] == (404, "Request_ResourceNotFound")


@pytest.mark.parametrize(
    "change",
    [{"consentType": "Everyone"}, {"principalId": "x"}, {"resourceId": "no-guid"}, {"scope": ""}],
    ids=["consent type", "principal for all", "resource id", "empty scope"],
)
async def test_a_malformed_grant_is_a_bad_request(
    partner: Partner, contoso: Tenant, token: str, change: dict[str, str]
) -> None:
    ours, graph = principals(partner, contoso)
    body = {"clientId": ours, "consentType": "AllPrincipals", "resourceId": graph, "scope": "User.Read"} | change
    reply = await partner.graph(token, "POST", "/oauth2PermissionGrants", json=body)
    assert error_of(reply)[:2] == (400, "Request_BadRequest")


async def test_an_app_role_works_in_the_next_app_only_token_and_not_in_the_last(
    partner: Partner, contoso: Tenant, token: str
) -> None:
    ours, graph = principals(partner, contoso)
    before = await partner.app_token(contoso.id)
    assert error_of(await partner.graph(before, "GET", "/users")) == DENIED
    made = await (
        partner.sdk(token)
        .service_principals.by_service_principal_id(graph)
        .app_role_assigned_to.post(
            AppRoleAssignment(principal_id=UUID(ours), resource_id=UUID(graph), app_role_id=UUID(READ_ALL))
        )
    )
    assert made is not None
    assert made.principal_type == "ServicePrincipal"
    assert error_of(await partner.graph(before, "GET", "/users")) == DENIED
    after = await partner.app_token(contoso.id)
    assert (await partner.graph(after, "GET", "/users")).status_code == 200


async def test_a_duplicate_app_role_is_a_400_with_its_own_text(partner: Partner, contoso: Tenant, token: str) -> None:
    ours, graph = principals(partner, contoso)
    body = role_of(partner, contoso)
    made = await partner.graph(token, "POST", f"/servicePrincipals/{ours}/appRoleAssignments", json=body)
    assert made.status_code == 201
    again = await partner.graph(token, "POST", f"/servicePrincipals/{graph}/appRoleAssignedTo", json=body)
    text = "Permission being assigned already exists on the object"
    assert error_of(again) == (400, "Request_BadRequest", text)
    path = f"/servicePrincipals/{ours}/appRoleAssignments/{made.json()['id']}"
    assert (await partner.graph(token, "DELETE", path)).status_code == 204
    assert (await partner.graph(token, "DELETE", path)).status_code == 404


async def test_an_unknown_app_role_was_not_found_on_the_application(
    partner: Partner, contoso: Tenant, token: str
) -> None:
    _, graph = principals(partner, contoso)
    body = role_of(partner, contoso, "11111111-2222-3333-4444-555555555555")
    reply = await partner.graph(token, "POST", f"/servicePrincipals/{graph}/appRoleAssignedTo", json=body)
    text = f"Permission being assigned was not found on application '{first_party.GRAPH}'."
    assert error_of(reply) == (400, "Request_BadRequest", text)


async def test_a_deleted_principal_takes_its_grants_and_tokens_along(
    partner: Partner, contoso: Tenant, token: str
) -> None:
    ours, _ = principals(partner, contoso)
    await partner.sdk(token).service_principals.by_service_principal_id(ours).delete()
    assert not [grant for grant in contoso.grants.values() if grant.client_id == ours]
    text = "The identity of the calling application could not be established."
    assert error_of(await partner.graph(token, "GET", "/users")) == (401, "Authorization_IdentityNotFound", text)


async def test_a_deleted_principal_can_be_restored_with_what_it_held(
    partner: Partner, contoso: Tenant, token: str
) -> None:
    await partner.graph(token, "POST", "/servicePrincipals", json={"appId": first_party.GRAPH})
    world = partner.sandbox.cloud.world
    azure = world.guid("sp", contoso.id, first_party.ARM)
    ours, _ = principals(partner, contoso)
    body = {"clientId": ours, "consentType": "AllPrincipals", "resourceId": azure, "scope": "user_impersonation"}
    await partner.graph(token, "POST", "/oauth2PermissionGrants", json=body)
    assert (await partner.graph(token, "DELETE", f"/servicePrincipals/{azure}")).status_code == 204
    kind = "microsoft.graph.servicePrincipal"
    listed = (await partner.graph(token, "GET", f"/directory/deletedItems/{kind}")).json()["value"]
    assert [row["id"] for row in listed] == [azure]
    assert listed[0]["deletedDateTime"]
    restored = await partner.graph(token, "POST", f"/directory/deletedItems/{azure}/restore")
    assert (restored.status_code, restored.json()["@odata.type"]) == (200, f"#{kind}")
    assert [g.scope for g in contoso.grants.values() if g.resource_id == azure] == ["user_impersonation"]
    assert (await partner.graph(token, "POST", f"/directory/deletedItems/{azure}/restore")).status_code == 404


async def test_without_the_directory_role_nothing_can_be_granted(partner: Partner, contoso: Tenant, token: str) -> None:
    world = partner.sandbox.cloud.world
    relationship = world.relationships_of(contoso.id)[0]
    weak = partner.trapped("no-application-administrator")
    relationship.roles = list(world.relationships_of(weak.id)[0].roles)
    new = await partner.user_token(contoso.id)
    _, graph = principals(partner, contoso)
    path = f"/servicePrincipals/{graph}/appRoleAssignedTo"
    ours, _ = principals(partner, contoso)
    assert error_of(await partner.graph(new, "POST", path, json=role_of(partner, contoso))) == DENIED
    assert error_of(await partner.graph(new, "DELETE", f"/servicePrincipals/{ours}")) == DENIED
    assert (await partner.graph(token, "POST", path, json=role_of(partner, contoso))).status_code == 201


async def test_permissions_of_graph_itself_are_given_by_a_privileged_role_administrator_only(
    partner: Partner, contoso: Tenant, token: str
) -> None:
    world = partner.sandbox.cloud.world
    relationship = world.relationships_of(contoso.id)[0]
    relationship.roles.remove(PRIVILEGED_ROLE_ADMINISTRATOR)
    new = await partner.user_token(contoso.id)
    _, graph = principals(partner, contoso)
    body = role_of(partner, contoso)
    reply = await partner.graph(new, "POST", f"/servicePrincipals/{graph}/appRoleAssignedTo", json=body)
    assert error_of(reply) == DENIED


async def test_a_privileged_role_administrator_alone_makes_and_deletes_no_application(
    partner: Partner, contoso: Tenant, token: str
) -> None:
    partner.sandbox.cloud.world.relationships_of(contoso.id)[0].roles = [PRIVILEGED_ROLE_ADMINISTRATOR]
    new = await partner.user_token(contoso.id)
    ours, graph = principals(partner, contoso)
    body = role_of(partner, contoso)
    assert error_of(await partner.graph(new, "DELETE", f"/servicePrincipals/{ours}")) == DENIED
    reply = await partner.graph(new, "POST", f"/servicePrincipals/{graph}/appRoleAssignedTo", json=body)
    assert reply.status_code == 201


async def test_a_grant_for_one_person_names_that_person(partner: Partner, contoso: Tenant, token: str) -> None:
    ours, graph = principals(partner, contoso)
    person = partner.sandbox.cloud.world.people["dave"].object_id
    body = {
        "clientId": ours,
        "consentType": "Principal",
        "principalId": person,
        "resourceId": graph,
        "scope": "User.Read",
    }
    assert (await partner.graph(token, "POST", "/oauth2PermissionGrants", json=body)).status_code == 201
    every = await partner.graph(
        token, "GET", "/oauth2PermissionGrants", params={"$filter": f"principalId eq '{person}'"}
    )
    assert [row["scope"] for row in every.json()["value"]] == ["User.Read"]


async def test_who_holds_roles_of_a_resource_is_listed_there(partner: Partner, contoso: Tenant, token: str) -> None:
    ours, graph = principals(partner, contoso)
    body = role_of(partner, contoso)
    await partner.graph(token, "POST", f"/servicePrincipals/{graph}/appRoleAssignedTo", json=body)
    for owner, links in ((graph, "appRoleAssignedTo"), (ours, "appRoleAssignments")):
        found = (await partner.graph(token, "GET", f"/servicePrincipals/{owner}/{links}")).json()["value"]
        assert [(row["principalId"], row["appRoleId"]) for row in found] == [(ours, READ_ALL)]


async def test_a_purged_principal_cannot_be_restored(partner: Partner, contoso: Tenant, token: str) -> None:
    azure = partner.sandbox.cloud.world.guid("sp", contoso.id, first_party.ARM)
    assert (await partner.graph(token, "DELETE", f"/servicePrincipals/{azure}")).status_code == 204
    path = f"/directory/deletedItems/{azure}"
    assert (await partner.graph(token, "GET", path)).status_code == 200
    assert (await partner.graph(token, "DELETE", path)).status_code == 204
    assert (await partner.graph(token, "GET", path)).status_code == 404
    assert (await partner.graph(token, "POST", f"{path}/restore")).status_code == 404


async def test_a_new_principal_is_not_found_until_it_is_replicated(
    partner: Partner, contoso: Tenant, control: httpx.AsyncClient
) -> None:
    await partner.consent(partner.tenant("Fabrikam"))
    fabrikam = partner.tenant("Fabrikam")
    token = await partner.user_token(fabrikam.id)
    await control.put("/behaviour", json={"replicationLag": 60})
    app = next(row for row in partner.sandbox.cloud.world.applications.values() if row.home_tenant_id == contoso.id)
    app.multi_tenant = True
    made = await partner.graph(token, "POST", "/servicePrincipals", json={"appId": app.app_id})
    assert made.status_code == 201
    path = f"/servicePrincipals(appId='{app.app_id}')"
    assert error_of(await partner.graph(token, "GET", path))[:2] == (404, "Request_ResourceNotFound")
    again = await partner.graph(token, "POST", "/servicePrincipals", json={"appId": app.app_id})
    assert again.status_code == 409
    await control.post("/clock", json={"advanceSeconds": 61})
    assert (await partner.graph(token, "GET", path)).status_code == 200


async def test_a_write_that_answered_404_may_have_been_applied(
    partner: Partner, contoso: Tenant, token: str, control: httpx.AsyncClient
) -> None:
    await control.put("/behaviour", json={"replicationLag": 60})
    world = partner.sandbox.cloud.world
    _, graph = principals(partner, contoso)
    outcomes: set[int] = set()
    for number in range(8):
        app = next(iter(world.applications.values()))
        key = f"{number:08d}-0000-0000-0000-000000000000"
        world.applications[key] = type(app)(
            key, key, partner.home, key, True, [], exposes_roles=[first_party.app_role("Thing.Read", key)]
        )
        made = (await partner.graph(token, "POST", "/servicePrincipals", json={"appId": key})).json()["id"]
        body = {"principalId": made, "resourceId": graph, "appRoleId": READ_ALL}
        path = f"/servicePrincipals/{graph}/appRoleAssignedTo"
        first = await partner.graph(token, "POST", path, json=body)
        assert error_of(first)[:2] == (404, "Request_ResourceNotFound")
        await control.post("/clock", json={"advanceSeconds": 61})
        outcomes.add((await partner.graph(token, "POST", path, json=body)).status_code)
    assert outcomes == {201, 400}


async def test_an_app_role_takes_effect_after_the_replication_lag(
    partner: Partner, contoso: Tenant, token: str, control: httpx.AsyncClient
) -> None:
    await control.put("/behaviour", json={"replicationLag": 60})
    _, graph = principals(partner, contoso)
    path = f"/servicePrincipals/{graph}/appRoleAssignedTo"
    assert (await partner.graph(token, "POST", path, json=role_of(partner, contoso))).status_code == 201
    early = await partner.app_token(contoso.id)
    assert error_of(await partner.graph(early, "GET", "/users")) == DENIED
    await control.post("/clock", json={"advanceSeconds": 61})
    late = await partner.app_token(contoso.id)
    assert (await partner.graph(late, "GET", "/users")).status_code == 200


async def test_applications_are_read_at_home_without_their_secrets(partner: Partner) -> None:
    token = await partner.user_token(partner.home)
    reply = await partner.graph(token, "GET", f"/applications(appId='{partner.app_id}')")
    credentials = reply.json()["passwordCredentials"]
    assert reply.json()["signInAudience"] == "AzureADMultipleOrgs"
    assert credentials[0]["secretText"] is None
    assert partner.secret not in reply.text
    listed = await partner.graph(token, "GET", "/applications", params={"$select": "appId"})
    assert partner.app_id in {row["appId"] for row in listed.json()["value"]}
    assert (await partner.graph(token, "GET", f"/applications/{partner.app_id}")).status_code == 404
