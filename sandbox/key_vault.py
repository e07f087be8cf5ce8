"""Key Vault secrets: versions, listing, soft delete, purge and recovery, behind Microsoft's challenge.

One store for each vault name; every host that is no vault's name (localhost) is the partner's vault. A deleted or
recovered secret appears `Behaviour.replication_lag` seconds later on the other side, as clients that poll expect.
Sources: https://learn.microsoft.com/rest/api/keyvault/secrets/operation-groups,
https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sandbox import throttling, tokens
from sandbox.first_party import KEY_VAULT
from sandbox.wire import Call, CloudError, Reply, Service, page
from sandbox.world import Cloud, World

AUDIENCES = {"https://vault.azure.net", KEY_VAULT}
DEFAULT_VAULT = "northwind-tenantry"
READERS = ("managed-identity", "tenantry")
"""Applications of the world that hold Key Vault Secrets Officer."""
PAGE_SIZE = 25
MAXIMUM_VALUE = 25 * 1024
MAXIMUM_TAGS = 15
RECOVERABLE_DAYS = 90
TRANSACTIONS, WINDOW = 4000.0, 10.0
"""Secret transactions of a vault in a window of seconds."""

_NAME = re.compile(r"^[0-9A-Za-z-]{1,127}$")


@dataclass
class Version:
    """One version of a secret; times are Unix seconds, UTC."""

    version: str
    value: str
    created: int
    updated: int
    content_type: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    enabled: bool = True
    expires: int | None = None
    not_before: int | None = None


@dataclass
class Secret:
    """A secret with its versions, oldest first. `deleted` None: it lives; `settled`: when the last move shows."""

    name: str
    versions: list[Version]
    settled: datetime
    deleted: datetime | None = None


Store = dict[str, Secret]


def store(world: World, vault: str = DEFAULT_VAULT) -> Store:
    """The secrets of a vault by lower-cased name. The partner's vault starts with Tenantry's client secret."""
    vaults: dict[str, Store] = world.extra.setdefault("vault", {})
    if vault not in vaults:
        vaults[vault] = {}
        application = world.applications.get("tenantry") if vault == DEFAULT_VAULT else None
        for value in list(application.secrets.values())[:1] if application else ():
            set_secret(world, vault, "tenantry-client-secret", {"value": value})
    return vaults[vault]


def set_secret(world: World, vault: str, name: str, body: dict[str, Any]) -> Version:
    """Add a version. Raises CloudError 400 BadParameter, 409 Conflict for a name that is soft-deleted."""
    value = body.get("value")
    if not isinstance(value, str):
        raise bad_parameter("The parameter value is not set.")
    if len(value.encode()) > MAXIMUM_VALUE:
        raise bad_parameter(f"The secret value exceeds the maximum size of {MAXIMUM_VALUE} bytes.")
    secrets, now = store(world, vault), world.clock.now()
    secret = secrets.get(name.lower())
    if secret is not None and secret.deleted is not None:
        raise conflict(name, being_deleted=secret.settled > now)
    stamp = int(now.timestamp())
    made = Version(uuid.uuid4().hex, value, stamp, stamp)
    _apply(made, body)
    if secret is None:
        secrets[name.lower()] = Secret(name, [made], now)
    else:
        secret.versions.append(made)
    return made


def find(world: World, vault: str, name: str, version: str | None) -> tuple[Secret, Version]:
    """A living secret and one of its versions, the latest without `version`. Raises CloudError 404 SecretNotFound."""
    secret = store(world, vault).get(name.lower())
    if secret is not None and secret.deleted is None and secret.settled <= world.clock.now():
        for row in reversed(secret.versions):
            if version is None or row.version == version.lower():
                return secret, row
    raise not_found(f"{name}/{version}" if version else name)


def find_deleted(world: World, vault: str, name: str) -> Secret:
    """A soft-deleted secret. Raises CloudError 404 SecretNotFound, also while the deletion is under way."""
    secret = store(world, vault).get(name.lower())
    if secret is None or secret.deleted is None or secret.settled > world.clock.now():
        raise CloudError(404, "SecretNotFound", f"Deleted Secret not found: {name}")
    return secret


def _move(world: World, secret: Secret, deleted: datetime | None) -> Secret:
    now = world.clock.now()
    secret.deleted = deleted
    lag = world.behaviour.replication_lag
    secret.settled = now + timedelta(seconds=lag)
    return secret


def _apply(version: Version, body: dict[str, Any]) -> None:
    attributes, tags = body.get("attributes") or {}, body.get("tags")
    if not isinstance(attributes, dict):
        raise bad_parameter("The parameter attributes is not valid.")
    for name in ("exp", "nbf"):
        if not isinstance(attributes.get(name, 0), int | None):
            raise bad_parameter(f"The parameter {name} is not valid: it must be Unix seconds.")
    if tags is not None and (not isinstance(tags, dict) or len(tags) > MAXIMUM_TAGS):
        raise bad_parameter(f"The parameter tags is not valid: at most {MAXIMUM_TAGS} name and value pairs.")
    version.enabled = bool(attributes.get("enabled", version.enabled))
    version.expires = attributes.get("exp", version.expires)
    version.not_before = attributes.get("nbf", version.not_before)
    version.content_type = body.get("contentType", version.content_type)
    version.tags = version.tags if tags is None else tags


def bad_parameter(message: str) -> CloudError:
    """Key Vault's 400."""
    return CloudError(400, "BadParameter", message)


