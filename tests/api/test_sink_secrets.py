"""A sink's secrets go where whoever gave them had in mind: who may change the sink cannot take them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.access import ALERTS_MANAGE, Principal
from shared.errors import Conflict
from shared.outbox import saving, sinks
from shared.outbox.saving import Wanted
from shared.outbox.sinks import Sink
from shared.sinks import KINDS
from shared.sinks.contract import secret_fields
from tests.api.test_sink_kinds import settings
from tests.estate import Estate
from tests.telling import psa

ALICE = Principal("alice", "Alice", frozenset({ALERTS_MANAGE}), None)
BINDING: dict[str, set[str]] = {
    "webhook": set(),
    "logicApps": set(),
    "teams": set(),
    "connectwise": {"url", "company", "public_key"},
    "autotask": {"url", "username"},
    "halopsa": {"url", "client_id", "tenant"},
}


def test_each_kind_names_only_fields_of_its_own_as_harmless() -> None:
    for name, kind in KINDS.items():
        fields = set(kind.Settings.model_fields)
        assert fields >= kind.Settings.HARMLESS, name
        assert fields - kind.Settings.HARMLESS - set(secret_fields(kind.Settings)) == BINDING[name], name


async def kept(estate: Estate, sink: dict[str, Any]) -> dict[str, str]:
    stored = await sinks.find(estate.app, sink["id"])
    assert stored is not None
    return await sinks.secrets_of(estate.app, stored)


MOVES = [
    ("connectwise", {"url": "http://localhost:1/evil"}, {"privateKey", "clientId"}),
    ("connectwise", {"company": "evil"}, {"privateKey", "clientId"}),
    ("connectwise", {"publicKey": "evil"}, {"privateKey", "clientId"}),
    ("connectwise", {"url": "http://localhost:1/evil", "clientId": "mine"}, {"privateKey"}),
    ("autotask", {"username": "evil"}, {"secret", "integrationCode"}),
    ("halopsa", {"tenant": "evil"}, {"clientSecret"}),
]


@pytest.mark.parametrize("kind, changes, missing", MOVES)
async def test_secrets_are_sent_again_when_they_would_go_elsewhere(
    estate: Estate, kind: str, changes: dict[str, str], missing: set[str]
) -> None:
    body = {"kind": kind, "name": "Desk", "settings": await settings(estate, kind)}
    sink = await estate.call("POST", "/sinks", 201, json=body)
    before, path = await kept(estate, sink), f"/sinks/{sink['id']}"
    moved = {**sink, "settings": {**sink["settings"], **changes}}
    error = (await estate.call("PUT", path, 400, json=moved))["error"]
    assert {row["target"] for row in error["details"]} == {f"settings.{name}" for name in missing}
    assert all(name in error["message"] for name in missing)
    assert await kept(estate, sink) == before
    assert (await estate.call("GET", path))["settings"] == sink["settings"]
    given = {name: f"mine-{name}" for name in missing}
    await estate.call("PUT", path, json={**sink, "settings": {**moved["settings"], **given}})
    assert (await kept(estate, sink)).items() >= given.items()


async def test_secrets_stay_when_only_boards_and_companies_change(estate: Estate) -> None:
    sink = await psa(estate)
    before = await kept(estate, sink)
    changed = {**sink["settings"], "boardId": None, "companies": [], "notes": "discussion", "priorities": {"high": "1"}}
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "settings": changed})
    assert await kept(estate, sink) == before


async def test_secrets_that_were_changed_meanwhile_do_not_go_where_the_old_ones_went(estate: Estate) -> None:
    """Who made a sink of his own that somebody set right is overtaken by the other's secrets while he saves it."""
    sink = await psa(estate, settings={"url": "http://localhost:1/evil"})
    stored = await sinks.find(estate.app, sink["id"])
    assert stored is not None
    theirs = {**sink["settings"], "url": "http://localhost:2/right", "privateKey": "theirs", "clientId": "theirs"}

    async def save(current: Sink, given: dict[str, Any]) -> None:
        wanted = Wanted(kind="connectwise", name="Desk", settings=given)
        await saving.save(estate.app, ALICE, wanted, current)

    await save(stored, theirs)
    for mine in ({}, {"clientId": "mine"}):
        with pytest.raises(Conflict):
            await save(stored, {**sink["settings"], **mine})
    after = await sinks.find(estate.app, sink["id"])
    assert after is not None
    assert (after.settings["url"], await sinks.secrets_of(estate.app, after)) == (
        "http://localhost:2/right",
        {"privateKey": "theirs", "clientId": "theirs"},
    )
