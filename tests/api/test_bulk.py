"""One action on many devices over the wire: what is refused, and what becomes of each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from sandbox.arm_access import READER
from sandbox.azure_types import VM
from sandbox.world import Resource
from shared import capabilities, devices, jobs, operations, progress
from shared.devices import Shown
from shared.errors import Throttled
from shared.operations import actions, bulk, follow, lanes, parts, pauses
from shared.operations.planned import WORKS
from shared.operations.records import GUARDS, KEYS, LANES, Bulk, Guard, Key, Lane, Slot, Waiting, bulk_of
from shared.progress import OPERATIONS
from shared.tenants import SUBSCRIPTIONS
from tests import many
from tests.estate import Estate
from tests.many import act, approve_above, audited, ended, ended_now, ids, machines, other, polled, posts
from tests.mortal import mortal


@pytest.fixture(autouse=True)
def quick(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    many.quicken(estate, monkeypatch)


async def test_each_device_is_an_item_and_an_operation_of_its_own(estate: Estate) -> None:
    await estate.webhook()
    rows = await polled(estate, "Contoso", "Fabrikam")
    operation = await act(estate, deviceIds=ids(estate, rows) * 2, reason="Because", ticketNumber="T-1")
    assert (operation["kind"], operation["status"], operation["itemCount"]) == (
        "devices.restart",
        "notStarted",
        len(rows),
    )
    done = await ended(estate, operation)
    assert (done["status"], done["percentComplete"]) == ("succeeded", 100)
    assert done["result"] == {"succeeded": len(rows), "failed": 0, "canceled": 0, "outcomeUnknown": 0}
    assert sorted(posts(estate)) == sorted(row.id.lower() for row in rows)
    assert {item["target"]: item["status"] for item in done["items"]} == dict.fromkeys(ids(estate, rows), "succeeded")
    assert {item["target"]: item["name"] for item in done["items"]} == {estate.device_id(row): row.name for row in rows}
    assert {item["clientName"] for item in done["items"]} == {"Contoso", "Fabrikam"}
    first = await estate.call("GET", f"/operations/{done['items'][0]['operationId']}")
    assert done["askedBy"] == first["askedBy"] == "Alice Anders"
    assert (first["kind"], first["status"], first["resource"]) == (
        "device.restart",
        "succeeded",
        done["items"][0]["target"],
    )
    assert (first["reason"], first["ticketNumber"]) == ("Because", "T-1")
    assert await audited(estate, done) == [
        "Alice Anders devices.restart accepted",
        "Alice Anders devices.restart succeeded",
    ]
    assert len(await estate.listed("/audit", target=done["items"][0]["target"])) == 2
    told = [row["body"] for row in await estate.received() if row["body"]["type"] == "tenantry.operation.completed"]
    assert {body["subject"] for body in told} == {done["id"], *ids(estate, rows)}
    assert len(told) == len(rows) + 1
    [whole] = [body for body in told if body["subject"] == done["id"]]
    assert whole["data"]["result"]["succeeded"] == len(rows)
    assert [row["id"] for row in await estate.listed("/operations")] == [done["id"]]
    for row in rows:
        assert await estate.app.tables.get(GUARDS, "device", estate.device_id(row)) is None
    lane = await estate.app.tables.get(LANES, "lane", rows[0].subscription_id)
    assert lane is not None
    assert (lane.slots, lane.waiting) == ([], [])


async def test_more_devices_than_a_lane_has_room_for_take_turns(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "AT_ONCE", 1)
    rows = await polled(estate)
    estate.sandbox.cloud.world.behaviour.lro = "polls=1"
    first, second = (
        await act(estate, deviceIds=ids(estate, rows[:2])),
        await act(estate, deviceIds=ids(estate, rows[2:])),
    )
    for operation in (first, second):
        assert (await ended(estate, operation))["status"] == "succeeded"
    assert sorted(posts(estate)) == sorted(row.id.lower() for row in rows)
    # One after the other: each is asked for after the one before was seen to have ended.
    seen = [row for row in estate.sandbox.cloud.requests if row["service"] == "arm"]
    begun = [place for place, row in enumerate(seen) if row["method"] == "POST" and "/restart" in row["url"]]
    for before, after in pairwise(begun):
        assert any("/operations/" in row["url"] for row in seen[before:after])


async def test_a_filter_means_what_lists_mean_by_it(estate: Estate) -> None:
    rows = await polled(estate, "Contoso", "Fabrikam")
    names = {"clientName": ["contoso"], "type": VM, "search": rows[0].name[:3].upper()}
    listed = await estate.listed("/devices", **names)
    done = await ended(estate, await act(estate, filter=names))
    assert {item["target"] for item in done["items"]} == {row["id"] for row in listed}
    assert done["status"] == "succeeded"


async def test_what_cannot_be_acted_on_is_a_failed_item_that_says_why(estate: Estate) -> None:
    rows = await polled(estate)
    rows[0].power = "deallocated"
    await estate.poll()
    rows[1].power = "deallocated"  # since the last poll
    disk = next(row for row in estate.cloud().resources.values() if row.type != VM)
    done = await ended(estate, await act(estate, deviceIds=ids(estate, [*rows, disk])))
    by_target = {item["target"]: item for item in done["items"]}
    assert done["status"] == "failed"
    assert done["result"] == {"succeeded": len(rows) - 2, "failed": 3, "canceled": 0, "outcomeUnknown": 0}
    for row in (rows[0], rows[1], disk):
        item = by_target[estate.device_id(row)]
        assert (item["status"], item["error"]["code"]) == ("failed", "actionNotAvailable")
    assert "deallocated" in by_target[estate.device_id(rows[1])]["error"]["message"]
    assert disk.type in by_target[estate.device_id(disk)]["error"]["message"]
    failed = await estate.listed(f"/operations/{done['id']}/items", status="failed")
    assert {row["target"] for row in failed} == set(ids(estate, [rows[0], rows[1], disk]))


async def test_a_device_that_is_busy_fails_and_the_others_go_on(estate: Estate) -> None:
    rows = await polled(estate)
    now = estate.app.clock.now()
    await estate.app.tables.put(GUARDS, Guard(device_id=estate.device_id(rows[0]), at=now))
    done = await ended(estate, await act(estate, deviceIds=ids(estate, rows)))
    by_target = {item["target"]: item for item in done["items"]}
    assert by_target[estate.device_id(rows[0])]["error"]["code"] == "operationRunning"
    assert done["result"]["succeeded"] == len(rows) - 1
    assert rows[0].id.lower() not in posts(estate)


async def test_bad_input_is_told_and_nothing_is_done(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = await polled(estate, "Contoso", "Fabrikam")
    mine, theirs = estate.device_id(rows[0]), estate.device_id(rows[-1])
    wrong: tuple[dict[str, Any], ...] = (
        {"action": "explode", "deviceIds": [mine]},
        {"deviceIds": [mine], "filter": {"type": VM}},
        {},
        {"deviceIds": []},
        {"filter": {}},
        {"filter": {"search": "  "}},
        {"filter": {"clientName": []}},
        {"filter": {"colour": "red"}},
        {"filter": {"status": "odd"}},
        {"deviceIds": [mine], "colour": "red"},
        {"deviceIds": ["a/b"]},
    )
    for body in wrong:
        await act(estate, 400, **body)
    assert (await act(estate, 409, filter={"search": "no such thing"}))["error"]["code"] == "nothingMatches"
    disks = {"type": next(row.type for row in estate.cloud().resources.values() if row.type != VM)}
    refused = (await act(estate, 409, filter=disks))["error"]
    assert refused["code"] == "actionNotAvailable"
    assert refused["details"]
    monkeypatch.setattr(bulk, "MOST", 2)
    many = (await act(estate, 400, filter={"type": VM}))["error"]
    assert many["code"] == "tooMany"
    assert str(len(rows)) in many["message"]
    bob = await other(estate, "contoso-hq")
    for unseen in (theirs, mine[:-1] + ("a" if mine[-1] != "a" else "b"), "x"):
        answer = await bob.post("/actions", json={"action": "restart", "deviceIds": [mine, unseen]})
        assert answer.status_code == 404
        assert unseen in answer.json()["error"]["message"]
        assert [row["target"] for row in answer.json()["error"]["details"]] == [unseen]
    carol = await estate.person("carol")
    assert (await carol.post("/actions", json={"action": "restart", "deviceIds": [mine]})).status_code == 403
    assert await estate.listed("/operations") == []
    assert posts(estate) == []


async def test_no_access_to_a_subscription_is_told_per_device(estate: Estate) -> None:
    rows = await polled(estate, "Contoso", "Fabrikam")
    row = await estate.app.tables.get(SUBSCRIPTIONS, "subscription", estate.cloud("Fabrikam").id)
    assert row is not None
    await estate.app.tables.put(SUBSCRIPTIONS, row.changed(access="none", access_reason="No role."))
    done = await ended(estate, await act(estate, deviceIds=ids(estate, rows)))
    refused = [item for item in done["items"] if item["status"] == "failed"]
    assert {item["target"] for item in refused} == set(ids(estate, machines(estate, "Fabrikam")))
    assert {item["error"]["code"] for item in refused} == {"noAzureAccess"}


async def test_a_missing_right_is_told_per_device_and_asked_for_once_per_group(estate: Estate) -> None:
    rows = await polled(estate, "Contoso", "Fabrikam")
    for assignment in estate.cloud("Fabrikam").role_assignments:
        assignment.role = READER
    done = await ended(estate, await act(estate, deviceIds=ids(estate, rows)))
    theirs = {estate.device_id(row): row for row in machines(estate, "Fabrikam")}
    for item in done["items"]:
        if item["target"] not in theirs:
            assert item["status"] == "succeeded"
            continue
        assert (item["status"], item["error"]["code"]) == ("failed", "azureRightMissing")
        assert "Microsoft.Compute/virtualMachines/restart/action" in item["error"]["message"]
        assert theirs[item["target"]].id in item["error"]["message"]
    assert sorted(posts(estate)) == sorted(row.id.lower() for row in machines(estate))

    def asked() -> int:
        """How often Azure was asked for our rights in Contoso."""
        urls = [row["url"].lower() for row in estate.sandbox.cloud.requests]
        return sum(estate.cloud().id in url and "microsoft.authorization/permissions" in url for url in urls)

    before = asked()
    assert before == len({row.id.split("/")[4] for row in machines(estate)}), "once for each resource group"
    assert (await ended(estate, await act(estate, deviceIds=ids(estate, machines(estate)))))["status"] == "succeeded"
    assert asked() == before


async def test_a_marked_action_asks_for_confirmation_and_a_second_person(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = await polled(estate)
    row = capabilities.find(VM, "restart")
    assert row is not None
    monkeypatch.setitem(capabilities._ROWS, (VM.lower(), "restart"), replace(row, confirmation="It is marked."))
    refused = await act(estate, 409, deviceIds=ids(estate, rows))
    assert refused["error"]["code"] == "confirmationRequired"
    operation = await act(estate, deviceIds=ids(estate, rows), confirm=True)
    assert operation["approval"]["state"] == "pending"
    alone = await act(estate, deviceIds=ids(estate, rows[:1]), confirm=True)
    assert "approval" not in alone
    assert (await ended_now(estate, alone))["status"] == "succeeded"


async def test_the_same_idempotency_key_acts_once(estate: Estate) -> None:
    rows = await polled(estate)
    body, key = {"action": "restart", "deviceIds": ids(estate, rows)}, {"Idempotency-Key": "k1"}
    first = await estate.alice.post("/actions", json=body, headers=key)
    again = await estate.alice.post("/actions", json=body, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert first.headers["operation-location"].endswith(f"/operations/{first.json()['id']}")
    assert (await ended(estate, first.json()))["status"] == "succeeded"
    assert len(posts(estate)) == len(rows)


async def test_an_end_that_is_told_again_after_a_kill_is_one_entry_of_the_audit_log(estate: Estate) -> None:
    rows = await polled(estate)
    done = await ended(estate, await act(estate, deviceIds=ids(estate, rows)))
    before = await estate.listed("/audit")
    for identifier in (done["id"], done["items"][0]["operationId"]):
        # As a worker leaves it that is killed between the entry and the row.
        row = await progress.read(estate.app, identifier)
        await estate.app.tables.put(OPERATIONS, row.changed(status="running"))
    await follow.run(estate.app, jobs.FollowOperation(operation_id=done["items"][0]["operationId"]))
    await estate.settle(90, delayed=True)
    await parts.finish(estate.app, done["id"])
    again = await estate.call("GET", f"/operations/{done['id']}")
    assert (again["status"], await estate.listed("/audit")) == ("succeeded", before)


async def test_the_end_of_an_action_at_thousands_of_sites_is_told_once_to_each_sink(estate: Estate) -> None:
    everywhere, last = await estate.webhook(), await estate.webhook(siteIds=["contoso-hq"])
    names = [f"s{number:04}-{'x' * 58}" for number in range(1500)]
    begun = await progress.start(
        estate.app,
        "devices.start",
        reader="CloudDevices.Read",
        site_ids=["contoso-hq", *names],
        state=Bulk(verb="start", begun=True).into(),
    )
    await parts.finish(estate.app, begun.id)
    await estate.settle(30)
    for sink in (everywhere, last):
        told = await estate.listed(f"/sinks/{sink['id']}/deliveries")
        assert [row["event"] for row in told] == ["tenantry.operation.completed"]


@pytest.mark.parametrize("part", [{"instances": ["0"]}, {"child": "slots/x"}, {"confirm": "yes"}])
async def test_many_devices_are_acted_upon_as_a_whole_or_not_at_all(estate: Estate, part: dict[str, Any]) -> None:
    rows = await polled(estate)
    await act(estate, 400, deviceIds=ids(estate, rows), **part)
    assert posts(estate) == []


async def test_being_told_to_wait_holds_up_the_whole_subscription_and_no_other(estate: Estate) -> None:
    rows = await polled(estate, "Contoso", "Fabrikam")
    body = {"service": "arm", "method": "POST", "path": "/restart", "status": 429, "retryAfter": 20, "times": 1}
    (await estate.control.post("/faults", json=body)).raise_for_status()
    operation = await act(estate, deviceIds=ids(estate, rows))
    await estate.settle(30)
    arm = [row for row in estate.sandbox.cloud.requests if row["service"] == "arm" and row["method"] == "POST"]
    refused = next(place for place, row in enumerate(arm) if row["status"] == 429)
    subscription = arm[refused]["url"].split("/")[2].lower()
    theirs = [row for row in rows if row.subscription_id != subscription]
    assert set(posts(estate)) >= {row.id.lower() for row in theirs}
    assert await pauses.left(estate.app, subscription) > 0
    # Those under way at that moment may still have been sent; none is afterwards.
    sent = len(posts(estate))
    for item in (await estate.call("GET", f"/operations/{operation['id']}"))["items"]:
        if item["status"] == "running":
            await estate.app.queues.send(jobs.FollowOperation(operation_id=item["operationId"]))
    await estate.settle(30)
    assert len(posts(estate)) == sent
    await estate.advance(21)
    assert (await ended(estate, operation))["status"] == "succeeded"
    assert len(posts(estate)) == len(rows) + 1


async def test_items_are_paged_and_counted(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = await polled(estate)
    monkeypatch.setattr(progress, "INLINE_ITEMS", 2)
    operation = await act(estate, deviceIds=ids(estate, rows))
    done = await ended(estate, operation)
    assert (len(done["items"]), done["itemCount"], done["percentComplete"]) == (2, len(rows), 100)
    link, seen = f"/operations/{operation['id']}/items?$top=2&$count=true&status=succeeded&status=failed", []
    while link:
        page = await estate.call("GET", link)
        assert page["count"] == len(rows)
        seen += [row["target"] for row in page["value"]]
        link = page.get("nextLink", "")
    assert seen == sorted(ids(estate, rows))
    for query in ("status=odd", "$orderby=status", "$skiptoken=WzFd", "stat=1"):
        await estate.call("GET", f"/operations/{operation['id']}/items?{query}", 400)
    await estate.call("GET", "/operations/202601-x/items", 404)
    bob = await other(estate, "fabrikam-hq")
    assert (await bob.get(f"/operations/{operation['id']}/items")).status_code == 404


async def test_a_key_stands_for_one_operation_also_after_a_start_that_died(estate: Estate) -> None:
    rows = await polled(estate)
    shown = [await stored(estate, row) for row in rows]
    asked: dict[str, Any] = {"verb": "restart", "found": shown, "asked_by": "tenantry", "asked_by_name": "Nightly"}
    asked["every_site"] = True
    # A first try died when it had named its operation, and stored some items.
    dead = progress.new_id(estate.app.clock.now())
    await estate.app.tables.put(KEYS, Key(key=bulk._hash("s1|2026-01-01"), operation_id=dead))
    await bulk._store_items(estate.app, dead, {shown[0].device.id: None}, shown[:1])
    begun = [
        await operations.start_many(estate.app, **asked, kind="schedule", approved_by="bob", key="s1|2026-01-01")
        for _ in range(3)
    ]
    assert {row.id for row in begun} == {dead}
    done = await ended(estate, {"id": dead})
    assert (done["status"], done["itemCount"]) == ("succeeded", len(rows))
    assert len(posts(estate)) == len(rows)
    work = await estate.app.tables.get(WORKS, rows[0].subscription_id, estate.device_id(rows[0]))
    assert work is not None
    assert [(row.kind, row.what) for row in work.works] == [("schedule", "Restart by Nightly")]


async def stored(estate: Estate, row: Resource) -> Shown:
    found = await devices.find(estate.app, estate.device_id(row))
    assert found is not None
    return found


async def test_what_lost_its_message_is_begun_by_the_sweep(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = await polled(estate)
    with monkeypatch.context() as patch:
        # A queue name that the storage service refuses.
        patch.setattr(jobs.RunBulk, "QUEUE", "Not A Queue")
        await act(estate, 500, deviceIds=ids(estate, rows))
    [refused] = await estate.listed("/operations")
    assert (refused["status"], refused["error"]["code"]) == ("canceled", "neverBegun")
    operation = await act(estate, deviceIds=ids(estate, rows))
    row = await progress.read(estate.app, operation["id"])
    await estate.settle(60)
    # As it is when all of its messages were lost after its lanes had been told.
    await estate.app.tables.put(OPERATIONS, row.changed(etag=None, state=bulk_of(row).changed(notes=[]).into()))
    await estate.timer("resend_lost_work")
    assert (await estate.call("GET", f"/operations/{operation['id']}"))["status"] == "notStarted"
    await estate.advance(timedelta(minutes=11).total_seconds())
    await estate.timer("resend_lost_work")
    assert (await ended(estate, operation))["status"] == "succeeded"
    assert len(posts(estate)) == len(rows)


async def test_poisoned_work_ends_with_a_reason(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    approve_above(estate, monkeypatch, 1)
    rows = await polled(estate)
    operation = await act(estate, deviceIds=ids(estate, rows))
    await estate.settle(30)
    await operations.give_up_bulk(estate.app, jobs.RunBulk(operation_id=operation["id"]), "Five times.")
    done = await ended_now(estate, operation)
    assert (done["status"], done["error"]["message"]) == ("canceled", "Five times.")
    await operations.give_up_bulk(estate.app, jobs.RunBulk(operation_id="202601-none"), "Five times.")
    await operations.run_bulk(estate.app, jobs.RunBulk(operation_id="202601-none"))
    await operations.run_lane(estate.app, jobs.AdvanceLane(subscription_id="none"))
    await operations.give_up_lane(estate.app, jobs.AdvanceLane(subscription_id="none"), "Five times.")


async def test_what_people_did_is_in_the_audit_log_also_of_poisoned_work(estate: Estate) -> None:
    rows = await polled(estate)
    found = [await stored(estate, row) for row in rows]
    app = mortal(estate.app, 10**6, lost=jobs.RunBulk)
    asked: dict[str, Any] = {"verb": "restart", "found": found, "asked_by": "a", "asked_by_name": "Alice Anders"}
    begun = await operations.start_many(app, **asked, every_site=True)
    job = jobs.RunBulk(operation_id=begun.id)
    for _ in range(2):
        await operations.give_up_bulk(estate.app, job, "Five times.")
    assert await audited(estate, {"id": begun.id}) == [
        "Alice Anders devices.restart accepted",
        " devices.restart.giveUp failed",
        "Alice Anders devices.restart canceled",
    ]
    assert (await ended_now(estate, {"id": begun.id}))["result"]["canceled"] == len(rows)


async def test_a_machine_that_may_not_be_begun_for_long_fails(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    async def throttled(*_: Any, **__: Any) -> None:
        raise Throttled("Too many tokens.", retry_after=60)

    rows = (await polled(estate))[:1]
    monkeypatch.setattr(actions, "start_part", throttled)
    operation = await act(estate, deviceIds=ids(estate, rows))
    await estate.settle(30)
    assert (await estate.call("GET", f"/operations/{operation['id']}"))["status"] == "running"
    await estate.advance(follow.PATIENCE.total_seconds() + 60)
    done = await ended_now(estate, operation)
    assert (done["status"], done["items"][0]["error"]["code"]) == ("failed", "throttled")
    await estate.settle(30, delayed=True)


async def test_a_machine_that_no_worker_could_begin_fails_and_its_lane_goes_on(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "AT_ONCE", 1)
    rows = await polled(estate)
    operation = await act(estate, deviceIds=ids(estate, rows))
    await estate.settle(60)
    first = min(ids(estate, rows))
    again = progress.new_id(estate.app.clock.now())
    row = await progress.read(estate.app, operation["id"])
    shown = [await stored(estate, one) for one in rows]
    await bulk._store_items(estate.app, again, dict.fromkeys(ids(estate, rows)), shown)
    state = bulk_of(row).changed(begun=True).into()
    await estate.app.tables.insert(OPERATIONS, row.changed(id=again, status="running", state=state, result=None))
    waiting = Waiting(operation_id=again, after=first)
    slot = Slot(operation_id=again, target=first)
    lane = Lane(subscription_id=rows[0].subscription_id, slots=[slot], waiting=[waiting])
    await estate.app.tables.put(LANES, lane)
    before = len(posts(estate))
    job = jobs.AdvanceLane(subscription_id=rows[0].subscription_id)
    await operations.give_up_lane(estate.app, job, "Five times.")
    done = await ended(estate, {"id": again})
    assert done["result"] == {"succeeded": len(rows) - 1, "failed": 1, "canceled": 0, "outcomeUnknown": 0}
    assert len(posts(estate)) == before + len(rows) - 1
