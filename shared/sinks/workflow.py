"""The URL of a workflow's trigger in Azure Logic Apps or Power Automate: what it is, and what it answers.

The URL is a bearer secret: its `sig` is all that proves a caller. Its host differs by product and age (logic.azure.com,
powerplatform.com, powerautomate.com), so nothing is read from it.
Source: learn.microsoft.com/azure/connectors/connectors-native-reqres. The codes WorkflowTriggerIsNotEnabled (400, of a
workflow that is off or deleted), TriggerInputSchemaMismatch (400) and DirectApiAuthorizationRequired (401, of a URL
without `sig`) are as people report them who met them; no page of Microsoft's lists them.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import SecretStr

from shared.errors import InvalidInput
from shared.sinks.contract import Message, Outlet, Receipt, SinkError, secret
from shared.sinks.http import Answer, call, pinned
from shared.sinks.http import judge as judge_others

MAX_URL_CHARS = 4000
OFF = ("WorkflowTriggerIsNotEnabled", "WorkflowDisabled", "WorkflowNotFound")
"""Error codes of a workflow that takes nothing until somebody acts."""


def required(url: SecretStr | None, target: str) -> None:
    """Raises InvalidInput when there is no URL."""
    if not secret(url):
        raise InvalidInput("Give the URL of the workflow's trigger.", target=target)


async def check(outlet: Outlet, url: SecretStr | None, target: str) -> None:
    """Raises InvalidInput for a URL that may not be sent to."""
    try:
        await pinned(outlet, secret(url))
    except InvalidInput as error:
        raise InvalidInput(error.message, target=target) from error


async def post(outlet: Outlet, url: SecretStr | None, message: Message, content: bytes) -> Receipt:
    """Start the workflow with a JSON body. Raises SinkError.

    The run is tracked under the message's id (`x-ms-client-tracking-id`), so that one that was started twice shows.
    The body is called application/json: a workflow keeps other media types as base64.
    """
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "webhook-id": message.id,
        "x-ms-client-tracking-id": message.id,
    }
    if not secret(url):
        raise SinkError("The vault has no URL for this sink. Save the sink with the URL.", permanent=True, disable=True)
    answer = judge(await call(outlet, "POST", secret(url), headers=headers, content=content))
    run = answer.headers.get("x-ms-workflow-run-id", "")
    return Receipt(answer.status, detail=f"Run {run}" if run else "")


def judge(answer: Answer) -> Answer:
    """The answer when it is 2xx. Raises SinkError otherwise.

    401 and 403: the URL is not the present one; 404, 410 and the codes of `OFF`: the workflow is off or deleted. Each
    switches the sink off. Another 400 or a 413 is about the message: the trigger's schema refuses it.
    """
    if answer.ok:
        return answer
    code = _code(answer)
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        said = (
            "The workflow refuses its URL: it was made anew, or anyone may not start it. Copy the trigger's URL again."
        )
        raise answer.error(permanent=True, disable=True, message=f"{answer.status} {code}: {said}")
    if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) or code in OFF:
        said = "The workflow is switched off or deleted. Switch it on, or set the URL of another."
        raise answer.error(permanent=True, disable=True, message=f"{answer.status} {code}: {said}")
    if answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
        raise answer.error(permanent=True, message=f"The workflow refuses the message: {answer.status} {_said(answer)}")
    return judge_others(answer)


def _error(answer: Answer) -> dict[str, Any]:
    """The error object of the answer's body; empty without one."""
    try:
        body = answer.json()
    except SinkError:
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def _code(answer: Answer) -> str:
    return str(_error(answer).get("code", ""))[:100]


def _said(answer: Answer) -> str:
    error = _error(answer)
    return f"{error.get('code', '')}: {error.get('message', '')}" if error else answer.beginning
