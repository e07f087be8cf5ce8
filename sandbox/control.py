"""The control API: what a test or a demo does to the simulated cloud from outside, at /_sandbox on the plain HTTP port."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta
from typing import Any

from sandbox import cast, entra, identity, receivers, scenarios, tokens
from sandbox.login import refresh_tokens
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Behaviour, Cloud, Fault, GdapRelationship, Health, Person, Resource, Tenant, World

POWER_STATES = ("running", "stopped", "deallocated", "starting", "stopping", "deallocating")
HEALTH_STATES = ("Available", "Unavailable", "Degraded", "Unknown", None)


def service(cloud: Cloud) -> Service:
    """The control API as an ASGI application."""
    control = Service(cloud, "control", [], simulated=False)
    _world_routes(control)
    _azure_routes(control)
    _directory_routes(control)
    _receiver_routes(control)
    return control


def _fields(call: Call, allowed: str) -> dict[str, Any]:
    """The JSON object of a request. Raises CloudError 400 when it has a field not in `allowed` (space separated)."""
    body = call.body
    if not isinstance(body, dict):
        raise CloudError(400, "BadBody", "The body must be a JSON object.")
    if unknown := set(body) - set(allowed.split()):
        raise CloudError(400, "UnknownField", f"Unknown fields: {', '.join(sorted(unknown))}. Known: {allowed}.")
    return body


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _world_routes(control: Service) -> None:
    @control.route("POST", "/_sandbox/reset")
    async def reset(call: Call) -> Reply:
        body = _fields(call, "scenario seed tenants subscriptions resources")
        default = scenarios.Size()
        size = scenarios.Size(
            int(body.get("tenants", default.tenants)),
            int(body.get("subscriptions", default.subscriptions)),
            int(body.get("resources", default.resources)),
        )
        world = scenarios.reset(call.cloud, body.get("scenario", "default"), int(body.get("seed", 1)), size)
        return Reply({"scenario": world.scenario, "seed": world.seed, "generation": call.cloud.generation})

    @control.route("GET", "/_sandbox/world")
    async def show(call: Call) -> Reply:
        return Reply(shown(call.cloud, resources=call.query.get("resources") == "true"))

    @control.route("POST", "/_sandbox/clock")
    async def clock(call: Call) -> Reply:
        seconds = float(_fields(call, "advanceSeconds")["advanceSeconds"])
        if seconds < 0:
            raise CloudError(400, "BadClock", "Time goes forward.")
        scenarios.advance(call.world, seconds)
        return Reply({"now": call.cloud.clock.now().isoformat()})

    @control.route("GET", "/_sandbox/ca.pem")
    async def authority(call: Call) -> Reply:
        return Reply(text=call.cloud.ca_path.read_text(), media_type="application/x-pem-file")

    @control.route("GET", "/_sandbox/behaviour")
    async def behaviour_shown(call: Call) -> Reply:
        return Reply({_camel(k): v for k, v in dataclasses.asdict(call.world.behaviour).items()})

    @control.route("PUT", "/_sandbox/behaviour")
    async def behaviour(call: Call) -> Reply:
        names = [field.name for field in dataclasses.fields(Behaviour)]
        body = _fields(call, " ".join(map(_camel, names)))
        if not re.fullmatch(r"immediate|polls=\d+|seconds=\d+(\.\d+)?", str(body.get("lro", "immediate"))):
            raise CloudError(400, "BadBehaviour", "lro is immediate, polls=n or seconds=s.")
        for name, value in body.items():
            setattr(call.world.behaviour, _snake(name), value)
        return await behaviour_shown(call)

    @control.route("POST", "/_sandbox/faults")
    async def add_fault(call: Call) -> Reply:
        names = [field.name for field in dataclasses.fields(Fault)]
        body = _fields(call, " ".join(map(_camel, names)))
        if "service" not in body:
            raise CloudError(400, "BadFault", "A fault needs a service, or * for all.")
        fault = Fault(**{_snake(name): value for name, value in body.items()})
        if fault.kind not in ("status", "disconnect", "slow"):
            raise CloudError(400, "BadFault", "kind is status, disconnect or slow.")
        call.cloud.faults.append(fault)
        return Reply({"faults": len(call.cloud.faults)}, 201)

    @control.route("GET", "/_sandbox/faults")
    async def faults(call: Call) -> Reply:
        rows = [{_camel(k): v for k, v in dataclasses.asdict(fault).items()} for fault in call.cloud.faults]
        return Reply({"faults": rows})

    @control.route("DELETE", "/_sandbox/faults")
    async def clear_faults(call: Call) -> Reply:
        call.cloud.faults.clear()
        return Reply(status=204)

    @control.route("GET", "/_sandbox/requests")
    async def requests(call: Call) -> Reply:
        since, wanted = int(call.query.get("since", "0")), call.query.get("service")
        rows = [r for r in call.cloud.requests if r["n"] > since and wanted in (None, r["service"])]
        return Reply({"requests": rows, "last": call.cloud.request_count})


def shown(cloud: Cloud, *, resources: bool) -> dict[str, Any]:
    """GET /world: names and ids of what a test needs; each subscription's resources only when asked for."""
    world = cloud.world
    return {
        "scenario": world.scenario,
        "seed": world.seed,
        "now": cloud.clock.now().isoformat(),
        "partner": {
            "tenantId": world.partner.id,
            "name": world.partner.name,
            "subscriptions": _subscriptions(world, world.partner, resources),
        },
        "tenants": [
            {
                "tenantId": tenant.id,
                "name": tenant.name,
                "defaultDomain": tenant.default_domain,
                "initialDomain": tenant.initial_domain,
                "relationship": tenant.relationship_to_partner,
                "traps": sorted(tenant.traps),
                "subscriptions": _subscriptions(world, tenant, resources),
                "relationships": [{"id": r.id, "status": r.status} for r in world.relationships_of(tenant.id)],
            }
            for tenant in world.customers()
        ],
        "traps": world.traps,
        "people": {
            person.name: {
                "objectId": person.object_id,
                "userPrincipalName": person.user_principal_name,
                "tenantId": person.tenant_id,
                "displayName": person.display_name,
                "apiRoles": person.api_roles,
                "mfa": person.mfa,
            }
            for person in world.people.values()
        },
        "applications": {
            name: {
                "clientId": app.app_id,
                "objectId": app.object_id,
                "tenantId": app.home_tenant_id,
                "secret": next(iter(app.secrets.values()), None),
                "redirectUris": app.redirect_uris,
            }
            for name, app in world.applications.items()
        },
        "identity": {
            "endpoint": f"{cloud.urls['control']}/msi/token",
            "header": identity.HEADER,
            "clientId": world.applications["managed-identity"].app_id,
        },
        "receivers": {kind: receivers.of(cloud, kind).describe() for kind in sorted(receivers.KINDS)},
        "services": {name: {"url": url} for name, url in cloud.urls.items()},
    }


