"""The webhook receiver: Standard Webhooks signatures, CloudEvents bodies, a ticket per `data.id`.

Signatures are checked here, by hand, because the `standardwebhooks` package knows wall time only, and the receiver
lives on the sandbox's stepped clock.
Sources: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md,
https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from sandbox.receivers.base import Receiver, Ticket
from sandbox.wire import Call, CloudError, Reply
from sandbox.world import Cloud

TOLERANCE = 300
"""Seconds a webhook-timestamp may be away from now."""


class Webhook(Receiver):
    """Takes every well-formed delivery, marked `verified` or not; `requireSignature` refuses the unverified (401)."""

    kind = "webhook"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        key = hashlib.sha256(cloud.world.guid("receiver", self.kind).encode()).digest()
        self.secret = f"whsec_{base64.b64encode(key).decode()}"
        self.require_signature = False
        self._seen: set[str] = set()

    def describe(self) -> dict[str, Any]:
        """URL and signing secret."""
        return {"url": self.url, "secret": self.secret}

    def settle(self, body: dict[str, Any]) -> None:
        """As every receiver, and `{secret?, requireSignature?}`."""
        rest = {k: v for k, v in body.items() if k not in ("secret", "requireSignature")}
        super().settle(rest)
        self.secret = str(body.get("secret", self.secret))
        self.require_signature = bool(body.get("requireSignature", self.require_signature))

    def clear(self) -> None:
        """Forget what arrived."""
        super().clear()
        self._seen.clear()
        self.require_signature = False

    def verify(self, call: Call) -> bool:
        """Whether one of the v1 signatures is ours and the timestamp is within five minutes of sandbox time."""
        message_id, stamp = call.headers.get("webhook-id"), call.headers.get("webhook-timestamp", "")
        if not message_id or not stamp.isdigit() or abs(self.now().timestamp() - int(stamp)) > TOLERANCE:
            return False
        key = base64.b64decode(self.secret.removeprefix("whsec_") + "==")
        signed = f"{message_id}.{stamp}.".encode() + call.raw_body
        ours = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        theirs = call.headers.get("webhook-signature", "").split()
        return any(hmac.compare_digest(row.encode(), f"v1,{ours}".encode()) for row in theirs)

    async def receive(self, call: Call) -> Reply:
        """Store a delivery; answer the CloudEvents handshake (OPTIONS)."""
        if call.method == "OPTIONS":
            origin = call.headers.get("webhook-request-origin", "*")
            return Reply(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST"})
        if call.method == "GET":
            return Reply(self._ticket_shown(call))
        if call.method != "POST":
            raise CloudError(405, "MethodNotAllowed", "Deliveries come by POST.", headers={"Allow": "POST, OPTIONS"})
        verified = self.verify(call)
        if self.require_signature and not verified:
            self.record(call, 401, verified=False)
            raise CloudError(401, "SignatureInvalid", "The signature or the timestamp is wrong.")
        try:
            event = call.body
        except CloudError:
            self.record(call, 400, verified=verified)
            raise
        self.record(call, 200, verified=verified)
        message_id = call.headers.get("webhook-id", "")
        if isinstance(event, dict) and (not message_id or message_id not in self._seen):
            self._seen.add(message_id)
            self._apply(event)
        return Reply({"received": True})

    def _ticket_shown(self, call: Call) -> dict[str, Any]:
        wanted = call.path.rstrip("/").rpartition("/")[2]
        shown = next((row for row in self.shown()["tickets"] if row["id"] == wanted), None)
        if shown is None:
            raise CloudError(404, "NotFound", "No such ticket.")
        found: dict[str, Any] = shown
        return found

    def _apply(self, event: dict[str, Any]) -> None:
        """Open, note or close the ticket that an alert event is about. Other events make no ticket."""
        kind, data = str(event.get("type", "")), event.get("data")
        subject, _, verb = kind.rpartition(".")
        if not subject.endswith(".alert") or not isinstance(data, dict) or not data.get("id"):
            return
        key = str(data["id"])
        ticket = self.tickets.get(key)
        if ticket is None:
            number = str(len(self.tickets) + 1)
            title = str(data.get("title") or data.get("condition") or event.get("subject") or key)
            ticket = Ticket(number, key, "open", title, f"{self.url}/tickets/{number}")
            self.tickets[key] = ticket
        note = f"{verb}: {data.get('statusReason') or data.get('status') or ''}".rstrip(": ")
        ticket.notes.append(note)
        if verb in ("opened", "closed"):
            ticket.turn("closed" if verb == "closed" else "open")


RECEIVER = Webhook
