"""Sinks and their kinds as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NotRequired

from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from shared.outbox import given
from shared.outbox.sinks import Sink
from shared.sinks.contract import SinkKind, secret_fields


class SinkKindView(TypedDict):
    """A kind of sink. `tickets`: it has tickets, and is told of alerts only; `settings` is a JSON Schema.

    `needed` names the secrets that a new sink must be given. The schema requires none: one that is there keeps its own.
    """

    kind: str
    title: str
    tickets: bool
    settings: dict[str, Any]
    needed: list[str]


def view_kind(kind: SinkKind) -> SinkKindView:
    """A kind, with what its sinks must be told."""
    return {
        "kind": kind.KIND,
        "title": kind.TITLE,
        "tickets": kind.TICKETS,
        "settings": kind.Settings.model_json_schema(),
        "needed": [to_camel(name) for name in secret_fields(kind.Settings) if name not in kind.Settings.MADE],
    }


class SinkView(TypedDict):
    """A sink. `siteIds` null: every site; `events` null: all that its kind takes; `settings` by its kind's schema."""

    id: str
    kind: str
    name: str
    settings: dict[str, Any]
    siteIds: list[str] | None
    events: list[str] | None
    subscription: bool
    enabled: bool
    createdAt: datetime
    changedAt: datetime
    disabledReason: NotRequired[str]


def view(sink: Sink, *, may_change: bool, made: dict[str, str] | None = None) -> SinkView:
    """A sink; who may not change it sees less of its settings. Nobody sees what works as a key."""
    settings = given.shown(sink.kind, sink.settings, whole=may_change)
    shown: SinkView = {
        "id": sink.id,
        "kind": sink.kind,
        "name": sink.name,
        "settings": {**settings, **(made or {})},
        "siteIds": sink.site_ids,
        "events": sink.events,
        "subscription": sink.subscription,
        "enabled": sink.enabled,
        "createdAt": sink.created_at,
        "changedAt": sink.changed_at,
    }
    if sink.disabled_reason is not None:
        shown["disabledReason"] = sink.disabled_reason
    return shown
