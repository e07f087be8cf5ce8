"""Subscriptions: sinks that a workflow makes when it begins to listen, and ends by itself.

The pattern of Logic Apps' HTTP Webhook trigger and action: the workflow calls us with a callback URL of its own, and
calls again with the same URL when it wants no more; it remembers nothing that we answered. So a subscription's id
follows from its URL (by a hash: the URL's `sig` is random): asking again makes no second one, and the URL is enough to
find it.
Source: learn.microsoft.com/azure/connectors/connectors-native-webhook,
learn.microsoft.com/azure/logic-apps/logic-apps-workflow-actions-triggers#http-webhook-trigger.
"""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

from shared.access import Principal
from shared.app import App
from shared.errors import Conflict, NotFound
from shared.outbox import saving, sinks
from shared.outbox.saving import Wanted, subscription_id
from shared.outbox.sinks import Sink
from shared.sinks import logic_apps


async def subscribe(
    app: App,
    caller: Principal,
    callback_url: str,
    *,
    name: str,
    events: list[str] | None,
    site_ids: list[str] | None,
    **why: str | None,
) -> tuple[Sink, bool]:
    """Make a subscription, or change the one that this URL has; and whether it is new.

    `events` and `site_ids` None: all. Raises what `saving.save` raises.
    """
    wanted = Wanted(
        kind=logic_apps.KIND,
        name=name,
        settings={"callbackUrl": callback_url},
        site_ids=site_ids,
        events=events,
        subscription=True,
    )
    identifier = subscription_id(callback_url)
    if await sinks.find(app, identifier) is None:
        try:
            made, _ = await saving.save(app, caller, wanted, None, identifier=identifier, **why)
            return made, True
        except Conflict:
            # The same workflow asked twice at once, and the other request was first.
            if await sinks.find(app, identifier) is None:
                raise
    changed, _ = await saving.save(app, caller, wanted, await _own(app, caller, callback_url), **why)
    return changed, False


async def unsubscribe(app: App, caller: Principal, callback_url: str, **why: str | None) -> None:
    """End the subscription of a URL. Without one there is nothing to do: it ended by itself, or never began.

    Raises NotFound for one outside the caller's sites.
    """
    if await sinks.find(app, subscription_id(callback_url)) is not None:
        await sinks.remove(app, caller, await _own(app, caller, callback_url), **why)


async def _own(app: App, caller: Principal, callback_url: str) -> Sink:
    try:
        return await get(app, caller, subscription_id(callback_url))
    except NotFound as error:
        raise NotFound("This URL is subscribed already, for sites that are not all yours.") from error


async def seen_by(app: App, caller: Principal) -> list[Sink]:
    """The subscriptions whose every site the caller may see."""
    return [sink for sink in await sinks.seen_by(app, caller) if sink.subscription]


async def get(app: App, caller: Principal, identifier: str) -> Sink:
    """One subscription. Raises NotFound."""
    found = await sinks.find(app, identifier)
    if found is None or not found.subscription:
        raise NotFound(f"There is no subscription {identifier}.")
    return await sinks.get(app, caller, identifier)


class EventSubscription(TypedDict):
    """A workflow's subscription; never its callback URL. `events` and `siteIds` null: all."""

    id: str
    name: str
    events: list[str] | None
    siteIds: list[str] | None
    enabled: bool
    createdAt: datetime
    changedAt: datetime


def view(sink: Sink) -> EventSubscription:
    """As the API shows it; never the callback URL."""
    return {
        "id": sink.id,
        "name": sink.name,
        "events": sink.events,
        "siteIds": sink.site_ids,
        "enabled": sink.enabled,
        "createdAt": sink.created_at,
        "changedAt": sink.changed_at,
    }
