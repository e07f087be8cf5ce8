"""Every kind of sink, as the API makes it: from a poll to what its receiver shows, and back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.estate import Estate


async def settings(estate: Estate, kind: str) -> dict[str, Any]:
    """What a sink of a kind needs to reach its receiver, Contoso's companies included."""
    world = (await estate.control.get("/world")).json()
    place: dict[str, Any] = world["receivers"][kind.lower()]
    if kind == "teams":
        return {"webhookUrl": place["url"]}
    if kind == "logicApps":
        return {"callbackUrl": place["url"]}
    given = {name: value for name, value in place.items() if name != "companies"}
    if "companies" in place:
        company = next(number for number, name in place["companies"].items() if name == "Contoso")
        given["companies"] = [{"siteId": "contoso-hq", "companyId": company}]
    return given


def secrets(made: dict[str, Any]) -> set[str]:
    """The names of a kind's settings that its JSON Schema calls write-only."""
    return {name for name, row in made["settings"]["properties"].items() if "writeOnly" in str(row)}


async def test_every_kind_describes_its_settings_and_its_receiver_is_there(estate: Estate) -> None:
    kinds = {row["kind"]: row for row in await estate.listed("/sinks/kinds")}
    assert {"webhook", "logicApps", "teams", "connectwise", "autotask", "halopsa"} <= set(kinds)
    assert {name for name, row in kinds.items() if row["tickets"]} == {"connectwise", "autotask", "halopsa"}
    for row in kinds.values():
        assert row["settings"]["additionalProperties"] is False
        assert secrets(row), row["kind"]
        assert set(row["needed"]) == (set() if row["kind"] == "webhook" else secrets(row))
        for name in row["needed"]:
            given = {**await settings(estate, row["kind"]), name: None}
            refused = await estate.call(
                "POST", "/sinks", 400, json={"kind": row["kind"], "name": "S", "settings": given}
            )
            assert refused["error"]["target"] == f"settings.{name}"


@pytest.mark.parametrize("kind", ["logicApps", "teams", "connectwise", "autotask", "halopsa"])
async def test_an_alert_goes_to_its_receiver_and_closes_there(estate: Estate, kind: str) -> None:
    described = {row["kind"]: row for row in await estate.listed("/sinks/kinds")}[kind]
    given = await settings(estate, kind)
    sink = await estate.call("POST", "/sinks", 201, json={"kind": kind, "name": "S", "settings": given})
    assert not secrets(described) & set(sink["settings"])
    passed = await estate.call("POST", f"/sinks/{sink['id']}/test", json={})
    assert passed["outcome"] == "passed", passed
    machine = estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    await estate.settle(30, delayed=True)
    [alert] = await estate.listed("/alerts", deviceId=estate.device_id(machine))
    [ticket] = alert["tickets"]
    assert (ticket["sinkId"], ticket["kind"], ticket["state"]) == (sink["id"], kind, "open")
    assert ("number" in ticket) == described["tickets"]
    estate.recover(machine)
    await estate.poll()
    await estate.settle(30, delayed=True)
    [alert] = await estate.listed("/alerts", deviceId=estate.device_id(machine))
    assert [row["state"] for row in alert["tickets"]] == ["closed"]
    shown = (await estate.control.get(f"/receivers/{kind.lower()}")).json()
    if kind == "teams":
        # The first card is the test's.
        assert [card["style"] for card in shown["cards"][1:]] == ["attention", "good"]
        assert shown["cards"][1]["texts"][1] == f"Contoso: {machine.name} is unavailable"
        assert shown["cards"][1]["actions"][0]["url"].startswith("https://portal.azure.com/")
        assert not any(card["active"] for card in shown["cards"])
    else:
        assert [row["state"] for row in shown["tickets"] if row["key"]] == ["closed"]
