"""Partner Center: a partner's customers, and consent on their behalf to a control panel vendor's application.

Sources: https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis,
…/get-a-list-of-customers, …/error-codes; the text and code of the missing second factor: issue 59 of
github.com/microsoft/Partner-Center-DotNet-Samples.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

from sandbox import directory, throttling, tokens
from sandbox.first_party import PARTNER_CENTER
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Cloud, Grant, Person, ServicePrincipal, Tenant, World

AUDIENCES = {"https://api.partnercenter.microsoft.com", PARTNER_CENTER}
BYTE_ORDER_MARK = "\ufeff"
DEFAULT_SIZE, MAXIMUM_SIZE = 100, 500
REQUESTS_PER_SECOND = 50
_STATE = "partnerCenter"


def state(world: World) -> dict[str, Any]:
    """This service's own state: `bom` (answers start with a byte order mark, as the real ones do), `replies`."""
    found: dict[str, Any] = world.extra.setdefault(_STATE, {"bom": True, "replies": {}})
    return found


def refuse(status: int, code: str, description: str, **headers: str) -> CloudError:
    """A refusal in Partner Center's words."""
    return CloudError(status, code, description, headers=headers)


def shape(error: CloudError) -> Any:
    """Partner Center's error body: {code, description, data, source}."""
    return {
        "code": error.code,
        "description": error.message,
        "data": [],
        "source": "PartnerApiServiceCore",
        **error.extra,
    }


def authenticate(call: Call) -> None:
    """Check the token: of the partner's tenant, and of someone who used a second factor when it is a person's.

    Raises CloudError 401, with "MFA required" for a person who did not, 403 for other tenants and people who are not
    admin agents.
    """
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise refuse(401, "10001", "Authentication failed. The request has no bearer token.")
    try:
        call.claims = tokens.verify(call.cloud, token.strip(), AUDIENCES)
    except CloudError as error:
        raise refuse(401, "10001", f"Authentication failed. {error.message}") from error
    world = call.world
    if call.claims["tid"] != world.partner.id:
        raise refuse(403, "2003", "Access denied: the caller does not belong to a partner.")
    if call.claims.get("idtyp") == "app":
        return
    if "mfa" not in call.claims.get("amr", ()):
        raise refuse(401, "10001", "Authentication failed. MFA required.")
    person = _person(call)
    if person is None or world.partner.admin_agents_group not in person.groups:
        raise refuse(403, "2003", "Access denied: the caller is not an admin agent of the partner.")


def throttle(call: Call) -> None:
    """50 requests a second for an application. Raises CloudError 429 with Retry-After."""
    if not call.world.behaviour.throttling:
        return
    key = f"partnerCenter/{call.claims.get('appid', '')}"
    wait = throttling.take(call.world, key, REQUESTS_PER_SECOND, REQUESTS_PER_SECOND)
    if wait is not None:
        message = f"Rate limit is exceeded. Try again in {wait} seconds."
        raise CloudError(
            429,
            "429",
            message,
            headers={"Retry-After": str(wait)},
            body={"statusCode": 429, "message": message},
        )


def _person(call: Call) -> Person | None:
    return next((p for p in call.world.people.values() if p.object_id == call.claims.get("oid")), None)


def _answer(call: Call, body: Any, status: int = 200) -> Reply:
    mark = BYTE_ORDER_MARK if state(call.world)["bom"] else ""
    return Reply(status=status, text=mark + json.dumps(body, separators=(",", ":")))


def _customer(call: Call) -> Tenant:
    wanted = call.params["customer"].lower()
    if not directory.is_guid(wanted):
        raise refuse(400, "2000", f"The customer ID '{wanted}' is not a GUID.")
    tenant = call.world.tenants.get(wanted)
    if tenant is None or tenant.relationship_to_partner == "none":
        raise refuse(
            403,
            "20002",
            f"The partner ID {call.world.partner.id} has no commerce relationship with the customer ID {wanted}.",
        )
    return tenant


def shape_customer(tenant: Tenant, *, whole: bool = False) -> dict[str, Any]:
    """A customer resource; `whole` adds what only GET by id shows."""
    item: dict[str, Any] = {
        "id": tenant.id,
        "commerceId": tenant.id,
        "companyProfile": {
            "tenantId": tenant.id,
            "domain": tenant.initial_domain,
            "companyName": tenant.name,
            "links": {"self": {"uri": f"/customers/{tenant.id}/profiles/company", "method": "GET", "headers": []}},
            "attributes": {"objectType": "CustomerCompanyProfile"},
        },
        "relationshipToPartner": tenant.relationship_to_partner,
        "links": {"self": {"uri": f"/customers/{tenant.id}", "method": "GET", "headers": []}},
        "attributes": {"objectType": "Customer"},
    }
    return item | ({"allowDelegatedAccess": False} if whole else {})


