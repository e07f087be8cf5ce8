"""One truth: settings, registrations and roles in Bicep are those of the code."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
from pathlib import Path
from typing import Any

from azure.data.tables.aio import TableClient, TableServiceClient
from azure.keyvault.secrets.aio import SecretClient
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from sandbox import first_party
from shared import access, capabilities, permissions
from shared.settings import CLOUDS, Settings
from tests.infra import bicep

SHARED = bicep.ROOT / "shared"
ROLES: dict[str, Any] = json.loads(Path(__file__).with_name("builtin_roles.json").read_text())["roles"]
OF_THE_HOST = {
    "AzureWebJobsStorage__credential": "the Functions host reaches storage as the identity",
    "AzureWebJobsStorage__clientId": "as which identity",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "the host's own telemetry goes there too",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "the host sends it as the identity",
}
NOT_IN_AZURE = {
    "AzureWebJobsStorage": "a connection string has a key in it",
    "PARTNER_CLIENT_SECRET_NAME": "the federated credential is there in its place",
    "LOGIN_URL": "follows from AZURE_CLOUD",
    "SIGN_IN_URL": "follows from AZURE_CLOUD",
    "ARM_URL": "follows from AZURE_CLOUD",
    "GRAPH_URL": "follows from AZURE_CLOUD",
    "PARTNER_CENTER_URL": "follows from AZURE_CLOUD",
    "AZURE_PORTAL_URL": "follows from AZURE_CLOUD",
    "ALLOW_PRIVATE_WEBHOOKS": "only for a machine of one's own",
    "SINK_MESSAGES_PER_MINUTE": "only for receivers of one's own",
    "TELEMETRY": "only for a machine of one's own",
}
TABLES = "Microsoft.Storage/storageAccounts/tableServices/tables/entities/"
QUEUES = "Microsoft.Storage/storageAccounts/queueServices/queues/messages/"
VAULT = "Microsoft.KeyVault/vaults/secrets/"
CALLS = {
    "Storage Table Data Contributor": {
        "create_entity": f"{TABLES}add/action",
        "create_table_if_not_exists": f"{TABLES}write",
        "delete_entity": f"{TABLES}delete",
        "get_entity": f"{TABLES}read",
        "query_entities": f"{TABLES}read",
        "submit_transaction": f"{TABLES}write",
        "update_entity": f"{TABLES}update/action",
        "upsert_entity": f"{TABLES}write",
    },
    "Storage Queue Data Contributor": {
        "create_queue": f"{QUEUES}write",
        "get_queue_properties": f"{QUEUES}read",
        "send_message": f"{QUEUES}add/action",
    },
    "Key Vault Secrets Officer": {
        "delete_secret": f"{VAULT}delete",
        "get_secret": f"{VAULT}getSecret/action",
        "recover_deleted_secret": f"{VAULT}recover/action",
        "set_secret": f"{VAULT}setSecret/action",
    },
}
"""Role -> what shared/store/ calls -> the data action it needs. Making a table or queue is an action beside those."""
STORES = {
    "Storage Table Data Contributor": "tables.py",
    "Storage Queue Data Contributor": "queues.py",
    "Key Vault Secrets Officer": "vault.py",
}
BESIDES = {"list_properties_of_secrets": f"{VAULT}readMetadata/action"}
"""What may be called too, for the vault's own metric."""
CLIENTS = {
    "Storage Table Data Contributor": (TableServiceClient, TableClient),
    "Storage Queue Data Contributor": (QueueServiceClient, QueueClient),
    "Key Vault Secrets Officer": (SecretClient,),
}
HOST = {
    "Storage Blob Data Owner": "the Functions host's leases, and the deployed packages",
    "Monitoring Metrics Publisher": "telemetry",
}


def settings_of_code() -> set[str]:
    return {field.alias or name.upper() for name, field in Settings.model_fields.items()}


def settings_of_bicep() -> set[str]:
    (row,) = (row for row in bicep.resources() if row.name == "settings")
    return set(row.config["properties"])


def test_the_function_app_has_every_setting_of_the_code_and_no_other() -> None:
    assert settings_of_bicep() - settings_of_code() <= set(OF_THE_HOST)
    assert settings_of_code() - settings_of_bicep() <= set(NOT_IN_AZURE)
    assert set(NOT_IN_AZURE) & settings_of_bicep() == set()
    assert set(OF_THE_HOST) <= settings_of_bicep()
    # docs/telemetry.md says why.
    page = (bicep.ROOT / "docs" / "telemetry.md").read_text()
    for name in ("PYTHON_ENABLE_OPENTELEMETRY", "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY"):
        assert f"| `{name}` | must not be set |" in page
        assert name not in settings_of_bicep()


def test_the_templates_know_the_clouds_of_the_code() -> None:
    clouds = json.loads((bicep.FOLDER / "clouds.json").read_text())
    assert set(clouds) == set(CLOUDS)
    for name, cloud in clouds.items():
        assert cloud == {key: CLOUDS[name][key] for key in cloud}
        assert set(cloud) == {"login", "graph", "federation"}
    for path in bicep.FILES:
        assert not re.search(r"loginEndpoint|login\.microsoft|graph\.microsoft|AzureADTokenExchange", bicep.code(path))


