"""Events that Azure sends us: a hint that makes a subscription be read at once. What is true comes from that read.

sources.py proves who sends, parse.py reads what was sent, work.py turns it into few polls.
"""

from __future__ import annotations

from shared.hints.work import arrived, give_up, lost, run

__all__ = ["arrived", "give_up", "lost", "run"]