def not_found(name: str) -> CloudError:
    """Key Vault's 404 for a secret or a version."""
    return CloudError(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may "
        "be able to recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182",
    )


def conflict(name: str, *, being_deleted: bool) -> CloudError:
    """Key Vault's 409 for a name that a soft-deleted secret still holds; the inner code tells which."""
    code = "ObjectIsDeletedButRecoverable"
    text = (
        f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; "
        "in this state, the secret can only be recovered or purged."
    )
    if being_deleted:
        code = "ObjectIsBeingDeleted"
        text = f"Secret {name} is currently being deleted and cannot be re-created; retry later."
    return CloudError(409, "Conflict", text, extra={"innererror": {"code": code}})


def vault_of(call: Call) -> str:
    """The vault that the called host stands for."""
    host = urlsplit(call.base_url).hostname or ""
    return host.removesuffix(".vault.azure.net") if host.endswith(".vault.azure.net") else DEFAULT_VAULT


def authenticate(call: Call) -> None:
    """Check the token, and challenge a caller without a good one before anything else is looked at.

    Raises CloudError 401 Unauthorized with WWW-Authenticate, 403 Forbidden for a caller without a role on the vault.
    """
    production = call.base_url.endswith(".vault.azure.net")
    login = "https://login.microsoftonline.com" if production else call.cloud.urls["login"]
    challenge = f'Bearer authorization="{login}/{call.world.partner.id}", resource="https://vault.azure.net"'
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        message = "AKV10000: Request is missing a Bearer or PoP token."
        raise CloudError(401, "Unauthorized", message, headers={"WWW-Authenticate": challenge})
    try:
        call.claims = tokens.verify(call.cloud, token.strip(), AUDIENCES)
    except CloudError as error:
        number = "AKV10022: Invalid audience." if "audience" in error.message else "AKV10001: The token is not valid."
        message = f"{number} {error.message}"
        raise CloudError(401, "Unauthorized", message, headers={"WWW-Authenticate": challenge}) from error
    if call.claims["tid"] != call.world.partner.id:
        message = (
            f"AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{call.world.partner.id}/, "
            f"found https://sts.windows.net/{call.claims['tid']}/."
        )
        raise CloudError(401, "Unauthorized", message, headers={"WWW-Authenticate": challenge})
    applications = call.world.applications
    allowed = {applications[name].app_id for name in READERS if name in applications}
    if call.claims.get("idtyp") != "app" or call.claims.get("appid") not in allowed:
        raise CloudError(
            403,
            "Forbidden",
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
            "definitions were changed recently, please observe propagation time.\r\n"
            f"Caller: appid={call.claims.get('appid')};oid={call.claims.get('oid')}\r\nAssignment: (not found)",
            extra={"innererror": {"code": "ForbiddenByRbac"}},
        )