def test_what_bicep_leaves_at_its_default_has_the_default_of_the_code() -> None:
    parameters = bicep.parsed(bicep.FOLDER / "main.bicep")["parameters"]
    described = {name: row["decorators"][0]["argument"] for name, row in parameters.items()}
    named = {name: re.match(r"([A-Z_]+): ", str(text)) for name, text in described.items()}
    given = {found[1].lower(): parameters[name]["default"] for name, found in named.items() if found}
    assert len(given) == 5
    assert given == {name: Settings.model_fields[name].default for name in given}


def test_the_registrations_have_the_app_roles_and_the_scope_of_the_code() -> None:
    document = json.loads((bicep.FOLDER / "registrations.json").read_text())
    assert [role["value"] for role in document["appRoles"]] == [*access.INCLUDES, access.ADMIN]
    assert len({role["id"] for role in document["appRoles"]} | {document["scope"]["id"]}) == len(access.INCLUDES) + 2
    assert all(role["allowedMemberTypes"] == ["User", "Application"] for role in document["appRoles"])
    portal_config = (bicep.ROOT / "functions" / "service.py").read_text()
    assert f'/{document["scope"]["value"]}"' in portal_config


def test_the_multi_tenant_registration_asks_for_the_permissions_of_the_code() -> None:
    document = json.loads((bicep.FOLDER / "registrations.json").read_text())
    asked = {
        (row["resourceAppId"], one["type"], one["id"])
        for row in document["requiredResourceAccess"]
        for one in row["resourceAccess"]
    }
    needed = set()
    for permission in permissions.ALL:
        app_id = permissions.APIS[permission.api][0]
        of_api = first_party.APPLICATIONS[app_id]
        table = of_api.scopes if permission.type == "delegated" else of_api.roles
        needed.add((app_id, "Scope" if permission.type == "delegated" else "Role", table[permission.name]))
    assert asked == needed


def called(path: Path, names: set[str]) -> set[str]:
    """Which of some methods a file calls."""
    found = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    return found & names


def test_the_identity_holds_the_roles_that_the_code_and_the_host_need_and_no_other() -> None:
    variables = bicep.parsed(bicep.FOLDER / "modules" / "roles.bicep")["variables"]
    given = {name.strip("'"): role for row in variables.values() for name, role in row["value"].items()}
    assert set(given) == set(CALLS) | set(HOST)
    assert given == {name: ROLES[name]["id"] for name in given}
    for role, calls in CALLS.items():
        assert called(SHARED / "store" / STORES[role], set(calls)) == set(calls), "a right that nothing needs"
        patterns = ROLES[role]["dataActions"]
        lacking = {action for action in calls.values() if not any(fnmatch.fnmatch(action, one) for one in patterns)}
        assert lacking == set()


def test_no_client_of_storage_or_vault_is_called_otherwise() -> None:
    """Every method of the SDKs' clients that shared/store/ calls is in the table above, or asks for nothing."""
    harmless = {"close", "from_connection_string", "get_queue_client", "get_table_client"}
    for role, sdk in CLIENTS.items():
        methods = {name for client in sdk for name in dir(client) if not name.startswith("_")}
        assert called(SHARED / "store" / STORES[role], methods) - harmless <= {*CALLS[role], *BESIDES}


def test_roles_are_given_in_one_file_only() -> None:
    giving = {row.path.name for row in bicep.resources() if row.type.startswith("Microsoft.Authorization/")}
    assert giving == {"roles.bicep"}


def covered(role: str) -> set[str]:
    """The permissions of Tenantry's actions that a built-in role gives."""
    needed = {action for actions in capabilities.rights().values() for action in actions}
    patterns = [pattern.lower() for pattern in ROLES[role]["actions"]]
    return {action for action in needed if any(fnmatch.fnmatch(action.lower(), pattern) for pattern in patterns)}


def test_clients_delegate_built_in_roles_each_of_which_is_good_for_something() -> None:
    document = json.loads((bicep.FOLDER / "client" / "roles.json").read_text())
    assert [row["name"] for row in document["always"]] == ["Reader"]
    for row in (*document["always"], *document["onDemand"]):
        assert row == {"name": row["name"], "id": ROLES[row["name"]]["id"]}
        # Lighthouse delegates no role with data actions, and no Owner.
        assert "dataActions" not in ROLES[row["name"]]
    for row in document["onDemand"]:
        assert covered(row["name"]), row["name"]
    act_on = bicep.parsed(bicep.FOLDER / "client" / "main.bicep")["parameters"]["actOn"]
    assert act_on["default"] == ["Virtual Machine Contributor"]
    (allowed,) = (row["argument"] for row in act_on["decorators"] if row["type"] == "allowed")
    assert allowed == [row["name"] for row in document["onDemand"]]
