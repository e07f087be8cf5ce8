"""What a kind of ticket sink is: a module of this package with these names.

`KIND` and `TITLE` (text), `Settings` (a `SinkSettings`: what is configured, shown as JSON Schema), `make_secret()`,
`check_secret(text)` (raises InvalidInput), `async check(outlet, settings)` (raises InvalidInput when what is configured
can never work) and `async send(outlet, settings, message)` (the status on success, raises SinkError otherwise).
Nothing else lists a kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import httpx
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

MAX_ERROR_CHARS = 500
"""What is kept of a receiver's answer that refuses."""


class SinkSettings(BaseModel):
    """Base of a kind's settings: camelCase on the wire, unknown fields refused. A secret is never among them."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, str_strip_whitespace=True
    )

    def redacted(self) -> dict[str, Any]:
        """The settings as callers see them who may read but not change sinks."""
        return self.model_dump(by_alias=True, mode="json")


@dataclass(frozen=True)
class Outlet:
    """How a sink reaches the world. `now` is the time that signatures carry."""

    http: httpx.AsyncClient
    now: datetime
    secret: str = ""
    allow_private: bool = False


@dataclass(frozen=True)
class Message:
    """What is sent: `body` is the exact bytes of a CloudEvent in structured JSON; `id` is the same over retries."""

    id: str
    type: str
    body: bytes


class SinkError(Exception):
    """A message was not taken. `permanent`: trying again cannot help; `disable`: nothing is wanted there any more."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        permanent: bool = False,
        disable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status = message[:MAX_ERROR_CHARS], status
        self.permanent, self.disable, self.retry_after = permanent, disable, retry_after


class SinkKind(Protocol):
    """The names of a kind's module, as seen by who uses it."""

    KIND: str
    TITLE: str
    Settings: type[SinkSettings]

    def make_secret(self) -> str:
        """A new secret, to be shown once."""
        ...

    def check_secret(self, text: str) -> None:
        """Raises InvalidInput for a secret that cannot be used."""
        ...

    async def check(self, outlet: Outlet, settings: Any) -> None:
        """Raises InvalidInput when nothing can ever be sent with these settings."""
        ...

    async def send(self, outlet: Outlet, settings: Any, message: Message) -> int:
        """Send once; the receiver's HTTP status. Raises SinkError."""
        ...
