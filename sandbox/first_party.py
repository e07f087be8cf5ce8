"""Microsoft's own applications as every tenant has them: ids, application permissions, delegated permissions.

The ids are the same in every tenant of the public cloud
(https://learn.microsoft.com/graph/permissions-reference); only the permissions a partner application can need are here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

GRAPH = "00000003-0000-0000-c000-000000000000"
ARM = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
PARTNER_CENTER = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"
KEY_VAULT = "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"
MICROSOFT_SERVICES_TENANT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
"""`appOwnerOrganizationId` of first-party service principals."""

GRAPH_ROLES: dict[str, str] = {
    "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    "Application.ReadWrite.All": "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    "Application.ReadWrite.OwnedBy": "18a4783c-866b-4cc7-a460-3d5e5662c884",
    "AppRoleAssignment.ReadWrite.All": "06b708a9-e830-4db3-a914-8e69da51d44f",
    "AuditLog.Read.All": "b0afded3-3588-46d8-8b3d-9842eff778da",
    "DelegatedAdminRelationship.Read.All": "f6e9e124-4586-492f-adc0-c6f96e4823fd",
    "DelegatedAdminRelationship.ReadWrite.All": "cc13eba4-8cd8-44c6-b4d4-f93237adce58",
    "DelegatedPermissionGrant.ReadWrite.All": "8e8e4742-1d95-4f68-9d56-6ee75648c72a",
    "DeviceManagementManagedDevices.Read.All": "2f51be20-0bb4-4fed-bf7b-db946066c75e",
    "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    "Directory.ReadWrite.All": "19dbc75e-c2e2-444c-a770-ec69d8559fc7",
    "Group.Read.All": "5b567255-7703-4780-807c-7be8301ae99b",
    "Group.ReadWrite.All": "62a82d76-70ea-41e2-9197-370581804d09",
    "GroupMember.Read.All": "98830695-27a2-44f7-8c18-0c3ebc9698f6",
    "GroupMember.ReadWrite.All": "dbaae8cf-10b5-4b86-a4a1-f871c94c6695",
    "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
    "RoleManagement.Read.Directory": "483bed4a-2ad3-4361-a73b-c83ccdbdc53c",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "User.ReadWrite.All": "741f803b-c850-494e-b5df-cde7c675a1ca",
    "UserAuthenticationMethod.ReadWrite.All": "50483e42-d915-4231-9639-7fdb7fd190e5",
}
"""Application permissions of Microsoft Graph: value -> appRole id."""

GRAPH_SCOPES: dict[str, str] = {
    "Application.Read.All": "c79f8feb-a9db-4090-85f9-90d820caa0eb",
    "Application.ReadWrite.All": "bdfbf15f-ee85-4955-8675-146e8e5296b5",
    "AppRoleAssignment.ReadWrite.All": "84bccea3-f856-4a8a-967b-dbe0a3d53a64",
    "AuditLog.Read.All": "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20",
    "DelegatedAdminRelationship.Read.All": "0c0064ea-477b-4130-82a5-4c2cc4ff68aa",
    "DelegatedAdminRelationship.ReadWrite.All": "885f682f-a990-4bad-a642-36736a74b0c7",
    "DelegatedPermissionGrant.ReadWrite.All": "41ce6ca6-6826-4807-84f1-1c82854f7ee5",
    "DeviceManagementManagedDevices.Read.All": "314874da-47d6-4978-88dc-cf0d37f0bb82",
    "Directory.AccessAsUser.All": "0e263e50-5827-48a4-b97c-d940288653c7",
    "Directory.Read.All": "06da0dbc-49e2-44d2-8312-53f166ab848a",
    "Directory.ReadWrite.All": "c5366453-9fb0-48a5-a156-24f0c49a4b84",
    "Group.Read.All": "5f8c59db-677d-491f-a6b8-5f174b11ec1d",
    "Group.ReadWrite.All": "4e46008b-f24c-477d-8fff-7bb4ec7aafe0",
    "GroupMember.Read.All": "bc024368-1153-4739-b217-4326f2e966d0",
    "GroupMember.ReadWrite.All": "f81125ac-d3b7-4573-a3b2-7099cc39df9e",
    "Organization.Read.All": "4908d5b9-3fb2-4b1e-9336-1888b7937185",
    "RoleManagement.Read.Directory": "741c54c3-0c1e-44a1-818b-3f97ab4e8c83",
    "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
    "User.Read.All": "a154be20-db9c-4678-8ab7-66f6cc099a59",
    "User.ReadWrite.All": "204e0828-b5ca-4ad8-b9f3-f32a958e7cc4",
    "UserAuthenticationMethod.ReadWrite.All": "b7887744-6746-4312-813d-72daeaee7e2d",
    "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
    "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
    "openid": "37f7f235-527c-4136-accd-4a02d197296e",
    "profile": "14dad69e-099b-42c9-810b-d002981feec1",
}
"""Delegated permissions of Microsoft Graph: value -> permissionScope id."""


@dataclass(frozen=True)
class FirstParty:
    """One of Microsoft's resource applications. `roles` and `scopes`: permission value -> id."""

    app_id: str
    display_name: str
    names: tuple[str, ...]
    """servicePrincipalNames beside the application id."""
    roles: dict[str, str]
    scopes: dict[str, str]


APPLICATIONS: dict[str, FirstParty] = {
    row.app_id: row
    for row in (
        FirstParty(GRAPH, "Microsoft Graph", ("https://graph.microsoft.com",), GRAPH_ROLES, GRAPH_SCOPES),
        FirstParty(
            ARM,
            "Windows Azure Service Management API",
            ("https://management.azure.com/", "https://management.core.windows.net/"),
            {},
            {"user_impersonation": "41094075-9dad-400e-a0bd-54e686782033"},
        ),
        FirstParty(
            PARTNER_CENTER,
            "Microsoft Partner Center",
            ("https://api.partnercenter.microsoft.com",),
            {},
            {"user_impersonation": "1cebfa2a-fb4d-419e-b5f9-839b4383e05a"},
        ),
        FirstParty(
            KEY_VAULT,
            "Azure Key Vault",
            ("https://vault.azure.net",),
            {},
            {"user_impersonation": "f53da476-18e3-4152-8e01-aec403e6edc0"},
        ),
    )
}
"""By application id."""


def app_role(value: str, role_id: str) -> dict[str, Any]:
    """An application permission in Graph's shape (complex type `appRole`)."""
    return {
        "allowedMemberTypes": ["Application"],
        "description": value,
        "displayName": value,
        "id": role_id,
        "isEnabled": True,
        "origin": "Application",
        "value": value,
    }


def permission_scope(value: str, scope_id: str) -> dict[str, Any]:
    """A delegated permission in Graph's shape (complex type `permissionScope`)."""
    return {
        "adminConsentDescription": value,
        "adminConsentDisplayName": value,
        "id": scope_id,
        "isEnabled": True,
        "type": "Admin",
        "userConsentDescription": value,
        "userConsentDisplayName": value,
        "value": value,
    }
