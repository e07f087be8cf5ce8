"""Every setting, read once from the environment. The only module that reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

CLOUDS: dict[str, dict[str, str]] = {
    "AzureCloud": {
        "login": "https://login.microsoftonline.com",
        "arm": "https://management.azure.com",
        "graph": "https://graph.microsoft.com",
        "partner_center": "https://api.partnercenter.microsoft.com",
        "portal": "https://portal.azure.com",
        "storage": "core.windows.net",
        "federation": "api://AzureADTokenExchange",
    },
    "AzureUSGovernment": {
        "login": "https://login.microsoftonline.us",
        "arm": "https://management.usgovcloudapi.net",
        "graph": "https://graph.microsoft.us",
        "partner_center": "https://api.partnercenter.microsoft.com",
        "portal": "https://portal.azure.us",
        "storage": "core.usgovcloudapi.net",
        "federation": "api://AzureADTokenExchangeUSGov",
    },
    "AzureChinaCloud": {
        "login": "https://login.partner.microsoftonline.cn",
        "arm": "https://management.chinacloudapi.cn",
        "graph": "https://microsoftgraph.chinacloudapi.cn",
        "partner_center": "https://partner.partnercenterapi.microsoftonline.cn",
        "portal": "https://portal.azure.cn",
        "storage": "core.chinacloudapi.cn",
        "federation": "api://AzureADTokenExchangeChina",
    },
}
"""National clouds: learn.microsoft.com/entra/identity-platform/authentication-national-cloud. `federation` is the
audience of a federated credential ("Configure an application to trust a managed identity", same place)."""


class StorageSettings(BaseSettings):
    """What opening the storage account needs: all that a tool of an operator's must be told."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, str_strip_whitespace=True)

    storage_connection: str = Field("", alias="AzureWebJobsStorage")
    """Connection string of the storage account. Empty: `storage_account` and the managed identity are used."""
    storage_account: str = Field("", alias="AzureWebJobsStorage__accountName")
    azure_cloud: str = "AzureCloud"
    managed_identity_client_id: str = ""

    @field_validator("azure_cloud")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in CLOUDS:
            raise ValueError(f"AZURE_CLOUD must be one of {', '.join(CLOUDS)}")
        return name

    @property
    def storage_suffix(self) -> str:
        """Domain of the cloud's storage accounts."""
        return CLOUDS[self.azure_cloud]["storage"]


class Settings(StorageSettings):
    """Frozen; built from environment variables of the same names in upper case (docs/operations.md lists them)."""

    key_vault_url: str
    public_api_url: str
    """Base of every absolute URL, ends with /api, no trailing slash."""
    portal_url: str
    """Where the sign-in callback sends the browser, and the origin allowed by CORS."""
    login_url: str = ""
    sign_in_url: str = ""
    """What a person's browser is sent to; `login_url` when empty."""
    arm_url: str = ""
    graph_url: str = ""
    partner_center_url: str = ""
    azure_portal_url: str = ""
    api_tenant_id: str
    """The provider's own Entra tenant: only its tokens are accepted."""
    api_client_id: str
    """Registration of this API: the audience of tokens."""
    portal_client_id: str
    partner_client_id: str
    """The multi-tenant registration that becomes an enterprise application in every client tenant."""
    partner_client_secret_name: str = ""
    """Name of a Key Vault secret. Empty: the managed identity stands as federated credential."""
    gdap_group_name: str = "Tenantry GDAP"
    """Partner-tenant security group that holds the GDAP access assignments."""
    allow_private_webhooks: bool = False
    """Let sinks use plain http and private addresses. Only for a machine of one's own."""
    sink_messages_per_minute: int = Field(0, ge=0)
    """In place of what each kind of sink allows, for receivers of one's own; 0: as the kinds say. Only together with
    `allow_private_webhooks`."""
    approval_above_devices: int = Field(25, ge=0)
    """An action on more devices than this waits until a second person approves it; 0: none does."""
    approval_hours: int = Field(24, ge=1, le=168)
    """After that long it is no longer waited for."""
    applicationinsights_connection_string: str = ""
    """Of the Application Insights component that spans, metrics and logs go to. Empty: none are sent."""
    telemetry: str = ""
    """Where they are written besides: `console`, or the path of a file. Empty: nowhere."""
    change_retention_days: int = Field(90, ge=1)
    audit_retention_days: int = Field(365, ge=30)

    @field_validator("applicationinsights_connection_string")
    @classmethod
    def _of_a_component(cls, text: str) -> str:
        if text and "InstrumentationKey=" not in text:
            raise ValueError(
                "APPLICATIONINSIGHTS_CONNECTION_STRING must be the connection string of an Application Insights "
                "component: InstrumentationKey=...;IngestionEndpoint=..."
            )
        return text

    @field_validator("telemetry")
    @classmethod
    def _writable(cls, place: str) -> str:
        path = Path(place)
        written = path if path.exists() else path.parent
        if place not in ("", "console") and (path.is_dir() or not os.access(written, os.W_OK)):
            raise ValueError(f"TELEMETRY must be console, or a file that can be written: {place} cannot")
        return place

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.sink_messages_per_minute and not self.allow_private_webhooks:
            raise ValueError("SINK_MESSAGES_PER_MINUTE is for receivers of one's own: set ALLOW_PRIVATE_WEBHOOKS too")
        cloud = CLOUDS[self.azure_cloud]
        filled = {
            "login_url": self.login_url or cloud["login"],
            "arm_url": self.arm_url or cloud["arm"],
            "graph_url": self.graph_url or cloud["graph"],
            "partner_center_url": self.partner_center_url or cloud["partner_center"],
            "azure_portal_url": self.azure_portal_url or cloud["portal"],
        }
        filled["sign_in_url"] = self.sign_in_url or filled["login_url"]
        for name in ("key_vault_url", "public_api_url", "portal_url"):
            filled[name] = getattr(self, name)
        for name, value in filled.items():
            object.__setattr__(self, name, value.rstrip("/"))
        return self

    @property
    def resources(self) -> dict[str, str]:
        """Token audiences of the cloud: arm, graph, partner_center (never the endpoints, which may be overridden)."""
        cloud = CLOUDS[self.azure_cloud]
        return {"arm": cloud["arm"], "graph": cloud["graph"], "partner_center": cloud["partner_center"]}

    @property
    def federation_scope(self) -> str:
        """Scope of the managed identity's token that stands for a secret of the multi-tenant registration."""
        return f"{CLOUDS[self.azure_cloud]['federation']}/.default"


def load() -> Settings:
    """Settings from the environment. Raises pydantic.ValidationError naming every missing or wrong one."""
    return Settings()


def load_storage() -> StorageSettings:
    """Those of the storage account only, from the environment. Raises pydantic.ValidationError."""
    return StorageSettings()
