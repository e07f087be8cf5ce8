"""What is not shown any more is inaccessible at once: in files made before, and before a job has tidied up."""

from __future__ import annotations

import pytest

from shared.alerts.records import ALERTS, OPEN
from shared.sites import SITES
from shared.tenants import SUBSCRIPTIONS, TENANTS
from tests.errors import error_of
from tests.estate import Estate

WAYS = ("unsynced", "removing", "unmapped", "mapped elsewhere", "gone")


async def hide(estate: Estate, way: str) -> None:
    """What a request stores first when Contoso leaves bob's sight; no job has run yet."""
    tables, cloud = estate.app.tables, estate.cloud()
    if way == "unsynced":
        await estate.call("POST", "/tenants/unsync", 202, json={"tenantIds": [cloud.tenant_id]})
    elif way == "removing":
        await tables.update(TENANTS, "tenant", cloud.tenant_id, lambda t: t.changed(removing=True))
    elif way == "gone":
        await tables.update(SUBSCRIPTIONS, "subscription", cloud.id, lambda s: s.changed(gone=True))
    else:
        site = await tables.get(SITES, "site", "contoso-hq")
        assert site is not None
        await tables.put(SITES, site.changed(tenant_id=None))
        if way == "mapped elsewhere":
            await tables.put(SITES, site.changed(id="another", etag=None))


async def exported(estate: Estate, person: str, client: str) -> str:
    """The address of a file of a client's devices."""
    api = await estate.person(person)
    operation = (await api.post("/devices/export", params={"clientName": client})).json()
    await estate.settle(30)
    done = (await api.get(f"/operations/{operation['id']}")).json()
    assert done["result"]["rows"] > 0
    url: str = done["result"]["downloadUrl"]
    assert (await api.get(url)).status_code == 200
    return url


@pytest.mark.parametrize("way", WAYS)
async def test_a_file_is_not_given_out_when_what_it_contains_is_not_shown_any_more(estate: Estate, way: str) -> None:
    await estate.grant("bob", "contoso-hq", "fabrikam-hq")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    urls = {client: await exported(estate, "bob", client) for client in ("Contoso", "Fabrikam")}
    bob = await estate.person("bob")
    await hide(estate, way)
    error = error_of(await bob.get(urls["Contoso"]), 404, "notFound")
    assert "export again" in error["message"]
    assert (await bob.get(urls["Fabrikam"])).status_code == 200


@pytest.mark.parametrize("way", WAYS[1:])
async def test_an_open_alert_is_hidden_before_the_job_that_closes_it(estate: Estate, way: str) -> None:
    await estate.grant("bob", "contoso-hq")
    machine = estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    bob, device = await estate.person("bob"), estate.device_id(machine)
    [alert] = (await bob.get("/alerts", params={"deviceId": device})).json()["value"]
    assert (await bob.get(f"/alerts/{alert['id']}")).status_code == 200
    await hide(estate, way)
    assert await estate.app.tables.get(ALERTS, OPEN, device) is not None
    for query in ({}, {"state": "open"}):
        body = (await bob.get("/alerts", params={"$count": "true", **query})).json()
        assert (body["value"], body["count"]) == ([], 0)
    error_of(await bob.get(f"/alerts/{alert['id']}"), 404, "notFound")
