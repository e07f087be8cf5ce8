from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.settings import Settings

NEEDED: dict[str, Any] = {
    "key_vault_url": "https://vault.example/",
    "public_api_url": "https://api.example/api/",
    "portal_url": "https://portal.example",
    "api_tenant_id": "t",
    "api_client_id": "a",
    "portal_client_id": "p",
    "partner_client_id": "c",
}


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests put there is not what is looked at here."""
    for name, field in Settings.model_fields.items():
        monkeypatch.delenv(field.alias or name.upper(), raising=False)


def test_endpoints_are_those_of_the_public_cloud_unless_set() -> None:
    settings = Settings(**NEEDED, graph_url="https://localhost:8403/")
    assert settings.login_url == settings.sign_in_url == "https://login.microsoftonline.com"
    assert settings.arm_url == "https://management.azure.com"
    assert settings.graph_url == "https://localhost:8403"


def test_token_audiences_are_the_clouds_own_even_when_an_endpoint_is_overridden() -> None:
    settings = Settings(**NEEDED, arm_url="https://localhost:8402")
    assert settings.resources["arm"] == "https://management.azure.com"


def test_one_setting_changes_the_whole_cloud() -> None:
    settings = Settings(**NEEDED, azure_cloud="AzureUSGovernment")
    assert settings.login_url.endswith(".us")
    assert settings.arm_url.endswith("usgovcloudapi.net")
    assert settings.storage_suffix == "core.usgovcloudapi.net"
    assert settings.federation_scope == "api://AzureADTokenExchangeUSGov/.default"


def test_urls_lose_their_trailing_slash() -> None:
    settings = Settings(**NEEDED)
    assert settings.key_vault_url == "https://vault.example"
    assert settings.public_api_url == "https://api.example/api"


def test_a_missing_setting_is_named() -> None:
    without = {name: value for name, value in NEEDED.items() if name != "key_vault_url"}
    with pytest.raises(ValidationError, match="key_vault_url"):
        Settings(**without)


def test_a_place_for_telemetry_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path / "no" / "such.jsonl", tmp_path):
        with pytest.raises(ValidationError, match="TELEMETRY must be console, or a file"):
            Settings(**NEEDED, telemetry=str(place))
    for good in ("", "console", str(tmp_path / "new.jsonl")):
        assert Settings(**NEEDED, telemetry=good).telemetry == good


def test_an_unknown_cloud_is_refused() -> None:
    with pytest.raises(ValidationError, match="AZURE_CLOUD must be one of"):
        Settings(**NEEDED, azure_cloud="AzureMoon")


def test_the_limits_of_ticket_systems_are_lifted_on_a_machine_of_ones_own_only() -> None:
    assert Settings(**NEEDED, sink_messages_per_minute=9000, allow_private_webhooks=True).sink_messages_per_minute
    with pytest.raises(ValidationError, match="ALLOW_PRIVATE_WEBHOOKS"):
        Settings(**NEEDED, sink_messages_per_minute=9000)


def test_what_is_no_connection_string_of_application_insights_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be the connection string of an Application Insights component"):
        Settings(**NEEDED, applicationinsights_connection_string="https://westeurope.in.applicationinsights.azure.com")
    good = "InstrumentationKey=00000000-0000-0000-0000-000000000000"
    assert Settings(**NEEDED, applicationinsights_connection_string=good).applicationinsights_connection_string == good
