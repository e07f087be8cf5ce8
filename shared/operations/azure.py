"""What an action asks of Azure: the present state, the action itself, and how it stands.

Virtual machines and scale sets are acted upon through azure-mgmt-compute, every other type by one generic request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared import capabilities
from shared.app import App
from shared.capabilities import Capability, requests
from shared.capabilities.compute import SCALE_SET, VIRTUAL_MACHINE
from shared.capabilities.edge import ARC_MACHINE, BY_KIND
from shared.capabilities.requests import Request
from shared.capabilities.run_state import at
from shared.errors import MicrosoftError
from shared.microsoft import arm_actions, compute
from shared.microsoft.arm_actions import Progress
from shared.microsoft.identity import TenantCredential
from shared.operations.records import KEPT, Kept, Plan

NOTHING_KEPT = "It was not stopped from here, so that the settings to start it with are not known. Start it in Azure."
MACHINES_API = "2025-01-13"
BY_COMPUTE = frozenset({VIRTUAL_MACHINE.lower(), SCALE_SET.lower()})


@dataclass(frozen=True)
class Present:
    """A resource now: its run state in our words, and what Azure answered."""

    state: str
    answer: Any


async def target(app: App, credential: TenantCredential, resource_type: str, resource_id: str) -> tuple[str, str]:
    """(type, id) of what is acted upon: of a machine that Azure Arc knows, the instance on its hypervisor.

    Raises MicrosoftError.
    """
    if resource_type.lower() != ARC_MACHINE:
        return resource_type, resource_id
    machine = await _read(app, credential, Request("GET", resource_id, {"api-version": MACHINES_API}))
    instance = BY_KIND.get(str(at(machine, "kind") or "").lower())
    return (instance, f"{resource_id}/providers/{instance}/default") if instance else (resource_type, resource_id)


async def present(app: App, credential: TenantCredential, row: Capability, resource_id: str) -> Present:
    """The present run state. Raises MicrosoftError (404: there is no such resource)."""
    answer = await _read(app, credential, requests.state(row, resource_id))
    return Present(capabilities.state_of(row.state, answer), answer)


async def prepare(app: App, credential: TenantCredential, row: Capability, plan: Plan) -> Request:
    """The request of an action, made from what has to be read first. Nothing is changed in Azure.

    What the action takes away and another puts back is stored before this returns. Raises MicrosoftError.
    """
    resource, hosts, kept = None, [], None
    if row.reads_resource:
        resource = await _read(app, credential, requests.resource(row, plan.resource_id))
    if row.reads_hosts and not plan.instances:
        found = await _read(app, credential, requests.host_list(row, plan.resource_id))
        hosts = [str(at(host, "name")) for host in found if at(host, "name")] if isinstance(found, list) else []
    if row.keeps and at(resource, row.keeps):
        value = at(resource, row.keeps)
        await app.tables.put(KEPT, Kept(device_id=plan.device_id, subscription_id=plan.subscription_id, value=value))
    if row.restores:
        stored = await app.tables.get(KEPT, plan.subscription_id, plan.device_id)
        if stored is None:
            raise MicrosoftError(NOTHING_KEPT, remote_code="nothingKept")
        kept = stored.value
    return requests.action(row, plan.resource_id, instances=plan.instances, resource=resource, hosts=hosts, kept=kept)


async def put_back(app: App, plan: Plan) -> None:
    """Forget what was kept for an action that has succeeded; harmless when nothing was."""
    row = capabilities.find(plan.resource_type, plan.verb)
    if row is None or not row.restores:
        return
    kept = await app.tables.get(KEPT, plan.subscription_id, plan.device_id)
    if kept is not None:
        await app.tables.delete(KEPT, kept.changed(etag=None))


async def begin(app: App, credential: TenantCredential, row: Capability, plan: Plan, request: Request) -> Progress:
    """Send an action once. Raises as shared/microsoft/arm_actions.py says."""
    if row.type.lower() in BY_COMPUTE:
        return await compute.begin(
            app.settings,
            app.transport.azure,
            credential,
            plan.resource_id,
            row.operation,
            plan.request_id,
            hibernate=row.query.get("hibernate") == "true",
            instances=plan.instances,
        )
    return await arm_actions.begin(
        app.settings,
        app.transport.azure,
        credential,
        request.method,
        request.path,
        request.query,
        request.body,
        request_id=plan.request_id,
        final_state_via=row.final_state_via,
    )


async def follow(app: App, credential: TenantCredential, row: Capability, plan: Plan) -> Progress:
    """Ask once how an action stands. Raises MicrosoftError."""
    if row.type.lower() in BY_COMPUTE:
        return await compute.follow(
            app.settings, app.transport.azure, credential, plan.resource_id, row.operation, plan.token
        )
    return await arm_actions.follow(
        app.settings, app.transport.azure, credential, plan.token, final_state_via=row.final_state_via
    )


async def listed(app: App, credential: TenantCredential, request: Request) -> list[dict[str, Any]]:
    """Every item of a list. Raises MicrosoftError."""
    return await arm_actions.read_list(app.settings, app.transport.azure, credential, request.path, request.query)


async def _read(app: App, credential: TenantCredential, request: Request) -> Any:
    return await arm_actions.read(
        app.settings, app.transport.azure, credential, request.method, request.path, request.query
    )
