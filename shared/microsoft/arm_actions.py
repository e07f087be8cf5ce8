"""Doing something to an Azure resource, whatever its type: one request, followed by the SDK's own poller.

Each call here is at most one request; waiting belongs to the job that calls. Sources:
learn.microsoft.com/azure/azure-resource-manager/management/async-operations (how an action is followed),
learn.microsoft.com/rest/api/authorization/permissions/list-for-resource.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core import AsyncPipelineClient
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline import PipelineResponse
from azure.core.polling import AsyncLROPoller
from azure.core.polling.base_polling import BadResponse, BadStatus, LocationPolling
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.core.polling.async_arm_polling import AsyncARMPolling

from shared.errors import MicrosoftError
from shared.microsoft import arm_errors, arm_lists
from shared.microsoft.transport import AzureTransport
from shared.settings import Settings

DEFAULT_POLL_SECONDS = 10.0
"""Between two status requests when Azure names no time: below Compute's limit of 15 a minute per machine."""
ACTION_SECONDS = 30
"""How long an action's first answer is waited for; Azure accepts within a few seconds."""
PERMISSIONS_API = "2022-04-01"
URL_HEADERS = ("Azure-AsyncOperation", "Operation-Location", "Location")
CANCELED = frozenset({"canceled", "cancelled"})
FAILED_STATUSES = range(400, 500)
READING_FAILED = frozenset({401, 403, 404, 408, 410, 429})
"""Of a Location these say that it cannot be read; any other 4xx is how the operation ended."""

_CLIENTS = arm_lists.Clients(arm_lists.bare, "core/arm")


class Unanswered(MicrosoftError):
    """An action was sent and no usable answer came: it may or may not have been taken."""

    code = "unanswered"


@dataclass(frozen=True)
class Progress:
    """Where an action stands. `error` is Azure's `{code, message}` when it failed or was canceled."""

    finished: bool
    token: str
    """The SDK's continuation token."""
    delay: float
    """Seconds to wait before asking again."""
    error: dict[str, str] | None = None
    percent: int | None = None
    canceled: bool = False
    """The error is that somebody or something canceled it."""
    untold: bool = False
    """Azure took it and named nothing to follow: only the resource's own state tells when it is done."""
    request_id: str = ""
    """Azure's own id of the request that was answered."""


async def begin(
    settings: Settings,
    transport: AzureTransport,
    credential: AsyncTokenCredential,
    method: str,
    path: str,
    query: Mapping[str, str],
    body: Any,
    *,
    request_id: str,
    final_state_via: str | None = None,
) -> Progress:
    """Send an action once, with this client request id; `path` begins with a slash, `query` names the api-version.

    Raises Throttled when it surely was not accepted and may be sent again (429, 503, or no connection was made),
    Unanswered when nobody knows, and MicrosoftError with Azure's status and code when it was refused.
    """
    client = _CLIENTS.get(settings, transport)
    content = {} if body is None else {"json": body}
    request = HttpRequest(method, f"{settings.arm_url}{path}", params=dict(query), **content)
    try:
        initial = await _send(client, credential, request, request_id=request_id, read_timeout=ACTION_SECONDS)
        response = initial.http_response
        response.raise_for_status()
        if response.status_code in (201, 202) and method == "POST" and not _names_url(response):
            identifier = arm_errors.request_id_of(response.headers)
            return Progress(finished=True, token="", delay=DEFAULT_POLL_SECONDS, untold=True, request_id=identifier)
        poller = AsyncLROPoller(client, initial, _nothing, _polling(credential, final_state_via))
        if _names_url(response):
            # What Azure echoes of the resource may be larger than a row takes, and is not needed to go on.
            response._content = b""  # type: ignore[attr-defined]  # noqa: SLF001 - the SDK keeps it in the token
        return progress_of(poller)
    except AzureError as error:
        if arm_errors.outcome_unknown(error):
            raise Unanswered(f"Azure's answer was lost: {error.message}") from error
        raise arm_errors.translated(error) from error


async def follow(
    settings: Settings,
    transport: AzureTransport,
    credential: AsyncTokenCredential,
    token: str,
    *,
    final_state_via: str | None = None,
) -> Progress:
    """Ask once how an action stands, from its continuation token. Raises MicrosoftError."""
    method = _polling(credential, final_state_via, request_id=str(uuid.uuid4()))
    poller: AsyncLROPoller[None] = AsyncLROPoller.from_continuation_token(
        method, token, client=_CLIENTS.get(settings, transport), deserialization_callback=_nothing
    )
    try:
        return await step(poller, token)
    except AzureError as error:
        raise arm_errors.translated(error) from error