def throttle(call: Call) -> None:
    """4,000 secret transactions in 10 seconds for a vault. Raises CloudError 429, without Retry-After."""
    if not call.query.get("api-version"):
        raise bad_parameter("The request is missing the api-version parameter.")
    if throttling.take(call.world, f"vault/{vault_of(call)}", TRANSACTIONS, TRANSACTIONS / WINDOW) is not None:
        raise CloudError(
            429,
            "Throttled",
            "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
        )


def _shape(call: Call, secret: Secret, version: Version, *, value: bool = True, latest: bool = False) -> dict[str, Any]:
    """A secret bundle or, without `value`, a secret item. `latest`: the id names no version, as in lists."""
    attributes: dict[str, Any] = {
        "enabled": version.enabled,
        "nbf": version.not_before,
        "exp": version.expires,
        "created": version.created,
        "updated": version.updated,
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": RECOVERABLE_DAYS,
    }
    tail = "" if latest else f"/{version.version}"
    item: dict[str, Any] = {
        "value": version.value if value else None,
        "id": f"{call.base_url}/secrets/{secret.name}{tail}",
        "attributes": {key: number for key, number in attributes.items() if number is not None},
        "contentType": version.content_type,
        "tags": version.tags,
    }
    if secret.deleted is not None:
        item["recoveryId"] = f"{call.base_url}/deletedsecrets/{secret.name}"
        item["deletedDate"] = int(secret.deleted.timestamp())
        item["scheduledPurgeDate"] = int((secret.deleted + timedelta(days=RECOVERABLE_DAYS)).timestamp())
    return {key: part for key, part in item.items() if part is not None}


def _name(call: Call) -> str:
    name = call.params["name"]
    if not _NAME.match(name):
        raise bad_parameter(f"The request URI contains an invalid name: {name}")
    return name


