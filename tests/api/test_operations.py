"""Actions over the wire: what is offered, how one is carried out, and what is said when nobody can know."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sandbox.azure_types import VM
from sandbox.world import Resource
from shared import capabilities, jobs, operations, progress
from shared.operations import actions, follow, pauses
from shared.operations.records import GUARDS, Guard, Plan, plan_of
from shared.progress import OPERATIONS
from shared.tenants import SUBSCRIPTIONS
from tests.estate import Estate
from tests.mortal import mortal


@pytest.fixture(autouse=True)
def at_once(estate: Estate) -> None:
    """Azure does what it is asked before it answers, unless a test says otherwise."""
    estate.sandbox.cloud.world.behaviour.lro = "immediate"


async def act(estate: Estate, machine: Resource, verb: str, expect: int = 202, **body: Any) -> dict[str, Any]:
    """Ask for an action; the operation as first answered."""
    path = f"/devices/{estate.device_id(machine)}/actions/{verb}"
    answer: dict[str, Any] = await estate.call("POST", path, expect, json=body)
    return answer


async def ended(estate: Estate, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation once nothing more happens."""
    await estate.settle(60, delayed=True)
    found: dict[str, Any] = await estate.call("GET", f"/operations/{operation['id']}")
    return found


async def offered(estate: Estate, machine: Resource) -> dict[str, dict[str, Any]]:
    rows = await estate.listed(f"/devices/{estate.device_id(machine)}/actions")
    return {row["action"]: row for row in rows}


def posts(estate: Estate, verb: str) -> list[dict[str, Any]]:
    """The action requests that reached Azure."""
    seen = [row for row in estate.sandbox.cloud.requests if row["service"] == "arm" and row["method"] == "POST"]
    return [row for row in seen if row["url"].partition("?")[0].endswith(f"/{verb}")]


async def fault(estate: Estate, **what: Any) -> None:
    (await estate.control.post("/faults", json={"service": "arm", **what})).raise_for_status()


async def stored_plan(estate: Estate, operation: dict[str, Any], **changes: Any) -> None:
    """Leave an operation's row as a worker would that died there; nothing is in line for it."""
    row = await progress.read(estate.app, operation["id"])
    await estate.app.tables.put(OPERATIONS, row.changed(state=plan_of(row).changed(**changes).into()))


async def prepared(estate: Estate, machine: Resource, verb: str) -> dict[str, Any]:
    """An operation that was stored and put in line nowhere."""
    device = estate.device_id(machine)
    plan = Plan(
        verb=verb,
        device_id=device,
        resource_id=machine.id,
        resource_type=VM,
        subscription_id=machine.subscription_id,
        tenant_id=estate.sandbox.cloud.world.subscriptions[machine.subscription_id].tenant_id,
    )
    row = await progress.start(
        estate.app,
        f"device.{verb}",
        reader="CloudDevices.Read",
        site_ids=["contoso-hq"],
        resource=device,
        state=plan.into(),
    )
    await estate.app.tables.put(GUARDS, Guard(device_id=device, operation_id=row.id, at=estate.app.clock.now()))
    return {"id": row.id}


async def go_on(estate: Estate, operation: dict[str, Any]) -> None:
    await estate.app.queues.send(jobs.FollowOperation(operation_id=operation["id"]))


