"""Schedules: actions on devices by a calendar with time zone and holidays, overrides, and what was missed."""

from __future__ import annotations

from shared.schedules.due import send as send_due
from shared.schedules.running import give_up, run

__all__ = ["give_up", "run", "send_due"]
