"""Many requests at once: of those that name one version exactly one is done, and the others change nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from shared import jobs
from shared.outbox import sinks
from shared.sinks import webhook
from tests.connecting import draft
from tests.estate import Estate
from tests.tenanting import site

AT_ONCE = 8


async def raced(
    client: httpx.AsyncClient, method: str, path: str, bodies: list[Any], if_match: str | None = None
) -> list[httpx.Response]:
    """The same request once per body, all at the same time."""
    headers = {} if if_match is None else {"If-Match": if_match}
    return await asyncio.gather(*(client.request(method, path, json=body, headers=headers) for body in bodies))


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


async def version(client: httpx.AsyncClient, path: str) -> str:
    return (await client.get(path)).headers["etag"]


async def secret_of(estate: Estate, sink_id: str) -> str | None:
    sink = await sinks.find(estate.app, sink_id)
    return (await sinks.secrets_of(estate.app, sink))["secret"] if sink else None


async def test_a_sink_has_the_secret_of_the_request_that_was_done(estate: Estate) -> None:
    sink = await estate.webhook()
    path, secrets = f"/sinks/{sink['id']}", [webhook.make_secret() for _ in range(AT_ONCE)]
    bodies = [{**sink, "settings": {**sink["settings"], "secret": secret}} for secret in secrets]
    answers = await raced(estate.alice, "PUT", path, bodies, await version(estate.alice, path))
    assert statuses(answers) == {200: 1, 412: AT_ONCE - 1}
    [done] = [secret for secret, answer in zip(secrets, answers, strict=True) if answer.status_code == 200]
    assert await secret_of(estate, sink["id"]) == done


async def test_only_the_secret_in_use_stays_in_the_vault(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = await estate.webhook()
    names: list[str] = []
    store = estate.app.vault.set

    async def noted(name: str, value: str) -> None:
        names.append(name)
        await store(name, value)

    before = await sinks.find(estate.app, sink["id"])
    assert before is not None
    names.append(before.secret_name)
    monkeypatch.setattr(estate.app.vault, "set", noted)
    bodies = [{**sink, "settings": {**sink["settings"], "secret": webhook.make_secret()}} for _ in range(AT_ONCE)]
    path = f"/sinks/{sink['id']}"
    await raced(estate.alice, "PUT", path, bodies, await version(estate.alice, path))
    after = await sinks.find(estate.app, sink["id"])
    assert after is not None
    assert [name for name in names if await estate.app.vault.get(name)] == [after.secret_name]


async def test_sinks_written_without_a_version_take_every_write(estate: Estate) -> None:
    sink = await estate.webhook()
    path, secrets = f"/sinks/{sink['id']}", [webhook.make_secret() for _ in range(4)]
    bodies = [{**sink, "settings": {**sink["settings"], "secret": secret}} for secret in secrets]
    assert statuses(await raced(estate.alice, "PUT", path, bodies)) == {200: 4}
    assert await secret_of(estate, sink["id"]) in secrets


async def test_who_holds_a_sink_as_it_was_sends_with_its_new_secret(estate: Estate) -> None:
    sink = await estate.webhook()
    stale = await sinks.find(estate.app, sink["id"])
    assert stale is not None
    secret = webhook.make_secret()
    body = {**sink, "settings": {**sink["settings"], "secret": secret}}
    await estate.call("PUT", f"/sinks/{sink['id']}", json=body)
    # As in a process that never sent to it.
    estate.app.memory.clear()
    assert await sinks.secrets_of(estate.app, stale) == {"secret": secret}


async def test_one_writer_of_a_version_renames_a_site(estate: Estate) -> None:
    path = "/sites/contoso-hq"
    bodies = [{"clientName": "Contoso", "siteName": f"Name {number}"} for number in range(15)]
    answers = await raced(estate.alice, "PUT", path, bodies, await version(estate.alice, path))
    assert statuses(answers) == {200: 1, 412: 14}
    [done] = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await estate.call("GET", path))["siteName"] == done["siteName"]


async def test_one_writer_of_a_version_maps_a_site(estate: Estate) -> None:
    shown = await estate.call("GET", "/sites/contoso-hq")
    path, tenant = "/sites/contoso-hq/mapping", shown["tenantId"]
    etag = await version(estate.alice, "/sites/contoso-hq")
    bodies: list[Any] = [{"tenantId": tenant, "subscriptionIds": [estate.cloud().id]}, None]
    mapping, unmapping = await asyncio.gather(
        estate.alice.put(path, json=bodies[0], headers={"If-Match": etag}),
        estate.alice.delete(path, headers={"If-Match": etag}),
    )
    assert statuses([mapping, unmapping]) == {200: 1, 412: 1}
    after = await estate.call("GET", "/sites/contoso-hq")
    assert ("tenantId" in after) == (mapping.status_code == 200)


async def test_a_site_renamed_meanwhile_is_not_deleted(estate: Estate) -> None:
    await site(estate.alice, "Woodgrove")
    path = "/sites/woodgrove-hq"
    condition = {"If-Match": await version(estate.alice, path)}
    renamed, deleted = await asyncio.gather(
        estate.alice.put(path, json={"clientName": "Woodgrove", "siteName": "New"}, headers=condition),
        estate.alice.delete(path, headers=condition),
    )
    assert (renamed.status_code, deleted.status_code) in ((200, 412), (412, 204))
    assert (await estate.alice.get(path)).status_code == (200 if renamed.status_code == 200 else 404)


async def test_one_writer_of_a_version_changes_a_grant(estate: Estate) -> None:
    person = (await estate.control.get("/world")).json()["people"]["bob"]["objectId"]
    path = f"/access/{person}"
    await estate.call("PUT", path, json={"siteIds": []})
    bodies = [{"siteIds": ["contoso-hq"] if number % 2 else ["fabrikam-hq"]} for number in range(AT_ONCE)]
    answers = await raced(estate.alice, "PUT", path, bodies, await version(estate.alice, path))
    assert statuses(answers) == {200: 1, 412: AT_ONCE - 1}
    assert statuses(await raced(estate.alice, "PUT", path, bodies)) == {200: AT_ONCE}


@pytest.fixture
def parked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal that is asked for does not begin, so that the connection is still there for the last request."""
    monkeypatch.setattr(jobs.RemoveConnection, "QUEUE", "parked")


@pytest.mark.usefixtures("parked")
async def test_many_removals_of_a_connection_are_one_operation(fresh_alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(fresh_alice, partner)
    answers = await raced(fresh_alice, "DELETE", f"/connections/{connection['id']}", [None] * 20)
    assert statuses(answers) == {202: 20}, [answer.text for answer in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1
    listed = (await fresh_alice.get("/operations")).json()["value"]
    assert [row["kind"] for row in listed] == ["connection.remove"]


@pytest.mark.usefixtures("parked")
async def test_one_removal_of_a_version_is_begun(fresh_alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(fresh_alice, partner)
    path = f"/connections/{connection['id']}"
    answers = await raced(fresh_alice, "DELETE", path, [None] * AT_ONCE, await version(fresh_alice, path))
    assert statuses(answers) == {202: 1, 412: AT_ONCE - 1}, [answer.text for answer in answers]