@pytest.mark.parametrize(
    "verb, before, after",
    [("start", "deallocated", "running"), ("stop", "running", "deallocated"), ("restart", "running", "running")],
)
async def test_an_action_is_followed_to_its_real_end(estate: Estate, verb: str, before: str, after: str) -> None:
    machine = estate.machine()
    machine.power = before
    estate.sandbox.cloud.world.behaviour.lro = "polls=2"
    await estate.poll()
    sink = await estate.webhook()
    path = f"/devices/{estate.device_id(machine)}/actions/{verb}"
    answer = await estate.alice.post(path, json={"reason": "Because", "ticketNumber": "T-1"})
    operation = answer.json()
    assert answer.status_code == 202
    assert answer.headers["operation-location"].endswith(f"/api/operations/{operation['id']}")
    assert (operation["kind"], operation["status"]) == (f"device.{verb}", "notStarted")
    done = await ended(estate, operation)
    assert (done["status"], done["percentComplete"]) == ("succeeded", 100)
    assert (done["askedBy"], done["resourceName"]) == ("Alice Anders", machine.name)
    assert done["result"]["powerState"] == machine.power == after
    azure_name = "deallocate" if verb == "stop" else verb
    [sent] = posts(estate, azure_name)
    assert sent["clientRequestId"] == done["result"]["clientRequestId"]
    assert sent["requestId"] == done["result"]["azureRequestId"]
    listed = await estate.call("GET", f"/devices/{estate.device_id(machine)}")
    assert listed["powerState"] == after
    audited = await estate.listed("/audit", target=estate.device_id(machine))
    assert [(row["action"], row["outcome"], row["ticketNumber"]) for row in audited] == [
        (f"device.{verb}", "succeeded", "T-1"),
        (f"device.{verb}", "accepted", "T-1"),
    ]
    assert (audited[0]["clientRequestId"], audited[0]["azureRequestId"]) == (sent["clientRequestId"], sent["requestId"])
    [told] = [row for row in await estate.received() if row["body"]["type"] == "tenantry.operation.completed"]
    assert told["body"]["data"]["id"] == operation["id"]
    assert told["body"]["subject"] == estate.device_id(machine)
    about = {name: told["body"]["data"][name] for name in ("deviceName", "clientName", "askedBy")}
    assert about == {"deviceName": machine.name, "clientName": "Contoso", "askedBy": "Alice Anders"}
    assert machine.id in told["body"]["data"]["links"]["azure"]
    assert sink["enabled"]


async def test_one_status_request_is_made_per_job(estate: Estate) -> None:
    machine = estate.machine()
    estate.sandbox.cloud.world.behaviour.lro = "polls=3"
    await estate.poll()
    operation = await act(estate, machine, "restart")
    assert (await ended(estate, operation))["status"] == "succeeded"
    polls = [row for row in estate.sandbox.cloud.requests if "/operations/" in row["url"]]
    # The simulated Azure ends it after three polls or three seconds, and nothing asks between its jobs.
    assert 1 < len(polls) <= 4
    assert len({row["clientRequestId"] for row in polls}) == len(polls)


async def test_a_failure_shows_azures_code_and_text(estate: Estate) -> None:
    machine = estate.machine()
    machine.power = "deallocated"
    machine.faults["start"] = {"code": "AllocationFailed", "message": "Allocation failed. Try another size."}
    await estate.poll()
    done = await ended(estate, await act(estate, machine, "start"))
    assert done["status"] == "failed"
    assert done["error"] == {"code": "AllocationFailed", "message": "Allocation failed. Try another size."}
    assert machine.power == "deallocated"
    assert await last_entry(estate, machine) == ("failed", "AllocationFailed")


async def last_entry(estate: Estate, machine: Resource) -> tuple[str, str | None]:
    """(outcome, Azure's code) of the newest entry of the audit log about a machine."""
    row = (await estate.listed("/audit", target=estate.device_id(machine)))[0]
    return row["outcome"], row["details"].get("errorCode")


async def test_an_action_that_azure_cancels_is_canceled_in_the_audit_log(estate: Estate) -> None:
    machine = estate.machine()
    machine.faults["restart"] = {"code": "OperationPreempted", "message": "Preempted.", "canceled": True}
    await estate.poll()
    assert (await ended(estate, await act(estate, machine, "restart")))["status"] == "canceled"
    assert await last_entry(estate, machine) == ("canceled", "OperationPreempted")


