"""Virtual machines: a list that says which run, and the actions on one or on a scale set, through azure-mgmt-compute.

Sources: learn.microsoft.com/azure/virtual-machines/states-billing (states),
learn.microsoft.com/azure/azure-resource-manager/management/async-operations (how an action is followed).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.mgmt.core.tools import parse_resource_id

from shared.microsoft import arm_errors, arm_lists
from shared.microsoft.arm_actions import ACTION_SECONDS, DEFAULT_POLL_SECONDS, Progress, Unanswered, progress_of, step
from shared.microsoft.outgoing import CorrelationPolicy
from shared.microsoft.transport import AzureTransport
from shared.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.core.polling import AsyncLROPoller
    from azure.mgmt.compute.aio import ComputeManagementClient

API_VERSION = "2026-04-01"
"""Of the list of machines; the one that azure-mgmt-compute 39 sends."""

_LISTS = arm_lists.Clients(arm_lists.bare, "mgmt-compute/39.0.0")


@asynccontextmanager
async def _client(
    settings: Settings, transport: AzureTransport, credential: AsyncTokenCredential, subscription_id: str
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


async def machines(
    settings: Settings, transport: AzureTransport, credential: AsyncTokenCredential, subscription_id: str
) -> list[dict[str, Any]]:
    """Every virtual machine of a subscription with what says whether it runs, in one paged list.

    Items `{id, properties: {instanceView: {statuses: [{code}]}}}`; Azure leaves the view out at times. Raises
    MicrosoftError.
    """
    # Not by a ComputeManagementClient: it takes 5 ms to build, and a cycle asks hundreds of subscriptions.
    client = _LISTS.get(settings, transport)
    path = f"/subscriptions/{subscription_id}/providers/Microsoft.Compute/virtualMachines"
    parameters = {"api-version": API_VERSION, "statusOnly": "true"}
    return await arm_lists.read_all(client, settings, credential, path, parameters)


async def begin(
    settings: Settings,
    transport: AzureTransport,
    credential: AsyncTokenCredential,
    resource_id: str,
    operation_name: str,
    request_id: str,
    *,
    hibernate: bool = False,
    instances: Sequence[str] = (),
) -> Progress:
    """Send an action (`start`, `deallocate` or `restart`) to a machine or scale set once, with this client request id.

    `hibernate` goes with deallocate; `instances` are those of a scale set, none means all. Raises Throttled when it
    surely was not accepted and may be sent again (429, 503, or no connection was made), Unanswered when nobody knows,
    and MicrosoftError with Azure's status and code when it was refused.
    """
    options: dict[str, Any] = {"headers": {"x-ms-client-request-id": request_id}, "read_timeout": ACTION_SECONDS}
    if hibernate:
        options["hibernate"] = True
    if instances:
        options["vm_instance_i_ds"] = {"instanceIds": list(instances)}
    async with _client(settings, transport, credential, _parts(resource_id)[0]) as client:
        try:
            return progress_of(await _act(client, operation_name, resource_id, **options))
        except AzureError as error:
            if arm_errors.outcome_unknown(error):
                raise Unanswered(f"Azure's answer was lost: {error.message}") from error
            raise


async def follow(
    settings: Settings,
    transport: AzureTransport,
    credential: AsyncTokenCredential,
    resource_id: str,
    operation_name: str,
    token: str,
) -> Progress:
    """Ask once how an action stands, from its continuation token. Raises MicrosoftError."""
    async with _client(settings, transport, credential, _parts(resource_id)[0]) as client:
        options = {"continuation_token": token, "request_id": str(uuid.uuid4())}
        return await step(await _act(client, operation_name, resource_id, **options), token)


async def _act(
    client: ComputeManagementClient, operation_name: str, resource_id: str, **options: Any
) -> AsyncLROPoller[None]:
    _, group, name = _parts(resource_id)
    several = str(parse_resource_id(resource_id)["type"]).lower() == "virtualmachinescalesets"
    acts = client.virtual_machine_scale_sets if several else client.virtual_machines
    poller: AsyncLROPoller[None]
    if operation_name == "start":
        poller = await acts.begin_start(group, name, **options)
    elif operation_name == "deallocate":
        poller = await acts.begin_deallocate(group, name, **options)
    elif operation_name == "restart":
        poller = await acts.begin_restart(group, name, **options)
    else:
        raise ValueError(f"no action {operation_name} of virtual machines is known here")
    return poller


def _parts(resource_id: str) -> tuple[str, str, str]:
    parts = parse_resource_id(resource_id)
    return str(parts["subscription"]), str(parts["resource_group"]), str(parts["name"])
