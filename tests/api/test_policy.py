"""The policy over the wire: who sees and changes what of it, versions, and that alerts follow it at once."""

from __future__ import annotations

from typing import Any

import pytest

from shared.alerts import policies
from shared.incidents.policy import MAX_OVERRIDES
from tests.errors import error_of
from tests.estate import Estate

PATH = "/alerts/policy"
MINE = {"siteIds": ["contoso-hq"], "holdMinutes": 15}
THEIRS = {"siteIds": ["fabrikam-hq"], "holdMinutes": 20}
BY_TYPE = {"types": ["Microsoft.Sql/servers/databases"], "strict": True}


async def test_the_default_policy_holds_until_somebody_sets_one(estate: Estate) -> None:
    shown = await estate.call("GET", PATH)
    wanted = {"strict": False, "openOn": ["unavailable", "degraded"], "unknownAfterMinutes": 30, "overrides": []}
    assert {name: shown[name] for name in wanted} == wanted
    assert shown["watchdog"]["pollLateMinutes"] == 45
    assert (shown["version"], shown["businessHours"]) == (0, None)
    assert await estate.listed(f"{PATH}/versions") == []


async def test_a_policy_is_replaced_kept_as_a_version_and_audited(estate: Estate) -> None:
    body = {"holdMinutes": 10, "overrides": [MINE], "reason": "Noise", "ticketNumber": "T-7"}
    set_once = await estate.call("PUT", PATH, json=body)
    assert (set_once["version"], set_once["holdMinutes"], set_once["overrides"]) == (1, 10, [MINE])
    assert set_once["changedBy"]
    again = await estate.call("PUT", PATH, json=set_once)
    assert again == set_once, "what was read and sent back is no new version"
    await estate.call("PUT", PATH, json={"overrides": [BY_TYPE]})
    assert (await estate.call("GET", PATH))["holdMinutes"] == 0, "what is left out is as by default"
    second, first = await estate.listed(f"{PATH}/versions")
    assert (second["version"], first["version"], first["holdMinutes"]) == (2, 1, 10)
    assert first["before"] == {"holdMinutes": 0, "overrides": []}
    assert second["before"] == {name: first[name] for name in ("holdMinutes", "overrides")}
    assert (first["reason"], first["ticketNumber"], first["changedBy"]) == ("Noise", "T-7", set_once["changedBy"])
    assert "reason" not in second
    entries = await estate.listed("/audit", target="alerts/policy")
    assert [(row["action"], row["reason"], row["details"]["version"]) for row in entries] == [
        ("policy.set", None, 2),
        ("policy.set", "Noise", 1),
    ]
    assert entries[1]["details"]["changed"] == ["holdMinutes", "overrides"]


async def test_versions_page_newest_first(estate: Estate) -> None:
    for minutes in range(1, 6):
        await estate.call("PUT", PATH, json={"holdMinutes": minutes})
    seen: list[int] = []
    link = f"{PATH}/versions?$top=2&$count=true"
    while link:
        page = await estate.call("GET", link)
        assert page["count"] == 5
        seen += [row["version"] for row in page["value"]]
        link = page.get("nextLink", "")
    assert seen == [5, 4, 3, 2, 1]
    for query in ("$orderby=version asc", "$orderby=at", "$skiptoken=WyJ4Il0", "$skiptoken=W3RydWVd", "state=x"):
        await estate.call("GET", f"{PATH}/versions?{query}", 400)


async def test_if_match_reaches_the_write_the_first_one_too(estate: Estate) -> None:
    unset = (await estate.alice.get(PATH)).headers["etag"]
    first = await estate.alice.put(PATH, json={"holdMinutes": 1}, headers={"If-Match": unset})
    assert first.status_code == 200, first.text
    assert first.headers["etag"] == (await estate.alice.get(PATH)).headers["etag"] != unset
    for stale in (unset, '"other"'):
        answer = await estate.alice.put(PATH, json={"holdMinutes": 2}, headers={"If-Match": stale})
        assert error_of(answer, 412)["code"] == "preconditionFailed"
    for good in (first.headers["etag"], "*"):
        assert (await estate.alice.put(PATH, json={"holdMinutes": 1}, headers={"If-Match": good})).status_code == 200
    assert (await estate.call("GET", PATH))["version"] == 1


