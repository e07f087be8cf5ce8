"""What is open, counted: by client and severity, by sink, and only of the caller's sites."""

from __future__ import annotations

from shared.jobs import CloseAlerts
from tests.estate import Estate

NONE = {"critical": 0, "high": 0, "medium": 0, "low": 0}


async def test_open_alerts_are_counted_by_client_and_severity_and_their_tickets_by_sink(estate: Estate) -> None:
    everyone = await estate.webhook(name="Everyone")
    fabrikams = await estate.webhook(name="Fabrikam's", siteIds=["fabrikam-hq"])
    for client in ("Contoso", "Fabrikam"):
        await estate.poll(client)
        estate.fall_ill(estate.machine(client))
        await estate.poll(client)
    seen = await estate.call("GET", "/alerts/summary")
    one = {**NONE, "high": 1}
    assert seen["byClient"] == [{"clientName": name, "count": 1, "bySeverity": one} for name in ("Contoso", "Fabrikam")]
    assert (seen["count"], seen["bySeverity"], "latePolls" in seen) == (2, {**NONE, "high": 2}, False)
    assert seen["count"] == (await estate.call("GET", "/alerts?state=open&$count=true"))["count"]
    assert [(row["sinkId"], row["name"], row["kind"], row["open"]) for row in seen["tickets"]] == [
        (everyone["id"], "Everyone", "webhook", 2),
        (fabrikams["id"], "Fabrikam's", "webhook", 1),
    ]
    newest, older = seen["tickets"][0]["newest"]
    assert (newest["title"].partition(":")[0], older["title"].partition(":")[0]) == ("Fabrikam", "Contoso")

    # Bob has Contoso only: nothing of Fabrikam, and no name of a sink that serves others too.
    await estate.grant("bob", "contoso-hq")
    bob = (await (await estate.person("bob")).get("/alerts/summary")).json()
    assert [row["clientName"] for row in bob["byClient"]] == ["Contoso"]
    [ticket] = bob["tickets"]
    assert (ticket["sinkId"], ticket["open"], "name" in ticket, len(ticket["newest"])) == (everyone["id"], 1, False, 1)
    # Carol was granted nothing, and mallory has no role.
    carol = (await (await estate.person("carol")).get("/alerts/summary")).json()
    assert carol == {"count": 0, "bySeverity": NONE, "byClient": [], "tickets": []}
    assert (await (await estate.person("mallory")).get("/alerts/summary")).status_code == 403


async def test_late_polls_are_told_of_the_callers_subscriptions_only(estate: Estate) -> None:
    await estate.grant("bob", "contoso-hq")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    await estate.advance(46 * 60)
    await estate.poll("Contoso")
    late = (await estate.call("GET", "/alerts/summary"))["latePolls"]
    assert (late["count"], late["of"], late["minutes"]) == (1, 2, 45)
    assert "latePolls" not in (await (await estate.person("bob")).get("/alerts/summary")).json()


async def test_work_that_was_given_up_is_counted_for_whoever_sees_every_site(estate: Estate) -> None:
    await estate.grant("bob", "contoso-hq")
    await estate.app.queues.send_text(CloseAlerts.QUEUE, "{}")
    await estate.settle(30)
    await estate.timer("watch_itself")
    seen = await estate.call("GET", "/alerts/summary")
    assert seen["byClient"] == [{"clientName": "", "count": 1, "bySeverity": {**NONE, "high": 1}}]
    assert (await (await estate.person("bob")).get("/alerts/summary")).json()["count"] == 0
