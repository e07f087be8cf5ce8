"""What the test of a connection finds wrong, and the fix it names."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox import cast
from sandbox.directory import APPLICATION_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR
from sandbox.server import Sandbox
from tests.connecting import checks, draft, shown, sign_in
from tests.sandbox.browser import tenant_called


async def test_every_check_passes_for_a_partner_administrator(fresh_alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(fresh_alice, partner)
    await sign_in(fresh_alice, connection["id"])
    outcome, found = await checks(fresh_alice, connection["id"])
    assert outcome == "passed", [check for check in found.values() if check["outcome"] == "failed"]
    assert {check["outcome"] for check in found.values()} <= {"passed", "warning"}
    assert all(check["fix"] for check in found.values() if check["outcome"] != "passed")
    tested = await shown(fresh_alice, connection["id"])
    assert tested["status"] == "tested"
    assert tested["lastTestedAt"]


async def test_a_draft_is_told_to_sign_in(fresh_alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(fresh_alice, partner)
    outcome, found = await checks(fresh_alice, connection["id"])
    assert outcome == "failed"
    assert "Generate Token" in found["signIn"]["fix"]
    assert {check["outcome"] for name, check in found.items() if name != "signIn"} == {"skipped"}
    assert (await shown(fresh_alice, connection["id"]))["status"] == "draft"


async def test_missing_mfa_is_named_with_its_fix(fresh_alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(fresh_alice, partner)
    await sign_in(fresh_alice, connection["id"], "erin")
    outcome, found = await checks(fresh_alice, connection["id"])
    assert (outcome, found["mfa"]["outcome"]) == ("failed", "failed")
    assert "MFA" in found["mfa"]["fix"]
    assert (await shown(fresh_alice, connection["id"]))["status"] == "authorized"
    refused = await fresh_alice.post(f"/connections/{connection['id']}/complete")
    assert refused.status_code == 409


async def test_a_tenant_that_is_no_partner_is_named(fresh_alice: httpx.AsyncClient, sandbox: Sandbox) -> None:
    connection = await draft(fresh_alice, sandbox.cloud.world.people["frank"].tenant_id, "Fourth Coffee")
    assert "error" not in await sign_in(fresh_alice, connection["id"], "frank")
    outcome, found = await checks(fresh_alice, connection["id"])
    assert (outcome, found["partner"]["outcome"]) == ("failed", "failed")
    assert "Cloud Solution Provider" in found["partner"]["fix"]


async def test_an_account_outside_the_gdap_group_is_told_so(
    fresh_alice: httpx.AsyncClient, partner: str, sandbox: Sandbox, control: httpx.AsyncClient
) -> None:
    agents = sandbox.cloud.world.partner.admin_agents_group
    (await control.put("/people/dave", json={"groups": [agents]})).raise_for_status()
    connection = await draft(fresh_alice, partner)
    await sign_in(fresh_alice, connection["id"])
    outcome, found = await checks(fresh_alice, connection["id"])
    assert (outcome, found["gdapGroup"]["outcome"]) == ("failed", "failed")
    assert "Tenantry GDAP" in found["gdapGroup"]["fix"]


async def test_an_account_outside_admin_agents_is_told_so(
    fresh_alice: httpx.AsyncClient, partner: str, sandbox: Sandbox, control: httpx.AsyncClient
) -> None:
    world = sandbox.cloud.world
    (await control.put("/people/dave", json={"groups": [world.guid("group", "gdap")]})).raise_for_status()
    connection = await draft(fresh_alice, partner)
    await sign_in(fresh_alice, connection["id"])
    outcome, found = await checks(fresh_alice, connection["id"])
    assert outcome == "failed"
    assert (found["partnerCenter"]["outcome"], found["adminAgents"]["outcome"]) == ("failed", "warning")
    assert "AdminAgents" in found["partnerCenter"]["fix"]


@pytest.mark.parametrize(
    "change, lacks",
    [
        ({"group": False}, "lack the group"),
        ({"roles": [cast.DIRECTORY_READERS]}, "lack Application Administrator"),
        ({"roles": [PRIVILEGED_ROLE_ADMINISTRATOR]}, "lack Application Administrator"),
        ({"roles": [APPLICATION_ADMINISTRATOR]}, "lack Privileged Role Administrator"),
    ],
    ids=["no group", "no role", "none who makes the application", "none who gives Graph's permissions"],
)
async def test_relationships_that_let_no_sync_succeed_fail_the_test(
    fresh_alice: httpx.AsyncClient,
    partner: str,
    sandbox: Sandbox,
    control: httpx.AsyncClient,
    change: dict[str, Any],
    lacks: str,
) -> None:
    for relationship_id in list(sandbox.cloud.world.relationships):
        (await control.put(f"/relationships/{relationship_id}", json=change)).raise_for_status()
    connection = await draft(fresh_alice, partner)
    await sign_in(fresh_alice, connection["id"])
    outcome, found = await checks(fresh_alice, connection["id"])
    assert (outcome, found["gdapRelationship"]["outcome"]) == ("failed", "failed")
    assert lacks in found["gdapRelationship"]["detail"]
    assert "Application Administrator and Privileged Role Administrator" in found["gdapRelationship"]["fix"]


async def test_roles_of_several_relationships_of_a_customer_count_together(
    fresh_alice: httpx.AsyncClient, partner: str, sandbox: Sandbox
) -> None:
    world = sandbox.cloud.world
    split = world.relationships_of(tenant_called(world, "Contoso").id)[0]
    split.roles.remove(PRIVILEGED_ROLE_ADMINISTRATOR)
    for assignment in split.assignments.values():
        assignment["roles"] = list(split.roles)
    connection = await draft(fresh_alice, partner)
    await sign_in(fresh_alice, connection["id"])
    _, before = await checks(fresh_alice, connection["id"])
    assert "2 lack Privileged Role Administrator" in before["gdapRelationship"]["detail"]
    cast.add_relationship(world, world.tenants[split.customer_id], roles=(PRIVILEGED_ROLE_ADMINISTRATOR,), age_days=1)
    _, after = await checks(fresh_alice, connection["id"])
    assert "1 lack Privileged Role Administrator" in after["gdapRelationship"]["detail"]


async def test_relationships_assigned_to_another_group_fail_the_test(
    fresh_alice: httpx.AsyncClient, partner: str, sandbox: Sandbox
) -> None:
    world = sandbox.cloud.world
    for relationship in world.relationships.values():
        for assignment in relationship.assignments.values():
            assignment["group"] = world.guid("group", "helpdeskagents")
    connection = await draft(fresh_alice, partner)
    await sign_in(fresh_alice, connection["id"])
    _, found = await checks(fresh_alice, connection["id"])
    assert found["gdapRelationship"]["outcome"] == "failed"
    assert " 0 admit the group" in found["gdapRelationship"]["detail"]


async def test_expired_relationships_fail_the_test(
    fresh_alice: httpx.AsyncClient, partner: str, sandbox: Sandbox, control: httpx.AsyncClient
) -> None:
    for relationship_id in list(sandbox.cloud.world.relationships):
        (await control.put(f"/relationships/{relationship_id}", json={"status": "expired"})).raise_for_status()
    connection = await draft(fresh_alice, partner)
    await sign_in(fresh_alice, connection["id"])
    _, found = await checks(fresh_alice, connection["id"])
    assert found["gdapRelationship"]["outcome"] == "failed"
    assert "No customer has an active" in found["gdapRelationship"]["detail"]


async def test_missing_consent_is_named_permission_by_permission(
    fresh_alice: httpx.AsyncClient, partner: str, sandbox: Sandbox
) -> None:
    connection = await draft(fresh_alice, partner)
    await sign_in(fresh_alice, connection["id"])
    for grant in sandbox.cloud.world.partner.grants.values():
        grant.scope = grant.scope.replace("Application.ReadWrite.All", "").replace("  ", " ").strip()
    outcome, found = await checks(fresh_alice, connection["id"])
    assert (outcome, found["consent"]["outcome"]) == ("failed", "failed")
    assert "Microsoft Graph: Application.ReadWrite.All" in found["consent"]["detail"]
    rows = (await fresh_alice.get(f"/connections/{connection['id']}/permissions")).json()["value"]
    missing = {row["permission"] for row in rows if row["type"] == "delegated" and not row["granted"]}
    assert missing == {"Application.ReadWrite.All"}


async def test_a_check_that_microsoft_does_not_answer_fails_with_its_words(
    fresh_alice: httpx.AsyncClient, partner: str, control: httpx.AsyncClient
) -> None:
    connection = await draft(fresh_alice, partner)
    await sign_in(fresh_alice, connection["id"])
    fault = {"service": "graph", "path": "/contracts", "status": 503, "retryAfter": 30, "times": 1}
    (await control.post("/faults", json=fault)).raise_for_status()
    outcome, found = await checks(fresh_alice, connection["id"])
    assert (outcome, found["contracts"]["outcome"]) == ("failed", "failed")
    assert found["contracts"]["fix"]
    assert (await checks(fresh_alice, connection["id"]))[0] == "passed"
