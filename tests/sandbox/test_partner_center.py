"""Partner Center: customers with seek paging, and consent on behalf of a customer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sandbox import first_party, partner_center
from sandbox.server import Sandbox
from tests.sandbox.partner import GRAPH_SCOPE, PARTNER_CENTER_SCOPE, Partner, partner_of


@pytest_asyncio.fixture
async def partner(sandbox: Sandbox) -> AsyncIterator[Partner]:
    async with partner_of(sandbox) as made:
        yield made


def error_of(reply: httpx.Response) -> tuple[int, str, str]:
    body = reply.json()
    assert set(body) >= {"code", "description", "data", "source"}
    return reply.status_code, body["code"], body["description"]


async def test_customers_carry_their_relationship_and_a_byte_order_mark(partner: Partner) -> None:
    reply = await partner.partner_center("GET", "/customers")
    assert reply.content.startswith(b"\xef\xbb\xbf{")
    kinds = {row["companyProfile"]["companyName"]: row["relationshipToPartner"] for row in reply.json()["items"]}
    assert kinds["Contoso"] == "reseller"
    assert kinds[partner.trapped("advisor-only").name] == "advisor"
    assert reply.json()["totalCount"] == len(kinds) == len(partner.sandbox.cloud.world.customers())


async def test_the_byte_order_mark_can_be_left_out(partner: Partner) -> None:
    partner_center.state(partner.sandbox.cloud.world)["bom"] = False
    assert (await partner.partner_center("GET", "/customers")).text.startswith("{")


async def test_the_next_page_needs_the_headers_named_beside_its_link(partner: Partner) -> None:
    names: list[str] = []
    path, headers = "/customers?size=5", dict[str, str]()
    while path:
        body = (await partner.partner_center("GET", path, headers=headers)).json()
        names += [row["companyProfile"]["companyName"] for row in body["items"]]
        following: dict[str, Any] = body["links"].get("next", {})
        path = following.get("uri", "")
        headers = {row["key"]: row["value"] for row in following.get("headers", ())}
        assert not path or (path.startswith("/customers?") and "seekOperation=Next" in path)
    assert names == [tenant.name for tenant in partner.sandbox.cloud.world.customers()]
    lost = await partner.partner_center("GET", "/customers?size=5&seekOperation=Next")
    assert error_of(lost)[0] == 400


async def test_customers_can_be_filtered_by_the_start_of_their_name(partner: Partner) -> None:
    rule = '{"Field":"CompanyName","Value":"cont","Operator":"starts_with"}'
    reply = await partner.partner_center("GET", "/customers", params={"filter": rule})
    assert [row["companyProfile"]["companyName"] for row in reply.json()["items"]] == ["Contoso"]
    assert error_of(await partner.partner_center("GET", "/customers", params={"filter": "x"}))[0] == 400


async def test_one_customer_tells_whether_delegated_access_is_allowed(partner: Partner) -> None:
    contoso = partner.tenant("Contoso")
    reply = await partner.partner_center("GET", f"/customers/{contoso.id}")
    assert reply.json()["companyProfile"]["tenantId"] == contoso.id
    assert "allowDelegatedAccess" in reply.json()


async def test_a_tenant_without_a_relationship_is_no_customer(partner: Partner) -> None:
    stranger = partner.sandbox.cloud.world.people["frank"].tenant_id
    reply = await partner.partner_center("GET", f"/customers/{stranger}")
    assert error_of(reply) == (
        403,
        "20002",
        f"The partner ID {partner.home} has no commerce relationship with the customer ID {stranger}.",
    )


async def test_a_person_without_a_second_factor_is_told_that_mfa_is_required(partner: Partner) -> None:
    reply = await partner.partner_center("GET", "/customers", person="erin")
    assert error_of(reply) == (401, "10001", "Authentication failed. MFA required.")


async def test_a_missing_a_foreign_and_a_garbled_token_are_unauthorized(partner: Partner) -> None:
    url = f"{partner.sandbox.urls['partnercenter']}/v1/customers"
    for headers in (
        {},
        {"Authorization": "Bearer rubbish"},
        {"Authorization": f"Bearer {await partner.user_token(partner.home, GRAPH_SCOPE)}"},
    ):
        assert error_of(await partner.http.get(url, headers=headers))[:2] == (401, "10001")


async def test_consent_makes_the_principal_and_its_delegated_grants(partner: Partner) -> None:
    contoso = partner.tenant("Contoso")
    body = {
        "applicationId": partner.app_id,
        "displayName": "Tenantry",
        "applicationGrants": [
            {"enterpriseApplicationId": first_party.GRAPH, "scope": "Directory.Read.All,User.Read"},
            {"enterpriseApplicationId": first_party.ARM, "scope": "user_impersonation"},
        ],
    }
    reply = await partner.partner_center("POST", f"/customers/{contoso.id}/applicationconsents", json=body)
    assert reply.status_code == 201
    assert reply.json()["applicationGrants"] == body["applicationGrants"]
    principal = contoso.sp_of(partner.app_id)
    assert principal is not None
    scopes = {grant.scope for grant in contoso.grants.values() if grant.client_id == principal.id}
    assert scopes == {"Directory.Read.All User.Read", "user_impersonation"}
    shown = await partner.partner_center("GET", f"/customers/{contoso.id}/applicationconsents/{partner.app_id}")
    assert shown.json() == reply.json()


async def test_a_second_consent_changes_nothing_and_says_so(partner: Partner) -> None:
    contoso = partner.tenant("Contoso")
    await partner.consent(contoso, "User.Read")
    again = await partner.consent(contoso, "User.Read,Directory.Read.All")
    assert error_of(again)[0] == 409
    assert error_of(again)[2] == "Permission entry already exists."
    assert "User.Read" in {grant.scope for grant in contoso.grants.values()}


async def test_a_consent_repeated_under_the_same_request_id_answers_as_before(partner: Partner) -> None:
    contoso = partner.tenant("Contoso")
    body = {
        "applicationId": partner.app_id,
        "applicationGrants": [{"enterpriseApplicationId": first_party.GRAPH, "scope": "User.Read"}],
    }
    path, headers = f"/customers/{contoso.id}/applicationconsents", {"MS-RequestId": "7f0c", "MS-CorrelationId": "c"}
    first = await partner.partner_center("POST", path, json=body, headers=headers)
    second = await partner.partner_center("POST", path, json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["ms-requestid"] == "7f0c"


async def test_a_deleted_consent_is_gone_and_can_be_given_anew(partner: Partner) -> None:
    contoso = partner.tenant("Contoso")
    await partner.consent(contoso)
    path = f"/customers/{contoso.id}/applicationconsents/{partner.app_id}"
    assert (await partner.partner_center("DELETE", path)).status_code == 204
    assert contoso.sp_of(partner.app_id) is None
    assert error_of(await partner.partner_center("DELETE", path))[0] == 404
    listed = await partner.partner_center("GET", f"/customers/{contoso.id}/applicationconsents")
    assert listed.json()["items"] == []
    assert (await partner.consent(contoso)).status_code == 201


@pytest.mark.parametrize("trap", ["advisor-only", "gdap-lacks-group", "no-application-administrator"])
async def test_consent_needs_a_reseller_relationship_and_a_role_that_allows_it(partner: Partner, trap: str) -> None:
    reply = await partner.consent(partner.trapped(trap))
    assert reply.status_code == 403
    assert partner.trapped(trap).sp_of(partner.app_id) is None


async def test_consent_is_not_for_the_partners_own_tenant(partner: Partner) -> None:
    assert error_of(await partner.consent(partner.sandbox.cloud.world.partner))[0] == 403


async def test_consent_needs_a_person_behind_the_token(partner: Partner) -> None:
    token = await partner.app_token(partner.home, PARTNER_CENTER_SCOPE)
    contoso = partner.tenant("Contoso")
    url = f"{partner.sandbox.urls['partnercenter']}/v1/customers"
    headers = {"Authorization": f"Bearer {token}"}
    assert (await partner.http.get(url, headers=headers)).status_code == 200
    reply = await partner.http.post(f"{url}/{contoso.id}/applicationconsents", headers=headers, json={})
    assert error_of(reply)[0] == 401


@pytest.mark.parametrize(
    "scope", ["User.Read Directory.Read.All", "No.Such.Permission", ""], ids=["spaces", "unknown", "empty"]
)
async def test_a_scope_that_is_no_comma_separated_list_is_a_bad_request(partner: Partner, scope: str) -> None:
    contoso = partner.tenant("Contoso")
    assert error_of(await partner.consent(contoso, scope))[0] == 400
    assert contoso.sp_of(partner.app_id) is None


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"applicationId": "x"}', b'{"applicationGrants": [1]}'])
async def test_a_malformed_consent_is_a_bad_request(partner: Partner, body: bytes) -> None:
    path = f"/customers/{partner.tenant('Contoso').id}/applicationconsents"
    assert error_of(await partner.partner_center("POST", path, content=body))[0] == 400


async def test_more_than_fifty_requests_a_second_are_told_when_to_come_back(
    partner: Partner, control: httpx.AsyncClient
) -> None:
    await control.put("/behaviour", json={"throttling": True})
    token = await partner.user_token(partner.home, PARTNER_CENTER_SCOPE)
    url, headers = f"{partner.sandbox.urls['partnercenter']}/v1/customers?size=1", {"Authorization": f"Bearer {token}"}
    assert (await partner.http.get(url, headers=headers)).status_code == 200
    partner.sandbox.cloud.world.extra["buckets"][f"partnerCenter/{partner.app_id}"].level = -45.0
    reply = await partner.http.get(url, headers=headers)
    assert reply.status_code == 429
    assert reply.json() == {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 1 seconds."}
    assert reply.headers["retry-after"] == "1"
