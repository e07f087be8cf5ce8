"""Partner Center: a partner's customers, and consent to our application in their tenants.

Sources: learn.microsoft.com/partner-center/developer/get-a-list-of-customers and control-panel-vendor-apis.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
from azure.core.credentials_async import AsyncTokenCredential

from shared import correlation
from shared.errors import AccessDenied, MicrosoftError, NeedsConsent, Throttled
from shared.microsoft.http_errors import asks_to_wait, no_answer, patiently, retry_after
from shared.settings import Settings

PAGE = 500
EXISTS = "permission entry already exists"
"""How a repeated consent is refused; the status differs, the text does not."""


@dataclass(frozen=True)
class Customer:
    """A customer. `relationship` is Partner Center's word: reseller, advisor, syndication, microsoft_support, none."""

    tenant_id: str
    name: str
    domain: str
    relationship: str


class PartnerCenter:
    """Calls Partner Center as the person who signed the connection in; it takes no application's own token here."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient, credential: AsyncTokenCredential) -> None:
        """`credential` gives tokens of the partner's own tenant."""
        self._settings, self._http, self._credential = settings, http, credential

    async def customers(self) -> list[Customer]:
        """Every customer, whatever the relationship. Raises MicrosoftError."""
        found: list[Customer] = []
        url, extra = f"/v1/customers?size={PAGE}", dict[str, str]()
        while True:
            page = await self._call("GET", url, headers=extra)
            for item in page.get("items", []):
                profile = item.get("companyProfile") or {}
                tenant_id = str(profile.get("tenantId") or item["id"]).lower()
                name = str(profile.get("companyName") or profile.get("domain") or tenant_id)
                relationship = str(item.get("relationshipToPartner", "none")).lower()
                found.append(Customer(tenant_id, name, str(profile.get("domain") or ""), relationship))
            following = (page.get("links") or {}).get("next")
            if not following:
                return found
            # The continuation token travels in a header that the link names, not in its address.
            url = "/v1/" + str(following["uri"]).lstrip("/").removeprefix("v1/")
            extra = {str(header["key"]): str(header["value"]) for header in following.get("headers") or []}

    async def consent(self, tenant_id: str, grants: dict[str, tuple[str, ...]]) -> None:
        """Make the enterprise application in a customer's tenant with delegated grants (resource app id -> names).

        Consent that is there already is success; it is not changed then. Raises AccessDenied where the customer or the
        person's roles do not allow it.
        """
        body = {
            "applicationId": self._settings.partner_client_id,
            "applicationGrants": [
                {"enterpriseApplicationId": app_id, "scope": ",".join(names)} for app_id, names in grants.items()
            ],
        }
        try:
            await self._call("POST", f"/v1/customers/{tenant_id}/applicationconsents", body=body)
        except MicrosoftError as error:
            if EXISTS not in error.message.lower():
                raise

    async def withdraw(self, tenant_id: str) -> None:
        """Remove the enterprise application from a customer's tenant with all it holds; gone already is success."""
        path = f"/v1/customers/{tenant_id}/applicationconsents/{self._settings.partner_client_id}"
        try:
            await self._call("DELETE", path)
        except MicrosoftError as error:
            if error.status != 404:
                raise

    async def _call(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        return await patiently(lambda: self._once(method, path, body, headers))

    async def _once(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str] | None
    ) -> dict[str, Any]:
        scope = f"{self._settings.resources['partner_center']}/.default"
        token = await self._credential.get_token(scope)
        sent = {
            "Authorization": f"Bearer {token.token}",
            "Accept": "application/json",
            "MS-RequestId": str(uuid.uuid4()),
            "MS-CorrelationId": correlation.current() or str(uuid.uuid4()),
            **(headers or {}),
        }
        url = f"{self._settings.partner_center_url}{path}"
        try:
            answer = await self._http.request(method, url, json=body, headers=sent)
        except httpx.HTTPError as error:
            raise no_answer("Partner Center") from error
        content = _read(answer)
        if answer.is_success:
            return content
        raise _refusal(answer, content)


def _read(answer: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer, which may begin with a byte order mark; {} when there is none."""
    try:
        content = json.loads(answer.content.decode("utf-8-sig") or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _refusal(answer: httpx.Response, content: dict[str, Any]) -> MicrosoftError:
    status = answer.status_code
    code = str(content.get("code") or content.get("statusCode") or "")
    said = str(content.get("description") or content.get("message") or answer.reason_phrase)
    if asks_to_wait(status):
        text = f"Partner Center asks to wait: {said}"
        return Throttled(text, retry_after=retry_after(answer.headers), status=status, remote_code=code)
    text = f"Partner Center answered {status}: {said}"
    if "mfa" in said.lower() or code == "900421":
        return NeedsConsent(
            "Partner Center refuses the sign-in because it was made without multifactor authentication.",
            status=status,
            remote_code=code,
            fix="Turn on Microsoft's MFA for the account, then sign in to the connection again.",
        )
    if status in (401, 403):
        return AccessDenied(text, status=status, remote_code=code)
    return MicrosoftError(text, status=status, remote_code=code)
