"""Azure Logic Apps: every event as a CloudEvent to the URL of a workflow's Request or HTTP Webhook trigger.

Sources: learn.microsoft.com/azure/connectors/connectors-native-reqres,
learn.microsoft.com/azure/connectors/connectors-native-webhook. What it answers: shared/sinks/workflow.py.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from shared.sinks import workflow
from shared.sinks.contract import Message, Outlet, Receipt, SinkSettings, no_choices, read_nothing

KIND = "logicApps"
TITLE = "Azure Logic Apps"
TICKETS = False
CONCURRENCY = 8
PER_MINUTE = 1200
"""A bound of ours: far below what a workflow takes, and each run costs its owner money."""
TARGET = "settings.callbackUrl"


class Settings(SinkSettings):
    """Where the workflow listens; the URL is its key, and goes to the vault."""

    callback_url: Annotated[
        SecretStr | None,
        Field(
            max_length=workflow.MAX_URL_CHARS,
            title="Callback URL",
            description="The HTTP POST URL that the workflow's Request trigger shows once it is saved. Whoever has it "
            "can start the workflow: it is kept in the vault and never shown.",
        ),
    ] = None


def complete(settings: Settings) -> tuple[Settings, dict[str, str]]:
    """The settings as they are; nothing is made here. Raises InvalidInput without a URL."""
    workflow.required(settings.callback_url, TARGET)
    return settings, {}


async def check(outlet: Outlet, settings: Settings) -> None:
    """Raises InvalidInput for a URL that may not be sent to."""
    await workflow.check(outlet, settings.callback_url, TARGET)


async def _send(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    return await workflow.post(outlet, settings.callback_url, message, message.body)


async def test(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Start the workflow with a test event. Raises SinkError."""
    return await _send(outlet, settings, message)


async def open(outlet: Outlet, settings: Settings, message: Message) -> Receipt:  # noqa: A001 - the contract's verb
    """Start the workflow with the event. Raises SinkError."""
    return await _send(outlet, settings, message)


async def update(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Start the workflow with the event, which need not be about an alert. Raises SinkError."""
    return await _send(outlet, settings, message)


async def close(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Start the workflow with the event. Raises SinkError."""
    return await _send(outlet, settings, message)


read = read_nothing
choices = no_choices