@pytest.mark.parametrize(
    "body, target",
    [
        ({"holdMinutes": -1}, "holdMinutes"),
        ({"openOn": ["available"]}, "openOn"),
        ({"openIf": []}, "openIf"),
        ({"overrides": [{"holdMinutes": 1}]}, "overrides"),
        ({"overrides": [{"siteIds": []}]}, "overrides"),
        ({"overrides": [{"siteIds": ["no-such"]}]}, "overrides"),
        ({"overrides": [{"clientNames": ["Nobody"]}]}, "overrides"),
        ({"overrides": [{**MINE, "holdMinutes": None}]}, "overrides"),
        ({"businessHours": {"timeZone": "Mars/Olympus"}}, "businessHours"),
        ({"businessHours": {"timeZone": "UTC", "opens": "18:00", "closes": "08:00"}}, "businessHours"),
        ({"businessHours": {"timeZone": "UTC", "opens": "08:00:00Z"}}, "businessHours.opens"),
        (
            {"businessHours": {"timeZone": "UTC", "opens": "08:00+01:00", "closes": "18:00+01:00"}},
            "businessHours.opens",
        ),
        ({"watchdog": {"pollLateMinutes": 5}}, "watchdog"),
        ({"reason": "x" * 501}, "reason"),
    ],
)
async def test_a_policy_that_makes_no_sense_is_refused_by_name(
    estate: Estate, body: dict[str, Any], target: str
) -> None:
    error = error_of(await estate.alice.put(PATH, json=body), 400)
    named = [str(error.get("target", "")), *(row["target"] for row in error.get("details", []))]
    assert any(target in name for name in named), error


async def test_a_policy_that_fits_no_row_is_refused(estate: Estate) -> None:
    types = [f"Microsoft.Compute/{'x' * 180}{number}" for number in range(100)]
    error = error_of(await estate.alice.put(PATH, json={"overrides": [{"types": types}, {"types": types}]}), 400)
    assert "24000" in error["message"]


async def test_a_site_that_is_gone_may_stay_named_and_not_be_named_anew(estate: Estate) -> None:
    await estate.call("PUT", "/sites/gone", 201, json={"clientName": "Gone", "siteName": "HQ"})
    override = {"siteIds": ["gone"], "clientNames": ["GONE"], "strict": True}
    await estate.call("PUT", PATH, json={"overrides": [override]})
    await estate.call("DELETE", "/sites/gone", 204)
    await estate.call("PUT", PATH, json={"overrides": [override, MINE]})
    await estate.call("PUT", PATH, json={"overrides": [MINE]})
    await estate.call("PUT", PATH, 400, json={"overrides": [override]})


async def test_who_is_limited_to_sites_changes_his_own_overrides_and_sees_no_others(estate: Estate) -> None:
    await estate.grant("bob", "contoso-hq")
    await estate.call("PUT", PATH, json={"holdMinutes": 3, "overrides": [THEIRS, BY_TYPE]})
    bob = await estate.person("bob")
    got = await bob.get(PATH)
    assert got.json()["overrides"] == [BY_TYPE]
    wanted = {**got.json(), "overrides": [BY_TYPE, MINE], "reason": "Ours"}
    put = await bob.put(PATH, json=wanted, headers={"If-Match": got.headers["etag"]})
    assert put.status_code == 200, put.text
    assert put.json()["overrides"] == [BY_TYPE, MINE]
    assert (await estate.call("GET", PATH))["overrides"] == [THEIRS, BY_TYPE, MINE]
    versions = (await bob.get(f"{PATH}/versions")).json()["value"]
    assert [row["overrides"] for row in versions] == [[BY_TYPE, MINE], [BY_TYPE]]
    assert [row["before"] for row in versions] == [{"overrides": [BY_TYPE]}, {"holdMinutes": 0, "overrides": []}]
    for forbidden in (
        {**wanted, "holdMinutes": 4},
        {**wanted, "overrides": [MINE]},
        {**wanted, "overrides": [BY_TYPE, THEIRS]},
        {**wanted, "overrides": [{**BY_TYPE, "strict": False}, MINE]},
        {},
    ):
        error = error_of(await bob.put(PATH, json=forbidden), 403)
        assert "siteIds are all yours" in error["message"]
    await estate.grant("bob")
    assert (await bob.put(PATH, json={**wanted, "overrides": [BY_TYPE]})).status_code == 200, "he changes nothing"
    assert (await estate.call("GET", PATH))["overrides"] == [THEIRS, BY_TYPE, MINE]


async def test_overrides_that_are_too_many_only_with_those_of_others_are_refused_and_nothing_breaks(
    estate: Estate,
) -> None:
    await estate.grant("bob", "contoso-hq")
    await estate.call("PUT", PATH, json={"overrides": [THEIRS]})
    bob = await estate.person("bob")
    wanted = (await bob.get(PATH)).json()
    error = error_of(await bob.put(PATH, json={**wanted, "overrides": [MINE] * MAX_OVERRIDES}), 400)
    assert error["target"] == "overrides"
    assert (await bob.put(PATH, json={**wanted, "overrides": [MINE] * (MAX_OVERRIDES - 1)})).status_code == 200
    assert len((await estate.call("GET", PATH))["overrides"]) == MAX_OVERRIDES


