"""The requests that act on resources of any type, and those that read a run state which a GET of the id does not show.

Virtual machines and scale sets have routes of their own, which come first.
"""

from __future__ import annotations

from typing import Any

from sandbox import arm_operations, arm_pages, arm_resources
from sandbox.arm_resources import split_path
from sandbox.power import backend, requests, table
from sandbox.wire import Call, Reply, Service
from sandbox.world import Resource

_PREFIX = "/subscriptions/{sub}/resourceGroups/{rg}/providers"
_FACTORY, _SYNAPSE = "Microsoft.DataFactory/factories", "Microsoft.Synapse/workspaces"
_STATUS_READ = {
    f"{_FACTORY}/integrationRuntimes".lower(): f"{_FACTORY}/integrationruntimes/getstatus/read",
    f"{_SYNAPSE}/integrationRuntimes".lower(): f"{_SYNAPSE}/integrationRuntimes/getStatus/action",
}
"""Lower-cased type whose run state is read by a POST -> the action that a role must allow for it."""
_EXECUTIONS = _PREFIX + "/Microsoft.Chaos/experiments/{experiment}/executions"


def add_routes(service: Service) -> None:
    """Register the routes; they come before those of any resource by its id."""

    @service.route("POST", _PREFIX + "/{rest:path}/getStatus")
    async def status(call: Call) -> Reply:
        type_name = split_path(call.params["rest"])[1].lower()
        if type_name not in _STATUS_READ:
            raise call.service.not_found(call)
        resource = _found(call, _STATUS_READ[type_name])
        kind = resource.properties.get("type", "Managed")
        return Reply({"name": resource.name.rsplit("/", 1)[-1], "properties": {"type": kind, "state": resource.power}})

    @service.route("POST", _PREFIX + "/{rest:path}/listHosts")
    async def hosts(call: Call) -> Reply:
        if split_path(call.params["rest"])[1].lower() != "microsoft.hdinsight/clusters":
            raise call.service.not_found(call)
        cluster = _found(call, "Microsoft.HDInsight/clusters/listHosts/action")
        names = [f"{role}.{cluster.name}.internal.example" for role in ("hn0", "wn0", "wn1")]
        return Reply([{"name": name, "fqdn": name} for name in names])

    @service.route("GET", _PREFIX + "/Microsoft.Compute/cloudServices/{name}/instanceView")
    async def roles(call: Call) -> Reply:
        call.params["rest"] = f"Microsoft.Compute/cloudServices/{call.params['name']}"
        cloud = _found(call, "Microsoft.Compute/cloudServices/instanceView/read")
        size = sum(role["sku"]["capacity"] for role in cloud.properties["roleProfile"]["roles"])
        return Reply(
            {
                "roleInstance": {"statusesSummary": [{"code": f"PowerState/{cloud.power}", "count": size}]},
                "statuses": [],
            }
        )

    @service.route("GET", _EXECUTIONS)
    async def executions(call: Call) -> Reply:
        return Reply({"value": [_execution(_experiment(call))]})

    @service.route("GET", _EXECUTIONS + "/{execution}")
    async def execution(call: Call) -> Reply:
        return Reply(_execution(_experiment(call)))

    @service.route("POST", _PREFIX + "/{rest:path}")
    async def post(call: Call) -> Reply:
        path, _, operation = call.params["rest"].strip("/").rpartition("/")
        return _act(call, path, operation)

    @service.route("PUT", _PREFIX + "/{rest:path}")
    async def put(call: Call) -> Reply:
        return _act(call, call.params["rest"], None)

    @service.route("PATCH", _PREFIX + "/{rest:path}")
    async def patch(call: Call) -> Reply:
        row = table.load().get(split_path(call.params["rest"])[1].lower())
        body = call.body
        acts = row is not None and any(action.method == "PATCH" for action in row.actions.values())
        if acts and not (isinstance(body, dict) and body and set(body) <= {"tags"}):
            return _act(call, call.params["rest"], None)
        return arm_resources.patch_reply(call)


def _act(call: Call, path: str, operation: str | None) -> Reply:
    _, type_name, name = split_path(path)
    row = table.load().get(type_name.lower())
    action = requests.select(call, row, operation) if row is not None and name is not None else None
    if row is None or action is None:
        raise call.service.not_found(call)
    _, resource = arm_resources.find(call, path, action.rbac)
    return backend.act(call, row, resource, action)


def _found(call: Call, action: str) -> Resource:
    """The resource of `rest`, a read of it counted as a poll."""
    _, resource = arm_resources.find(call, call.params["rest"], action)
    arm_operations.observe(call.world, resource)
    return resource


def _experiment(call: Call) -> Resource:
    call.params["rest"] = f"Microsoft.Chaos/experiments/{call.params['experiment']}"
    return _found(call, "Microsoft.Chaos/experiments/executions/read")


def _execution(experiment: Resource) -> dict[str, Any]:
    """The newest execution of an experiment: there is one only."""
    name = "00000000-0000-4000-8000-000000000001"
    return {
        "id": f"{experiment.id}/executions/{name}",
        "name": name,
        "type": "Microsoft.Chaos/experiments/executions",
        "properties": {"status": experiment.power, "startedAt": arm_pages.timestamp(experiment.created)},
    }
