"""Azure Resource Manager: the service every other Azure provider hangs on, subscriptions, providers and /batch.

Source: https://learn.microsoft.com/rest/api/resources
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox import (
    arm_access,
    arm_authorization,
    arm_operations,
    arm_resources,
    arm_throttling,
    azure_types,
    compute,
    resource_graph,
    resource_health,
    scale_sets,
    tokens,
)
from sandbox.arm_access import Principal, find_subscription, require
from sandbox.power import routes as power
from sandbox.power import table
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Cloud, Subscription

API_VERSIONS = ["2026-04-01", "2025-05-01", "2025-04-01", "2024-11-01", "2022-12-01", "2021-04-01"]
"""What providers say they support; any other version is answered as well."""
_HOSTS = [r"management\.azure\.com", r"management\.core\.windows\.net"]
_AUDIENCES = {tokens.ARM, tokens.ARM_CLASSIC}


def service(cloud: Cloud) -> Service:
    """The ARM service with all its providers: resource health, compute, resource graph, authorization."""
    built = Service(
        cloud,
        "arm",
        _HOSTS,
        authenticate=_authenticate,
        throttle=_admit,
        headers=arm_throttling.headers,
        not_found=_not_found,
        log_bodies=True,
    )
    _add_subscriptions(built)
    arm_authorization.add_routes(built)
    arm_operations.add_routes(built)
    resource_health.add_routes(built)
    compute.add_routes(built)
    scale_sets.add_routes(built)
    resource_graph.add_routes(built)
    arm_resources.add_lists(built)
    _add_providers(built)
    _add_batch(built)
    arm_resources.add_tags(built)
    power.add_routes(built)
    arm_resources.add_generic(built)
    return built


def _authenticate(call: Call) -> None:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        text = "Authentication failed. The 'Authorization' header is missing."
        raise CloudError(401, "AuthenticationFailed", text, headers={"WWW-Authenticate": "Bearer"})
    call.claims = tokens.verify(call.cloud, token.strip(), _AUDIENCES)


def _admit(call: Call) -> None:
    if not call.query.get("api-version"):
        text = "The api-version query parameter (?api-version=) is required for all requests."
        raise CloudError(400, "MissingApiVersionParameter", text)
    arm_throttling.admit(call)


def _not_found(call: Call) -> CloudError:
    parts = call.path.strip("/").split("/")
    if parts[0].lower() != "subscriptions" or len(parts) < 2:
        text = "The request did not have a subscription or a valid tenant level resource provider."
        return CloudError(404, "MissingSubscription", text)
    try:
        find_subscription(call, parts[1])
    except CloudError as refusal:
        return refusal
    return CloudError(404, "InvalidResourceType", f"The path '{call.path}' names no resource type that is known here.")


def _subscription_shape(call: Call, subscription: Subscription) -> dict[str, Any]:
    """A subscription as the caller's tenant sees it: a delegated one shows the managing tenant as `tenantId`."""
    return {
        "id": f"/subscriptions/{subscription.id}",
        "subscriptionId": subscription.id,
        "tenantId": call.claims["tid"],
        "homeTenantId": subscription.tenant_id,
        "displayName": subscription.name,
        "state": subscription.state,
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "CSP_2015-05-01",
            "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
        "managedByTenants": [{"tenantId": call.world.partner.id}] if subscription.managed_by else [],
        "tags": {},
    }


def _add_subscriptions(built: Service) -> None:
    @built.route("GET", "/subscriptions")
    async def subscriptions(call: Call) -> Reply:
        world, principal = call.world, Principal.of(call)
        home = world.tenants.get(principal.tenant_id)
        ids = list(home.subscription_ids) if home is not None else []
        if principal.tenant_id == world.partner.id:
            ids += [s.id for s in world.subscriptions.values() if s.managed_by and s.tenant_id != principal.tenant_id]
        candidates = (world.subscriptions.get(subscription_id.lower()) for subscription_id in ids)
        rows = [
            _subscription_shape(call, subscription)
            for subscription in candidates
            if subscription is not None and arm_access.roles_on(world, subscription, principal)
        ]
        return Reply({"value": rows, "count": {"type": "Total", "value": len(rows)}})

    @built.route("GET", "/subscriptions/{sub}")
    async def subscription(call: Call) -> Reply:
        found = require(call, call.params["sub"], "Microsoft.Resources/subscriptions/read")
        return Reply(_subscription_shape(call, found))

    @built.route("GET", "/subscriptions/{sub}/locations")
    async def locations(call: Call) -> Reply:
        found = require(call, call.params["sub"], "Microsoft.Resources/subscriptions/locations/read")
        rows = [
            {
                "id": f"/subscriptions/{found.id}/locations/{name}",
                "name": name,
                "type": "Region",
                "displayName": display,
                "regionalDisplayName": display,
                "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
            }
            for name, display in azure_types.REGIONS.items()
        ]
        return Reply({"value": rows})

    @built.route("GET", "/tenants")
    async def tenants(call: Call) -> Reply:
        tenant = call.world.tenants[str(call.claims["tid"])]
        row = {
            "id": f"/tenants/{tenant.id}",
            "tenantId": tenant.id,
            "displayName": tenant.name,
            "defaultDomain": tenant.default_domain,
            "domains": sorted({tenant.default_domain, tenant.initial_domain}),
            "tenantCategory": "Home",
            "tenantType": "AAD",
        }
        return Reply({"value": [row]})


