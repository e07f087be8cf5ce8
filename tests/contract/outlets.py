"""What the tests of sinks without an app share: an outlet to the sandbox, and messages about one alert."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx

from shared.sinks.contract import Message, Outlet, TicketRef

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KEY = "aaaaaaaa0000111122223333bbbbbbbbcccccccccccccccccccc-lx2k9f3a"
"""As long as the id of a device's alert is."""


def outlet_for(http: httpx.AsyncClient, sink_id: str = "s1") -> Outlet:
    """How a sink reaches the sandbox."""
    return Outlet(http, NOW, sink_id, allow_private=True)


def message(verb: str, number: int = 1, *, ticket: TicketRef | None = None, **fields: Any) -> Message:
    """An event of an alert: `opened`, `updated`, `closed`; `data` replaces what the event says of the alert."""
    key = fields.pop("key", KEY)
    identifier = f"d{number:04d}{key[-8:]}"
    data = fields.pop("data", None) or {
        "id": key,
        "kind": "device",
        "deviceName": "sql-01",
        "clientName": "Contoso",
        "status": "unavailable",
        "statusReason": "The host failed.",
        "since": "2026-03-02T09:12:44.123456Z",
        "severity": "high",
    }
    body = {
        "specversion": "1.0",
        "id": identifier,
        "source": "http://localhost/api",
        "type": f"tenantry.alert.{verb}",
        "subject": "sql-01",
        "data": data,
    }
    given: dict[str, Any] = {
        "id": identifier,
        "type": f"tenantry.alert.{verb}",
        "body": json.dumps(body).encode(),
        "key": key,
        "title": "sql-01 of Contoso is unavailable",
        "text": "sql-01 of Contoso is unavailable since 09:12 UTC.\nThe host failed.",
        "severity": "high",
        "site_id": "contoso",
        "client_name": "Contoso",
        "url": "https://portal.azure.com/#@contoso/resource/subscriptions/1/resourceGroups/rg/sql-01",
        "ticket": ticket,
    }
    return Message(**{**given, **fields})
