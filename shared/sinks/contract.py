"""What a kind of ticket sink is: a module of this package with the names of `SinkKind`. Nothing else lists a kind.

Two shapes: a sink of tickets (a PSA) can be searched, so that each incident has one ticket whatever crashes; a sink of
events (a webhook) is told of everything, at least once and under the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.alias_generators import to_camel

from shared.errors import InvalidInput

MAX_ERROR_CHARS = 500
"""What is kept of a receiver's answer that refuses."""
TIMEOUT_SECONDS = 15
"""For one request."""
LOST_SECONDS = 120.0
"""After a request whose answer never came: longer than a vendor works at one."""
ALERT_EVENTS = ("tenantry.alert.opened", "tenantry.alert.updated", "tenantry.alert.closed")

EVENTS = (
    *ALERT_EVENTS,
    "tenantry.operation.completed",
    "tenantry.schedule.missed",
    "tenantry.tenant.synced",
    "tenantry.tenant.failed",
    "tenantry.connection.needsConsent",
    "tenantry.sink.disabled",
    "tenantry.sink.test",
)
"""Every type of event there is."""


class SinkSettings(BaseModel):
    """Base of a kind's settings: camelCase on the wire, unknown fields refused.

    Fields of type `SecretStr | None` are secrets: they go to the vault, are never in the row and never shown. JSON
    Schema marks them `writeOnly`.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, str_strip_whitespace=True
    )

    HARMLESS: ClassVar[frozenset[str]] = frozenset()
    """Names of the fields that say neither where secrets are sent nor as whom: these may change while secrets stay.
    When any other changes, the secrets must be given again, so that who may change a sink cannot have them sent to
    himself."""

    MADE: ClassVar[frozenset[str]] = frozenset()
    """Names of the secrets that are made where none is given; a new sink must be given every other one."""

    def redacted(self) -> dict[str, Any]:
        """The settings as callers see them who may read but not change sinks; never a secret."""
        return self.model_dump(by_alias=True, mode="json", exclude=set(secret_fields(type(self))))

    @classmethod
    def masked(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """The settings, without secrets, as callers see them who may change sinks; a kind masks what works as one."""
        return stored

    @classmethod
    def unmasked(cls, given: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
        """What a caller sends, with what `masked` hides of `stored` put back where he left it as he saw it.

        Raises InvalidInput where it would be used for something else.
        """
        return given

    def named_sites(self) -> list[str]:
        """The sites of ours that the settings name."""
        return []

    def confidential(self) -> list[str]:
        """What no text may carry that is shown to readers: the secrets; a kind adds what works as one."""
        return [secret(getattr(self, name)) for name in secret_fields(type(self))]


def secret_fields(model: type[SinkSettings]) -> tuple[str, ...]:
    """Names of the fields that are secrets."""
    return tuple(name for name, row in model.model_fields.items() if "SecretStr" in str(row.annotation))


def secret(value: SecretStr | None) -> str:
    """The text of a secret, empty without one."""
    return value.get_secret_value() if value is not None else ""


@dataclass(frozen=True)
class Outlet:
    """How a sink reaches the world. `now` is the time that signatures carry; `memory` lives as long as the process.

    A kind keeps there what it need not ask twice (a token, a zone, a board's statuses), under keys of its own that
    begin with `sink_id` and change with the settings.
    """

    http: httpx.AsyncClient
    now: datetime
    sink_id: str = ""
    allow_private: bool = False
    memory: dict[str, Any] = field(default_factory=dict)
    credentials: set[str] = field(default_factory=set)
    """What requests proved themselves with (tokens too): no text that is shown may carry it."""


@dataclass(frozen=True)
class TicketRef:
    """A ticket in the other system. `state` as that system has it now."""

    external_id: str = ""
    """What its API calls it."""
    number: str = ""
    """What people call it."""
    url: str = ""
    state: Literal["open", "closed", ""] = ""
    title: str = ""
    severity: str = ""
    """As we gave them last (of the severity: its priority); empty when that is not known."""


@dataclass(frozen=True)
class Message:
    """One event for one sink. `body` is the exact bytes of a CloudEvent in structured JSON.

    The fields from `key` on are there for alerts only (`type` is one of ALERT_EVENTS).
    """

    id: str
    """Delivery id and webhook-id: the same over retries, URL-safe, no dots."""
    type: str
    body: bytes
    key: str = ""
    """The stable key under which the ticket is searched: the alert's id and the sink's. Two sinks at one desk have a
    ticket each, so that the end of one leaves the other's alone."""
    title: str = ""
    """At most 100 characters."""
    text: str = ""
    """Plain text: of an opening all there is to know, else what happened."""
    severity: str = ""
    site_id: str | None = None
    client_name: str = ""
    url: str = ""
    """Where the resource is looked at."""
    reopened: bool = False
    """An opening of an alert that was told closed before: the same ticket is opened again."""
    late: bool = False
    """Something newer of the alert was told before: this one says nothing of how it is now."""
    ticket: TicketRef | None = None
    """What an earlier delivery of the alert gave."""


@dataclass(frozen=True)
class Receipt:
    """What became of a message that was taken. `closed_by_hand`: people closed the ticket there; it was left so."""

    status: int
    """The receiver's last HTTP status."""
    ticket: TicketRef | None = None
    closed_by_hand: bool = False
    detail: str = ""


class SinkError(Exception):
    """A message was not taken.

    `permanent`: trying this message again cannot help. `disable`: nothing can be sent there (gone, credentials refused)
    until somebody changes the sink; its messages wait. `held`: the message waits until the sink's settings say where
    it belongs (no company for its site). `retry_after`: seconds, what the receiver asked for. Otherwise it is tried
    again, and counts towards the sink's circuit.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        permanent: bool = False,
        disable: bool = False,
        held: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status = message[:MAX_ERROR_CHARS], status
        self.permanent, self.disable, self.held, self.retry_after = permanent, disable, held, retry_after

    def saying(self, message: str) -> SinkError:
        """The same with another message."""
        how = {"permanent": self.permanent, "disable": self.disable, "held": self.held}
        return SinkError(message, status=self.status, retry_after=self.retry_after, **how)


class SinkKind(Protocol):
    """The names of a kind's module, as seen by who uses it."""

    KIND: str
    TITLE: str
    TICKETS: bool
    """A sink of tickets: it takes alert events only, and `read` gives the present state of its tickets."""
    CONCURRENCY: int
    """Messages under way at once; those of one alert never are."""
    PER_MINUTE: int
    """Messages begun in a minute at most."""
    Settings: type[SinkSettings]

    def complete(self, settings: Any) -> tuple[Any, dict[str, str]]:
        """Check a new sink's settings and fill in secrets that are made here: the settings, and what was made.

        What was made is shown to the caller once. Raises InvalidInput.
        """
        ...

    async def check(self, outlet: Outlet, settings: Any) -> None:
        """Raises InvalidInput when nothing can ever be sent with these settings. Makes no request."""
        ...

    async def test(self, outlet: Outlet, settings: Any, message: Message) -> Receipt:
        """Prove that it works. Raises SinkError.

        An event sink is sent the message; a ticket sink is asked for what we need of it, and no ticket is made.
        """
        ...

    async def open(self, outlet: Outlet, settings: Any, message: Message) -> Receipt:
        """Open, or open again, the ticket of `message.key`: exactly one where the sink can be searched.

        Raises SinkError.
        """
        ...

    async def update(self, outlet: Outlet, settings: Any, message: Message) -> Receipt:
        """Say what changed; also what an event sink is sent that is about no alert. Raises SinkError."""
        ...

    async def close(self, outlet: Outlet, settings: Any, message: Message) -> Receipt:
        """Close the ticket, with a last note. Closing a closed one changes nothing. Raises SinkError."""
        ...

    async def read(self, outlet: Outlet, settings: Any, tickets: Sequence[TicketRef]) -> list[TicketRef]:
        """The tickets as they are now, in any order; one that is gone is `closed`. At most 100. Raises SinkError."""
        ...

    async def choices(self, outlet: Outlet, settings: Any, name: str, search: str) -> list[dict[str, str]]:
        """What can be chosen in the other system for a setting (`companies`, `boards`...): `{id, name}`, at most 100.

        Raises InvalidInput for a name there is none of, SinkError.
        """
        ...


async def read_nothing(_outlet: Outlet, _settings: Any, tickets: Sequence[TicketRef]) -> list[TicketRef]:
    """`read` of a sink of events, which has no tickets that could be asked for: what was given."""
    return list(tickets)


async def no_choices(_outlet: Outlet, _settings: Any, _name: str, _search: str) -> list[dict[str, str]]:
    """`choices` of a kind that has none. Raises InvalidInput."""
    raise InvalidInput("This kind of sink has no choices.", target="name")