async def test_a_refusal_shows_azures_code_and_text(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    body = {"error": {"code": "ScopeLocked", "message": "The scope is locked."}}
    await fault(estate, method="POST", path="/restart", status=409, body=body, times=1)
    done = await ended(estate, await act(estate, machine, "restart"))
    assert done["status"] == "failed"
    assert (done["error"]["code"], done["error"]["message"]) == ("ScopeLocked", "The scope is locked.")
    assert done["result"]["azureRequestId"], "what Azure's support asks for"
    assert "lock" in done["error"]["fix"]


async def test_throttling_is_waited_out(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    await fault(estate, method="POST", path="/restart", status=429, retryAfter=1, times=2)
    done = await ended(estate, await act(estate, machine, "restart"))
    assert done["status"] == "succeeded"
    assert len(posts(estate, "restart")) == 3


async def test_a_start_whose_answer_was_lost_is_sent_again(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "SEND_BACK_OFF", (0, 0, 0, 0))
    machine = estate.machine()
    machine.power = "deallocated"
    await estate.poll()
    await fault(estate, method="POST", path="/start", kind="disconnect", times=1)
    done = await ended(estate, await act(estate, machine, "start"))
    assert (done["status"], machine.power) == ("succeeded", "running")
    sent = posts(estate, "start")
    assert len(sent) == len({row["clientRequestId"] for row in sent}) == 2


async def test_a_restart_whose_answer_was_lost_is_never_sent_twice(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    await fault(estate, method="POST", path="/restart", status=500, times=1)
    done = await ended(estate, await act(estate, machine, "restart"))
    assert done["status"] == "outcomeUnknown"
    assert done["result"]["powerState"] == "running"
    assert "cannot be known" in done["error"]["message"]
    assert len(posts(estate, "restart")) == 1
    assert await last_entry(estate, machine) == ("unknown", "outcomeUnknown")


@pytest.mark.parametrize("verb, azure_name, times", [("stop", "deallocate", 1), ("restart", "restart", 0)])
async def test_a_worker_killed_while_sending_is_followed_by_another(
    estate: Estate, verb: str, azure_name: str, times: int
) -> None:
    machine = estate.machine()
    await estate.poll()
    operation = await prepared(estate, machine, verb)
    until = estate.app.clock.now() + timedelta(hours=1)
    await stored_plan(estate, operation, phase="sending", attempts=1, request_id="r1", sending_until=until)
    await go_on(estate, operation)
    await estate.settle(30)
    assert posts(estate, azure_name) == []
    await estate.advance(3601)
    await go_on(estate, operation)
    await estate.settle(30)
    done = await estate.call("GET", f"/operations/{operation['id']}")
    assert len(posts(estate, azure_name)) == times
    assert done["status"] == ("succeeded" if verb == "stop" else "outcomeUnknown")
    assert await estate.app.tables.get(GUARDS, "device", estate.device_id(machine)) is None


async def test_a_second_sending_that_meets_the_first_at_work_is_no_failure(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    operation = await prepared(estate, machine, "stop")
    past = estate.app.clock.now() - timedelta(seconds=1)
    await stored_plan(estate, operation, phase="sending", attempts=1, request_id="r1", sending_until=past)
    body = {"error": {"code": "Conflict", "message": "Conflict with a concurrent request."}}
    await fault(estate, method="POST", path="/deallocate", status=409, body=body, times=1)
    machine.power = "deallocated"
    await go_on(estate, operation)
    assert (await ended(estate, operation))["status"] == "succeeded"


async def test_an_operation_whose_subscription_is_gone_fails(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    operation = await prepared(estate, machine, "stop")
    row = await estate.app.tables.get(SUBSCRIPTIONS, "subscription", machine.subscription_id)
    assert row is not None
    await estate.app.tables.delete(SUBSCRIPTIONS, row)
    await go_on(estate, operation)
    done = await ended(estate, operation)
    assert (done["status"], done["error"]["code"]) == ("failed", "notFound")


async def test_an_action_that_could_not_be_put_in_line_leaves_the_machine_free(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = estate.machine()
    await estate.poll()
    with monkeypatch.context() as patch:
        # A queue name that the storage service refuses.
        patch.setattr(jobs.FollowOperation, "QUEUE", "Not A Queue")
        await act(estate, machine, "restart", 500)
    assert (await ended(estate, await act(estate, machine, "restart")))["status"] == "succeeded"


async def test_throttling_without_end_is_a_failure_that_was_never_sent(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    operation = await prepared(estate, machine, "restart")
    await fault(estate, method="POST", path="/restart", status=429, retryAfter=600, times=1)
    await estate.advance(follow.PATIENCE.total_seconds() + 1)
    await go_on(estate, operation)
    await estate.settle(30)
    done = await estate.call("GET", f"/operations/{operation['id']}")
    assert done["status"] == "failed"


async def test_a_subscription_that_is_left_alone_without_end_ends_the_action(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    operation = await prepared(estate, machine, "restart")
    await estate.advance(follow.PATIENCE.total_seconds() + 1)
    await pauses.add(estate.app, machine.subscription_id, 600)
    await go_on(estate, operation)
    await estate.settle(30)
    done = await estate.call("GET", f"/operations/{operation['id']}")
    assert (done["status"], done["error"]["code"]) == ("failed", "throttled")
    assert posts(estate, "restart") == []


async def test_a_resource_that_is_locked_holds_up_no_other(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    body = {"error": {"code": "RetryableErrorDueToAnotherOperation", "message": "Another operation is at work."}}
    await fault(estate, method="POST", path="/restart", status=429, retryAfter=3, body=body, times=1)
    operation = await act(estate, machine, "restart")
    await estate.settle(30)
    assert await pauses.left(estate.app, machine.subscription_id) == 0
    assert (await ended(estate, operation))["status"] == "succeeded"
    assert len(posts(estate, "restart")) == 2


async def test_a_message_too_many_is_lost_at_its_next_step(estate: Estate) -> None:
    machine = estate.machine()
    estate.sandbox.cloud.world.behaviour.lro = "polls=5"
    await estate.poll()
    operation = await prepared(estate, machine, "stop")
    line: list[jobs.Job] = []
    app = mortal(estate.app, 10**6, lost=jobs.FollowOperation, into=line)
    job = jobs.FollowOperation(operation_id=operation["id"])
    for _ in range(3):
        await operations.run(app, job)
    assert len(line) == 3
    rounds = 0
    while line:
        waiting = [one for one in line if isinstance(one, jobs.FollowOperation)]
        line.clear()
        for one in waiting:
            await operations.run(app, one)
        assert len(line) <= 1
        rounds += 1
        assert rounds < 20
    assert (await ended(estate, operation))["status"] == "succeeded"
    assert len(posts(estate, "deallocate")) == 1


async def test_a_message_that_is_ahead_of_its_row_comes_again(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    operation = await prepared(estate, machine, "stop")
    line: list[jobs.Job] = []
    app = mortal(estate.app, 10**6, lost=jobs.FollowOperation, into=line)
    ahead = jobs.FollowOperation(operation_id=operation["id"], step=1)
    await operations.run(app, ahead)
    assert line == [ahead]
    assert posts(estate, "deallocate") == []
    await operations.give_up(app, ahead, "Five times.")
    await operations.run(app, jobs.FollowOperation(operation_id=operation["id"], step=0))
    while line:
        job = line.pop(0)
        assert isinstance(job, jobs.FollowOperation)
        await operations.run(app, job)
    assert (await ended(estate, operation))["status"] == "succeeded"


async def test_work_that_comes_again_after_the_end_tells_nobody_twice(estate: Estate) -> None:
    await estate.webhook()
    machine = estate.machine()
    await estate.poll()
    operation = await act(estate, machine, "restart")
    await ended(estate, operation)
    await go_on(estate, operation)
    await ended(estate, operation)
    told = [row for row in await estate.received() if row["body"]["type"] == "tenantry.operation.completed"]
    assert len(told) == 1


async def test_a_status_that_azure_forgot_is_settled_by_looking_at_the_machine(estate: Estate) -> None:
    machine = estate.machine()
    estate.sandbox.cloud.world.behaviour.lro = "polls=1"
    await estate.poll()
    await fault(estate, method="GET", path="/operations/", status=404, times=1)
    stopped = await ended(estate, await act(estate, machine, "stop"))
    assert (stopped["status"], machine.power) == ("succeeded", "deallocated")


async def test_success_that_the_machine_does_not_show_is_a_failure(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "CHECKS", 1)
    monkeypatch.setattr(follow, "CHECK_SECONDS", 0)
    machine = estate.machine()
    await estate.poll()
    operation = await prepared(estate, machine, "stop")
    await stored_plan(estate, operation, phase="verifying")
    await go_on(estate, operation)
    done = await ended(estate, operation)
    assert (done["status"], done["error"]["code"]) == ("failed", "stateNotReached")


async def test_what_azure_does_not_have_any_more_is_told_before_it_is_acted_upon(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    del estate.cloud().resources[machine.id.lower()]
    path = f"/devices/{estate.device_id(machine)}/actions"
    offered = (await estate.call("GET", path))["value"]
    assert not any(row["available"] for row in offered)
    assert {row["reason"] for row in offered if row["action"] in ("start", "stop", "restart")} == {actions.GONE}
    refused = await estate.call("POST", f"{path}/restart", 409, json={})
    assert refused["error"]["message"] == actions.GONE


async def test_a_machine_that_is_deleted_meanwhile_fails_the_action(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    operation = await prepared(estate, machine, "stop")
    await stored_plan(estate, operation, phase="verifying")
    del estate.cloud().resources[machine.id.lower()]
    await go_on(estate, operation)
    done = await ended(estate, operation)
    assert (done["status"], done["error"]["code"]) == ("failed", "ResourceNotFound")


async def test_an_action_that_never_ends_is_not_followed_for_ever(estate: Estate) -> None:
    machine = estate.machine()
    estate.sandbox.cloud.world.behaviour.lro = "seconds=1000000"
    await estate.poll()
    operation = await act(estate, machine, "restart")
    await estate.settle(30)
    await estate.advance(follow.DEADLINE.total_seconds() + 1)
    assert (await ended(estate, operation))["status"] == "outcomeUnknown"


async def test_a_revoked_sign_in_ends_the_action_and_marks_the_connection(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    operation = await prepared(estate, machine, "restart")
    (await estate.control.post("/people/dave/revoke")).raise_for_status()
    estate.app.identity.forget_connection("c1")
    await go_on(estate, operation)
    done = await ended(estate, operation)
    assert (done["status"], done["error"]["code"]) == ("failed", "AADSTS50173")
    assert (await estate.call("GET", "/connections/c1"))["status"] == "needsConsent"
    assert posts(estate, "restart") == []


async def test_poisoned_work_ends_with_a_reason(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    unsent, sent = await prepared(estate, machine, "stop"), await prepared(estate, machine, "stop")
    await stored_plan(estate, sent, phase="following")
    for operation, status in ((unsent, "failed"), (sent, "outcomeUnknown")):
        await operations.give_up(estate.app, jobs.FollowOperation(operation_id=operation["id"]), "Five times.")
        shown = await estate.call("GET", f"/operations/{operation['id']}")
        assert (shown["status"], shown["error"]["message"]) == (status, "Five times.")
    await operations.give_up(estate.app, jobs.FollowOperation(operation_id="202601-none"), "Five times.")
    await operations.run(estate.app, jobs.FollowOperation(operation_id="202601-none"))


async def test_two_actions_never_run_on_one_machine(estate: Estate) -> None:
    machine = estate.machine()
    estate.sandbox.cloud.world.behaviour.lro = "polls=1"
    await estate.poll()
    path = f"/devices/{estate.device_id(machine)}/actions/restart"
    answers = await asyncio.gather(*(estate.alice.post(path, json={}) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    assert {a.json()["error"]["code"] for a in answers if a.status_code == 409} == {"operationRunning"}
    [taken] = [answer.json() for answer in answers if answer.status_code == 202]
    assert (await ended(estate, taken))["status"] == "succeeded"
    assert len(posts(estate, "restart")) == 1
    assert (await ended(estate, await act(estate, machine, "restart")))["status"] == "succeeded"


async def test_a_guard_left_by_a_request_that_died_gives_way(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    guard = Guard(device_id=estate.device_id(machine), at=estate.app.clock.now())
    await estate.app.tables.put(GUARDS, guard)
    await act(estate, machine, "restart", 409)
    assert not (await offered(estate, machine))["restart"]["available"]
    await estate.advance(301)
    assert (await ended(estate, await act(estate, machine, "restart")))["status"] == "succeeded"


async def test_the_same_idempotency_key_acts_once(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    path, key = f"/devices/{estate.device_id(machine)}/actions/restart", {"Idempotency-Key": "k1"}
    first = await estate.alice.post(path, json={}, headers=key)
    again = await estate.alice.post(path, json={}, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert again.headers["operation-location"] == first.headers["operation-location"]
    assert (await ended(estate, first.json()))["status"] == "succeeded"
    assert len(posts(estate, "restart")) == 1


async def test_actions_follow_type_and_present_state(estate: Estate) -> None:
    machine = estate.machine()
    other = next(r for r in estate.cloud().resources.values() if r.type != VM)
    await estate.poll()
    rows = await offered(estate, machine)
    assert list(rows) == ["start", "stop", "pause", "resume", "restart"]
    assert [verb for verb, row in rows.items() if row["available"]] == ["stop", "restart"]
    assert rows["stop"]["operationName"] == "deallocate"
    assert "running" in rows["start"]["reason"]
    assert rows["pause"]["reason"]
    assert not any(row["available"] for row in (await offered(estate, other)).values())
    # Somebody stopped it in the Azure portal since the last poll.
    machine.power = "deallocated"
    rows = await offered(estate, machine)
    assert [verb for verb, row in rows.items() if row["available"]] == ["start"]
    for resource, verb in ((machine, "stop"), (machine, "restart"), (machine, "pause"), (other, "start")):
        refused = await act(estate, resource, verb, 409)
        assert refused["error"]["code"] == "actionNotAvailable"
    await act(estate, machine, "explode", 400)
    await act(estate, machine, "start", 400, colour="red")
    assert posts(estate, "start") == []


async def test_the_stored_state_serves_while_azure_cannot_be_asked(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    await fault(estate, method="GET", path=f"/{machine.name}", status=503, times=2)
    rows = await offered(estate, machine)
    assert [verb for verb, row in rows.items() if row["available"]] == ["stop", "pause", "restart"]


async def test_an_action_that_asks_for_confirmation_is_not_done_without(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = estate.machine()
    await estate.poll()
    row = capabilities.find(VM, "restart")
    assert row is not None
    monkeypatch.setitem(capabilities._ROWS, (VM.lower(), "restart"), replace(row, confirmation="It hurts."))
    refused = await act(estate, machine, "restart", 409)
    assert refused["error"]["code"] == "confirmationRequired"
    assert row.effect in refused["error"]["message"]
    assert "It hurts." in refused["error"]["message"]
    assert (await ended(estate, await act(estate, machine, "restart", confirm=True)))["status"] == "succeeded"


async def test_acting_needs_the_role_and_the_site(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    path = f"/devices/{estate.device_id(machine)}/actions"
    bob, carol = await estate.person("bob"), await estate.person("carol")
    await estate.grant("carol", "contoso-hq")
    await estate.grant("bob", "fabrikam-hq")
    assert (await bob.get(path)).status_code == 404
    assert (await bob.post(f"{path}/restart", json={})).status_code == 404
    assert (await carol.get(path)).status_code == 200
    assert (await carol.post(f"{path}/restart", json={})).status_code == 403
    operation = await act(estate, machine, "restart")
    link = f"/operations/{operation['id']}"
    assert (await bob.get(link)).status_code == 404
    assert (await bob.get("/operations")).json()["value"] == []
    assert (await carol.get(link)).status_code == 200
    await ended(estate, operation)


async def test_an_operation_goes_with_its_device_to_another_site(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    bob, carol = await estate.person("bob"), await estate.person("carol")
    await estate.grant("bob", "contoso-hq")
    await estate.grant("carol", "fabrikam-hq", "contoso-lab")
    operation = await ended(estate, await act(estate, machine, "restart"))

    async def seen() -> list[bool]:
        answers = [await person.get(f"/operations/{operation['id']}") for person in (bob, carol)]
        lists = [(await person.get("/operations")).json()["value"] for person in (bob, carol)]
        shown = [answer.status_code == 200 for answer in answers]
        assert shown == [[row["id"] for row in rows] == [operation["id"]] for rows in lists]
        return shown

    assert await seen() == [True, False]
    tenant_id = (await estate.call("GET", "/sites/contoso-hq"))["tenantId"]
    await estate.call("DELETE", "/sites/contoso-hq/mapping")
    assert await seen() == [False, False]
    await estate.call("PUT", "/sites/contoso-lab", 201, json={"clientName": "Contoso", "siteName": "Lab"})
    body = {"tenantId": tenant_id, "subscriptionIds": [estate.cloud().id]}
    await estate.call("PUT", "/sites/contoso-lab/mapping", json=body)
    assert await seen() == [False, True]
    assert (await estate.call("GET", f"/operations/{operation['id']}"))["id"] == operation["id"]


async def test_operations_list_newest_first_by_status_and_tenant(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    made = []
    for _ in range(5):
        await estate.advance(1)
        made.append((await prepared(estate, machine, "stop"))["id"])
    await operations.give_up(estate.app, jobs.FollowOperation(operation_id=made[0]), "Five times.")
    seen: list[str] = []
    link = "/operations?$top=2&$count=true"
    while link:
        page = await estate.call("GET", link)
        assert page["count"] == 5
        seen += [row["id"] for row in page["value"]]
        link = page.get("nextLink", "")
    assert seen == made[::-1]
    assert [row["id"] for row in await estate.listed("/operations", status="failed")] == [made[0]]
    assert await estate.listed("/operations", tenantId="x") == []
    for query in ("status=odd", "$orderby=kind", "$skiptoken=WzFd", "stat=1"):
        await estate.call("GET", f"/operations?{query}", 400)
    for identifier in ("x", "202601-x", "-"):
        await estate.call("GET", f"/operations/{identifier}", 404)


async def test_a_running_operation_says_when_to_ask_again(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    running = await prepared(estate, machine, "stop")
    answer = await estate.alice.get(f"/operations/{running['id']}")
    assert (answer.json()["status"], answer.headers["retry-after"]) == ("notStarted", "2")
