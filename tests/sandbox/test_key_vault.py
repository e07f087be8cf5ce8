"""Key Vault secrets through Microsoft's own client: the challenge, versions, paging, soft delete, purge, recovery."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity.aio import ClientSecretCredential
from azure.keyvault.secrets.aio import SecretClient

from sandbox import key_vault
from sandbox.server import Sandbox
from tests.sandbox.partner import Partner, partner_of

VAULT_SCOPE = "https://vault.azure.net/.default"


@pytest_asyncio.fixture
async def partner(sandbox: Sandbox) -> AsyncIterator[Partner]:
    async with partner_of(sandbox) as made:
        yield made


@pytest_asyncio.fixture
async def vault(partner: Partner) -> AsyncIterator[SecretClient]:
    """The real client with the application's own credential, which it learns to use from the challenge."""
    async with client(partner, "tenantry") as made:
        yield made


def client(partner: Partner, application: str) -> SecretClient:
    known = partner.sandbox.cloud.world.applications[application]
    credential = ClientSecretCredential(
        partner.home,
        known.app_id,
        next(iter(known.secrets.values())),
        authority=partner.sandbox.urls["login"],
        disable_instance_discovery=True,
    )
    return _Owning(partner.sandbox.urls["vault"], credential, verify_challenge_resource=False, retry_total=0)


class _Owning(SecretClient):
    """A client that closes the credential it was given."""

    def __init__(self, url: str, credential: ClientSecretCredential, **options: object) -> None:
        super().__init__(url, credential, **options)
        self.owned = credential

    async def close(self) -> None:
        await super().close()
        await self.owned.close()

    async def __aexit__(self, *details: object) -> None:
        await super().__aexit__(*details)
        await self.owned.close()


def inner_code(error: HttpResponseError) -> tuple[int | None, str, str]:
    body = error.response.json()["error"] if error.response is not None else {}  # type: ignore[attr-defined] # azure-core types its response as a transport's base
    return error.status_code, body["code"], body["innererror"]["code"]


async def test_a_call_without_a_token_is_challenged_before_it_is_read(partner: Partner) -> None:
    reply = await partner.http.put(f"{partner.sandbox.urls['vault']}/secrets/not_valid", content=b"")
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == (
        f'Bearer authorization="{partner.sandbox.urls["login"]}/{partner.home}", resource="https://vault.azure.net"'
    )
    assert reply.json()["error"]["code"] == "Unauthorized"
    assert reply.json()["error"]["message"].startswith("AKV10000")


async def test_every_put_is_a_new_version_and_the_latest_is_read_without_one(vault: SecretClient) -> None:
    first = await vault.set_secret("refresh-token", "one", tags={"connection": "c1"}, content_type="text/plain")
    second = await vault.set_secret("refresh-token", "two")
    assert first.properties.version != second.properties.version
    assert (await vault.get_secret("refresh-token")).value == "two"
    old = await vault.get_secret("refresh-token", first.properties.version)
    assert (old.value, old.properties.tags, old.properties.content_type) == ("one", {"connection": "c1"}, "text/plain")
    versions = [row.version async for row in vault.list_properties_of_secret_versions("refresh-token")]
    assert set(versions) == {first.properties.version, second.properties.version}


async def test_the_partners_vault_holds_the_client_secret(vault: SecretClient, partner: Partner) -> None:
    assert (await vault.get_secret("tenantry-client-secret")).value == partner.secret


async def test_an_unknown_secret_is_secret_not_found(vault: SecretClient) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        await vault.get_secret("nothing")
    assert caught.value.error is not None
    assert caught.value.error.code == "SecretNotFound"
    assert "A secret with (name/id) nothing was not found in this key vault." in caught.value.message


