"""Actions on devices, followed to their real end."""

from __future__ import annotations

from shared.operations.actions import answers, start
from shared.operations.children import children
from shared.operations.follow import give_up, run
from shared.operations.reads import get, listed

__all__ = ["answers", "children", "get", "give_up", "listed", "run", "start"]
