"""Worlds, the clock, the knobs, faults, and the log of what arrived."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from sandbox import cast, identity, receivers, scenarios
from sandbox.control.routes import Routes, camel, fields, snake
from sandbox.wire import Call, CloudError, Reply
from sandbox.world import Behaviour, Cloud, Fault, Tenant, World

routes = Routes()


@routes.route("POST", "/reset")
async def reset(call: Call) -> Reply:
    """Make a new world: `{scenario?, seed?, tenants?, subscriptions?, resources?}`. The clock returns to wall time."""
    body = fields(call, "scenario seed tenants subscriptions resources")
    default = scenarios.Size()
    size = scenarios.Size(
        int(body.get("tenants", default.tenants)),
        int(body.get("subscriptions", default.subscriptions)),
        int(body.get("resources", default.resources)),
    )
    world = scenarios.reset(call.cloud, body.get("scenario", "default"), int(body.get("seed", 1)), size)
    return Reply({"scenario": world.scenario, "seed": world.seed, "generation": call.cloud.generation})


@routes.route("GET", "/world")
async def show(call: Call) -> Reply:
    """Ids and names of everything a test needs; `?resources=true` lists every resource id too."""
    return Reply(shown(call.cloud, resources=call.query.get("resources") == "true"))


@routes.route("POST", "/clock")
async def clock(call: Call) -> Reply:
    """Step time forward: `{advanceSeconds}`; what flaps does so meanwhile."""
    seconds = float(fields(call, "advanceSeconds")["advanceSeconds"])
    if seconds < 0:
        raise CloudError(400, "BadClock", "Time goes forward.")
    scenarios.advance(call.world, seconds)
    return Reply({"now": call.cloud.clock.now().isoformat()})


@routes.route("GET", "/ca.pem")
async def authority(call: Call) -> Reply:
    """The private authority's certificate (PEM)."""
    return Reply(text=call.cloud.ca_path.read_text(), media_type="application/x-pem-file")


@routes.route("GET", "/behaviour")
async def behaviour_shown(call: Call) -> Reply:
    """The knobs as they are."""
    return Reply({camel(k): v for k, v in dataclasses.asdict(call.world.behaviour).items()})


@routes.route("PUT", "/behaviour")
async def behaviour(call: Call) -> Reply:
    """Turn knobs: `{lro?, replicationLag? (s), throttling?, latencyMs?, drift?}`."""
    names = [field.name for field in dataclasses.fields(Behaviour)]
    body = fields(call, " ".join(map(camel, names)))
    if not re.fullmatch(r"immediate|typical|polls=\d+|seconds=\d+(\.\d+)?", str(body.get("lro", "immediate"))):
        raise CloudError(400, "BadBehaviour", "lro is immediate, typical, polls=n or seconds=s.")
    for name, value in body.items():
        kind = type(getattr(Behaviour, snake(name)))
        setattr(call.world.behaviour, snake(name), kind(value))
    return await behaviour_shown(call)


@routes.route("POST", "/faults")
async def add_fault(call: Call) -> Reply:
    """Set a fault: the fields of `sandbox.world.Fault` in camelCase; `service` may be `*`."""
    names = [field.name for field in dataclasses.fields(Fault)]
    body = fields(call, " ".join(map(camel, names)))
    if "service" not in body:
        raise CloudError(400, "BadFault", "A fault needs a service, or * for all.")
    fault = Fault(**{snake(name): value for name, value in body.items()})
    if fault.kind not in ("status", "disconnect", "slow"):
        raise CloudError(400, "BadFault", "kind is status, disconnect or slow.")
    try:
        re.compile(fault.path or "")
    except re.error as error:
        raise CloudError(400, "BadFault", f"path is no regular expression: {error}.") from error
    call.cloud.faults.append(fault)
    return Reply({"faults": len(call.cloud.faults)}, 201)


@routes.route("GET", "/faults")
async def faults(call: Call) -> Reply:
    """The faults set, with what is left of their counts."""
    rows = [{camel(k): v for k, v in dataclasses.asdict(fault).items()} for fault in call.cloud.faults]
    return Reply({"faults": rows})


@routes.route("DELETE", "/faults")
async def clear_faults(call: Call) -> Reply:
    """Remove every fault."""
    call.cloud.faults.clear()
    return Reply(status=204)


@routes.route("GET", "/requests")
async def requests(call: Call) -> Reply:
    """What arrived since number `since`, of one `service` or all, oldest first; bodies of Resource Manager's only."""
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
            "resourceCount": sum(one.listed for one in subscription.resources.values()),
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