def _chosen(customers: list[Tenant], filter_text: str | None) -> list[Tenant]:
    """Customers under a `filter` query: {"Field": "CompanyName"|"Domain", "Value", "Operator": "starts_with"}."""
    if not filter_text:
        return customers
    try:
        rule = {key.lower(): str(value).lower() for key, value in json.loads(filter_text).items()}
        field, value, operator = rule["field"], rule["value"], rule["operator"]
    except (ValueError, KeyError, AttributeError) as error:
        raise refuse(400, "2000", "The filter is not valid.") from error
    if field not in ("companyname", "domain") or operator != "starts_with":
        raise refuse(400, "2000", "The filter is not valid.")
    return [
        tenant
        for tenant in customers
        if (tenant.name if field == "companyname" else tenant.initial_domain).lower().startswith(value)
    ]


async def list_customers(call: Call) -> Reply:
    """GET /v1/customers?size=: a page; the next one needs links.next.uri and the headers named beside it.

    The continuation is by position in name order. Raises CloudError 400 for a bad size or token.
    """
    text = call.query.get("size", str(DEFAULT_SIZE))
    if not text.isdigit() or int(text) < 1:
        raise refuse(400, "2000", "The size is not valid.")
    size = min(int(text), MAXIMUM_SIZE)
    customers = _chosen(call.world.customers(), call.query.get("filter"))
    start = 0
    if call.query.get("seekoperation", "").lower() == "next":
        try:
            start = max(
                0, int(base64.urlsafe_b64decode(call.headers.get("ms-continuationtoken", "").encode()).decode())
            )
        except ValueError as error:
            raise refuse(400, "2000", "The continuation token is missing or not valid.") from error
    asked = {"size": text, **({"filter": call.query["filter"]} if "filter" in call.query else {})}
    links: dict[str, Any] = {"self": {"uri": f"/customers?{urlencode(asked)}", "method": "GET", "headers": []}}
    if start + size < len(customers):
        token = base64.urlsafe_b64encode(str(start + size).encode()).decode()
        links["next"] = {
            "uri": f"/customers?{urlencode(asked | {'seekOperation': 'Next'})}",
            "method": "GET",
            "headers": [{"key": "MS-ContinuationToken", "value": token}],
        }
    body = {
        "totalCount": len(customers),
        "items": [shape_customer(tenant) for tenant in customers[start : start + size]],
        "links": links,
        "attributes": {"objectType": "Collection"},
    }
    return _answer(call, body)


async def get_customer(call: Call) -> Reply:
    """GET /v1/customers/{id}."""
    return _answer(call, shape_customer(_customer(call), whole=True))


def _consenting_customer(call: Call) -> Tenant:
    """The customer whose directory the caller may consent in.

    Raises CloudError 401 for an application's own token, 403 for the partner's own tenant, a customer that is not a
    reseller's, and a person whose delegated roles there do not allow consent.
    """
    if call.claims.get("idtyp") == "app":
        raise refuse(401, "10001", "Authentication failed. This call needs an app+user token.")
    if call.params["customer"].lower() == call.world.partner.id:
        raise refuse(403, "2003", "Access denied: consent to the partner's own tenant is not given here.")
    tenant, person = _customer(call), _person(call)
    if tenant.relationship_to_partner != "reseller":
        raise refuse(
            403,
            "20002",
            f"The partner ID {call.world.partner.id} has no commerce relationship with the customer ID {tenant.id}.",
        )
    if person is None or not directory.delegated_roles(call.world, person, tenant) & directory.CONSENT_ROLES:
        raise refuse(
            403, "2003", "Access denied: the caller has no role in the customer's directory that allows consent."
        )
    return tenant


def _parse_consent(call: Call) -> tuple[str, str | None, list[tuple[str, list[str]]]]:
    """(applicationId, displayName, [(enterpriseApplicationId, scopes)]). Raises CloudError 400."""
    try:
        body = call.body
    except CloudError as error:
        raise refuse(400, "2000", "The request body is not valid JSON.") from error
    keys = {key.lower(): value for key, value in body.items()} if isinstance(body, dict) else {}
    app_id, grants, name = keys.get("applicationid"), keys.get("applicationgrants"), keys.get("displayname")
    if not directory.is_guid(app_id) or not isinstance(grants, list) or not grants:
        raise refuse(400, "2000", "applicationId and applicationGrants are required.")
    parsed: list[tuple[str, list[str]]] = []
    for grant in grants:
        row = {key.lower(): value for key, value in grant.items()} if isinstance(grant, dict) else {}
        resource, scope = row.get("enterpriseapplicationid"), row.get("scope")
        if not isinstance(resource, str) or not isinstance(scope, str) or not scope.strip():
            raise refuse(400, "2000", "enterpriseApplicationId and scope are required in every applicationGrant.")
        parsed.append((resource.lower(), [part.strip() for part in scope.split(",") if part.strip()]))
    return str(app_id).lower(), name if isinstance(name, str) else None, parsed


