"""Who made a device unavailable, out of the three fields in which Resource Health says so."""

from __future__ import annotations

from shared.devices.records import Change
from shared.incidents.records import Cause, Sighting

REASON_CHARS = 240
"""Of what Azure says, in each sighting: all that are kept must fit one row."""


def cause_of(reason_type: str | None, context: str | None, category: str | None) -> Cause:
    """The cause that Resource Health's `reasonType`, `context` and `category` name; `unknown` when they name none.

    `context` is the exact one of the three, so it decides when it says something; `category` only divides what the
    platform does, and `reasonType`, a free text, is asked last
    (learn.microsoft.com/azure/service-health/resource-health-vm-annotation,
    learn.microsoft.com/rest/api/resourcehealth/availability-statuses). Letters' case, blanks and dashes do not count.
    """
    who, plan, kind = _plain(context), _plain(category), _plain(reason_type)
    if who.startswith(("customer", "user")):
        return "user"
    if who.startswith(("vm", "guest")):
        return "guest"
    if not who.startswith("platform"):
        if kind.startswith(("user", "customer")):
            return "user"
        if kind not in ("planned", "unplanned") and plan not in ("planned", "unplanned"):
            return "unknown"
    return "planned" if plan == "planned" or (plan != "unplanned" and kind == "planned") else "platform"


def sighting_of(change: Change) -> Sighting:
    """What a change of a device's health showed."""
    return Sighting(
        at=change.at,
        seen_at=change.seen_at,
        status=change.after,
        cause=cause_of(change.reason_type, change.context, change.category),
        reason=change.reason[:REASON_CHARS] if change.reason else None,
    )


def _plain(text: str | None) -> str:
    return "".join(letter for letter in (text or "").casefold() if letter.isalnum())
