"""Virtual machines: their power states in bulk, and the actions on one, through azure-mgmt-compute.

Sources: learn.microsoft.com/azure/virtual-machines/states-billing (states),
learn.microsoft.com/azure/azure-resource-manager/management/async-operations (how an action is followed).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.polling.base_polling import BadResponse, BadStatus
from azure.mgmt.core.tools import parse_resource_id

from shared.errors import MicrosoftError
from shared.microsoft import arm_errors, arm_lists
from shared.microsoft.outgoing import CorrelationPolicy
from shared.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.core.polling import AsyncLROPoller
    from azure.core.polling.async_base_polling import AsyncLROBasePolling
    from azure.mgmt.compute.aio import ComputeManagementClient

API_VERSION = "2026-04-01"
"""Of the list of machines; the one that azure-mgmt-compute 39 sends."""
DEFAULT_POLL_SECONDS = 10.0
"""Between two status requests when Azure names no time: below Compute's limit of 15 a minute per machine."""
ACTION_SECONDS = 30
"""How long an action's first answer is waited for; Azure accepts within a few seconds."""


_LISTS = arm_lists.Clients(arm_lists.bare, "mgmt-compute/39.0.0")


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


@asynccontextmanager
async def _client(
    settings: Settings, transport: AioHttpTransport, credential: AsyncTokenCredential, subscription_id: str
) -> AsyncIterator[ComputeManagementClient]:
    """A client of one subscription. It never retries by itself: waiting belongs to the job that calls."""
    from azure.mgmt.compute.aio import ComputeManagementClient  # a second to import, and only workers need it

    client = ComputeManagementClient(
        credential,
        subscription_id,
        settings.arm_url,
        credential_scopes=[f"{settings.resources['arm']}/.default"],
        transport=transport,
        per_call_policies=[CorrelationPolicy()],
        polling_interval=DEFAULT_POLL_SECONDS,
        retry_total=0,
    )
    try:
        yield client
    except AzureError as error:
        raise arm_errors.translated(error) from error


async def power_states(
    settings: Settings, transport: AioHttpTransport, credential: AsyncTokenCredential, subscription_id: str
) -> dict[str, str]:
    """Lower-cased resource id -> power state of every virtual machine of a subscription, in one paged list.

    States as in shared/devices/records.py. A machine whose state Azure leaves out is `unknown`. Raises MicrosoftError.
    """
    # Not by a ComputeManagementClient: it takes 5 ms to build, and a cycle asks hundreds of subscriptions.
    client = _LISTS.get(settings, transport)
    path = f"/subscriptions/{subscription_id}/providers/Microsoft.Compute/virtualMachines"
    parameters = {"api-version": API_VERSION, "statusOnly": "true"}
    found: dict[str, str] = {}
    for machine in await arm_lists.read_all(client, settings, credential, path, parameters):
        view = machine.get("properties", {}).get("instanceView") or {}
        found[machine["id"].lower()] = state_of(status.get("code") for status in view.get("statuses") or [])
    return found


async def power_state(
    settings: Settings, transport: AioHttpTransport, credential: AsyncTokenCredential, resource_id: str
) -> str:
    """The power state of one machine now. Raises MicrosoftError (404: there is no such machine)."""
    subscription_id, group, name = _parts(resource_id)
    async with _client(settings, transport, credential, subscription_id) as client:
        view = await client.virtual_machines.instance_view(group, name)
        return state_of(status.code for status in view.statuses or [])


async def begin(
    settings: Settings,
    transport: AioHttpTransport,
    credential: AsyncTokenCredential,
    resource_id: str,
    operation_name: str,
    request_id: str,
) -> Progress:
    """Send an action (`start`, `deallocate` or `restart`) once, with this client request id.

    Raises Throttled when it surely was not accepted and may be sent again (429, 503, or no connection was made),
    Unanswered when nobody knows, and MicrosoftError with Azure's status and code when it was refused.
    """
    subscription_id, group, name = _parts(resource_id)
    async with _client(settings, transport, credential, subscription_id) as client:
        options = {"headers": {"x-ms-client-request-id": request_id}, "read_timeout": ACTION_SECONDS}
        try:
            return _progress(await _act(client, operation_name, group, name, **options))
        except AzureError as error:
            if arm_errors.outcome_unknown(error):
                raise Unanswered(f"Azure's answer was lost: {error.message}") from error
            raise


async def follow(
    settings: Settings,
    transport: AioHttpTransport,
    credential: AsyncTokenCredential,
    resource_id: str,
    operation_name: str,
    token: str,
) -> Progress:
    """Ask once how an action stands, from its continuation token. Raises MicrosoftError."""
    subscription_id, group, name = _parts(resource_id)
    async with _client(settings, transport, credential, subscription_id) as client:
        poller = await _act(client, operation_name, group, name, continuation_token=token, request_id=str(uuid.uuid4()))
        method: AsyncLROBasePolling[Any, Any, Any] = poller.polling_method()  # type: ignore[assignment]  # the SDK makes an AsyncARMPolling and types it as its base, which lacks the single step
        try:
            if not method.finished():
                await method.update_status()
        except (BadStatus, BadResponse) as error:
            raise HttpResponseError(response=method._pipeline_response.http_response) from error  # noqa: SLF001 - the answer that the SDK could not use
        return _progress(poller, token)


async def _act(
    client: ComputeManagementClient, operation_name: str, group: str, name: str, **options: Any
) -> AsyncLROPoller[None]:
    machines = client.virtual_machines
    poller: AsyncLROPoller[None]
    if operation_name == "start":
        poller = await machines.begin_start(group, name, **options)
    elif operation_name == "deallocate":
        poller = await machines.begin_deallocate(group, name, **options)
    elif operation_name == "restart":
        poller = await machines.begin_restart(group, name, **options)
    else:
        raise ValueError(f"no action {operation_name} of virtual machines is known here")
    return poller


def _progress(poller: AsyncLROPoller[None], token: str = "") -> Progress:
    method: Any = poller.polling_method()
    response = method._pipeline_response  # noqa: SLF001 - where the SDK keeps the last answer; it has no public name for it
    percent, error = None, None
    status = poller.status().lower()
    body = _body(response.http_response)
    if isinstance(body.get("percentComplete"), int | float):
        percent = max(0, min(100, int(body["percentComplete"])))
    if status in ("failed", "canceled", "cancelled"):
        given = body.get("error") if isinstance(body.get("error"), dict) else {}
        error = {
            "code": str((given or {}).get("code") or status),
            "message": str((given or {}).get("message") or f"Azure reports the action as {status} and says no more."),
        }
    return Progress(
        finished=method.finished(),
        token=token or poller.continuation_token(),
        delay=method._extract_delay(),  # noqa: SLF001 - Retry-After of the last answer, else the default interval
        error=error,
        percent=percent,
    )


def _body(response: Any) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, HttpResponseError):
        return {}
    return body if isinstance(body, dict) else {}


def state_of(codes: Iterable[str | None]) -> str:
    """The power state in an instance view's status codes; `unknown` when none is there (it happens, says Azure)."""
    state = "unknown"
    for code in codes:
        kind, _, value = (code or "").partition("/")
        if kind == "HibernationState" and value.lower() == "hibernated":
            return "hibernated"
        if kind == "PowerState":
            state = value.lower()
    return state


def _parts(resource_id: str) -> tuple[str, str, str]:
    parts = parse_resource_id(resource_id)
    return str(parts["subscription"]), str(parts["resource_group"]), str(parts["name"])
