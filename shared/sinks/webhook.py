"""Any HTTP receiver: CloudEvents 1.0 in structured mode, signed as Standard Webhooks says.

Sources: github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md,
github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from datetime import UTC
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from pydantic import Field
from standardwebhooks.webhooks import Webhook

from shared.errors import InvalidInput
from shared.sinks import public_address
from shared.sinks.contract import MAX_ERROR_CHARS, Message, Outlet, SinkError, SinkSettings
from shared.version import VERSION

KIND = "webhook"
TITLE = "Webhook (CloudEvents, Standard Webhooks signature)"
TIMEOUT_SECONDS = 15
PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
"""Length of a key by Standard Webhooks."""
MAX_RETRY_AFTER = 3600.0


class Settings(SinkSettings):
    """Where it is sent. The signing secret (`secret`, `whsec_` and base64 of 24 to 64 bytes) goes to the vault."""

    url: Annotated[
        str, Field(min_length=1, max_length=public_address.MAX_URL_CHARS, description="https, public address")
    ]

    def redacted(self) -> dict[str, Any]:
        """Without the query, in which Logic Apps and others carry their key."""
        parts = urlsplit(self.url)
        return {"url": parts._replace(query="...").geturl() if parts.query else self.url}


def make_secret() -> str:
    """A new signing secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(text: str) -> None:
    """Raises InvalidInput unless it is a Standard Webhooks secret."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or len(key) not in KEY_BYTES:
        raise InvalidInput(
            "The secret must be whsec_ followed by the base64 of 24 to 64 random bytes. Leave it out to have one made.",
            target="settings.secret",
        )


async def check(outlet: Outlet, settings: Settings) -> None:
    """Raises InvalidInput for a URL that may not be sent to."""
    await _target(outlet, settings)


async def send(outlet: Outlet, settings: Settings, message: Message) -> int:
    """POST it once; the receiver's status, which is 2xx. Raises SinkError."""
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "User-Agent": f"Tenantry/{VERSION}",
        # The pool knows an address only: a kept connection was proved to belong to another name's certificate.
        "Connection": "close",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(outlet.now.timestamp())),
        # The library takes any time for UTC, whatever its zone says.
        "webhook-signature": Webhook(outlet.secret).sign(message.id, outlet.now.astimezone(UTC), message.body.decode()),
    }
    try:
        url, host, extensions = await _target(outlet, settings)
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            outlet.http.stream(
                "POST",
                url,
                content=message.body,
                headers=headers | {"Host": host},
                extensions=extensions,
                follow_redirects=False,
            ) as answer,
        ):
            return await _judge(answer)
    except InvalidInput as error:
        raise SinkError(error.message) from error
    except (httpx.TimeoutException, TimeoutError) as error:
        raise SinkError(f"The receiver did not answer within {TIMEOUT_SECONDS} seconds.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SinkError(f"The receiver could not be reached: {str(error) or type(error).__name__}") from error


async def _target(outlet: Outlet, settings: Settings) -> tuple[str, str, dict[str, Any]]:
    """The URL to connect to, the Host header, and the name that the receiver's certificate must have."""
    parts = public_address.parse(settings.url, allow_private=outlet.allow_private)
    if outlet.allow_private:
        return settings.url, parts.netloc, {}
    host = str(parts.hostname)
    address = await public_address.resolve(host, parts.port or 443)
    numeric = f"[{address}]" if address.version == 6 else str(address)
    pinned = parts._replace(netloc=f"{numeric}:{parts.port}" if parts.port else numeric).geturl()
    return pinned, parts.netloc, {"sni_hostname": host}


async def _judge(answer: httpx.Response) -> int:
    status = answer.status_code
    if answer.is_success:
        return status
    if status == HTTPStatus.GONE:
        raise SinkError("The receiver answered 410: it is gone.", status=status, permanent=True, disable=True)
    if 300 <= status < 400:
        raise SinkError(f"The receiver answered {status}; redirects are not followed.", status=status)
    raise SinkError(
        f"The receiver answered {status}: {await _beginning(answer)}", status=status, retry_after=_retry_after(answer)
    )


async def _beginning(answer: httpx.Response) -> str:
    """The first characters of an answer; no more of it is read."""
    read = b""
    async for chunk in answer.aiter_bytes():
        read += chunk
        if len(read) >= MAX_ERROR_CHARS:
            break
    return " ".join(read[:MAX_ERROR_CHARS].decode("utf-8", "replace").split())


def _retry_after(answer: httpx.Response) -> float | None:
    try:
        return min(MAX_RETRY_AFTER, max(0.0, float(answer.headers["retry-after"])))
    except (KeyError, ValueError):
        return None