async def read(
    settings: Settings,
    transport: AzureTransport,
    credential: AsyncTokenCredential,
    method: str,
    path: str,
    query: Mapping[str, str],
) -> Any:
    """The JSON that a request which changes nothing is answered with. Raises MicrosoftError (404: no such resource)."""
    request = HttpRequest(method, f"{settings.arm_url}{path}", params=dict(query))
    try:
        response = (await _send(_CLIENTS.get(settings, transport), credential, request)).http_response
        response.raise_for_status()
        return response.json() if response.content else {}
    except AzureError as error:
        raise arm_errors.translated(error) from error
    except ValueError as error:
        raise MicrosoftError("Resource Manager's answer is not JSON.", remote_code="notJson") from error


async def read_list(
    settings: Settings,
    transport: AzureTransport,
    credential: AsyncTokenCredential,
    path: str,
    query: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Every item of a list, page by page. Raises MicrosoftError."""
    client = _CLIENTS.get(settings, transport)
    return await arm_lists.read_all(client, settings, credential, path, dict(query))


async def permitted(
    settings: Settings, transport: AzureTransport, credential: AsyncTokenCredential, scope: str
) -> list[dict[str, list[str]]]:
    """What the credential may do on a scope: `{actions, notActions}` of each role it holds. Raises MicrosoftError."""
    path, query = f"{scope}/providers/Microsoft.Authorization/permissions", {"api-version": PERMISSIONS_API}
    found = await read(settings, transport, credential, "GET", path, query)
    rows = found.get("value") if isinstance(found, dict) else None
    return [row for row in rows or [] if isinstance(row, dict)]


async def step(poller: AsyncLROPoller[None], token: str) -> Progress:
    """Ask once how the operation of a poller stands. Raises azure-core's errors."""
    method: Any = poller.polling_method()
    try:
        if not method.finished():
            await method.update_status()
    except (BadStatus, BadResponse) as error:
        response = method._pipeline_response.http_response  # noqa: SLF001 - the answer that the SDK could not use
        status = response.status_code
        by_result = isinstance(method._operation, LocationPolling)  # noqa: SLF001 - a status URL tells failures in its body
        if by_result and status in FAILED_STATUSES and status not in READING_FAILED:
            failure = _error(_body(response), "failed")
            return Progress(finished=True, token=token, delay=DEFAULT_POLL_SECONDS, error=failure)
        raise HttpResponseError(response=response) from error
    return progress_of(poller, token)


def progress_of(poller: AsyncLROPoller[None], token: str = "") -> Progress:
    """Where an operation stands by the last answer that its poller had."""
    method: Any = poller.polling_method()
    response = method._pipeline_response  # noqa: SLF001 - where the SDK keeps the last answer; it has no public name for it
    percent, error = None, None
    status = poller.status().lower()
    body = _body(response.http_response)
    if isinstance(body.get("percentComplete"), int | float):
        percent = max(0, min(100, int(body["percentComplete"])))
    if status == "failed" or status in CANCELED:
        error = _error(body, status)
    return Progress(
        finished=method.finished(),
        token=token or poller.continuation_token(),
        delay=method._extract_delay(),  # noqa: SLF001 - Retry-After of the last answer, else the default interval
        error=error,
        percent=percent,
        canceled=status in CANCELED,
        request_id=arm_errors.request_id_of(response.http_response.headers),
    )


async def _send(
    client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse],
    credential: AsyncTokenCredential,
    request: HttpRequest,
    **options: Any,
) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
    options |= {"credential_of_request": credential, "_return_pipeline_response": True}
    answer: Any = await client.send_request(request, **options)
    found: PipelineResponse[HttpRequest, AsyncHttpResponse] = answer
    return found


def _polling(credential: AsyncTokenCredential, final_state_via: str | None, **options: Any) -> AsyncARMPolling:
    via = {"final-state-via": final_state_via} if final_state_via else None
    return AsyncARMPolling(DEFAULT_POLL_SECONDS, lro_options=via, credential_of_request=credential, **options)


def _names_url(response: AsyncHttpResponse) -> bool:
    return any(name in response.headers for name in URL_HEADERS)


def _nothing(_answer: Any) -> None:
    """The resource that an operation ends with is read by its state request."""


def _error(body: dict[str, Any], status: str) -> dict[str, str]:
    given = body.get("error") if isinstance(body.get("error"), dict) else body
    return {
        "code": str((given or {}).get("code") or status),
        "message": str((given or {}).get("message") or f"Azure reports the action as {status} and says no more."),
    }


def _body(response: Any) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, HttpResponseError):
        return {}
    return body if isinstance(body, dict) else {}
