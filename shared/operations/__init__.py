"""Actions on devices, one or many, followed to their real end."""

from __future__ import annotations

from shared.operations.actions import answers, start
from shared.operations.bulk import MOST, is_bulk, start_many
from shared.operations.bulk import give_up as give_up_bulk
from shared.operations.bulk import lost as lost_of_bulk
from shared.operations.bulk import run as run_bulk
from shared.operations.children import Child, children
from shared.operations.decisions import cancel, decide
from shared.operations.follow import give_up, run
from shared.operations.lanes import give_up as give_up_lane
from shared.operations.lanes import run as run_lane
from shared.operations.reads import get, items_of, listed

__all__ = [
    "MOST",
    "Child",
    "answers",
    "cancel",
    "children",
    "decide",
    "get",
    "give_up",
    "give_up_bulk",
    "give_up_lane",
    "is_bulk",
    "items_of",
    "listed",
    "lost_of_bulk",
    "run",
    "run_bulk",
    "run_lane",
    "start",
    "start_many",
]
