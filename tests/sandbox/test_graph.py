"""Microsoft Graph: the partner's relationships, objects of a tenant, query options, tokens, batching."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.delegated_admin_relationship_status import DelegatedAdminRelationshipStatus
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.tenant_relationships.delegated_admin_relationships.delegated_admin_relationships_request_builder import (  # noqa: E501 - a generated name
    DelegatedAdminRelationshipsRequestBuilder as Relationships,
)

from sandbox import throttling
from sandbox.directory import APPLICATION_ADMINISTRATOR
from sandbox.server import Sandbox
from tests.sandbox.partner import PARTNER_CENTER_SCOPE, Partner, partner_of


@pytest_asyncio.fixture
async def partner(sandbox: Sandbox) -> AsyncIterator[Partner]:
    async with partner_of(sandbox) as made:
        yield made


@pytest_asyncio.fixture
async def home(partner: Partner) -> str:
    """Dave's token in the partner's tenant."""
    return await partner.user_token(partner.home)


def error_of(reply: httpx.Response) -> tuple[int, str, str]:
    error = reply.json()["error"]
    return reply.status_code, error["code"], error["message"]


async def test_the_organization_tells_a_partner_by_its_partner_tenant_type(partner: Partner, home: str) -> None:
    found = await partner.sdk(home).organization.get()
    assert found is not None
    assert found.value is not None
    assert found.value[0].partner_tenant_type == "resellerPartnerDelegatedAdmin"
    domains = {row.name: row.is_initial for row in found.value[0].verified_domains or ()}
    assert domains == {"northwind.example": False, "northwind.onmicrosoft.com": True}


async def test_contracts_list_resellers_and_support_only_customers(partner: Partner, home: str) -> None:
    found = await partner.sdk(home).contracts.get()
    assert found is not None
    kinds = {row.display_name: row.contract_type for row in found.value or ()}
    assert kinds["Contoso"] == "ResellerPartner"
    assert kinds[partner.trapped("advisor-only").name] == "BreadthPartner"


async def test_contracts_can_be_filtered_by_customer_id(partner: Partner, home: str) -> None:
    contoso = partner.tenant("Contoso")
    reply = await partner.graph(home, "GET", "/contracts", params={"$filter": f"customerId eq {contoso.id}"})
    assert [row["displayName"] for row in reply.json()["value"]] == ["Contoso"]


async def test_relationships_are_filtered_by_status_and_customer_and_carry_an_etag(partner: Partner, home: str) -> None:
    customer = partner.trapped("gdap-lacks-group")
    query = Relationships.DelegatedAdminRelationshipsRequestBuilderGetQueryParameters(
        filter=f"status eq 'active' and customer/tenantId eq '{customer.id}'"
    )
    found = await partner.sdk(home).tenant_relationships.delegated_admin_relationships.get(
        RequestConfiguration(query_parameters=query)
    )
    assert found is not None
    assert found.value is not None
    assert [row.status for row in found.value] == [DelegatedAdminRelationshipStatus.Active]
    row = found.value[0]
    assert row.customer is not None
    assert row.customer.display_name == customer.name
    assert row.additional_data["@odata.etag"].startswith('W/"')
    assert row.access_details is not None
    assert APPLICATION_ADMINISTRATOR in {role.role_definition_id for role in row.access_details.unified_roles or ()}
    assignments = await (
        partner.sdk(home)
        .tenant_relationships.delegated_admin_relationships.by_delegated_admin_relationship_id(row.id or "")
        .access_assignments.get()
    )
    assert assignments is not None
    assert assignments.value == []


async def test_an_access_assignment_names_the_partner_group(partner: Partner, home: str) -> None:
    contoso = partner.tenant("Contoso")
    row = partner.sandbox.cloud.world.relationships_of(contoso.id)[0]
    root = f"/tenantRelationships/delegatedAdminRelationships/{row.id}"
    listed = (await partner.graph(home, "GET", f"{root}/accessAssignments")).json()["value"]
    assert [item["status"] for item in listed] == ["active"]
    group = listed[0]["accessContainer"]
    assert group["accessContainerType"] == "securityGroup"
    named = await partner.graph(home, "GET", f"/groups/{group['accessContainerId']}")
    assert named.json()["displayName"] == "Tenantry GDAP"
    whole = await partner.graph(home, "GET", root)
    assert whole.headers["etag"] == whole.json()["@odata.etag"]
    assert (await partner.graph(home, "GET", f"{root}/accessAssignments/none")).status_code == 404
    one = await partner.graph(home, "GET", f"{root}/accessAssignments/{listed[0]['id']}")
    assert one.headers["etag"] == listed[0]["@odata.etag"]


async def test_pages_of_relationships_are_followed_by_an_absolute_next_link(partner: Partner, home: str) -> None:
    params = {"$top": "3", "$orderby": "createdDateTime desc", "$count": "true"}
    reply = await partner.graph(home, "GET", "/tenantRelationships/delegatedAdminRelationships", params=params)
    seen: list[dict[str, Any]] = []
    total = reply.json()["@odata.count"]
    while True:
        body = reply.json()
        seen += body["value"]
        if "@odata.nextLink" not in body:
            break
        assert body["@odata.nextLink"].startswith(partner.sandbox.urls["graph"])
        reply = await partner.http.get(body["@odata.nextLink"], headers={"Authorization": f"Bearer {home}"})
    assert len(seen) == len({row["id"] for row in seen}) == total == len(partner.sandbox.cloud.world.relationships)
    times = [row["createdDateTime"] for row in seen]
    assert times == sorted(times, reverse=True)


async def test_delegated_admin_customers_give_portal_links(partner: Partner, home: str) -> None:
    contoso = partner.tenant("Contoso")
    customers = partner.sdk(home).tenant_relationships.delegated_admin_customers
    found = await customers.get()
    assert found is not None
    ids = {row.tenant_id for row in found.value or ()}
    assert contoso.id in ids
    assert partner.trapped("advisor-only").id not in ids
    services = await customers.by_delegated_admin_customer_id(contoso.id).service_management_details.get()
    assert services is not None
    links = {row.service_name: row.service_management_url or "" for row in services.value or ()}
    assert contoso.id in links["Microsoft Entra ID"]


async def test_a_tenant_can_be_found_by_its_id_alone(partner: Partner, home: str) -> None:
    advisor = partner.trapped("advisor-only")
    found = await (
        partner.sdk(home).tenant_relationships.find_tenant_information_by_tenant_id_with_tenant_id(advisor.id).get()
    )
    assert found is not None
    assert (found.display_name, found.default_domain_name) == (advisor.name, advisor.default_domain)


async def test_an_unknown_relationship_is_not_found(partner: Partner, home: str) -> None:
    other = await partner.graph(home, "GET", "/tenantRelationships/delegatedAdminRelationships/none")
    assert error_of(other)[:2] == (404, "NotFound")


async def test_me_and_its_groups_are_those_of_the_person_who_signed_in(partner: Partner, home: str) -> None:
    me = await partner.sdk(home).me.get()
    assert me is not None
    assert me.user_principal_name == "dave@northwind.example"
    reply = await partner.graph(home, "GET", "/me/transitiveMemberOf/microsoft.graph.group")
    assert {row["displayName"] for row in reply.json()["value"]} == {"AdminAgents", "Tenantry GDAP"}
    mixed = await partner.graph(home, "GET", f"/users/{me.id}/transitiveMemberOf")
    kinds = {row["@odata.type"] for row in mixed.json()["value"]}
    assert kinds == {"#microsoft.graph.group", "#microsoft.graph.directoryRole"}


async def test_an_application_has_no_me(partner: Partner) -> None:
    token = await partner.app_token(partner.home)
    reply = await partner.graph(token, "GET", "/me")
    assert error_of(reply) == (400, "BadRequest", "/me request is only valid with delegated authentication flow.")


async def test_group_members_are_users(partner: Partner, home: str) -> None:
    group = partner.sandbox.cloud.world.partner.admin_agents_group
    reply = await partner.graph(home, "GET", f"/groups/{group}/members")
    assert {row["userPrincipalName"].split("@")[0] for row in reply.json()["value"]} == {"dave", "erin"}


async def test_users_show_few_properties_unless_selected(partner: Partner, home: str) -> None:
    plain = (await partner.graph(home, "GET", "/users")).json()["value"][0]
    assert "accountEnabled" not in plain
    chosen = await partner.graph(home, "GET", "/users", params={"$select": "id,accountEnabled"})
    assert set(chosen.json()["value"][0]) == {"id", "accountEnabled"}


async def test_an_unknown_object_answers_with_graphs_error_frame(partner: Partner, home: str) -> None:
    with pytest.raises(ODataError) as caught:
        await partner.sdk(home).users.by_user_id("nobody@northwind.example").get()
    error = caught.value.error
    assert caught.value.response_status_code == 404
    assert error is not None
    assert error.code == "Request_ResourceNotFound"
    assert error.message == (
        "Resource 'nobody@northwind.example' does not exist or one of its queried reference-property objects are not "
        "present."
    )
    assert error.inner_error is not None
    assert error.inner_error.request_id
    assert error.inner_error.date is not None


@pytest.mark.parametrize(
    "params, code, text",
    [
        ({"$filter": "displayName ne 'x'"}, "Request_UnsupportedQuery", "Unsupported Query."),
        (
            {"$filter": "displayName eq 'x'", "$orderby": "displayName"},
            "Request_UnsupportedQuery",
            "Unsupported Query.",
        ),
        ({"$search": '"displayName:x"'}, "Request_UnsupportedQuery", "'ConsistencyLevel: eventual'"),
        (
            {"$top": "1000"},
            "Request_UnsupportedQuery",
            "Invalid page size specified: '1000'. Must be between 1 and 999",
        ),
        ({"$skip": "5"}, "Request_BadRequest", "'$skip' is not supported by the service."),
        ({"$filter": "nonsense eq 'x'"}, "BadRequest", "Could not find a property named 'nonsense' on type"),
        ({"$filter": "displayName eq"}, "BadRequest", "Invalid filter clause"),
    ],
)
async def test_a_query_graph_cannot_answer_is_refused(
    partner: Partner, home: str, params: dict[str, str], code: str, text: str
) -> None:
    status, found, message = error_of(await partner.graph(home, "GET", "/groups", params=params))
    assert (status, found) == (400, code)
    assert text in message


async def test_advanced_queries_need_the_consistency_level_header_and_count(partner: Partner, home: str) -> None:
    params = {"$filter": "not startswith(displayName,'Admin')", "$count": "true"}
    reply = await partner.graph(home, "GET", "/groups", params=params, headers={"ConsistencyLevel": "eventual"})
    names = [row["displayName"] for row in reply.json()["value"]]
    assert "AdminAgents" not in names
    assert reply.json()["@odata.count"] == len(names) == 3


async def test_a_filter_can_look_into_a_collection_and_a_list_of_values(partner: Partner, home: str) -> None:
    by_name = "servicePrincipalNames/any(n:n eq 'https://graph.microsoft.com')"
    reply = await partner.graph(home, "GET", "/servicePrincipals", params={"$filter": by_name, "$select": "appId"})
    assert [row["appId"] for row in reply.json()["value"]] == ["00000003-0000-0000-c000-000000000000"]
    either = "displayName in ('AdminAgents','Tenantry GDAP') or displayName eq 'SalesAgents'"
    groups = await partner.graph(home, "GET", "/groups", params={"$filter": either})
    assert len(groups.json()["value"]) == 3


async def test_a_call_without_a_token_is_refused(partner: Partner) -> None:
    reply = await partner.http.get(f"{partner.sandbox.urls['graph']}/v1.0/organization")
    assert error_of(reply) == (401, "InvalidAuthenticationToken", "Access token is empty.")


async def test_a_token_for_another_audience_is_refused(partner: Partner) -> None:
    token = await partner.user_token(partner.home, PARTNER_CENTER_SCOPE)
    reply = await partner.graph(token, "GET", "/organization")
    message = "Access token validation failure. Invalid audience."
    assert error_of(reply) == (401, "InvalidAuthenticationToken", message)


async def test_a_permission_the_token_lacks_is_refused(partner: Partner) -> None:
    token = await partner.app_token(partner.home, application="daemon")
    reply = await partner.graph(token, "GET", "/organization")
    text = "Insufficient privileges to complete the operation."
    assert error_of(reply) == (403, "Authorization_RequestDenied", text)


async def test_an_unknown_segment_and_an_unknown_version_are_bad_requests(partner: Partner, home: str) -> None:
    reply = await partner.graph(home, "GET", "/nonsense")
    assert error_of(reply) == (400, "BadRequest", "Resource not found for the segment 'nonsense'.")
    old = await partner.http.get(
        f"{partner.sandbox.urls['graph']}/v2.0/users", headers={"Authorization": f"Bearer {home}"}
    )
    assert error_of(old) == (400, "BadRequest", "Invalid version: v2.0")


async def test_a_doubled_slash_and_another_case_reach_the_same_object(partner: Partner, home: str) -> None:
    assert (await partner.graph(home, "GET", "//Organization")).status_code == 200


async def test_sign_ins_of_a_tenant_without_premium_are_refused(partner: Partner) -> None:
    tenant = partner.trapped("non-premium")
    await partner.consent(tenant, "Directory.Read.All,AuditLog.Read.All")
    token = await partner.user_token(tenant.id)
    reply = await partner.graph(token, "GET", "/auditLogs/signIns")
    assert error_of(reply)[:2] == (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")


async def test_a_tenant_that_throttles_answers_429_with_its_scope(partner: Partner) -> None:
    tenant = partner.trapped("throttles")
    await partner.consent(tenant)
    token = await partner.user_token(tenant.id)
    replies = [await partner.graph(token, "GET", "/organization") for _ in range(int(throttling.SMALL_CAPACITY) + 1)]
    limited = next(reply for reply in replies if reply.status_code == 429)
    assert int(limited.headers["retry-after"]) >= 1
    assert limited.headers["x-ms-throttle-scope"].endswith(tenant.id)
    assert limited.headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"
    buckets = partner.sandbox.cloud.world.extra["buckets"]
    buckets[f"graph/{partner.app_id}/{tenant.id}"].level = throttling.SMALL_CAPACITY
    buckets[f"graph-write/{partner.app_id}/{tenant.id}"] = throttling.Bucket(-100.0, time.monotonic())
    write = await partner.graph(token, "POST", "/servicePrincipals", json={"appId": partner.app_id})
    assert (write.status_code, write.headers["x-ms-throttle-information"]) == (429, "WriteLimitExceeded")


async def batch(partner: Partner, token: str, *items: dict[str, Any]) -> httpx.Response:
    return await partner.graph(token, "POST", "/$batch", json={"requests": list(items)})


def get(key: str, url: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "method": "GET", "url": url} | more


async def test_batch_items_are_answered_each_on_its_own(partner: Partner, home: str) -> None:
    reply = await batch(partner, home, get("1", "/organization?$select=id"), get("2", "users/nobody"), get("3", "/me"))
    assert reply.status_code == 200
    found = {row["id"]: row for row in reply.json()["responses"]}
    assert {key: row["status"] for key, row in found.items()} == {"1": 200, "2": 404, "3": 200}
    assert found["1"]["body"]["value"] == [{"id": partner.home}]
    assert found["2"]["body"]["error"]["code"] == "Request_ResourceNotFound"


async def test_batch_answers_come_in_any_order(partner: Partner, home: str) -> None:
    items = [get(str(number), "/organization") for number in range(20)]
    replies = [(await batch(partner, home, *items)).json()["responses"] for _ in range(3)]
    orders = [[row["id"] for row in rows] for rows in replies]
    assert any(order != [item["id"] for item in items] for order in orders)
    assert all(sorted(order, key=int) == [item["id"] for item in items] for order in orders)


async def test_a_batch_item_whose_dependency_failed_is_424(partner: Partner, home: str) -> None:
    reply = await batch(partner, home, get("1", "/users/nobody"), get("2", "/me", dependsOn=["1"]))
    assert {row["id"]: row["status"] for row in reply.json()["responses"]} == {"1": 404, "2": 424}


async def test_a_batch_of_more_than_twenty_is_refused_whole(partner: Partner, home: str) -> None:
    reply = await batch(partner, home, *(get(str(number), "/me") for number in range(21)))
    text = "Number of batch request steps exceeds the maximum value of 20."
    assert error_of(reply) == (400, "MaximumValueExceeded", text)


@pytest.mark.parametrize(
    "items",
    [
        [get("1", "/me"), get("1", "/me")],
        [{"id": "1", "method": "POST", "url": "/servicePrincipals", "body": {"appId": "x"}}],
        [{"method": "GET", "url": "/me"}],
        [get("1", "/me", dependsOn=["2"]), get("2", "/me")],
        [get("1", "/me", headers="none")],
        [get("1", "/me", method="TRACE")],
        [],
    ],
    ids=["duplicate ids", "body without Content-Type", "no id", "later dependency", "headers", "method", "empty"],
)
async def test_a_malformed_batch_is_refused_whole(partner: Partner, home: str, items: list[dict[str, Any]]) -> None:
    reply = await batch(partner, home, *items)
    assert error_of(reply)[:2] == (400, "BadRequest")


async def test_a_throttled_batch_item_is_429_inside_a_200(
    partner: Partner, home: str, control: httpx.AsyncClient
) -> None:
    fault = {"service": "graph", "path": "/me$", "status": 429, "retryAfter": 7, "batchItem": True}
    await control.post("/faults", json=fault)
    reply = await batch(partner, home, get("1", "/me"), get("2", "/organization"))
    found = {row["id"]: row for row in reply.json()["responses"]}
    assert reply.status_code == 200
    assert (found["1"]["status"], found["1"]["headers"]["Retry-After"]) == (429, "7")
    assert found["2"]["status"] == 200
    again = await batch(partner, home, get("1", "/me"))
    assert again.json()["responses"][0]["status"] == 200


async def test_a_batch_item_may_carry_a_body_and_make_something(partner: Partner) -> None:
    contoso = partner.tenant("Contoso")
    await partner.consent(contoso)
    token = await partner.user_token(contoso.id)
    item = {
        "id": "1",
        "method": "POST",
        "url": "/servicePrincipals",
        "headers": {"Content-Type": "application/json"},
        "body": {"appId": partner.app_id},
    }
    reply = await batch(partner, token, item, get("2", "/$batch"))
    found = {row["id"]: row for row in reply.json()["responses"]}
    assert found["1"]["status"] == 409
    assert found["2"]["status"] == 400


async def test_the_organization_can_be_read_by_its_id_only(partner: Partner, home: str) -> None:
    assert (await partner.graph(home, "GET", f"/organization/{partner.home}")).json()["id"] == partner.home
    other = await partner.graph(home, "GET", f"/organization/{partner.tenant('Contoso').id}")
    assert error_of(other)[:2] == (404, "Request_ResourceNotFound")


async def test_values_can_be_compared_in_a_filter(partner: Partner, home: str) -> None:
    path = "/tenantRelationships/delegatedAdminRelationships"
    for expression, some in (
        ("createdDateTime lt 2100-01-01T00:00:00Z and not (status eq 'active')", True),
        ("endDateTime ge 2100-01-01T00:00:00Z", False),
        ("contains(displayName,'contoso')", True),
        ("activatedDateTime ne null and activatedDateTime gt 2000-01-01T00:00:00Z", True),
    ):
        reply = await partner.graph(home, "GET", path, params={"$filter": expression})
        assert (reply.status_code, bool(reply.json()["value"])) == (200, some), expression


async def test_a_customer_is_shown_with_its_services_when_expanded(partner: Partner, home: str) -> None:
    path = f"/tenantRelationships/delegatedAdminCustomers/{partner.tenant('Contoso').id}"
    reply = await partner.graph(home, "GET", path, params={"$expand": "serviceManagementDetails"})
    assert reply.json()["serviceManagementDetails"]
    advisor = partner.trapped("advisor-only").id
    missing = await partner.graph(home, "GET", f"/tenantRelationships/delegatedAdminCustomers/{advisor}")
    assert missing.status_code == 404
    for tenant_id, status in (("no-guid", 400), ("11111111-2222-3333-4444-555555555555", 404)):
        name = f"/tenantRelationships/findTenantInformationByTenantId(tenantId='{tenant_id}')"
        assert (await partner.graph(home, "GET", name)).status_code == status


async def test_a_body_that_is_no_json_is_a_bad_request(partner: Partner, home: str) -> None:
    reply = await partner.graph(home, "POST", "/servicePrincipals", content=b"{")
    assert error_of(reply)[:2] == (400, "BadRequest")
    assert "Unable to read JSON request payload." in error_of(reply)[2]
