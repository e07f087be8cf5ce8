"""Stepping time shows the messages whose time has come: Azurite knows real time only, and would hide them on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from sandbox.host import Host
from shared import app as composition


class Hidden:
    """The messages that were sent with a delay, each with the application's time at which it is due."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._messages: list[tuple[datetime, str, QueueMessage]] = []
        send, advance = QueueClient.send_message, Host.advance

        async def sent(
            client: QueueClient, content: Any, *, visibility_timeout: int | None = None, **options: Any
        ) -> QueueMessage:
            message = await send(client, content, visibility_timeout=visibility_timeout, **options)
            if visibility_timeout:
                due = composition.current().clock.now() + timedelta(seconds=visibility_timeout)
                self._messages.append((due, str(client.queue_name), message))
            return message

        async def advanced(host: Host, seconds: float) -> dict[str, Any]:
            answer = await advance(host, seconds)
            await self._show()
            return answer

        patch.setattr(QueueClient, "send_message", sent)
        patch.setattr(Host, "advance", advanced)

    async def _show(self) -> None:
        """Show those that are due. One that is gone, or was fetched in between, needs it no longer."""
        app = composition.current()
        now = app.clock.now()
        due = [row for row in self._messages if row[0] <= now]
        self._messages = [row for row in self._messages if row[0] > now]
        for _, queue, message in due:
            try:
                await app.queues._client(queue).update_message(message.id, message.pop_receipt, visibility_timeout=0)
            except HttpResponseError as error:
                if error.status_code not in (400, 404):
                    raise
