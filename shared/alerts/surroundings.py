"""What stands around the devices of one subscription while their incidents are judged: names, site, rules, sinks."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared import outbox
from shared.alerts import policies
from shared.alerts.records import Subject, client_key, group_key
from shared.app import App
from shared.devices import listing, places
from shared.devices.places import Place
from shared.devices.records import Device
from shared.incidents.policy import Policy, Rules


@dataclass(frozen=True)
class Surroundings:
    """As it was when the client's lease was taken."""

    subscription_id: str
    place: Place | None
    policy: Policy
    sink_ids: list[str]
    _rules: dict[str, Rules] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def site_id(self) -> str | None:
        """Of the subscription, or None."""
        return self.place.site.id if self.place and self.place.site else None

    @property
    def client_name(self) -> str:
        """Of its site, or empty."""
        return self.place.site.client_name if self.place and self.place.site else ""

    @property
    def key(self) -> str:
        """See records.client_key."""
        return client_key(self.client_name, self.subscription_id)

    @property
    def group_key(self) -> str:
        """See records.group_key."""
        return group_key(self.key, self.site_id)

    def rules(self, resource_type: str) -> Rules:
        """The rules for devices of a type; with an empty type, those for the client's devices as a whole."""
        name = resource_type.casefold()
        if name not in self._rules:
            self._rules[name] = self.policy.for_device(self.client_name, self.site_id, name)
        return self._rules[name]

    def subject(self, app: App, device: Device) -> Subject:
        """A device with the names around it."""
        place = self.place
        site = place.site if place else None
        return Subject(
            name=device.name,
            resource_id=device.resource_id,
            type=device.type,
            region=device.region,
            resource_group=device.resource_group,
            subscription_id=device.subscription_id,
            subscription_name=place.subscription.name if place else "",
            tenant_id=device.tenant_id,
            tenant_name=place.tenant.display_name if place and place.tenant else "",
            client_name=site.client_name if site else "",
            site_name=site.site_name if site else "",
            url=listing.portal_url(app, place, device.resource_id) if place else "",
        )


async def key_of(app: App, subscription_id: str) -> str:
    """Whose lease guards the alerts of a subscription at present."""
    place = await places.of(app, subscription_id)
    client = place.site.client_name if place and place.site else ""
    return client_key(client, subscription_id)


async def load(app: App, subscription_id: str) -> Surroundings:
    """As it is now."""
    place = await places.of(app, subscription_id)
    site_id = place.site.id if place and place.site else None
    return Surroundings(
        subscription_id=subscription_id,
        place=place,
        policy=await policies.load(app),
        sink_ids=await outbox.sinks_for(app, site_id),
    )
