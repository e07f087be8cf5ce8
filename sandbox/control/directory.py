"""People, tokens, applications, tenants and their relationship with the partner."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sandbox import cast, entra, tokens
from sandbox.control.routes import Routes, fields, snake
from sandbox.grants import refresh_tokens
from sandbox.wire import Call, CloudError, Reply
from sandbox.world import GdapRelationship, Person, Tenant, World

routes = Routes()


@routes.route("POST", "/tokens")
async def token(call: Call) -> Reply:
    """A token for Tenantry's API as sign-in would give: `{person}` or `{application}`.

    `lifetimeSeconds` (negative: expired), `roles` and `audience` make tokens that the API must refuse.
    """
    body = fields(call, "person application lifetimeSeconds roles audience")
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


@routes.route("POST", "/people/{name}/revoke")
async def revoke(call: Call) -> Reply:
    """Revoke a person's refresh tokens, as a password change does."""
    person = _person(call, call.params["name"])
    person.revoked_at = call.cloud.clock.now()
    dead = sum(1 for row in refresh_tokens(call.cloud).values() if row.person == person.name)
    return Reply({"revoked": dead})


@routes.route("PUT", "/people/{name}")
async def people(call: Call) -> Reply:
    """Change a person: `{mfa?, apiRoles?, refusedWith? (AADSTS number), groups?, directoryRoles?}`."""
    body = fields(call, "mfa apiRoles refusedWith groups directoryRoles")
    person = _person(call, call.params["name"])
    if body.get("refusedWith") not in (None, *entra.REFUSALS):
        raise CloudError(400, "BadRefusal", f"refusedWith is null or one of {', '.join(map(str, entra.REFUSALS))}.")
    for name, value in body.items():
        setattr(person, snake(name), set(value) if name in ("groups", "directoryRoles") else value)
    return Reply({"name": person.name})


@routes.route("PUT", "/applications/{name}")
async def applications(call: Call) -> Reply:
    """Change a registration: `{redirectUris?, secret?}`."""
    body = fields(call, "redirectUris secret")
    app = call.world.applications.get(call.params["name"])
    if app is None:
        raise CloudError(404, "UnknownApplication", f"No application '{call.params['name']}'.")
    app.redirect_uris = body.get("redirectUris", app.redirect_uris)
    if "secret" in body:
        app.secrets = {next(iter(app.secrets), "secret"): body["secret"]}
    return Reply({"clientId": app.app_id})


@routes.route("POST", "/tenants")
async def add_tenant(call: Call) -> Reply:
    """Make a customer: `{name, domain, relationship?}`; a reseller one with a GDAP relationship as good as any. 201."""
    body = fields(call, "name domain relationship")
    relationship = body.get("relationship", "reseller")
    if relationship == "reseller":
        tenant = cast.add_customer(call.world, body["name"], body["domain"], age_days=0)
    else:
        tenant = cast.add_tenant(call.world, body["name"], body["domain"], relationship)
    return Reply({"tenantId": tenant.id, "name": tenant.name}, 201)


@routes.route("PUT", "/tenants/{id}")
async def tenants(call: Call) -> Reply:
    """Change a tenant: `{relationship?, premium?, consent?: false}`; the last withdraws all of Tenantry's grants."""
    body = fields(call, "relationship consent premium")
    tenant = call.world.tenants.get(call.params["id"].lower())
    if tenant is None:
        raise CloudError(404, "TenantNotFound", f"No tenant '{call.params['id']}'.")
    tenant.relationship_to_partner = body.get("relationship", tenant.relationship_to_partner)
    tenant.premium = body.get("premium", tenant.premium)
    if body.get("consent") is False:
        _withdraw_consent(call.world, tenant)
    return Reply({"tenantId": tenant.id})


@routes.route("PUT", "/relationships/{id}")
async def relationships(call: Call) -> Reply:
    """Change a GDAP relationship: `{status?, roles?, group?: bool}`."""
    body = fields(call, "status group roles")
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
