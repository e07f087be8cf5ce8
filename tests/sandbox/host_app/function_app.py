"""A function app of every trigger the stand-in runs; what it has seen is kept in `seen`, by function."""

import asyncio
import collections
import json
from typing import Any

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
blueprint = func.Blueprint()
seen: dict[str, list[Any]] = collections.defaultdict(list)
at_once = {"now": 0, "most": 0}
gate = asyncio.Event()


@blueprint.route(route="echo/{word}/{number:int?}", methods=["GET", "POST"])
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Gives back what the host made of the request."""
    body = {
        "method": req.method,
        "url": req.url,
        "params": dict(req.params),
        "route": dict(req.route_params),
        "accept": req.headers.get("accept"),
        "body": req.get_body().decode(),
        "function": context.function_name,
        "invocation": context.invocation_id,
    }
    headers = {"set-cookie": "a=1", "x-answer": "yes"}
    return func.HttpResponse(json.dumps(body), mimetype="application/json", headers=headers)


@blueprint.route(route="fail", methods=["GET"])
def fail(req: func.HttpRequest) -> func.HttpResponse:
    """Raises: the host answers 500."""
    raise RuntimeError("nobody expected this")


@blueprint.route(route="plain", methods=["GET"])
def plain(req: func.HttpRequest) -> str:
    """A synchronous function that returns a string."""
    return "plain text"


@blueprint.route(route="{*rest}", methods=["GET"])
async def zz_rest(req: func.HttpRequest) -> func.HttpResponse:
    """Whatever no function before it in the alphabet takes."""
    return func.HttpResponse(req.route_params.get("rest", ""), status_code=404)


@blueprint.queue_trigger(arg_name="message", queue_name="work", connection="AzureWebJobsStorage")
async def work(message: func.QueueMessage) -> None:
    """Does what the message says: `{"do": "ok" | "fail" | "wait"}`."""
    seen["work"].append({"id": message.id, "body": message.get_body(), "try": message.dequeue_count})
    at_once["now"] += 1
    at_once["most"] = max(at_once.values())
    try:
        task = json.loads(message.get_body())
        if task["do"] == "fail":
            raise RuntimeError("told to fail")
        if task["do"] == "wait":
            await gate.wait()
    finally:
        at_once["now"] -= 1


@blueprint.queue_trigger(arg_name="message", queue_name="work-poison", connection="AzureWebJobsStorage")
async def work_poison(message: func.QueueMessage) -> None:
    """Keeps what was given up."""
    seen["work_poison"].append(message.get_body())


@blueprint.timer_trigger(arg_name="timer", schedule="%TICK%")
async def tick(timer: func.TimerRequest) -> None:
    """Keeps whether it was late."""
    seen["tick"].append(timer.past_due)


app.register_functions(blueprint)
