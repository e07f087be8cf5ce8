"""What Tenantry holds to be wrong with itself, and for how long it waits before it says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.alerts.watchdog import Facts, Problem, SinkState, conditions
from shared.connections import Connection
from shared.devices import Place
from shared.incidents.policy import Watchdog
from shared.poison import Poisoned
from shared.sites import Site
from shared.tenants import Subscription, Tenant

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
RULES = Watchdog(poll_late_minutes=45, tenant_failing_minutes=120, sink_failing_minutes=60)
REFUSED = {"code": "AuthorizationFailed", "message": "No role.", "fix": "Give one."}


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def place(name: str = "s1", tenant: str = "t1", *, site: str = "a", connection: str = "active", **fields: Any) -> Place:
    values: dict[str, Any] = {
        "access": "adminAgents",
        "last_refreshed_at": ago(10),
        "last_attempt_at": ago(10),
        **fields,
    }
    return Place(
        Subscription(id=name, tenant_id=tenant, connection_id="c", name=f"Sub {name}", **values),
        Tenant(id=tenant, display_name=f"Tenant {tenant}", connection_id="c", relationship="reseller", status="synced"),
        Connection.model_validate(
            {
                "id": "c",
                "name": "Northwind",
                "partner_tenant_id": "p",
                "cloud": "AzureCloud",
                "created_at": ago(9999),
                "status": connection,
                "needs_consent_since": ago(130) if connection == "needsConsent" else None,
            }
        ),
        Site(id=site, client_name="Contoso", site_name=site, tenant_id=tenant),
    )


def found(*places: Place, sinks: tuple[SinkState, ...] = (), poisoned: tuple[Poisoned, ...] = ()) -> list[Problem]:
    return list(conditions(Facts(places, sinks, poisoned), RULES, NOW))


def test_nothing_is_wrong_when_all_is_well() -> None:
    assert found(place(), place("s2"), sinks=(SinkState("k", "Desk"),)) == []


def test_to_lack_run_states_is_told_with_the_devices_and_is_no_alert() -> None:
    unread = {"code": "runStatesUnread", "message": "Not told.", "fix": "Wait."}
    [lacking] = [place(failing_since=ago(500), last_error=unread)]
    assert lacking.failure is not None
    assert found(lacking) == []
    assert len(found(lacking, place("s2", failing_since=ago(500), last_error=REFUSED))) == 1


def test_late_polls_are_one_problem_that_names_the_oldest() -> None:
    late: dict[str, Any] = {"last_refreshed_at": ago(50), "last_attempt_at": ago(46)}
    older: dict[str, Any] = {"last_refreshed_at": ago(400), "last_attempt_at": ago(300)}
    [problem] = found(place(), place("s2", **late), place("s3", **older))
    assert (problem.condition, problem.key, problem.since, problem.site_ids) == ("pollLate", "pollLate", ago(300), ())
    assert "2 of 3 subscriptions" in problem.note
    assert "Sub s3" in problem.note


@pytest.mark.parametrize(
    "fields",
    [
        {"last_refreshed_at": ago(45), "last_attempt_at": None},
        {"last_refreshed_at": ago(300), "last_attempt_at": ago(44)},
        {"last_refreshed_at": None, "last_attempt_at": None},
        {"last_refreshed_at": ago(300), "last_attempt_at": ago(300), "access": "none"},
        {"last_refreshed_at": ago(300), "last_attempt_at": ago(300), "gone": True},
    ],
)
def test_what_was_asked_in_time_or_is_not_polled_is_not_late(fields: dict[str, Any]) -> None:
    assert found(place(**fields)) == []


def test_a_tenant_that_fails_is_one_problem_whatever_the_number_of_its_subscriptions() -> None:
    failing: dict[str, Any] = {"failing_since": ago(121), "last_error": REFUSED}
    longer: dict[str, Any] = {"failing_since": ago(500), "last_error": REFUSED}
    [first, second] = found(
        place("s1", "t1", **failing), place("s2", "t1", site="b", **longer), place("s3", "t2", **failing)
    )
    assert (first.condition, first.name, first.since) == ("tenantFailing", "Tenant t1 cannot be read", ago(500))
    assert first.site_ids == ("a", "b")
    assert "2 subscriptions" in first.note
    assert "No role. Give one." in first.note
    assert second.site_ids == ("a",)
    assert second.subject is not None
    assert (second.subject.client_name, second.subject.tenant_id) == ("Contoso", "t2")
    assert first.subject_id != second.subject_id


def test_a_tenant_is_given_its_time() -> None:
    assert found(place(failing_since=ago(120), last_error=REFUSED)) == []


def test_a_connection_whose_sign_in_is_gone_is_one_problem_for_all_its_tenants() -> None:
    gone: dict[str, Any] = {"connection": "needsConsent", "failing_since": ago(300), "last_error": REFUSED}
    [problem] = found(place("s1", "t1", **gone), place("s2", "t2", **gone))
    assert (problem.key, problem.since, problem.site_ids) == ("connection|c", ago(130), ())
    assert problem.name == "The connection Northwind needs a sign-in"


def test_a_subscription_without_any_role_ever_is_shown_and_not_told() -> None:
    assert found(place(access="none", failing_since=None)) == []
    lost = place(access="none", failing_since=ago(200))
    [problem] = found(lost)
    assert (problem.condition, problem.since) == ("tenantFailing", ago(200))
    assert lost.failure is not None
    assert lost.failure["since"] == ago(200)


@pytest.mark.parametrize(
    "state",
    [
        {"refused_since": ago(61)},
        {"oldest_at": ago(61)},
        {"enabled": False, "disabled_reason": "401", "changed_at": ago(61)},
    ],
)
def test_a_sink_that_gets_nothing_is_told_to_the_others(state: dict[str, Any]) -> None:
    [problem] = found(sinks=(SinkState("k", "Desk", **state), SinkState("l", "Other")))
    assert (problem.condition, problem.not_to, problem.since) == ("sinkFailing", "k", ago(61))
    assert problem.name == "The sink Desk gets nothing"


@pytest.mark.parametrize(
    "state",
    [
        {"refused_since": ago(60)},
        {"oldest_at": ago(59)},
        {"enabled": False, "changed_at": ago(600), "oldest_at": ago(600)},
        {"enabled": False, "disabled_reason": "401", "changed_at": ago(10), "oldest_at": ago(600)},
    ],
)
def test_a_sink_that_is_young_in_its_trouble_or_off_by_hand_is_left_alone(state: dict[str, Any]) -> None:
    assert found(sinks=(SinkState("k", "Desk", **state),)) == []


def test_work_that_was_given_up_is_one_problem_at_once() -> None:
    def row(number: int, state: str = "poisoned") -> Poisoned:
        return Poisoned.model_validate(
            {
                "id": str(number),
                "queue": "deliver",
                "body": "{}",
                "reason": "x",
                "failed_at": ago(number),
                "state": state,
            }
        )

    assert found(poisoned=(row(1, "requeued"),)) == []
    [problem] = found(poisoned=(row(1), row(5), row(9, "requeued"), row(7, "dismissed")))
    assert (problem.condition, problem.since) == ("poisonedWork", ago(5))
    assert "2 jobs" in problem.note


def given_up(*bodies: str) -> Problem:
    rows = [
        Poisoned(id=str(place), queue="apply-events", body=body, reason="x", failed_at=ago(place))
        for place, body in enumerate(bodies)
    ]
    [problem] = found(place(), place("s2", tenant="t2", site="b"), poisoned=tuple(rows))
    return problem


def test_work_that_was_given_up_names_the_client_and_subscription_it_was_for() -> None:
    problem = given_up('{"subscription_id": "s2"}', '{"tenant_id": "t1"}', '{"version": 99}', "no json", "[]")
    assert "Contoso (subscription Sub s2)" in problem.note
    assert "Tenant t1" in problem.note
    assert problem.subject is None, "it is about several"


def test_work_that_was_given_up_for_one_subscription_is_about_it() -> None:
    problem = given_up('{"subscription_id": "s2"}', '{"subscription_id": "s2", "due": []}')
    assert problem.subject is not None
    assert (problem.subject.client_name, problem.subject.subscription_name) == ("Contoso", "Sub s2")


@pytest.mark.parametrize("body", ['{"version": 99}', "no json", "[]", '{"subscription_id": "other"}'])
def test_work_that_was_given_up_for_nobody_known_names_nobody(body: str) -> None:
    assert "It was for" not in given_up(body).note
