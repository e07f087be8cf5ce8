"""Microsoft Graph of one tenant, through msgraph-sdk: its organization, enterprise applications and partner relations.

The SDK is imported when first used: it is large, and most functions never need it. Retries are left to who calls.
Sources: learn.microsoft.com/graph/api/resources/serviceprincipal, …/oauth2permissiongrant, …/approleassignment,
…/delegatedadminrelationships-api-overview.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from azure.core.credentials_async import AsyncTokenCredential

from shared.errors import AccessDenied, MicrosoftError, Throttled
from shared.microsoft.http_errors import asks_to_wait, no_answer, patiently, retry_after
from shared.settings import Settings

if TYPE_CHECKING:
    from kiota_abstractions.api_error import APIError
    from kiota_abstractions.request_information import RequestInformation
    from msgraph.graph_service_client import GraphServiceClient

EVERYONE = "AllPrincipals"
EXISTS = ("already exists", "already in use")
"""In the text of every refusal of something that is there; status and code differ from call to call."""


@dataclass(frozen=True)
class Organization:
    """A tenant as it describes itself. `partner_type` is None when it is no partner of Microsoft."""

    id: str
    name: str
    default_domain: str
    initial_domain: str
    partner_type: str | None


@dataclass(frozen=True)
class Principal:
    """A service principal; `roles` are the application permissions it offers, value -> id."""

    id: str
    roles: dict[str, str]


@dataclass(frozen=True)
class Grant:
    """Delegated permissions of a client for everyone, on one resource (object ids)."""

    id: str
    resource_id: str
    names: frozenset[str]


@dataclass(frozen=True)
class RoleAssignment:
    """An application permission that a service principal holds."""

    id: str
    resource_id: str
    role_id: str


@dataclass(frozen=True)
class Contract:
    """A customer in the partner's directory. `type`: ResellerPartner, BreadthPartner or SyndicationPartner."""

    customer_id: str
    type: str
    default_domain: str


@dataclass(frozen=True)
class Relationship:
    """A GDAP relationship. `status` as in Graph: active, expiring, expired, terminated... Times are UTC."""

    id: str
    name: str
    customer_id: str
    customer_name: str
    status: str
    roles: frozenset[str]
    """Role template ids."""
    created_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True)
class AccessAssignment:
    """Which partner group (object id) holds which roles of a relationship; counts only while `status` is active."""

    id: str
    group_id: str
    status: str
    roles: frozenset[str]


