"""Cloud Custodian, as it is, against the sandbox under production host names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.azure_types import VM
from sandbox.server import Sandbox
from sandbox.world import Resource, Subscription, Tenant
from tests.clients.conftest import Finished, Run

pytestmark = pytest.mark.clients


async def custodian(
    run: Run, folder: Path, policy: str, tenant: Tenant, secret: tuple[str, str], subscription: Subscription
) -> tuple[list[dict[str, Any]], Finished]:
    """Run one policy (YAML) called `policy`: the resources it found, and the run."""
    (folder / "policy.yml").write_text(policy)
    done = await run(
        "custodian",
        "run",
        "-s",
        "out",
        "--cache-period",
        "0",
        "policy.yml",
        AZURE_TENANT_ID=tenant.id,
        AZURE_CLIENT_ID=secret[0],
        AZURE_CLIENT_SECRET=secret[1],
        AZURE_SUBSCRIPTION_ID=subscription.id,
    )
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads((folder / "out" / "policy" / "resources.json").read_text())
    return found, done


async def test_running_machines_are_filtered_and_stopped(
    run: Run,
    tmp_path: Path,
    sandbox: Sandbox,
    contoso: Tenant,
    secret: tuple[str, str],
    subscription: Subscription,
    machine: Resource,
) -> None:
    policy = f"""
policies:
  - name: policy
    resource: azure.vm
    filters:
      - type: value
        key: name
        value: {machine.name}
      - type: instance-view
        key: statuses[].code
        op: in
        value_type: swap
        value: PowerState/running
    actions:
      - type: stop
"""
    found, done = await custodian(run, tmp_path, policy, contoso, secret, subscription)
    assert [row["id"] for row in found] == [machine.id]
    assert f"Action 'stop' modified '{machine.name}'" in done.err
    # Custodian leaves before the operation ends; the clock ends it.
    sandbox.cloud.clock.advance(10)
    again, _ = await custodian(run, tmp_path, policy, contoso, secret, subscription)
    assert again == []
    assert machine.power == "deallocated"


async def test_every_resource_is_counted(
    run: Run, tmp_path: Path, contoso: Tenant, secret: tuple[str, str], subscription: Subscription
) -> None:
    policy = "policies:\n  - name: policy\n    resource: azure.vm\n"
    found, _ = await custodian(run, tmp_path, policy, contoso, secret, subscription)
    assert {row["id"] for row in found} == {row.id for row in subscription.resources.values() if row.type == VM}