async def test_lists_have_no_values_and_at_most_25_items_a_page(vault: SecretClient, partner: Partner) -> None:
    for number in range(30):
        key_vault.set_secret(
            partner.sandbox.cloud.world, key_vault.DEFAULT_VAULT, f"secret-{number:02}", {"value": "hidden"}
        )
    pages = [[row.name async for row in page] async for page in vault.list_properties_of_secrets().by_page()]
    assert [len(page) for page in pages] == [25, 6]
    token = await partner.app_token(partner.home, VAULT_SCOPE)
    raw = await partner.http.get(
        f"{partner.sandbox.urls['vault']}/secrets?api-version=7.4", headers={"Authorization": f"Bearer {token}"}
    )
    assert "hidden" not in raw.text
    assert raw.json()["nextLink"].startswith(partner.sandbox.urls["vault"])
    many = await partner.http.get(
        f"{partner.sandbox.urls['vault']}/secrets?api-version=7.4&maxresults=26",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert (many.status_code, many.json()["error"]["code"]) == (400, "BadParameter")


async def test_attributes_are_kept_and_can_be_changed_without_the_value(vault: SecretClient) -> None:
    expires = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    made = await vault.set_secret("dated", "v", expires_on=expires)
    assert (await vault.get_secret("dated")).properties.expires_on == expires
    assert made.properties.recovery_level == "Recoverable+Purgeable"
    changed = await vault.update_secret_properties("dated", tags={"a": "b"}, enabled=False)
    assert changed.tags == {"a": "b"}
    with pytest.raises(HttpResponseError) as caught:
        await vault.get_secret("dated")
    assert inner_code(caught.value) == (403, "Forbidden", "SecretDisabled")


async def test_a_deleted_name_stays_taken_until_it_is_purged(vault: SecretClient) -> None:
    await vault.set_secret("gone", "v")
    deleted = await vault.delete_secret("gone")
    assert deleted.recovery_id is not None
    assert deleted.recovery_id.endswith("/deletedsecrets/gone")
    with pytest.raises(ResourceNotFoundError):
        await vault.get_secret("gone")
    with pytest.raises(ResourceExistsError) as caught:
        await vault.set_secret("gone", "again")
    assert inner_code(caught.value) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
    assert "currently in a deleted but recoverable state" in caught.value.message
    assert [row.name async for row in vault.list_deleted_secrets()] == ["gone"]
    await vault.purge_deleted_secret("gone")
    assert (await vault.set_secret("gone", "again")).value == "again"


async def test_a_deleted_secret_can_be_recovered_with_all_versions(vault: SecretClient) -> None:
    await vault.set_secret("back", "one")
    await vault.set_secret("back", "two")
    await vault.delete_secret("back")
    await vault.recover_deleted_secret("back")
    assert (await vault.get_secret("back")).value == "two"
    assert len([row async for row in vault.list_properties_of_secret_versions("back")]) == 2


async def test_a_deletion_shows_after_the_replication_lag(
    vault: SecretClient, partner: Partner, control: httpx.AsyncClient
) -> None:
    await vault.set_secret("slow", "v")
    await control.put("/behaviour", json={"replicationLag": 60})
    token = await partner.app_token(partner.home, VAULT_SCOPE)
    headers, query = {"Authorization": f"Bearer {token}"}, "api-version=2026-04-01"
    url = partner.sandbox.urls["vault"]
    assert (await partner.http.delete(f"{url}/secrets/slow?{query}", headers=headers)).status_code == 200
    hidden = await partner.http.get(f"{url}/deletedsecrets/slow?{query}", headers=headers)
    assert (hidden.status_code, hidden.json()["error"]["code"]) == (404, "SecretNotFound")
    with pytest.raises(ResourceExistsError) as caught:
        await vault.set_secret("slow", "again")
    assert inner_code(caught.value) == (409, "Conflict", "ObjectIsBeingDeleted")
    await control.post("/clock", json={"advanceSeconds": 61})
    assert (await partner.http.get(f"{url}/deletedsecrets/slow?{query}", headers=headers)).status_code == 200
    assert (await partner.http.delete(f"{url}/deletedsecrets/slow?{query}", headers=headers)).status_code == 204


@pytest.mark.parametrize(
    "path, body",
    [
        ("secrets/under_score?api-version=7.4", {"value": "v"}),
        ("secrets/name?api-version=7.4", {}),
        ("secrets/name?api-version=7.4", {"value": "x" * 25_601}),
        ("secrets/name?api-version=7.4", {"value": "v", "tags": {str(number): "x" for number in range(16)}}),
        ("secrets/name?api-version=7.4", {"value": "v", "attributes": {"exp": "tomorrow"}}),
        ("secrets/name?api-version=7.4", {"value": "v", "attributes": ["x"]}),
        ("secrets/name", {"value": "v"}),
    ],
    ids=["name", "no value", "too large", "too many tags", "date", "attributes", "no api-version"],
)
async def test_what_key_vault_cannot_store_is_a_bad_parameter(
    partner: Partner, path: str, body: dict[str, object]
) -> None:
    token = await partner.app_token(partner.home, VAULT_SCOPE)
    reply = await partner.http.put(
        f"{partner.sandbox.urls['vault']}/{path}", json=body, headers={"Authorization": f"Bearer {token}"}
    )
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "BadParameter")


