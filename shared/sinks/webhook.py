"""Any HTTP receiver: CloudEvents 1.0 in structured mode, signed as Standard Webhooks says.

Sources: github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md,
github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from datetime import UTC
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from standardwebhooks.webhooks import Webhook

from shared.errors import InvalidInput
from shared.sinks import masked_query, public_address
from shared.sinks.contract import Message, Outlet, Receipt, SinkError, SinkSettings, no_choices, read_nothing, secret
from shared.sinks.http import call, judge, pinned

KIND = "webhook"
TITLE = "Webhook (CloudEvents, Standard Webhooks signature)"
TICKETS = False
CONCURRENCY = 16
PER_MINUTE = 12_000
"""A bound of ours, so that one receiver does not take all connections; who wants fewer answers 429."""
PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
"""Length of a key by Standard Webhooks."""


class Settings(SinkSettings):
    """Where it is sent, and what it is signed with."""

    HARMLESS: ClassVar = frozenset({"url"})  # the secret only signs: it is never sent
    MADE: ClassVar = frozenset({"secret"})

    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=public_address.MAX_URL_CHARS,
            title="URL",
            description="Where events are posted: https, and an address on the public internet.",
        ),
    ]
    secret: Annotated[
        SecretStr | None,
        Field(
            title="Signing secret",
            description="whsec_ followed by the base64 of 24 to 64 random bytes. Leave it out to have one made, which "
            "is shown once. The receiver checks signatures with it.",
        ),
    ] = None

    @field_validator("secret")
    @classmethod
    def _a_key(cls, value: SecretStr | None) -> SecretStr | None:
        text = secret(value)
        if value is None:
            return None
        try:
            key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not text.startswith(PREFIX) or len(key) not in KEY_BYTES:
            raise ValueError("It must be whsec_ followed by the base64 of 24 to 64 random bytes.")
        return value

    @classmethod
    def masked(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """The values of the URL's query are masked: many receivers carry a key there."""
        return {**stored, "url": masked_query.mask(stored["url"])} if isinstance(stored.get("url"), str) else stored

    @classmethod
    def unmasked(cls, given: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
        """Masked values stay as they were, at the same scheme, host, port and path only. Raises InvalidInput."""
        if not isinstance(given.get("url"), str):
            return given
        url = masked_query.unmask(given["url"].strip(), str(stored.get("url", "")))
        if url is None:
            raise InvalidInput(
                f"The query of the URL has {masked_query.MASK} for a value that is not known for this address: "
                "values are shown to nobody. Send the whole URL.",
                target="settings.url",
            )
        return {**given, "url": url}

    def redacted(self) -> dict[str, Any]:
        """Scheme and host only: many receivers carry a key in the path or the query."""
        parts = urlsplit(self.url)
        hidden = "/..." if parts.path.strip("/") or parts.query else parts.path
        return {"url": f"{parts.scheme}://{parts.netloc}{hidden}"}

    def confidential(self) -> list[str]:
        """The URL too."""
        return [*super().confidential(), self.url]


def make_secret() -> str:
    """A new signing secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def complete(settings: Settings) -> tuple[Settings, dict[str, str]]:
    """The settings, with a signing secret when none was given."""
    if secret(settings.secret):
        return settings, {}
    made = make_secret()
    return settings.model_copy(update={"secret": SecretStr(made)}), {"secret": made}


async def check(outlet: Outlet, settings: Settings) -> None:
    """Raises InvalidInput for a URL that may not be sent to."""
    await pinned(outlet, settings.url)


async def _send(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    key = secret(settings.secret)
    if not key:
        raise SinkError("The vault has no secret for this sink. Save the sink with a new one.", disable=True)
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(outlet.now.timestamp())),
        # The library takes any time for UTC, whatever its zone says.
        "webhook-signature": Webhook(key).sign(message.id, outlet.now.astimezone(UTC), message.body.decode()),
    }
    answer = judge(await call(outlet, "POST", settings.url, headers=headers, content=message.body))
    return Receipt(answer.status)


async def test(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Post a test event. Raises SinkError."""
    return await _send(outlet, settings, message)


async def open(outlet: Outlet, settings: Settings, message: Message) -> Receipt:  # noqa: A001 - the contract's verb
    """Post the event. Raises SinkError."""
    return await _send(outlet, settings, message)


async def update(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Post the event, which need not be about an alert. Raises SinkError."""
    return await _send(outlet, settings, message)


async def close(outlet: Outlet, settings: Settings, message: Message) -> Receipt:
    """Post the event. Raises SinkError."""
    return await _send(outlet, settings, message)


read = read_nothing
choices = no_choices
