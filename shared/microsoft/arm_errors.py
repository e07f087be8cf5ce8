"""What a failure of an Azure SDK call to ARM means: one of our errors, with Azure's code and text kept.

Source: learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling.
"""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceRequestTimeoutError

from shared.errors import AccessDenied, MicrosoftError, Throttled
from shared.microsoft.http_errors import asks_to_wait, no_answer, retry_after

TIMED_OUT, SERVER_ERROR, UNAVAILABLE = 408, 500, 503
REQUEST_ID_CHARS = 100
"""Kept of an id that Azure gives."""
FIXES: dict[str, str] = {
    "AuthorizationFailed": "Give the application Reader and Virtual Machine Contributor on the subscription, delegate "
    "it with Azure Lighthouse, or give AdminAgents its Owner role back.",
    "InvalidAuthenticationTokenTenant": "The subscription moved to another tenant. Refresh the tenants.",
    "SubscriptionNotFound": "The subscription was deleted or moved. Refresh the tenants.",
    "MissingSubscriptionRegistration": "Register the resource provider that the text names in the subscription.",
    "ScopeLocked": "Remove the lock on the resource, its group or its subscription.",
}
"""ARM error code -> what a technician can do."""


def translated(error: AzureError) -> MicrosoftError:
    """Ours for an error of azure-core.

    Throttled: temporary (408, 429, 5xx, no answer), to be asked again after `retry_after`. AccessDenied: 401 or 403.
    Else MicrosoftError. `status`, `remote_code`, `request_id` and the message are Azure's.
    """
    if not isinstance(error, HttpResponseError) or error.status_code is None:
        return no_answer("Azure")
    ours = _of_answer(error, error.status_code)
    ours.request_id = request_id_of(getattr(error.response, "headers", {}))
    return ours


def request_id_of(headers: Mapping[str, str]) -> str:
    """Azure's id of a request, by its answer: what its support asks for."""
    return headers.get("x-ms-request-id", "")[:REQUEST_ID_CHARS]


def _of_answer(error: HttpResponseError, status: int) -> MicrosoftError:
    code, said = "", ""
    if error.error is not None:
        code, said = str(error.error.code or ""), str(error.error.message or "")
    said = said or error.reason or f"Azure answered {status}."
    if asks_to_wait(status):
        wait = retry_after(getattr(error.response, "headers", {}))
        return Throttled(said, retry_after=wait, status=status, remote_code=code)
    kind = AccessDenied if status in (401, 403) else MicrosoftError
    return kind(said, status=status, remote_code=code, fix=FIXES.get(code, ""))


def outcome_unknown(error: AzureError) -> bool:
    """Whether a POST may have been done although this came back; otherwise it surely was not taken.

    azure-core says ServiceRequestError ("not sent") also of a connection that aiohttp lost after sending, so only a
    connection that was never made counts as not sent.
    """
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        status = error.status_code
        return status == TIMED_OUT or (status >= SERVER_ERROR and status != UNAVAILABLE)
    if isinstance(error, ServiceRequestTimeoutError):
        return False
    return not (
        isinstance(error, ServiceRequestError) and isinstance(error.inner_exception, aiohttp.ClientConnectorError)
    )
