"""Graph's JSON batching: up to 20 requests in one, each answered on its own.

Source: https://learn.microsoft.com/graph/json-batching
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.wire import Call, CloudError, Reply, Service

MAXIMUM = 20
_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})


def _invalid(message: str) -> CloudError:
    return CloudError(400, "BadRequest", message)


def parse(body: Any) -> list[dict[str, Any]]:
    """The items of a batch. Raises CloudError 400 for the whole batch when one of them is malformed."""
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list) or not requests or not all(isinstance(item, dict) for item in requests):
        raise _invalid("Invalid batch payload format.")
    if len(requests) > MAXIMUM:
        raise CloudError(
            400, "MaximumValueExceeded", f"Number of batch request steps exceeds the maximum value of {MAXIMUM}."
        )
    seen: set[str] = set()
    for item in requests:
        key, method, url = item.get("id"), item.get("method"), item.get("url")
        if not isinstance(key, str) or not key or not isinstance(method, str) or not isinstance(url, str):
            raise _invalid("Invalid batch payload format.")
        needed, headers = item.get("dependsOn") or [], item.get("headers") or {}
        if not isinstance(needed, list) or not isinstance(headers, dict):
            raise _invalid("Invalid batch payload format.")
        if key.lower() in seen:
            raise _invalid(f"Request Id {key} has already been used in this batch request.")
        if method.upper() not in _METHODS:
            raise _invalid(f"Invalid method {method} of request id : {key}.")
        if item.get("body") is not None and not _content_type(item):
            raise _invalid(f"Write request id : {key} does not contain Content-Type header or body.")
        if any(str(other).lower() not in seen for other in needed):
            raise _invalid(f"Request id : {key} depends on a request that does not come before it.")
        seen.add(key.lower())
    return requests


def _content_type(item: dict[str, Any]) -> bool:
    return any(name.lower() == "content-type" for name in item.get("headers") or {})


def _call(outer: Call, item: dict[str, Any]) -> Call:
    parts = urlsplit(item["url"])
    body = item.get("body")
    headers = {name.lower(): str(value) for name, value in (item.get("headers") or {}).items()}
    carried = {name: value for name, value in outer.headers.items() if name in ("authorization", "client-request-id")}
    return Call(
        cloud=outer.cloud,
        service=outer.service,
        method=item["method"].upper(),
        path="/v1.0/" + unquote(parts.path).lstrip("/"),
        params={},
        query={key.lower(): value for key, value in parse_qsl(parts.query, keep_blank_values=True)},
        headers=carried | headers,
        raw_body=b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode(),
        base_url=outer.base_url,
    )


async def _answer(outer: Call, item: dict[str, Any]) -> dict[str, Any]:
    service, call = outer.service, _call(outer, item)
    if call.path.lower().startswith("/v1.0/$batch"):
        reply = service.error_reply(_invalid("A batch request cannot hold another one."))
    elif fault := service.take_fault(call, batch_item=True):
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        status = fault.status or 503
        reply = service.fault_reply(fault)
        reply.status = status
    else:
        try:
            reply = await service.dispatch(call)
        except CloudError as error:
            reply = service.error_reply(error)
    headers = dict(reply.headers)
    if reply.json is not None:
        headers["Content-Type"] = "application/json"
    answer = {"id": item["id"], "status": reply.status, "headers": headers}
    return answer if reply.json is None else answer | {"body": reply.json}


async def batch(outer: Call) -> Reply:
    """POST /$batch {requests[]}: 200 with responses in any order, each with its own status."""
    responses: list[dict[str, Any]] = []
    failed: set[str] = set()
    for item in parse(outer.body):
        if any(str(needed).lower() in failed for needed in item.get("dependsOn") or ()):
            error = {"code": "FailedDependency", "message": "The request failed because its dependency failed."}
            answer = {
                "id": item["id"],
                "status": 424,
                "headers": {"Content-Type": "application/json"},
                "body": {"error": error},
            }
        else:
            answer = await _answer(outer, item)
        if answer["status"] >= 400:
            failed.add(item["id"].lower())
        responses.append(answer)
    outer.world.rng.shuffle(responses)
    return Reply({"responses": responses})


def add_routes(service: Service) -> None:
    """Register the batch route."""
    service.route("POST", "/v1.0/$batch")(batch)
