"""A logic app that books CloudEvents of alerts as tickets, one per `data.id`."""

from __future__ import annotations

from typing import Any

from sandbox.receivers.base import Ticket
from sandbox.receivers.workflow import Workflow
from sandbox.wire import Call, CloudError

WORDS = {"opened": "open", "closed": "closed"}


class LogicApp(Workflow):
    """Every run is kept, a repeated one too: `trackingId` tells them apart."""

    kind = "logicapps"

    def run(self, call: Call) -> dict[str, Any]:
        """`@triggerBody()` is an object only for application/json; of another type it is base64 in `$content`."""
        if call.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return {"status": "Failed", "problem": "triggerBody() is no object: Content-Type is not application/json."}
        try:
            event = call.body
        except CloudError as error:
            return {"status": "Failed", "problem": error.message}
        if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
            return {"status": "Failed", "problem": "The event has no data."}
        self._book(event)
        return {"status": "Succeeded", "event": event.get("type"), "id": event.get("id")}

    def _book(self, event: dict[str, Any]) -> None:
        subject, _, verb = str(event.get("type", "")).rpartition(".")
        key = str(event["data"].get("id", ""))
        if not subject.endswith(".alert") or not key:
            return
        ticket = self.tickets.get(key)
        if ticket is None:
            number = str(len(self.tickets) + 1)
            ticket = self.tickets[key] = Ticket(number, key, "open", str(event.get("subject", key)), "")
        ticket.notes.append(verb)
        if verb in WORDS:
            ticket.turn(WORDS[verb])


RECEIVER = LogicApp
