"""A workflow's HTTP trigger, as Azure Logic Apps and Power Automate serve it: a URL whose `sig` is the only proof.

Sources: learn.microsoft.com/azure/connectors/connectors-native-reqres (URL, 202, run id headers, schema validation);
error codes as reported: WorkflowTriggerIsNotEnabled is a 400 that names the workflow's state, `Deleted` too.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from typing import Any
from urllib.parse import urlencode

from sandbox.receivers.base import Receiver
from sandbox.wire import Call, CloudError, Reply
from sandbox.world import Cloud

API_VERSION = "2016-10-01"
PERMISSION = "/triggers/manual/run"


class Workflow(Receiver):
    """One workflow with a Request trigger. `PUT {enabled?, deleted?, renewed?, required?}` beside the moods.

    `enabled: false` switches it off, `deleted: true` deletes it, `renewed: true` gives the URL a new signature (the
    old one is refused), `required: [names]` is the trigger's schema with validation on.
    """

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.workflow_id = cloud.world.guid("workflow", self.kind).replace("-", "")
        self.enabled, self.deleted, self.renewals = True, False, 0
        self.required: list[str] = []
        self.runs: list[dict[str, Any]] = []

    @property
    def signature(self) -> str:
        """The `sig` of the present URL."""
        text = f"{self.workflow_id}|{self.renewals}"
        return hashlib.sha256(text.encode()).hexdigest()[:43]

    @property
    def url(self) -> str:
        """The trigger's whole URL."""
        query = {"api-version": API_VERSION, "sp": PERMISSION, "sv": "1.0", "sig": self.signature}
        path = f"/workflows/{self.workflow_id}/triggers/manual/paths/invoke"
        return f"{super().url}{path}?{urlencode(query)}"

    def settle(self, body: dict[str, Any]) -> None:
        """As every receiver, and what becomes of the workflow (see the class)."""
        rest = {k: v for k, v in body.items() if k not in ("enabled", "deleted", "renewed", "required")}
        super().settle(rest)
        self.enabled = bool(body.get("enabled", self.enabled))
        self.deleted = bool(body.get("deleted", self.deleted))
        self.renewals += int(bool(body.get("renewed", False)))
        self.required = [str(name) for name in body.get("required", self.required)]

    def clear(self) -> None:
        """Forget the runs too; a workflow that is off or deleted is there again."""
        super().clear()
        self.runs.clear()
        self.enabled, self.deleted, self.required = True, False, []

    def verify(self, call: Call) -> bool:
        """Whether the URL carries the present signature."""
        return hmac.compare_digest(call.query.get("sig", "").encode(), self.signature.encode())

    def failure(self, status: int) -> Any:
        """The error frame of the workflow service."""
        return {"error": {"code": "Fault", "message": f"The receiver was told to answer {status}."}}

    async def receive(self, call: Call) -> Reply:
        """Start a run: 202 with its id, whatever becomes of it."""
        verified = self.verify(call)
        try:
            self._refuse(call, verified=verified)
        except CloudError as error:
            self.record(call, error.status, verified=verified)
            raise
        self.record(call, 202, verified=True)
        run = f"{uuid.uuid4().int:020d}"[:20] + "CU00"
        tracking = call.headers.get("x-ms-client-tracking-id", run)
        self.runs.append({"runId": run, "trackingId": tracking, **self.run(call)})
        headers = {
            "x-ms-workflow-id": self.workflow_id,
            "x-ms-workflow-run-id": run,
            "x-ms-trigger-history-name": run,
            "x-ms-client-tracking-id": tracking,
        }
        return Reply(None, 202, headers)

    def run(self, call: Call) -> dict[str, Any]:
        """What the workflow does with a request: `{status: Succeeded|Failed, problem?}`."""
        raise NotImplementedError

    def shown(self) -> dict[str, Any]:
        """As every receiver, and `runs`, the oldest first."""
        return {**super().shown(), "runs": self.runs}

    def _refuse(self, call: Call, *, verified: bool) -> None:
        """Raises CloudError as the trigger's endpoint refuses."""
        if call.method != "POST":
            raise CloudError(404, "NotFound", "The trigger takes POST only.")
        if f"/workflows/{self.workflow_id}/" not in call.path:
            raise CloudError(404, "WorkflowNotFound", "The workflow could not be found.")
        if "sig" not in call.query:
            raise CloudError(
                401,
                "DirectApiAuthorizationRequired",
                "The request must be authenticated only by Shared Access scheme or by OAuth.",
            )
        if not verified:
            raise CloudError(401, "AuthorizationFailed", "The authentication credentials are not valid.")
        if self.deleted or not self.enabled:
            state = "Deleted" if self.deleted else "Suspended"
            raise CloudError(
                400,
                "WorkflowTriggerIsNotEnabled",
                f"Could not execute workflow '{self.workflow_id}' trigger 'manual' with state '{state}': "
                "trigger is not enabled.",
            )
        if self.required:
            body = call.body
            missing = [name for name in self.required if not isinstance(body, dict) or name not in body]
            if missing:
                raise CloudError(
                    400,
                    "TriggerInputSchemaMismatch",
                    f"The input body for trigger 'manual' of type 'Request' did not match its schema definition. "
                    f"Error details: 'Required properties are missing from object: {', '.join(missing)}.'.",
                )