def _resource(tenant: Tenant, app_id: str, scopes: list[str]) -> ServicePrincipal:
    resource = tenant.sp_of(app_id)
    if resource is None:
        raise refuse(400, "2000", f"The enterprise application {app_id} was not found in the customer's directory.")
    known = {name.lower() for name in directory.scope_names(resource)}
    for scope in scopes:
        if scope.lower() not in known:
            raise refuse(400, "2000", f"The scope '{scope}' is not a delegated permission of {app_id}.")
    return resource


async def create_consent(call: Call) -> Reply:
    """POST /v1/customers/{id}/applicationconsents: 201; makes the service principal and the delegated grants.

    `scope` is comma separated, delegated permissions only. A repeat with the same MS-RequestId gives the first answer
    again. Raises CloudError 409 "Permission entry already exists." when a grant is there (nothing changes then), 400,
    401, 403.
    """
    tenant = _consenting_customer(call)
    request_id = call.headers.get("ms-requestid")
    replies: dict[str, Any] = state(call.world)["replies"]
    key = f"{tenant.id}/{request_id}/{call.raw_body.decode(errors='replace')}"
    if request_id and key in replies:
        return _answer(call, replies[key], 201)
    app_id, name, wanted = _parse_consent(call)
    resources = [(_resource(tenant, resource, scopes), scopes) for resource, scopes in wanted]
    client = tenant.sp_of(app_id)
    if client is not None:
        held = {(g.client_id, g.resource_id) for g in tenant.grants.values()}
        if any((client.id, resource.id) in held for resource, _ in resources):
            raise refuse(409, "Request_MultipleObjectsWithSameKeyValue", "Permission entry already exists.")
    else:
        try:
            client = directory.create_principal(call.cloud, tenant, app_id, display_name=name)
        except CloudError as error:
            raise refuse(400, "2000", error.message) from error
    for resource, scopes in resources:
        grant = Grant(
            directory.packed_id(client.id, resource.id), client.id, resource.id, "AllPrincipals", None, " ".join(scopes)
        )
        tenant.grants[grant.id] = grant
    body = _shape_consent(tenant, client)
    if request_id:
        replies[key] = body
    return _answer(call, body, 201)


def _shape_consent(tenant: Tenant, client: ServicePrincipal) -> dict[str, Any]:
    grants = [g for g in tenant.grants.values() if g.client_id == client.id]
    return {
        "applicationId": client.app_id,
        "displayName": client.display_name,
        "applicationGrants": [
            {
                "enterpriseApplicationId": tenant.service_principals[grant.resource_id].app_id,
                "scope": ",".join(grant.scope.split()),
            }
            for grant in grants
        ],
    }


def _consented(call: Call, tenant: Tenant) -> ServicePrincipal:
    client = tenant.sp_of(call.params["app"].lower())
    if client is None:
        raise refuse(404, "2001", f"The application consent {call.params['app']} was not found.")
    return client


async def get_consent(call: Call) -> Reply:
    """GET /v1/customers/{id}/applicationconsents/{applicationId}."""
    tenant = _consenting_customer(call)
    return _answer(call, _shape_consent(tenant, _consented(call, tenant)))


async def list_consents(call: Call) -> Reply:
    """GET /v1/customers/{id}/applicationconsents: of the calling application."""
    tenant = _consenting_customer(call)
    client = tenant.sp_of(str(call.claims.get("appid", "")))
    items = [_shape_consent(tenant, client)] if client else []
    return _answer(call, {"totalCount": len(items), "items": items, "attributes": {"objectType": "Collection"}})


async def delete_consent(call: Call) -> Reply:
    """DELETE /v1/customers/{id}/applicationconsents/{applicationId}: 204; its service principal goes too."""
    tenant = _consenting_customer(call)
    directory.delete_principal(call.cloud, tenant, _consented(call, tenant).id)
    replies: dict[str, Any] = state(call.world)["replies"]
    for key in [key for key in replies if key.startswith(f"{tenant.id}/")]:
        del replies[key]
    return Reply(status=204)


def service(cloud: Cloud) -> Service:
    """Partner Center's REST API as an ASGI application. Every route needs a token of the partner's tenant."""
    built = Service(
        cloud,
        "partnercenter",
        [r"^api\.partnercenter\.microsoft\.com$"],
        authenticate=authenticate,
        throttle=throttle,
        shape=shape,
        headers=lambda call: {
            "MS-RequestId": call.headers.get("ms-requestid", ""),
            "MS-CorrelationId": call.headers.get("ms-correlationid", ""),
        },
        not_found=lambda call: refuse(404, "2001", f"No resource answers {call.method} {call.path}."),
    )
    one = "/v1/customers/{customer}"
    built.route("GET", "/v1/customers")(list_customers)
    built.route("GET", one)(get_customer)
    built.route("GET", f"{one}/applicationconsents")(list_consents)
    built.route("POST", f"{one}/applicationconsents")(create_consent)
    built.route("GET", f"{one}/applicationconsents/{{app}}")(get_consent)
    built.route("DELETE", f"{one}/applicationconsents/{{app}}")(delete_consent)
    return built