class Graph:
    """Graph of the tenant that the credential gives tokens of.

    Every method raises NeedsConsent, Throttled (also when nobody answers), AccessDenied (401, 403) or MicrosoftError.
    """

    def __init__(self, settings: Settings, http: httpx.AsyncClient, credential: AsyncTokenCredential) -> None:
        self._settings, self._http, self._credential = settings, http, credential
        self._made: GraphServiceClient | None = None

    @property
    def client(self) -> GraphServiceClient:
        """The SDK's client, on the shared connection pool, without the SDK's retries."""
        if self._made is None:
            from kiota_authentication_azure.azure_identity_authentication_provider import (
                AzureIdentityAuthenticationProvider,
            )
            from msgraph.graph_request_adapter import GraphRequestAdapter
            from msgraph.graph_service_client import GraphServiceClient

            # The host name without its port: with it the provider would send no token, and say nothing.
            provider = AzureIdentityAuthenticationProvider(
                self._credential,
                scopes=[f"{self._settings.resources['graph']}/.default"],
                allowed_hosts=[str(urlsplit(self._settings.graph_url).hostname)],
            )
            adapter = GraphRequestAdapter(provider, client=self._http)
            adapter.base_url = f"{self._settings.graph_url}/v1.0"
            self._made = GraphServiceClient(request_adapter=adapter)
        return self._made

    async def organization(self) -> Organization:
        """The tenant itself."""
        rows = await self._pages(self.client.organization)
        if not rows:
            raise MicrosoftError("Microsoft Graph names no organization.", status=200)
        row = rows[0]
        domains = row.get("verifiedDomains") or []
        return Organization(
            id=str(row["id"]),
            name=row.get("displayName") or str(row["id"]),
            default_domain=next((d["name"] for d in domains if d.get("isDefault")), ""),
            initial_domain=next((d["name"] for d in domains if d.get("isInitial")), ""),
            partner_type=row.get("partnerTenantType"),
        )

    async def principal(self, app_id: str, *, with_roles: bool = False) -> Principal | None:
        """The service principal of an application, or None when there is none (or none visible yet).

        The roles it offers only when asked for: Graph's own list of them is long.
        """
        from kiota_abstractions.base_request_configuration import RequestConfiguration
        from msgraph.generated.service_principals_with_app_id.service_principals_with_app_id_request_builder import (
            ServicePrincipalsWithAppIdRequestBuilder as Builder,
        )

        chosen = ["id", "appRoles"] if with_roles else ["id"]
        query = Builder.ServicePrincipalsWithAppIdRequestBuilderGetQueryParameters(select=chosen)
        wanted = RequestConfiguration(query_parameters=query)
        row: dict[str, Any] = {}
        with suppress_missing():
            builder = self.client.service_principals_with_app_id(app_id)
            row = await self._send(builder.to_get_request_information(wanted))
        if not row:
            return None
        return Principal(
            str(row["id"]), {role["value"]: role["id"] for role in row.get("appRoles") or [] if role.get("value")}
        )

    async def create_principal(self, app_id: str) -> str | None:
        """Make the service principal of an application; gives its object id, None when there is one already."""
        from msgraph.generated.models.service_principal import ServicePrincipal

        made: dict[str, Any] = {}
        with suppress_existing():
            made = await self._send(
                self.client.service_principals.to_post_request_information(ServicePrincipal(app_id=app_id))
            )
        return str(made["id"]) if made else None

    async def delete_principal(self, object_id: str) -> None:
        """Delete a service principal with all it holds; gone already is success."""
        with suppress_missing():
            await self._send(self._principal(object_id).to_delete_request_information())

    async def grants(self, principal_id: str) -> list[Grant]:
        """What a client was granted for everyone."""
        return [
            Grant(row["id"], row["resourceId"], frozenset((row.get("scope") or "").split()))
            for row in await self._pages(self._principal(principal_id).oauth2_permission_grants)
            if row.get("consentType") == EVERYONE
        ]

    async def add_grant(self, principal_id: str, resource_id: str, names: frozenset[str]) -> bool:
        """Grant delegated permissions for everyone. False when there is a grant for that resource already."""
        from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant

        grant = OAuth2PermissionGrant(
            client_id=principal_id, consent_type=EVERYONE, resource_id=resource_id, scope=" ".join(sorted(names))
        )
        made: dict[str, Any] = {}
        with suppress_existing():
            made = await self._send(self.client.oauth2_permission_grants.to_post_request_information(grant))
        return bool(made)

    async def change_grant(self, grant_id: str, names: frozenset[str]) -> None:
        """Replace the permissions of a grant."""
        from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant

        builder = self.client.oauth2_permission_grants.by_o_auth2_permission_grant_id(grant_id)
        await self._send(builder.to_patch_request_information(OAuth2PermissionGrant(scope=" ".join(sorted(names)))))

    async def role_assignments(self, principal_id: str) -> list[RoleAssignment]:
        """The application permissions that a service principal holds."""
        rows = await self._pages(self._principal(principal_id).app_role_assignments)
        return [RoleAssignment(row["id"], row["resourceId"], row["appRoleId"]) for row in rows]

    async def assign_role(self, principal_id: str, resource_id: str, role_id: str) -> None:
        """Give a service principal an application permission; held already is success."""
        from msgraph.generated.models.app_role_assignment import AppRoleAssignment

        row = AppRoleAssignment(
            principal_id=UUID(principal_id), resource_id=UUID(resource_id), app_role_id=UUID(role_id)
        )
        with suppress_existing():
            await self._send(self._principal(resource_id).app_role_assigned_to.to_post_request_information(row))

    async def withdraw_role(self, principal_id: str, assignment_id: str) -> None:
        """Take an application permission back; gone already is success."""
        held = self._principal(principal_id).app_role_assignments.by_app_role_assignment_id(assignment_id)
        with suppress_missing():
            await self._send(held.to_delete_request_information())

    async def contracts(self) -> list[Contract]:
        """The partner's customers by contract; names and domains are copies of when the contract began."""
        return [
            Contract(str(row["customerId"]).lower(), row.get("contractType") or "", row.get("defaultDomainName") or "")
            for row in await self._pages(self.client.contracts)
        ]

    async def relationships(self, customer_id: str | None = None) -> list[Relationship]:
        """GDAP relationships of any status, of every customer or of one, newest first."""
        rows = await self._pages(self.client.tenant_relationships.delegated_admin_relationships)
        found = [_relationship(row) for row in rows]
        if customer_id is not None:
            found = [row for row in found if row.customer_id == customer_id.lower()]
        return sorted(found, key=lambda row: row.created_at.timestamp() if row.created_at else 0, reverse=True)

    async def access_assignments(self, relationship_id: str) -> list[AccessAssignment]:
        """The groups that a relationship was assigned to."""
        relationships = self.client.tenant_relationships.delegated_admin_relationships
        builder = relationships.by_delegated_admin_relationship_id(relationship_id).access_assignments
        return [
            AccessAssignment(
                id=row["id"],
                group_id=(row.get("accessContainer") or {}).get("accessContainerId", ""),
                status=row.get("status") or "",
                roles=_roles(row),
            )
            for row in await self._pages(builder)
        ]

    async def group_id(self, name: str) -> str | None:
        """Object id of the group of that display name; None when there is none."""
        from kiota_abstractions.base_request_configuration import RequestConfiguration
        from msgraph.generated.groups.groups_request_builder import GroupsRequestBuilder

        quoted = name.replace("'", "''")
        query = GroupsRequestBuilder.GroupsRequestBuilderGetQueryParameters(
            filter=f"displayName eq '{quoted}'", select=["id", "displayName"]
        )
        wanted = RequestConfiguration(query_parameters=query)
        answer = await self._send(self.client.groups.to_get_request_information(wanted))
        return next((str(row["id"]) for row in answer.get("value") or []), None)

    async def my_group_ids(self) -> frozenset[str]:
        """Groups and roles of the person who signed in, nested ones too (object ids)."""
        # The SDK writes /users/me-token-to-replace and leaves the rest to its own HTTP client.
        url = f"{self._settings.graph_url}/v1.0/me/transitiveMemberOf"
        return frozenset(str(row["id"]) for row in await self._pages(self.client.me.transitive_member_of.with_url(url)))

    def _principal(self, object_id: str) -> Any:
        return self.client.service_principals.by_service_principal_id(object_id)

    async def _pages(self, builder: Any) -> list[dict[str, Any]]:
        """Every item of a collection that a request builder of the SDK names."""
        rows: list[dict[str, Any]] = []
        answer = await self._send(builder.to_get_request_information())
        while True:
            rows += answer.get("value") or []
            following = answer.get("@odata.nextLink")
            if not following:
                return rows
            answer = await self._send(builder.with_url(following).to_get_request_information())

    async def _send(self, request: RequestInformation) -> dict[str, Any]:
        """Send a request that the SDK prepared; the JSON of its answer, {} without one.

        The answer is not read into the SDK's models: each of their objects costs milliseconds and the first one a
        second and 30 MB, because a base class imports every type there is.
        """
        from kiota_abstractions.api_error import APIError
        from msgraph.generated.models.o_data_errors.o_data_error import ODataError

        adapter = self.client.request_adapter

        async def once() -> dict[str, Any]:
            try:
                content = await adapter.send_primitive_async(request, "bytes", {"XXX": ODataError})
            except APIError as error:
                raise translate(error) from error
            except httpx.HTTPError as error:
                raise no_answer("Microsoft Graph") from error
            read: dict[str, Any] = json.loads(content) if content else {}
            return read

        return await patiently(once)