async def test_a_stored_policy_that_cannot_be_read_stops_nothing_and_is_shown_and_replaced(
    estate: Estate, caplog: pytest.LogCaptureFixture
) -> None:
    machine = estate.machine()
    await estate.poll()
    await estate.call("PUT", PATH, json={"severities": [{"severity": "critical"}]})
    await estate.settle(30)
    readable = (await policies.held(estate.app)).stored
    broken = readable.changed(number=3, etag=None, data={"holdMinutes": "soon"})
    for row in (broken.changed(number=2), broken):
        await estate.app.tables.insert(policies.VERSIONS, row)
    await estate.app.tables.put(policies.CURRENT, broken.changed(etag=readable.etag))
    estate.fall_ill(machine)
    await estate.poll()
    assert [row["severity"] for row in await estate.alerts_of(machine, state="open")] == ["critical"]
    shown = await estate.call("GET", PATH)
    assert (shown["version"], shown["unreadableVersion"], len(shown["severities"])) == (1, 3, 1)
    assert len([row for row in caplog.records if "version 3 of the policy cannot be read" in row.message]) == 1
    assert [row.get("unreadable") for row in await estate.listed(f"{PATH}/versions")] == [True, True, None]
    mended = await estate.call("PUT", PATH, json=shown)
    assert (mended["version"], "unreadableVersion" in mended) == (4, False)
    assert await estate.call("GET", PATH) == mended


async def test_why_a_version_was_set_is_told_to_whoever_sees_all_that_it_changed(estate: Estate) -> None:
    await estate.grant("bob", "contoso-hq")
    both = {"siteIds": ["contoso-hq", "fabrikam-hq"], "holdMinutes": 9}
    for reason, overrides in (
        ("theirs", [THEIRS]),
        ("mine", [MINE, THEIRS]),
        ("moved", [THEIRS, MINE]),
        ("both", [THEIRS, MINE, both]),
        ("ours", [THEIRS, MINE, both, BY_TYPE]),
        ("mixed", [BY_TYPE]),
    ):
        body = {"overrides": overrides, "reason": reason, "ticketNumber": f"T-{reason}"}
        await estate.call("PUT", PATH, json=body)
    bob = await estate.person("bob")
    rows: list[dict[str, Any]] = []
    link = f"{PATH}/versions?$top=4"
    while link:
        page = (await bob.get(link)).json()
        rows += page["value"]
        link = page.get("nextLink", "")
    assert [row.get("reason") for row in rows] == [None, "ours", None, None, "mine", None]
    assert [row.get("ticketNumber") for row in rows] == [None, "T-ours", None, None, "T-mine", None]
    everything = [row["reason"] for row in await estate.listed(f"{PATH}/versions")]
    assert everything == ["mixed", "ours", "both", "moved", "mine", "theirs"]


async def test_readers_read_the_policy_and_others_do_not(estate: Estate) -> None:
    carol, mallory, nobody = await estate.person("carol"), await estate.person("mallory"), await estate.person()
    for path in (PATH, f"{PATH}/versions"):
        assert (await carol.get(path)).status_code == 200
        assert (await mallory.get(path)).status_code == 403
        assert (await nobody.get(path)).status_code == 401
    for person, status in ((carol, 403), (mallory, 403), (nobody, 401)):
        assert (await person.put(PATH, json={})).status_code == status


async def test_an_alert_that_a_new_policy_does_not_want_closes_at_once_and_says_so(estate: Estate) -> None:
    sink = await estate.webhook()
    machine = estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    [alert] = await estate.listed("/alerts", deviceId=estate.device_id(machine), state="open")
    await estate.call("PUT", PATH, json={"overrides": [{**MINE, "openOn": ["degraded"]}]})
    await estate.settle(30, delayed=True)
    found = await estate.call("GET", f"/alerts/{alert['id']}")
    assert (found["state"], found["closeReason"]) == ("closed", "policyChanged")
    mine = [row["body"] for row in await estate.received() if row["body"]["subject"] == alert["deviceId"]]
    assert [row["type"] for row in mine] == ["tenantry.alert.opened", "tenantry.alert.closed"]
    assert [row["sinkId"] for row in found["tickets"]] == [sink["id"]]


async def test_a_change_whose_maker_died_before_he_asked_for_a_judgement_is_judged_by_the_watchdog(
    estate: Estate,
) -> None:
    machine = estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    [alert] = await estate.listed("/alerts", deviceId=estate.device_id(machine), state="open")
    now = estate.app.clock.now()
    await estate.app.tables.put(policies.CURRENT, policies.Version(number=1, at=now, data={"openOn": ["degraded"]}))
    await estate.timer("watch_itself")
    found = await estate.call("GET", f"/alerts/{alert['id']}")
    assert (found["state"], found["closeReason"]) == ("closed", "policyChanged")
