"""Microsoft Teams: every event as an adaptive card, through a Workflows webhook of a channel or chat.

A card that was posted cannot be changed through the webhook: an update and the closing are cards of their own.
Text that comes from elsewhere stands in `TextRun`s only, which take no Markdown; `TextBlock` and `FactSet` would render
it (learn.microsoft.com/adaptive-cards/authoring-cards/text-features,
learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format).
The frame: learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using. What a workflow
answers: shared/sinks/workflow.py; 202 says that it was queued, not that it was shown.
"""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field, SecretStr

from shared.sinks import teams_card, workflow
from shared.sinks.contract import Message, Outlet, Receipt, SinkSettings, no_choices, read_nothing

KIND = "teams"
TITLE = "Microsoft Teams (Workflows webhook)"
TICKETS = False
CONCURRENCY = 1
"""A channel is read from top to bottom: cards come in the order of what happened."""
PER_MINUTE = 60
"""A bound of ours: more than one card a second in a channel is read by nobody."""
MAX_BYTES = 28_000
"""Teams takes messages of about 28 KB (cards-format, as above). Counted in UTF-8 and in UTF-16, whichever is more."""
TEXT_BUDGETS = (8000, 4000, 2000, 800, 0)
"""Characters of the long text that are tried, one after the other, until the card is small enough."""
TARGET = "settings.webhookUrl"


class Settings(SinkSettings):
    """Where the workflow listens; the URL is its key, and goes to the vault."""

    webhook_url: Annotated[
        SecretStr | None,
        Field(
            max_length=workflow.MAX_URL_CHARS,
            title="Webhook URL",
            description="In Teams: the channel's ... menu, Workflows, `Post to a channel when a webhook request is "
            "received`; it shows the URL at the end. Who can trigger the flow must be Anyone. Whoever has the URL can "
            "post to the channel: it is kept in the vault and never shown.",
        ),
    ] = None


def complete(settings: Settings) -> tuple[Settings, dict[str, str]]:
    """The settings as they are; nothing is made here. Raises InvalidInput without a URL."""
    workflow.required(settings.webhook_url, TARGET)
    return settings, {}


async def check(outlet: Outlet, settings: Settings) -> None:
    """Raises InvalidInput for a URL that may not be sent to."""
    await workflow.check(outlet, settings.webhook_url, TARGET)


def encoded(message: Message) -> bytes:
    """What is sent for a message: the card in its frame, small enough for Teams."""
    content = b""
    for budget in TEXT_BUDGETS:
        frame = {
            "type": "message",
            "attachments": [
                {
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "contentUrl": None,
                    "content": teams_card.card(message, budget),
                }
            ],
        }
        text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
        content = text.encode()
        if max(len(content), len(text.encode("utf-16-le"))) <= MAX_BYTES:
            break
    return content


async def _send(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    return await workflow.post(outlet, settings.webhook_url, message, encoded(message))


async def test(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Post a card that says that it is a test. Raises SinkError."""
    return await _send(outlet, settings, message)


async def open(outlet: Outlet, settings: Settings, message: Message) -> Receipt:  # noqa: A001 - the contract's verb
    """Post the card of an alert that opened, or opened again. Raises SinkError."""
    return await _send(outlet, settings, message)


async def update(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Post a card of what changed; also of what is about no alert. Raises SinkError."""
    return await _send(outlet, settings, message)


async def close(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Post the card of an alert that closed. Raises SinkError."""
    return await _send(outlet, settings, message)


read = read_nothing
choices = no_choices