def _subscriptions(world: World, tenant: Tenant, resources: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for subscription_id in tenant.subscription_ids:
        subscription = world.subscriptions[subscription_id]
        row: dict[str, Any] = {
            "id": subscription.id,
            "name": subscription.name,
            "access": _access(world, tenant, subscription_id),
            "resourceCount": len(subscription.resources),
        }
        if resources:
            row["resources"] = [
                {"id": r.id, "type": r.type, "reported": r.health is not None} for r in subscription.resources.values()
            ]
        rows.append(row)
    return rows


def _access(world: World, tenant: Tenant, subscription_id: str) -> str:
    """Which of the ways of cast.add_subscription leads into a subscription."""
    subscription = world.subscriptions[subscription_id]
    holders = {row.principal_id for row in subscription.role_assignments}
    if subscription.managed_by:
        return "lighthouse"
    if world.partner.admin_agents_group in holders:
        return "agents"
    return "own" if cast.principal_id(world, tenant, "tenantry") in holders else "none"


def _resource(call: Call, body: dict[str, Any]) -> Resource:
    """The resource that a body names. Raises CloudError 404."""
    found = call.world.resource(str(body.get("resourceId", "")))
    if found is None:
        raise CloudError(404, "ResourceNotFound", f"No resource '{body.get('resourceId')}'.")
    return found


def _azure_routes(control: Service) -> None:
    @control.route("PUT", "/_sandbox/health")
    async def health(call: Call) -> Reply:
        body = _fields(call, "resourceId availabilityState reasonType context category summary at reported")
        resource = _resource(call, body)
        if body.get("reported") is False:
            call.world.set_health(resource, None)
            return Reply({"resourceId": resource.id, "availabilityState": "notReported"})
        state = body.get("availabilityState", "")
        if state not in HEALTH_STATES:
            raise CloudError(
                400, "BadHealth", "availabilityState is Available, Unavailable, Degraded, Unknown or null."
            )
        now = call.cloud.clock.now()
        when = datetime.fromisoformat(body["at"]) if "at" in body else now
        row = _default_health(resource, state, when)
        row.reported = max(now, when)
        for name in ("reasonType", "context", "category", "summary"):
            if name in body:
                setattr(row, _snake(name), body[name])
        call.world.set_health(resource, row)
        return Reply({"resourceId": resource.id, "availabilityState": state})

    @control.route("PUT", "/_sandbox/resources")
    async def resources(call: Call) -> Reply:
        body = _fields(call, "resourceId deleted power fault")
        resource = _resource(call, body)
        subscription = call.world.subscriptions[resource.subscription_id]
        if fault := body.get("fault"):
            resource.faults[fault["verb"]] = {
                "code": fault.get("code", "InternalExecutionError"),
                "message": fault.get("message", "An internal execution error occurred. Please retry later."),
            }
        if "power" in body:
            if resource.power is None or body["power"] not in POWER_STATES:
                raise CloudError(400, "BadPower", f"A virtual machine is one of {', '.join(POWER_STATES)}.")
            resource.power = body["power"]
            now = call.cloud.clock.now()
            running = body["power"] in ("running", "starting")
            call.world.set_health(
                resource, scenarios.available(resource, now) if running else scenarios.customer_stop(now)
            )
        if body.get("deleted"):
            del subscription.resources[resource.id.lower()]
        subscription.version += 1
        return Reply({"resourceId": resource.id, "power": resource.power})

    @control.route("PUT", "/_sandbox/subscriptions/{id}")
    async def subscriptions(call: Call) -> Reply:
        body = _fields(call, "role access deleted state")
        subscription = call.world.subscriptions.get(call.params["id"].lower())
        if subscription is None:
            raise CloudError(404, "SubscriptionNotFound", f"No subscription '{call.params['id']}'.")
        if "role" in body or "access" in body:
            _remove_access(call.world, subscription.id)
            cast.give_access(call.world, subscription, body.get("access", "agents" if body.get("role") else "none"))
        subscription.state = body.get("state", subscription.state)
        subscription.version += 1
        if body.get("deleted"):
            del call.world.subscriptions[subscription.id]
            call.world.tenants[subscription.tenant_id].subscription_ids.remove(subscription.id)
        return Reply({"id": subscription.id})


def _default_health(resource: Resource, state: str | None, when: datetime) -> Health:
    """A plausible row for a state: what is unavailable or degraded is Azure's own unplanned fault."""
    if state == "Available":
        return scenarios.available(resource, when)
    if state in ("Unavailable", "Degraded"):
        return scenarios.platform_fault(when, state)
    return Health(state, when, when, summary="We're currently unable to determine the health of this resource.")


def _remove_access(world: World, subscription_id: str) -> None:
    """Take away every role that the partner or Tenantry holds; the customer's own assignments stay."""
    subscription = world.subscriptions[subscription_id]
    own = cast.principal_id(world, world.tenants[subscription.tenant_id], "tenantry")
    ours = {own, world.partner.admin_agents_group, *(p.object_id for p in world.people.values())}
    subscription.managed_by = {}
    subscription.role_assignments = [r for r in subscription.role_assignments if r.principal_id not in ours]


def _directory_routes(control: Service) -> None:
    @control.route("POST", "/_sandbox/tokens")
    async def token(call: Call) -> Reply:
        body = _fields(call, "person application lifetimeSeconds roles audience")
        world, api = call.world, call.world.applications["tenantry-api"]
        audience = entra.resource_of(world, body["audience"]) if "audience" in body else api.app_id
        if "application" in body:
            app = world.applications.get(body["application"])
            if app is None:
                raise CloudError(404, "UnknownApplication", f"No application '{body['application']}'.")
            claims = entra.app_claims(call.cloud, app, world.tenants[app.home_tenant_id], audience)
        else:
            person = _person(call, str(body.get("person")))
            client = world.applications["tenantry-portal"]
            home = world.tenants[person.tenant_id]
            if audience == api.app_id and home.id != world.partner.id:
                # The API's own tenant is the only one it has a service principal in; a test may still want to see
                # that the API refuses a well-signed token of another tenant.
                claims = _foreign_claims(person, audience, client.app_id)
            else:
                claims = entra.user_claims(call.cloud, client, person, home, audience, [".default"])
        if "roles" in body:
            claims["roles"] = list(body["roles"])
        lifetime = float(body.get("lifetimeSeconds", tokens.LIFETIME))
        signed = tokens.sign(call.cloud, claims, lifetime=lifetime)
        expires = datetime.now().astimezone() + timedelta(seconds=lifetime)
        return Reply({"accessToken": signed, "expiresAt": expires.isoformat()})

    @control.route("POST", "/_sandbox/people/{name}/revoke")
    async def revoke(call: Call) -> Reply:
        person = _person(call, call.params["name"])
        person.revoked_at = call.cloud.clock.now()
        dead = sum(1 for row in refresh_tokens(call.cloud).values() if row.person == person.name)
        return Reply({"revoked": dead})

    @control.route("PUT", "/_sandbox/people/{name}")
    async def people(call: Call) -> Reply:
        body = _fields(call, "mfa apiRoles refusedWith groups directoryRoles")
        person = _person(call, call.params["name"])
        if body.get("refusedWith") not in (None, *entra.REFUSALS):
            raise CloudError(400, "BadRefusal", f"refusedWith is null or one of {', '.join(map(str, entra.REFUSALS))}.")
        for name, value in body.items():
            setattr(person, _snake(name), set(value) if name in ("groups", "directoryRoles") else value)
        return Reply({"name": person.name})

    @control.route("PUT", "/_sandbox/applications/{name}")
    async def applications(call: Call) -> Reply:
        body = _fields(call, "redirectUris secret")
        app = call.world.applications.get(call.params["name"])
        if app is None:
            raise CloudError(404, "UnknownApplication", f"No application '{call.params['name']}'.")
        app.redirect_uris = body.get("redirectUris", app.redirect_uris)
        if "secret" in body:
            app.secrets = {next(iter(app.secrets), "secret"): body["secret"]}
        return Reply({"clientId": app.app_id})

    @control.route("PUT", "/_sandbox/tenants/{id}")
    async def tenants(call: Call) -> Reply:
        body = _fields(call, "relationship consent premium")
        tenant = call.world.tenants.get(call.params["id"].lower())
        if tenant is None:
            raise CloudError(404, "TenantNotFound", f"No tenant '{call.params['id']}'.")
        tenant.relationship_to_partner = body.get("relationship", tenant.relationship_to_partner)
        tenant.premium = body.get("premium", tenant.premium)
        if body.get("consent") is False:
            _withdraw_consent(call.world, tenant)
        return Reply({"tenantId": tenant.id})

    @control.route("PUT", "/_sandbox/relationships/{id}")
    async def relationships(call: Call) -> Reply:
        body = _fields(call, "status group roles")
        relationship = call.world.relationships.get(call.params["id"].lower())
        if relationship is None:
            raise CloudError(404, "RelationshipNotFound", f"No relationship '{call.params['id']}'.")
        relationship.status = body.get("status", relationship.status)
        relationship.roles = body.get("roles", relationship.roles)
        _set_group(call.world, relationship, body.get("group"), changed="roles" in body)
        return Reply({"id": relationship.id, "status": relationship.status})


def _set_group(world: World, relationship: GdapRelationship, group: bool | None, *, changed: bool) -> None:
    """Assign our group (or take it out), or bring an assignment in line with changed roles."""
    held = bool(relationship.assignments)
    if group is not None or changed:
        relationship.assignments.clear()
    if group or (group is None and changed and held):
        cast.assign_group(world, relationship)


def _person(call: Call, name: str) -> Person:
    person = call.world.people.get(name.lower())
    if person is None:
        raise CloudError(404, "UnknownPerson", f"'{name}' is none of {', '.join(call.world.people)}.")
    return person


def _foreign_claims(person: Person, audience: str, client_id: str) -> dict[str, Any]:
    return {
        "aud": audience,
        "tid": person.tenant_id,
        "oid": person.object_id,
        "sub": person.object_id,
        "name": person.display_name,
        "preferred_username": person.user_principal_name,
        "appid": client_id,
        "azp": client_id,
        "idtyp": "user",
        "scp": "user_impersonation",
        "roles": list(person.api_roles),
    }


def _withdraw_consent(world: World, tenant: Tenant) -> None:
    """Remove every delegated grant and app role of Tenantry in a tenant; its service principal stays."""
    client = cast.principal_id(world, tenant, "tenantry")
    tenant.grants = {k: g for k, g in tenant.grants.items() if g.client_id != client}
    tenant.app_role_assignments = {k: a for k, a in tenant.app_role_assignments.items() if a.principal_id != client}


def _receiver_routes(control: Service) -> None:
    @control.route("GET", "/_sandbox/receivers/{kind}")
    async def show(call: Call) -> Reply:
        return Reply(receivers.of(call.cloud, call.params["kind"]).shown())

    @control.route("DELETE", "/_sandbox/receivers/{kind}")
    async def clear(call: Call) -> Reply:
        receivers.of(call.cloud, call.params["kind"]).clear()
        return Reply(status=204)

    @control.route("PUT", "/_sandbox/receivers/{kind}")
    async def settle(call: Call) -> Reply:
        receiver = receivers.of(call.cloud, call.params["kind"])
        receiver.settle(call.body)
        return Reply(receiver.describe())
