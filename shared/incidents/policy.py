"""When something deserves a ticket: the rules of an installation, overridden per client, site and resource type."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator, model_validator
from pydantic.alias_generators import to_camel

from shared.devices.records import Status
from shared.incidents.records import Condition, Severity

Opening = Literal["unavailable", "degraded", "unknown"]
Minutes = Annotated[int, Field(ge=0, le=10_080)]
TypeName = Annotated[str, Field(min_length=3, max_length=200, pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+$")]
SiteId = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]
ClientName = Annotated[str, Field(min_length=1, max_length=200)]
MAX_OVERRIDES = 100


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class BusinessHours(_Rules):
    """When people work. Outside, an alert below `always_from` waits for the next opening hour."""

    time_zone: Annotated[str, Field(max_length=64, description="IANA name, such as Europe/Zurich.")]
    days: Annotated[
        list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1, max_length=7)
    ] = ["mon", "tue", "wed", "thu", "fri"]
    opens: time = time(8)
    closes: time = time(18)
    """Local; after `opens`."""
    holidays: Annotated[list[date], Field(max_length=200)] = []
    always_from: Severity = "high"
    """From this severity on, an alert opens at any hour."""

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{name} is no IANA time zone") from error
        if name == "localtime":
            # What tells where this server stands, and is found among the zones of some systems.
            raise ValueError(f"{name} is no IANA time zone")
        return name

    @field_validator("opens", "closes")
    @classmethod
    def _local(cls, wall: time) -> time:
        if wall.tzinfo is not None:
            raise ValueError("a local time has no time zone: timeZone says where it is")
        return wall

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("opens must be before closes")
        return self


class SeverityRule(_Rules):
    """The severity of alerts that match every part that is given; the first rule that matches counts."""

    severity: Severity
    types: Annotated[list[TypeName] | None, Field(max_length=100)] = None
    tags: Annotated[dict[str, str] | None, Field(max_length=20, description="Name and value; * is any value.")] = None
    conditions: Annotated[list[Condition] | None, Field(max_length=10)] = None


class Watchdog(_Rules):
    """When Tenantry opens a ticket on itself."""

    poll_late_minutes: Annotated[int, Field(ge=20, le=10_080)] = 45
    tenant_failing_minutes: Annotated[int, Field(ge=15, le=10_080)] = 120
    sink_failing_minutes: Annotated[int, Field(ge=5, le=10_080)] = 60


class Rules(_Rules):
    """Every rule that an override may set."""

    strict: StrictBool = False
    """As ConnectWise does: whatever Resource Health reports other than available opens, at once for `unknown` too."""
    open_on: Annotated[list[Opening], Field(max_length=3)] = ["unavailable", "degraded"]
    hold_minutes: Minutes = 0
    """How long a device must be in such a state before its alert opens."""
    unknown_after_minutes: Minutes = 30
    """How long `unknown` must last to open. 0: never. Of no account when `open_on` has it, or in strict mode."""
    flap_changes: Annotated[int, Field(ge=0, le=60)] = 5
    """So many changes between available and not, within the window, are one `flapping` incident. 0: no damping."""
    flap_window_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    reopen_minutes: Minutes = 60
    """Back within so many minutes after closing reopens the same alert and ticket."""
    close_delay_minutes: Minutes = 0
    """How long a device must be available again before its alert closes."""
    ignore_user_initiated: StrictBool = True
    ignore_planned: StrictBool = True
    """Azure's own planned maintenance opens nothing until `grace_minutes` are over."""
    grace_minutes: Annotated[int, Field(ge=1, le=10_080)] = 30
    """How long after planned work a device may take to be back."""
    outage_group_size: Annotated[int, Field(ge=0, le=1000)] = 5
    """So many devices of a site and region, or of a site and type, become one ticket. 0: no grouping.

    Set for types, it says how many of such a type become one, and with 0 that they belong to no outage.
    """
    outage_window_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    """Within so many minutes of each other."""
    group_first_poll: StrictBool = True
    """What is down already when a subscription is first polled becomes one ticket per site."""
    severities: Annotated[list[SeverityRule], Field(max_length=50)] = []
    business_hours: BusinessHours | None = None

    @property
    def opening(self) -> frozenset[Status]:
        """The states that open once they have lasted `hold_minutes`."""
        return frozenset(("unavailable", "degraded", "unknown") if self.strict else self.open_on)


class Override(Rules):
    """Rules for some clients, sites or types; only the fields that were sent count. At least one of the three is named.

    Several of the three must all match.
    """

    client_names: Annotated[list[ClientName] | None, Field(min_length=1, max_length=100)] = None
    site_ids: Annotated[list[SiteId] | None, Field(min_length=1, max_length=400)] = None
    types: Annotated[list[TypeName] | None, Field(min_length=1, max_length=100)] = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.client_names is None and self.site_ids is None and self.types is None:
            raise ValueError("an override names clientNames, siteIds or types")
        return self

    def matches(self, client_name: str, site_id: str | None, resource_type: str) -> bool:
        """Whether it is about a device. Names and types are compared without case."""
        pairs = ((self.client_names, client_name), (self.site_ids, site_id or ""), (self.types, resource_type))
        return all(named is None or value.casefold() in {name.casefold() for name in named} for named, value in pairs)

    def set_here(self) -> dict[str, Any]:
        """The rules it sets, by field name."""
        return {name: getattr(self, name) for name in self.model_fields_set if name in Rules.model_fields}


class Policy(Rules):
    """The policy of an installation."""

    watchdog: Watchdog = Watchdog()
    overrides: Annotated[list[Override], Field(max_length=MAX_OVERRIDES)] = []
    """Applied in their order: a later one wins."""

    def for_device(self, client_name: str, site_id: str | None, resource_type: str) -> Rules:
        """The rules that hold for a device."""
        values = {name: getattr(self, name) for name in Rules.model_fields}
        for override in self.overrides:
            if override.matches(client_name, site_id, resource_type):
                values |= override.set_here()
        return Rules.model_construct(**values)
