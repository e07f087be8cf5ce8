"""What is decided about tenants without asking anybody: who is listed, how Azure is reached, what GDAP lacks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import AccessDenied, MicrosoftError, NeedsConsent, Throttled
from shared.microsoft.arm import ListedSubscription, assignment_name
from shared.microsoft.graph import AccessAssignment, Contract, Organization, Relationship
from shared.microsoft.partner_center import Customer
from shared.provisioning import waiting
from shared.tenants import Subscription, Tenant, refresh
from shared.tenants.access import Reached, Seen, choose, merge
from shared.tenants.diagnosis import gdap_checks

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OWN = Organization("own", "Northwind", "northwind.example", "northwind.onmicrosoft.com", "reseller")
APPLICATION_ADMINISTRATOR = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
PRIVILEGED_ROLE_ADMINISTRATOR = "e8611ab8-c189-46e8-94e1-60213ab1f814"
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"


def customer(name: str, relationship: str = "reseller") -> Customer:
    return Customer(name, name.title(), f"{name}.example", relationship)


def relationship(name: str, status: str = "active", *, made: datetime = NOW) -> Relationship:
    return Relationship(f"r-{name}", f"GDAP {name}", name, name.title(), status, frozenset(), made, None)


def tenant(name: str, **more: object) -> Tenant:
    made = Tenant(id=name, display_name=name.title(), connection_id="c", relationship="reseller")
    return made.changed(**more)


def look(*customers: Customer, relationships: tuple[Relationship, ...] = ()) -> refresh.Seen:
    contracts = {row.customer_id: Contract(row.customer_id, "", "by.contract") for row in relationships}
    return refresh.Seen(OWN, customers, relationships, contracts)


def test_own_tenant_resellers_and_those_with_gdap_alone_are_added() -> None:
    seen = look(
        customer("a"),
        customer("b", "advisor"),
        customer("none", "none"),
        relationships=(relationship("d"), relationship("e", "terminated"), relationship("a")),
    )
    added = {row.id: row for row in refresh.plan("c", seen, []).added}
    assert {name: row.relationship for name, row in added.items()} == {
        "own": "own",
        "a": "reseller",
        "b": "gdapOnly",
        "d": "gdapOnly",
    }
    assert added["own"].is_primary
    assert added["d"].default_domain == "by.contract"


def test_who_is_listed_no_more_is_marked_and_comes_back_unmarked() -> None:
    known = [tenant("a"), tenant("b"), tenant("gone", relationship_ended=True)]
    plan = refresh.plan("c", look(customer("a"), customer("gone")), known)
    assert plan.changed["b"] == {"relationship_ended": True}
    assert plan.changed["gone"]["relationship_ended"] is False


def test_an_unchanged_customer_is_not_written() -> None:
    known = [tenant("a", default_domain="a.example")]
    assert "a" not in refresh.plan("c", look(customer("a")), known).changed


def test_names_of_a_synced_tenant_are_its_own() -> None:
    synced = tenant("a", display_name="Read there", default_domain="real.example", last_synced_at=NOW)
    assert "a" not in refresh.plan("c", look(customer("a")), [synced]).changed


def test_a_tenant_of_another_connection_is_left_there_unless_it_left_that_one() -> None:
    held = tenant("a", connection_id="other", status="synced")
    plan = refresh.plan("c", look(customer("a")), [held])
    assert plan.foreign == ("a",)
    assert "a" not in plan.changed
    free = tenant("a", connection_id="other", relationship_ended=True)
    plan = refresh.plan("c", look(customer("a")), [free])
    assert plan.foreign == ()
    assert plan.changed["a"]["connection_id"] == "c"


def listed(name: str, state: str = "Enabled") -> dict[str, ListedSubscription]:
    return {name: ListedSubscription(name, name.title(), state, "t")}


def test_ways_to_a_subscription_are_taken_in_their_order() -> None:
    everywhere = listed("s")
    assert choose(Seen(everywhere, everywhere, everywhere, everywhere))["s"].access == "lighthouse"
    by_person = choose(Seen({}, everywhere, everywhere, everywhere))["s"]
    assert (by_person.access, by_person.by_person) == ("lighthouse", True)
    assert choose(Seen({}, {}, everywhere, everywhere))["s"].access == "application"
    assert choose(Seen({}, {}, {}, everywhere))["s"].access == "adminAgents"
    assert choose(Seen({}, {}, listed("s", "Deleted"), {})) == {}


def test_a_subscription_that_no_way_reaches_stays_with_the_reason() -> None:
    old = Subscription(id="s", tenant_id="t", connection_id="c", name="S", access="application", device_count=7)
    [row] = merge(tenant("t"), [old], {}, frozenset(), "refused", NOW)
    assert (row.access, row.access_reason, row.gone, row.device_count) == ("none", "refused", False, 7)
    [row] = merge(tenant("t"), [old], {}, frozenset({"s"}), "refused", NOW)
    assert row.gone


@pytest.mark.parametrize(
    "refreshed, failing, gone, since",
    [
        (2, None, False, NOW),
        (2, 1, False, NOW - timedelta(hours=1)),
        # Its run states alone were not told: health was read after that.
        (1, 2, False, NOW),
        (None, None, False, None),
        (None, 3, False, NOW - timedelta(hours=3)),
        (2, None, True, None),
    ],
)
def test_what_was_read_and_is_reached_no_more_fails_from_then_on(
    refreshed: int | None, failing: int | None, gone: bool, since: datetime | None
) -> None:
    was = {
        name: None if hours is None else NOW - timedelta(hours=hours)
        for name, hours in (("last_refreshed_at", refreshed), ("failing_since", failing))
    }
    old = Subscription(id="s", tenant_id="t", connection_id="c", name="S", access="application").changed(**was)
    [row] = merge(tenant("t"), [old], {}, frozenset({"s"} if gone else ()), "refused", NOW)
    assert row.failing_since == since
    assert merge(tenant("t"), [row], {}, frozenset({"s"} if gone else ()), "refused", NOW + timedelta(hours=1)) == []


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_a_second_look_at_the_same_changes_nothing(before: set[str], now: set[str]) -> None:
    known = [Subscription(id=name, tenant_id="x", connection_id="c", name=name) for name in before]
    reached = {name: Reached(listed(name)[name], "application") for name in now}
    changed = {row.id: row for row in merge(tenant("t"), known, reached, frozenset(), "no", NOW)}
    rows = {row.id: row for row in known} | changed
    assert set(rows) == before | now
    assert merge(tenant("t"), rows.values(), reached, frozenset(), "no", NOW) == []


def failed(relationships: list[Relationship], assigned: list[AccessAssignment], group: str | None = "g") -> list[str]:
    checks = gdap_checks(tenant("a"), relationships, assigned, group, "Tenantry GDAP")
    assert all(check.fix for check in checks if check.outcome == "failed")
    return [check.id for check in checks if check.outcome == "failed"]


def test_what_gdap_lacks_is_named() -> None:
    live = [relationship("a")]
    good = AccessAssignment("1", "g", "active", frozenset({APPLICATION_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR}))
    assert failed([], []) == ["gdap"]
    assert failed([relationship("a", "expired")], [good]) == ["gdap"]
    assert failed(live, []) == ["gdapGroup"]
    assert failed(live, [good], None) == ["gdapGroup"]
    assert failed(live, [AccessAssignment("1", "other", "active", good.roles)]) == ["gdapGroup"]
    assert failed(live, [AccessAssignment("1", "g", "pending", good.roles)]) == ["gdapGroup"]
    assert failed(live, [AccessAssignment("1", "g", "active", frozenset())]) == ["gdapRole"]
    for alone in good.roles:
        assert failed(live, [AccessAssignment("1", "g", "active", frozenset({alone}))]) == ["gdapRole"]
    assert failed(live, [AccessAssignment(role, "g", "active", frozenset({role})) for role in good.roles]) == []
    assert failed(live, [AccessAssignment("1", "g", "active", frozenset({GLOBAL_ADMINISTRATOR}))]) == []
    assert failed([relationship("a", "expiring")], [good]) == []


@pytest.mark.parametrize(
    "error, times",
    [
        (Throttled("busy", retry_after=1), waiting.PATIENCE),
        (MicrosoftError("not yet", status=404), waiting.PATIENCE),
        (AccessDenied("not yet", status=401, remote_code="AADSTS7000229"), waiting.PATIENCE),
        (AccessDenied("rights", status=403, remote_code="Authorization_RequestDenied"), waiting.DENIED_PATIENCE),
        (AccessDenied("no guest", status=400, remote_code="AADSTS50020"), 0),
        (NeedsConsent("gone", remote_code="AADSTS50173"), 0),
        (MicrosoftError("wrong", status=400), 0),
    ],
)
def test_only_what_can_pass_is_waited_for(error: MicrosoftError, times: int) -> None:
    assert waiting.patience(error) == times


def test_waits_double_up_to_a_minute_and_honour_what_is_asked() -> None:
    missing = MicrosoftError("not yet", status=404)
    waits = [waiting.delay(missing, attempt) for attempt in range(waiting.PATIENCE)]
    assert waits[:3] == [2, 4, 8]
    assert all(earlier <= later for earlier, later in pairwise(waits))
    assert 480 <= sum(waits) <= 660
    assert waiting.delay(Throttled("busy", retry_after=90), 0) == 90


def test_our_role_assignments_have_the_same_names_every_time() -> None:
    assert assignment_name("S", "p", "r") == assignment_name("s", "p", "r")
    assert assignment_name("s", "p", "r") != assignment_name("s", "p", "q")
