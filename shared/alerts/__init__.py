"""Alerts: what health events open and close, and telling the sinks."""

from __future__ import annotations

from shared.alerts.deliveries import deliver_due, run_announcement
from shared.alerts.deliveries import give_up as give_up_delivery
from shared.alerts.deliveries import run as run_delivery
from shared.alerts.reads import open_alert_of
from shared.alerts.records import brief
from shared.alerts.work import give_up_apply, give_up_close, run_apply, run_close
from shared.app import App
from shared.jobs import Announce

__all__ = [
    "brief",
    "deliver_due",
    "give_up_announcement",
    "give_up_apply",
    "give_up_close",
    "give_up_delivery",
    "open_alert_of",
    "run_announcement",
    "run_apply",
    "run_close",
    "run_delivery",
]


async def give_up_announcement(app: App, job: Announce, reason: str) -> None:
    """Nothing to mark: what was announced stays as it is, and the poisoned job is listed, to be put back."""
