"""Alerts: what becomes of health events: open, silent and closed alerts, outages, and telling the outbox."""

from __future__ import annotations

from shared.alerts.apply import give_up_apply, run_apply
from shared.alerts.closing import give_up_close, run_close
from shared.alerts.due import send as send_due
from shared.alerts.reads import present_alert_of
from shared.alerts.records import AlertBrief, brief
from shared.alerts.retiring import jobs as retirements

__all__ = [
    "AlertBrief",
    "brief",
    "give_up_apply",
    "give_up_close",
    "present_alert_of",
    "retirements",
    "run_apply",
    "run_close",
    "send_due",
]
