"""Generated requests to every route of the served OpenAPI document, as alice: nothing of it may fail on our side."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.estate import Estate
from tests.scheduling import made

SECONDS = 20
"""What the generated requests may take; the host answers them in this process meanwhile."""
CHECKS = ("not_a_server_error", "content_type_conformance", "response_schema_conformance", "status_code_conformance")
KNOWN_SHARE = 0.7
"""How often an id in a path is one that exists."""


async def existing_ids(estate: Estate) -> dict[str, list[str]]:
    """Path parameter -> ids that name something; an alert is open and an export is done."""
    machine = estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    sink = await estate.webhook()
    export = await estate.call("POST", "/devices/export", 202)
    schedule = await made(estate, machine)
    await estate.settle(30)
    sites, tenants = await estate.listed("/sites"), await estate.listed("/tenants")
    return {
        "alert_id": [alert["id"] for alert in await estate.listed("/alerts")],
        "connection_id": ["c1"],
        "device_id": [estate.device_id(machine)],
        "operation_id": [export["id"]],
        "principal_id": ["someone"],
        "schedule_id": [schedule["id"]],
        "sink_id": [sink["id"]],
        "site_id": [site["id"] for site in sites],
        "tenant_id": [tenant["id"] for tenant in tenants],
    }


def configuration(ids: dict[str, list[str]]) -> str:
    """A schemathesis.toml that puts known ids into paths."""
    lines = []
    for name, values in ids.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    lines.append("[parameters]")
    lines += [f'"path.{name}" = {{ dictionary = "{name}", probability = {KNOWN_SHARE} }}' for name in ids]
    return "\n".join(lines) + "\n"


@pytest.mark.timeout(180)
async def test_generated_requests_never_fail_on_our_side(estate: Estate, tmp_path: Path) -> None:
    ids = await existing_ids(estate)
    assert all(ids.values()), ids
    (tmp_path / "schemathesis.toml").write_text(configuration(ids))
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"{estate.host.url}/api/openapi.json",
        f"--url={estate.host.url}",
        f"--header=Authorization: {estate.alice.headers['Authorization']}",
        f"--checks={','.join(CHECKS)}",
        "--phases=coverage,fuzzing",
        "--max-examples=20",
        f"--max-time={SECONDS}",
        "--seed=1",
        "--no-shrink",
        "--continue-on-failure",
        "--generation-database=none",
        "--suppress-health-check=all",
        "--request-timeout=30",
        "--warnings=off",
        "--no-color",
    ]
    child = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await child.communicate()
    assert child.returncode == 0, output.decode()[-20_000:]
    await estate.settle(60)
    assert await estate.listed("/service/poison") == []
