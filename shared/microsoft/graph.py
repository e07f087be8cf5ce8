"""Microsoft Graph of one tenant, through msgraph-sdk: its organization, enterprise applications and partner relations.

The SDK is imported when first used: it is large, and most functions never need it. Retries are left to who calls.
Sources: learn.microsoft.com/graph/api/resources/serviceprincipal, …/oauth2permissiongrant, …/approleassignment,
…/delegatedadminrelationships-api-overview.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from azure.core.credentials_async import AsyncTokenCredential

from shared.errors import AccessDenied, MicrosoftError, Throttled
from shared.microsoft.http_errors import asks_to_wait, no_answer, patiently, retry_after
from shared.settings import Settings

if TYPE_CHECKING:
    from kiota_abstractions.api_error import APIError
    from msgraph.graph_service_client import GraphServiceClient

T = TypeVar("T")
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
        answer = await call(self.client.organization.get)
        rows = answer.value or [] if answer else []
        if not rows:
            raise MicrosoftError("Microsoft Graph names no organization.", status=200)
        row = rows[0]
        domains = row.verified_domains or []
        return Organization(
            id=str(row.id),
            name=row.display_name or str(row.id),
            default_domain=next((d.name for d in domains if d.is_default and d.name), ""),
            initial_domain=next((d.name for d in domains if d.is_initial and d.name), ""),
            partner_type=row.partner_tenant_type.value if row.partner_tenant_type else None,
        )

    async def principal(self, app_id: str) -> Principal | None:
        """The service principal of an application, or None when there is none (or none visible yet)."""
        row = None
        with suppress_missing():
            row = await call(lambda: self.client.service_principals_with_app_id(app_id).get())
        if row is None:
            return None
        return Principal(str(row.id), {role.value: str(role.id) for role in row.app_roles or [] if role.value})

    async def create_principal(self, app_id: str) -> str | None:
        """Make the service principal of an application; gives its object id, None when there is one already."""
        from msgraph.generated.models.service_principal import ServicePrincipal

        made = None
        with suppress_existing():
            made = await call(lambda: self.client.service_principals.post(ServicePrincipal(app_id=app_id)))
        return str(made.id) if made else None

    async def delete_principal(self, object_id: str) -> None:
        """Delete a service principal with all it holds; gone already is success."""
        with suppress_missing():
            await call(lambda: self.client.service_principals.by_service_principal_id(object_id).delete())

    async def grants(self, principal_id: str) -> list[Grant]:
        """What a client was granted for everyone."""
        builder = self.client.service_principals.by_service_principal_id(principal_id).oauth2_permission_grants
        rows = await pages(builder)
        return [
            Grant(str(row.id), str(row.resource_id), frozenset((row.scope or "").split()))
            for row in rows
            if row.consent_type == EVERYONE
        ]

    async def add_grant(self, principal_id: str, resource_id: str, names: frozenset[str]) -> bool:
        """Grant delegated permissions for everyone. False when there is a grant for that resource already."""
        from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant

        grant = OAuth2PermissionGrant(
            client_id=principal_id, consent_type=EVERYONE, resource_id=resource_id, scope=" ".join(sorted(names))
        )
        made = None
        with suppress_existing():
            made = await call(lambda: self.client.oauth2_permission_grants.post(grant))
        return made is not None

    async def change_grant(self, grant_id: str, names: frozenset[str]) -> None:
        """Replace the permissions of a grant."""
        from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant

        builder = self.client.oauth2_permission_grants.by_o_auth2_permission_grant_id(grant_id)
        await call(lambda: builder.patch(OAuth2PermissionGrant(scope=" ".join(sorted(names)))))

    async def role_assignments(self, principal_id: str) -> list[RoleAssignment]:
        """The application permissions that a service principal holds."""
        builder = self.client.service_principals.by_service_principal_id(principal_id).app_role_assignments
        return [RoleAssignment(str(row.id), str(row.resource_id), str(row.app_role_id)) for row in await pages(builder)]

    async def assign_role(self, principal_id: str, resource_id: str, role_id: str) -> None:
        """Give a service principal an application permission; held already is success."""
        from msgraph.generated.models.app_role_assignment import AppRoleAssignment

        row = AppRoleAssignment(
            principal_id=UUID(principal_id), resource_id=UUID(resource_id), app_role_id=UUID(role_id)
        )
        with suppress_existing():
            await call(
                lambda: self.client.service_principals.by_service_principal_id(resource_id).app_role_assigned_to.post(
                    row
                )
            )

    async def withdraw_role(self, principal_id: str, assignment_id: str) -> None:
        """Take an application permission back; gone already is success."""
        roles = self.client.service_principals.by_service_principal_id(principal_id).app_role_assignments
        with suppress_missing():
            await call(lambda: roles.by_app_role_assignment_id(assignment_id).delete())

    async def contracts(self) -> list[Contract]:
        """The partner's customers by contract; names and domains are copies of when the contract began."""
        return [
            Contract(str(row.customer_id).lower(), row.contract_type or "", row.default_domain_name or "")
            for row in await pages(self.client.contracts)
        ]

    async def relationships(self, customer_id: str | None = None) -> list[Relationship]:
        """GDAP relationships of any status, of every customer or of one, newest first."""
        rows = await pages(self.client.tenant_relationships.delegated_admin_relationships)
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
                id=str(row.id),
                group_id=str(row.access_container.access_container_id if row.access_container else ""),
                status=row.status.value if row.status else "",
                roles=_roles(row.access_details),
            )
            for row in await pages(builder)
        ]

    async def group_id(self, name: str) -> str | None:
        """Object id of the group of that display name; None when there is none."""
        from kiota_abstractions.base_request_configuration import RequestConfiguration
        from msgraph.generated.groups.groups_request_builder import GroupsRequestBuilder

        quoted = name.replace("'", "''")
        query = GroupsRequestBuilder.GroupsRequestBuilderGetQueryParameters(
            filter=f"displayName eq '{quoted}'", select=["id", "displayName"]
        )
        answer = await call(
            lambda: self.client.groups.get(request_configuration=RequestConfiguration(query_parameters=query))
        )
        return next((str(row.id) for row in (answer.value if answer else None) or []), None)

    async def my_group_ids(self) -> frozenset[str]:
        """Groups and roles of the person who signed in, nested ones too (object ids)."""
        # The SDK writes /me as a stand-in that only its own HTTP client replaces.
        url = f"{self._settings.graph_url}/v1.0/me/transitiveMemberOf"
        rows = await pages(self.client.me.transitive_member_of.with_url(url))
        return frozenset(str(row.id) for row in rows)


