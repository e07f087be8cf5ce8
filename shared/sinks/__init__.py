"""Ticket sinks: one module per kind, registered by being in this folder. See contract.py."""

from __future__ import annotations

import importlib
import pkgutil
from typing import cast

from shared.sinks.contract import SinkKind


def _discover() -> dict[str, SinkKind]:
    found: dict[str, SinkKind] = {}
    for row in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{row.name}")
        if hasattr(module, "KIND"):
            kind = cast(SinkKind, module)
            found[kind.KIND] = kind
    return found


KINDS = _discover()
"""Kind -> its module."""