async def test_an_application_without_a_role_on_the_vault_is_forbidden(partner: Partner) -> None:
    async with client(partner, "daemon") as other:
        with pytest.raises(HttpResponseError) as caught:
            await other.get_secret("tenantry-client-secret")
    assert inner_code(caught.value) == (403, "Forbidden", "ForbiddenByRbac")


async def test_a_token_of_another_audience_is_challenged_again(partner: Partner) -> None:
    token = await partner.app_token(partner.home)
    reply = await partner.http.get(
        f"{partner.sandbox.urls['vault']}/secrets?api-version=7.4", headers={"Authorization": f"Bearer {token}"}
    )
    assert reply.status_code == 401
    assert reply.json()["error"]["message"].startswith("AKV10022")
    assert "www-authenticate" in reply.headers


async def test_a_token_of_another_tenant_has_the_wrong_issuer(partner: Partner) -> None:
    contoso = partner.tenant("Contoso")
    token = await partner.app_token(contoso.id, VAULT_SCOPE, "automation")
    reply = await partner.http.get(
        f"{partner.sandbox.urls['vault']}/secrets?api-version=7.4", headers={"Authorization": f"Bearer {token}"}
    )
    assert reply.status_code == 401
    assert reply.json()["error"]["message"].startswith("AKV10032")


async def test_a_wrong_client_secret_fails_at_sign_in(partner: Partner) -> None:
    credential = ClientSecretCredential(
        partner.home,
        partner.app_id,
        "wrong",
        authority=partner.sandbox.urls["login"],
        disable_instance_discovery=True,
    )
    async with _Owning(partner.sandbox.urls["vault"], credential, verify_challenge_resource=False) as vault:
        with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
            await vault.get_secret("tenantry-client-secret")


async def test_each_vault_name_has_a_store_of_its_own(partner: Partner) -> None:
    token = await partner.app_token(partner.home, VAULT_SCOPE)
    url = f"{partner.sandbox.urls['vault']}/secrets/tenantry-client-secret?api-version=7.4"
    headers = {"Authorization": f"Bearer {token}"}
    own = await partner.http.get(url, headers=headers | {"Host": "northwind-tenantry.vault.azure.net"})
    assert own.json()["value"] == partner.secret
    other = await partner.http.get(url, headers=headers | {"Host": "another.vault.azure.net"})
    assert other.status_code == 404


async def test_a_throttled_vault_does_not_say_when_to_come_back(partner: Partner, control: httpx.AsyncClient) -> None:
    await control.put("/behaviour", json={"throttling": True})
    token = await partner.app_token(partner.home, VAULT_SCOPE)
    url, headers = f"{partner.sandbox.urls['vault']}/secrets?api-version=7.4", {"Authorization": f"Bearer {token}"}
    assert (await partner.http.get(url, headers=headers)).status_code == 200
    buckets = partner.sandbox.cloud.world.extra["buckets"]
    buckets[f"vault/{key_vault.DEFAULT_VAULT}"].level = -1000.0
    reply = await partner.http.get(url, headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "Throttled")
    assert "retry-after" not in reply.headers