def _add_providers(built: Service) -> None:
    @built.route("GET", "/subscriptions/{sub}/providers")
    async def providers(call: Call) -> Reply:
        found = require(call, call.params["sub"], "Microsoft.Resources/subscriptions/providers/read")
        known = {name.partition("/")[0] for name in _known_types()} | {"Microsoft.ResourceHealth"}
        namespaces = sorted(known)
        return Reply({"value": [_provider(call, found, namespace) for namespace in namespaces]})

    @built.route("GET", "/subscriptions/{sub}/providers/{namespace}")
    async def provider(call: Call) -> Reply:
        found = require(call, call.params["sub"], "Microsoft.Resources/subscriptions/providers/read")
        return Reply(_provider(call, found, call.params["namespace"]))

    @built.route("POST", "/subscriptions/{sub}/providers/{namespace}/register")
    async def register(call: Call) -> Reply:
        namespace = call.params["namespace"]
        found = require(call, call.params["sub"], f"{namespace}/register/action")
        resource_health.unregistered(call.world, found).discard(namespace.lower())
        return Reply(_provider(call, found, namespace))


def _known_types() -> list[str]:
    """Every resource type, as Azure spells it, each once."""
    return list(({row.type.lower(): row.type for row in azure_types.TYPES} | table.names()).values())


def _versions(type_name: str) -> list[str]:
    """The api-versions of a type, newest first: those of its actions where it is one that can be acted on."""
    row = table.load().get(type_name.lower())
    return sorted({one.version for one in row.actions.values()}, reverse=True) if row is not None else API_VERSIONS


def _provider(call: Call, subscription: Subscription, namespace: str) -> dict[str, Any]:
    types = [name for name in _known_types() if name.lower().startswith(f"{namespace.lower()}/")]
    if namespace.lower() == "microsoft.resourcehealth":
        types = ["Microsoft.ResourceHealth/availabilityStatuses", "Microsoft.ResourceHealth/events"]
    if not types:
        raise CloudError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
    proper = types[0].partition("/")[0]
    missing = namespace.lower() in resource_health.unregistered(call.world, subscription)
    return {
        "id": f"/subscriptions/{subscription.id}/providers/{proper}",
        "namespace": proper,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": "NotRegistered" if missing else "Registered",
        "resourceTypes": [
            {
                "resourceType": name.partition("/")[2],
                "locations": list(azure_types.REGIONS.values()),
                "apiVersions": _versions(name),
                "capabilities": "None",
            }
            for name in types
        ],
    }


def _add_batch(built: Service) -> None:
    @built.route("POST", "/batch")
    async def batch(call: Call) -> Reply:
        requests = call.body.get("requests")
        if not isinstance(requests, list) or not 1 <= len(requests) <= 500:
            raise CloudError(400, "InvalidBatchRequest", "A batch has from 1 to 500 requests.")
        return Reply({"responses": [await _batch_item(built, call, item) for item in requests]})


async def _batch_item(built: Service, call: Call, item: dict[str, Any]) -> dict[str, Any]:
    url = urlsplit(str(item.get("url", "")))
    inner = dataclasses.replace(
        call,
        method=str(item.get("httpMethod", "GET")).upper(),
        path=unquote(url.path),
        params={},
        query={key.lower(): value for key, value in parse_qsl(url.query, keep_blank_values=True)},
        raw_body=json.dumps(item["content"]).encode() if item.get("content") else b"",
    )
    try:
        reply = await built.dispatch(inner)
    except CloudError as refusal:
        reply = built.error_reply(refusal)
    content = json.loads(reply.text) if reply.text is not None else reply.json
    return {
        "name": item.get("name"),
        "httpStatusCode": reply.status,
        "headers": reply.headers,
        "content": content,
        "contentLength": len(json.dumps(content)),
    }
