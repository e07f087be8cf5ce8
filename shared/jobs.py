"""The messages of the queues: one class per kind of job, one queue per class.

A message names rows and carries no secret and no state. `version` rises when a field changes its meaning, so that
messages written by the version before are still understood, and none is misread by one that was rolled back to:
docs/upgrade.md has the rules.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict


class Job(BaseModel):
    """Base: `correlation_id` ties the job to the request or timer that began it, `traceparent` to the span it is of."""

    # A process builds the validators of the jobs it meets.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    QUEUE: ClassVar[str]

    version: Literal[1] = 1
    correlation_id: str = ""
    traceparent: str | None = None


class RefreshTenants(Job):
    """List a connection's customers again; with `tenant_id`, the subscriptions of one of them."""

    QUEUE = "refresh-tenants"

    connection_id: str
    tenant_id: str | None = None
    operation_id: str | None = None
    attempt: int = 0


class ProvisionTenant(Job):
    """Create the enterprise application in one tenant, from its first undone step on."""

    QUEUE = "provision-tenant"

    tenant_id: str
    operation_id: str | None = None
    attempt: int = 0
    """How often replication or throttling was waited for."""


class UnsyncTenant(Job):
    """Remove from one tenant what was created there."""

    QUEUE = "unsync-tenant"

    tenant_id: str
    operation_id: str | None = None
    attempt: int = 0


class RemoveConnection(Job):
    """Remove a connection's settings and secrets once its tenants are done."""

    QUEUE = "remove-connection"

    connection_id: str
    operation_id: str
    attempt: int = 0


class PollSubscription(Job):
    """Read inventory and health of one subscription and store what changed."""

    QUEUE = "poll-subscription"

    subscription_id: str
    operation_id: str | None = None
    attempt: int = 0
    hinted: bool = False
    """An event from Azure asked for it: what it finds is turned into alerts without going through a queue again."""
    looks: int = 0
    """Of a hinted one: how often it was done before because it found nothing new."""


class ApplyEvents(Job):
    """Turn the stored health events of one subscription into alerts and deliveries."""

    QUEUE = "apply-events"

    subscription_id: str
    due: list[str] = []
    """Devices whose incident must be looked at again because its time has come."""
    everything: bool = False
    """Look at every incident of the subscription again: the policy or a maintenance window has changed."""


class CloseAlerts(Job):
    """Close the open alerts of a subscription whose devices left our sight, with a reason; or the tickets of a sink."""

    QUEUE = "close-alerts"

    subscription_id: str
    reason: str
    sink_id: str | None = None
    """A sink that goes away: its open tickets are closed first, whatever the subscription."""


def why_unread(job: type[Job], text: str) -> str:
    """Why a message is none that this version of the application reads, and what to do with it."""
    reads = job.model_fields["version"].default
    try:
        written = json.loads(text)["version"]
    except (ValueError, TypeError, KeyError):
        return f"It is no message of the queue {job.QUEUE}: somebody else wrote it."
    if isinstance(written, int) and written > reads:
        return (
            f"A newer version of Tenantry wrote it (message version {written}; this one reads {reads}). It is kept:"
            " put it back when that version runs again."
        )
    return f"It is no message of the queue {job.QUEUE}; the log of the function names what is wrong with it."


SITES_IN_ONE = 400
"""Sites that one announcement names: the longest ids, in base64, take about half of a message."""


class Announce(Job):
    """Tell the sinks something that is not an alert of a device: one delivery per sink in scope."""

    QUEUE = "announce"

    event: str
    """CloudEvents type: tenantry.operation.completed, tenantry.tenant.synced, tenantry.connection.needsConsent..."""
    event_id: str
    """The same for the same happening, so that a repeated announcement is not sent twice."""
    subject: str
    site_ids: list[str] | None = None
    """Sites it concerns; None: of no site, so it is told to the sinks of every site."""
    data: dict[str, Any] = {}
    """The API's own view of it; times may be times, the message writes them as the API does."""

    def parts(self) -> list[Announce]:
        """The same in as many messages as its sites need: a message of Queue Storage holds 64 KiB.

        A sink that several of them concern is told once: they have one event id.
        """
        if self.site_ids is None or len(self.site_ids) <= SITES_IN_ONE:
            return [self]
        some = (self.site_ids[begin : begin + SITES_IN_ONE] for begin in range(0, len(self.site_ids), SITES_IN_ONE))
        return [self.model_copy(update={"site_ids": names}) for names in some]


class Deliver(Job):
    """Send a sink what waits for it."""

    QUEUE = "deliver"

    sink_id: str


class DeliverSlow(Deliver):
    """Send what waits to a sink not known to be quick: those wait for each other only."""

    QUEUE = "deliver-slow"


class CatchUp(Job):
    """Tell a sink that was made, or enabled anew, of the alerts that are open now."""

    QUEUE = "catch-up"

    sink_id: str
    at: datetime
    """When that was: what is told because of it has ids made of this."""
    above: str = ""
    """The last client that is done."""


class ReadTickets(Job):
    """Read back the open tickets of a sink that can be asked."""

    QUEUE = "read-tickets"

    sink_id: str


class Watch(Job):
    """Look whether Tenantry itself does its work, and open or close its own alerts."""

    QUEUE = "watch"


class FollowOperation(Job):
    """Begin or look after one action on a device, one status request per job."""

    QUEUE = "follow-operation"

    operation_id: str
    step: int | None = None
    """The step of the action that it is to do; None: whichever is next. One that was done already is not done again."""


class RunBulk(Job):
    """Do what is to be done next for an operation on many devices as a whole: begin it, or wind it up."""

    QUEUE = "run-bulk"

    operation_id: str


class AdvanceLane(Job):
    """Begin the next devices of a subscription for the operations that wait there.

    Without `target`, everything that its lane holds is looked at.
    """

    QUEUE = "advance-lane"

    subscription_id: str
    operation_id: str = ""
    target: str = ""
    """The device that has ended and makes room."""


class RunSchedule(Job):
    """Do what a schedule is due for, or go on with it."""

    QUEUE = "run-schedule"

    schedule_id: str
    at: datetime
    """When it was due, in UTC."""
    cause: str = ""
    """Empty: the calendar. Else the id of the override that ends then."""


class ExportDevices(Job):
    """Write the CSV of a device export."""

    QUEUE = "export-devices"

    operation_id: str


ALL: tuple[type[Job], ...] = (
    RefreshTenants,
    ProvisionTenant,
    UnsyncTenant,
    RemoveConnection,
    PollSubscription,
    ApplyEvents,
    CloseAlerts,
    Announce,
    Deliver,
    DeliverSlow,
    CatchUp,
    ReadTickets,
    Watch,
    FollowOperation,
    RunBulk,
    AdvanceLane,
    RunSchedule,
    ExportDevices,
)
