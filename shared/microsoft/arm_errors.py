"""What a failure of an Azure SDK call to ARM means: one of our errors, with Azure's code and text kept."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceRequestTimeoutError

from shared.errors import AccessDenied, MicrosoftError, Throttled

DEFAULT_WAIT = 5.0
"""Seconds to wait when Azure asks for patience and names no time."""
ROLE_FIX = (
    "Give the application or the AdminAgents group a role on the subscription (Reader to list, Virtual Machine "
    "Contributor to act), or sync the tenant again."
)
TOO_MANY, UNAVAILABLE = 429, 503


def translated(error: AzureError) -> MicrosoftError:
    """Ours for an error of azure-core.

    Throttled: surely not accepted, may be sent again (429, 503, or the connection was never made). MicrosoftError with
    `status` 0: sent, and the connection broke before an answer came. AccessDenied: 401 or 403. Else MicrosoftError with
    Azure's status, code and text.
    """
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return _of_answer(error, error.status_code)
    if never_sent(error):
        return Throttled("Azure could not be reached.", retry_after=DEFAULT_WAIT, status=0, remote_code="notSent")
    return MicrosoftError("The connection to Azure broke before it answered.", status=0, remote_code="noAnswer")


def never_sent(error: AzureError) -> bool:
    """Whether a request surely did not reach Azure.

    azure-core raises ServiceRequestError ("not sent") also for a connection that aiohttp lost after sending, so only a
    connection that was never made counts.
    """
    if isinstance(error, ServiceRequestTimeoutError):
        return True
    return isinstance(error, ServiceRequestError) and isinstance(
        error.inner_exception, aiohttp.ClientConnectorError | aiohttp.InvalidURL
    )


def _of_answer(error: HttpResponseError, status: int) -> MicrosoftError:
    code, message = "", ""
    if error.error is not None:
        code, message = str(error.error.code or ""), str(error.error.message or "")
    message = message or error.reason or f"Azure answered {status}."
    if status in (TOO_MANY, UNAVAILABLE):
        return Throttled(message, retry_after=_retry_after(error), status=status, remote_code=code)
    if status in (401, 403):
        return AccessDenied(message, status=status, remote_code=code, fix=ROLE_FIX)
    return MicrosoftError(message, status=status, remote_code=code)


def _retry_after(error: HttpResponseError) -> float:
    """Seconds. ARM names whole ones: learn.microsoft.com/azure/azure-resource-manager/management/async-operations."""
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    try:
        return max(0.1, float(headers.get("Retry-After", DEFAULT_WAIT)))
    except ValueError:
        return DEFAULT_WAIT