def _roles(row: dict[str, Any]) -> frozenset[str]:
    details = row.get("accessDetails") or {}
    return frozenset(str(role["roleDefinitionId"]) for role in details.get("unifiedRoles") or [])


def _relationship(row: dict[str, Any]) -> Relationship:
    customer = row.get("customer") or {}
    return Relationship(
        id=str(row["id"]),
        name=row.get("displayName") or "",
        customer_id=str(customer.get("tenantId") or "").lower(),
        customer_name=customer.get("displayName") or "",
        status=row.get("status") or "",
        roles=_roles(row),
        created_at=_time(row.get("createdDateTime")),
        ends_at=_time(row.get("endDateTime")),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def translate(error: APIError) -> MicrosoftError:
    """Our error for one of the SDK's; `remote_code` is Graph's error code."""
    status = error.response_status_code or 0
    inner = getattr(error, "error", None)
    code, said = getattr(inner, "code", None) or "", getattr(inner, "message", None) or ""
    text = f"Microsoft Graph answered {status} {code}: {said}".rstrip(": ")
    if asks_to_wait(status):
        wait = retry_after(error.response_headers or {})
        return Throttled(text, retry_after=wait, status=status, remote_code=code)
    kind = AccessDenied if status in (401, 403) else MicrosoftError
    return kind(text, status=status, remote_code=code)


@contextmanager
def suppress_missing() -> Iterator[None]:
    """Swallows "not found"."""
    try:
        yield
    except MicrosoftError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


@contextmanager
def suppress_existing() -> Iterator[None]:
    """Swallows every way in which Graph says that something is there already."""
    try:
        yield
    except MicrosoftError as error:
        if error.status not in (400, 409) or not any(text in error.message.lower() for text in EXISTS):
            raise