def _roles(details: Any) -> frozenset[str]:
    rows = (details.unified_roles if details is not None else None) or []
    return frozenset(str(role.role_definition_id) for role in rows)


def _relationship(row: Any) -> Relationship:
    return Relationship(
        id=str(row.id),
        name=row.display_name or "",
        customer_id=str(row.customer.tenant_id if row.customer else "").lower(),
        customer_name=(row.customer.display_name if row.customer else None) or "",
        status=row.status.value if row.status else "",
        roles=_roles(row.access_details),
        created_at=row.created_date_time,
        ends_at=row.end_date_time,
    )


async def pages(builder: Any) -> list[Any]:
    """Every item of a collection, page by page. `builder` is a request builder of the SDK; raises as `call` does."""
    answer = await call(builder.get)
    rows: list[Any] = []
    while answer is not None:
        rows += answer.value or []
        if not answer.odata_next_link:
            break
        following = builder.with_url(answer.odata_next_link)
        answer = await call(following.get)
    return rows


async def call(request: Callable[[], Awaitable[T]]) -> T:
    """Send a request of the SDK; raises Throttled, AccessDenied or MicrosoftError in place of the SDK's errors."""
    from kiota_abstractions.api_error import APIError

    async def once() -> T:
        try:
            return await request()
        except APIError as error:
            raise translate(error) from error
        except httpx.HTTPError as error:
            raise no_answer("Microsoft Graph") from error

    return await patiently(once)


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
