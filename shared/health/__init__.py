"""The health poll: inventory, health and run states of each subscription, joined, compared with what is stored."""

from __future__ import annotations

from shared.health.poll import give_up_poll, poll_all, run_poll, start_refresh

__all__ = ["give_up_poll", "poll_all", "run_poll", "start_refresh"]
