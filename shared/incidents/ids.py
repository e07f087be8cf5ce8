"""The id of an alert names its subject and a moment, so that the places of its rows follow from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.clock import newest_first

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMED_WITHIN = timedelta(days=3)
"""An alert of what began longer ago is named by when it is made: it is to be found among the newest."""


def naming(since: datetime | None, now: datetime) -> datetime:
    """The moment that names an alert: when what it is about began, if that is known and not long ago; else now.

    So whoever sees the same thing anew with none of our rows (a restored backup) makes the same alert, under the same
    id, and the sinks know its ticket.
    """
    at = since if since is not None and now - NAMED_WITHIN < since < now else now
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def alert_id(subject: str, opened_at: datetime) -> str:
    """The id of the alert of a subject (a device, a group) named by a time (milliseconds in base 36)."""
    number, digits = (opened_at - _EPOCH) // timedelta(milliseconds=1), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return f"{subject}-{digits or '0'}"


def parse_id(identifier: str) -> tuple[str, datetime] | None:
    """Subject and time in an alert's id, or None when it is not one."""
    subject, _, digits = identifier.rpartition("-")
    if not subject or not digits or len(digits) > 10 or not set(digits) <= set(_DIGITS):
        return None
    try:
        return subject, _EPOCH + timedelta(milliseconds=int(digits, 36))
    except OverflowError:
        return None


def order(subject: str, opened_at: datetime) -> str:
    """Sorts alerts newest first."""
    return f"{newest_first(opened_at)}{subject}"
