"""Schedules: actions on devices by a calendar with time zone and holidays, overrides, and what was missed."""