def _body(call: Call) -> dict[str, Any]:
    try:
        body = call.body
    except CloudError as error:
        raise bad_parameter("The request body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise bad_parameter("The request body must be a JSON object.")
    return body


def _page(call: Call, items: list[dict[str, Any]]) -> Reply:
    text = call.query.get("maxresults", str(PAGE_SIZE))
    if not text.isdigit() or not 1 <= int(text) <= PAGE_SIZE:
        raise bad_parameter(f"Maxresults must be between 1 and {PAGE_SIZE}.")
    chunk, next_link = page(items, call, int(text))
    return Reply({"value": chunk, "nextLink": next_link})


async def put_secret(call: Call) -> Reply:
    """PUT /secrets/{name} {value, contentType, tags, attributes}: 200 with a new version."""
    name = _name(call)
    made = set_secret(call.world, vault_of(call), name, _body(call))
    return Reply(_shape(call, store(call.world, vault_of(call))[name.lower()], made))


async def get_secret(call: Call) -> Reply:
    """GET /secrets/{name}/[{version}]: an expired secret can be read, a disabled one cannot (403 SecretDisabled)."""
    secret, version = find(call.world, vault_of(call), _name(call), call.params.get("version"))
    if not version.enabled:
        raise CloudError(
            403,
            "Forbidden",
            "Operation get is not allowed on a disabled secret.",
            extra={"innererror": {"code": "SecretDisabled"}},
        )
    return Reply(_shape(call, secret, version))


async def patch_secret(call: Call) -> Reply:
    """PATCH /secrets/{name}/{version} {attributes, contentType, tags}: 200 without the value."""
    secret, version = find(call.world, vault_of(call), _name(call), call.params.get("version"))
    _apply(version, _body(call))
    version.updated = int(call.world.clock.now().timestamp())
    return Reply(_shape(call, secret, version, value=False))


async def delete_secret(call: Call) -> Reply:
    """DELETE /secrets/{name}: 200; recoverable until purged."""
    name = _name(call)
    secret, version = find(call.world, vault_of(call), name, None)
    _move(call.world, secret, call.world.clock.now())
    return Reply(_shape(call, secret, version, value=False))


async def list_secrets(call: Call) -> Reply:
    """GET /secrets: items without values, at most 25 a page."""
    now = call.world.clock.now()
    rows = [s for s in store(call.world, vault_of(call)).values() if s.deleted is None and s.settled <= now]
    rows.sort(key=lambda secret: secret.name)
    return _page(call, [_shape(call, secret, secret.versions[-1], value=False, latest=True) for secret in rows])


async def list_versions(call: Call) -> Reply:
    """GET /secrets/{name}/versions: items without values, in no particular order; none for an unknown name."""
    secret = store(call.world, vault_of(call)).get(_name(call).lower())
    rows = sorted(secret.versions, key=lambda row: row.version) if secret and secret.deleted is None else []
    return _page(call, [_shape(call, secret, row, value=False) for row in rows] if secret else [])


async def list_deleted(call: Call) -> Reply:
    """GET /deletedsecrets."""
    now = call.world.clock.now()
    rows = [s for s in store(call.world, vault_of(call)).values() if s.deleted is not None and s.settled <= now]
    rows.sort(key=lambda secret: secret.name)
    return _page(call, [_shape(call, secret, secret.versions[-1], value=False, latest=True) for secret in rows])


async def get_deleted(call: Call) -> Reply:
    """GET /deletedsecrets/{name}: 404 until the deletion is done."""
    secret = find_deleted(call.world, vault_of(call), _name(call))
    return Reply(_shape(call, secret, secret.versions[-1], value=False))


async def purge_deleted(call: Call) -> Reply:
    """DELETE /deletedsecrets/{name}: 204; the name is free again."""
    secret = find_deleted(call.world, vault_of(call), _name(call))
    del store(call.world, vault_of(call))[secret.name.lower()]
    return Reply(status=204)


async def recover_deleted(call: Call) -> Reply:
    """POST /deletedsecrets/{name}/recover: 200 with the secret, which may be read shortly after."""
    secret = _move(call.world, find_deleted(call.world, vault_of(call), _name(call)), None)
    return Reply(_shape(call, secret, secret.versions[-1], value=False))


def service(cloud: Cloud) -> Service:
    """Key Vault's secrets as an ASGI application."""
    built = Service(
        cloud,
        "vault",
        [r"^[a-z0-9-]+\.vault\.azure\.net$"],
        authenticate=authenticate,
        throttle=throttle,
        headers=lambda _: {"x-ms-keyvault-region": "westeurope", "x-ms-keyvault-service-version": "1.9.2000.1"},
    )
    built.route("GET", "/secrets")(list_secrets)
    built.route("GET", "/secrets/{name}/versions")(list_versions)
    built.route("PUT", "/secrets/{name}")(put_secret)
    built.route("DELETE", "/secrets/{name}")(delete_secret)
    for template in ("/secrets/{name}", "/secrets/{name}/{version}"):
        built.route("GET", template)(get_secret)
        built.route("PATCH", template)(patch_secret)
    built.route("GET", "/deletedsecrets")(list_deleted)
    built.route("GET", "/deletedsecrets/{name}")(get_deleted)
    built.route("DELETE", "/deletedsecrets/{name}")(purge_deleted)
    built.route("POST", "/deletedsecrets/{name}/recover")(recover_deleted)
    return built
