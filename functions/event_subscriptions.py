"""Subscriptions of workflows to our events: the pattern of Logic Apps' HTTP Webhook trigger and action."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request, Response
from pydantic import Field, SecretStr

from functions.paging import Page, PageDep
from functions.routing import ID, Acting, AppDep, Area, Caller, Name, QueryWhy, check_if_match, request_id
from functions.sinks import MAX_EVENTS, MAX_SITES, EventType, SiteId
from shared.access import ALERTS_MANAGE, DEVICES_READ
from shared.outbox import sinks, subscriptions
from shared.outbox.subscriptions import EventSubscription

area = Area("event_subscriptions")
SubscriptionId = Annotated[str, Path(pattern=ID, description="Id of a subscription.")]
CallbackUrl = Annotated[
    SecretStr,
    Field(min_length=1, max_length=4000, description="What `@{listCallbackUrl()}` gives. It is a key: never shown."),
]


class NewSubscription(Acting):
    """What a workflow sends to be told of events."""

    callback_url: CallbackUrl
    events: Annotated[
        list[EventType] | None,
        Field(min_length=1, max_length=MAX_EVENTS, description="CloudEvents types it is told of. None: all."),
    ] = None
    site_ids: Annotated[
        list[SiteId] | None, Field(min_length=1, max_length=MAX_SITES, description="None: every site.")
    ] = None
    name: Annotated[Name, Field(description="What people call it.")] = "Subscription"


class EndedSubscription(Acting):
    """What a workflow sends to be told no more."""

    callback_url: CallbackUrl


def _why(body: Acting, request: Request) -> dict[str, str | None]:
    return {"reason": body.reason, "ticket_number": body.ticket_number, "request_id": request_id(request)}


@area.post(
    "/event-subscriptions",
    permission=ALERTS_MANAGE,
    status_code=201,
    idempotent=True,
    responses={200: {"model": EventSubscription, "description": "It was subscribed already"}},
)
async def subscribe_to_events(
    app: AppDep, caller: Caller, request: Request, response: Response, body: NewSubscription
) -> EventSubscription:
    """Send events to a callback URL from now on; 200 when that URL was subscribed already, with what is asked now.

    The callback gets each event as a CloudEvent. One that answers 401, 403, 404 or 410 has ended the subscription.
    """
    stored, new = await subscriptions.subscribe(
        app,
        caller,
        body.callback_url.get_secret_value(),
        name=body.name,
        events=body.events,
        site_ids=body.site_ids,
        **_why(body, request),
    )
    response.status_code = 201 if new else 200
    response.headers["ETag"] = str(stored.etag)
    # A custom connector ends its subscription with a DELETE of this:
    # learn.microsoft.com/training/modules/create-triggers-custom-connectors/2-webhook-trigger
    response.headers["Location"] = f"{app.settings.public_api_url}/event-subscriptions/{stored.id}"
    return subscriptions.view(stored)


@area.post("/event-subscriptions/unsubscribe", permission=ALERTS_MANAGE, status_code=204, idempotent=True)
async def unsubscribe_from_events(app: AppDep, caller: Caller, request: Request, body: EndedSubscription) -> None:
    """End the subscription of a callback URL; 204 also when there is none any more."""
    await subscriptions.unsubscribe(app, caller, body.callback_url.get_secret_value(), **_why(body, request))


@area.get("/event-subscriptions", permission=DEVICES_READ)
async def list_event_subscriptions(app: AppDep, caller: Caller, page: PageDep) -> Page[EventSubscription]:
    """The subscriptions whose every site the caller sees; never a callback URL. Deliveries: as those of sinks."""
    return page.of(
        await subscriptions.seen_by(app, caller),
        columns={"name": lambda s: s.name, "createdAt": lambda s: s.created_at},
        default="createdAt",
        key=lambda s: s.id,
        view=subscriptions.view,
    )


@area.get("/event-subscriptions/{subscription_id}", permission=DEVICES_READ)
async def read_event_subscription(
    app: AppDep, caller: Caller, response: Response, subscription_id: SubscriptionId
) -> EventSubscription:
    """One subscription."""
    found = await subscriptions.get(app, caller, subscription_id)
    response.headers["ETag"] = str(found.etag)
    return subscriptions.view(found)


@area.delete("/event-subscriptions/{subscription_id}", permission=ALERTS_MANAGE, status_code=204)
async def delete_event_subscription(
    app: AppDep, caller: Caller, request: Request, subscription_id: SubscriptionId, why: QueryWhy
) -> None:
    """End a subscription. What was not sent yet is not sent any more."""
    found = await subscriptions.get(app, caller, subscription_id)
    await sinks.remove(app, caller, found, etag=check_if_match(request, found), **why)
