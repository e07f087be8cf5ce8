"""What a kind knows of the other system and need not ask again: a zone, a token, a board's statuses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from shared.sinks.contract import Outlet, SinkSettings, secret, secret_fields

T = TypeVar("T")


async def remembered(
    outlet: Outlet, settings: SinkSettings, name: str, lifetime: timedelta, make: Callable[[], Awaitable[T]]
) -> T:
    """What `make` gives, kept in the outlet's memory for this sink while its settings stay and `lifetime` lasts."""
    box: _Remembered | None = outlet.memory.get(outlet.sink_id)
    if box is None or box.settings is not settings:
        # Of equal settings read anew what is known stays.
        mark_of_settings = _fingerprint(settings)
        known = box.values if box is not None and box.fingerprint == mark_of_settings else {}
        box = outlet.memory[outlet.sink_id] = _Remembered(settings, mark_of_settings, known)
    kept = box.values.get(name)
    if kept is not None and kept[0] > outlet.now:
        found: T = kept[1]
        return found
    made = await make()
    box.values[name] = (outlet.now + lifetime, made)
    return made


def forget(outlet: Outlet, name: str) -> None:
    """Forget what `remembered` kept under a name, because the other system says that it no longer holds."""
    box: _Remembered | None = outlet.memory.get(outlet.sink_id)
    if box is not None:
        box.values.pop(name, None)


@dataclass
class _Remembered:
    """What is kept for one sink. Another sink's settings never meet it, changed ones start anew."""

    settings: SinkSettings
    fingerprint: str
    values: dict[str, tuple[datetime, Any]] = field(default_factory=dict)


def _fingerprint(settings: SinkSettings) -> str:
    plain = settings.model_dump(mode="json", exclude=set(secret_fields(type(settings))))
    secrets = [secret(getattr(settings, name)) for name in secret_fields(type(settings))]
    return hashlib.sha256(json.dumps([plain, secrets], sort_keys=True).encode()).hexdigest()
