"""What must be true of a partner tenant for a connection to work, each with what to do when it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.app import App
from shared.errors import NeedsConsent
from shared.permissions import ApiName

Outcome = Literal["passed", "warning", "failed", "skipped"]


class Check(BaseModel):
    """One thing that was looked at. `fix` says what to do; it is empty when nothing is to be done."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    outcome: Outcome
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Subject:
    """The connection that is looked at; `account` None: nobody has signed in."""

    connection_id: str
    partner_tenant_id: str
    account: str | None


@dataclass(frozen=True)
class Findings:
    """All checks; `granted` None when the grants could not be read; the error when the sign-in is no longer taken."""

    checks: list[Check]
    granted: frozenset[str] | None = None
    sign_in_refused: NeedsConsent | None = None


def outcome(found: list[Check]) -> Literal["passed", "failed"]:
    """Passed unless a check failed; a warning is no failure."""
    return "failed" if any(check.outcome == "failed" for check in found) else "passed"


def delegated_keys(api: ApiName, scope: str) -> frozenset[str]:
    """Keys (permissions.py) of the permissions that a token answer's `scope` names, bare or as full URIs."""
    return frozenset(f"{api}/delegated/{name.rpartition('/')[2]}" for name in scope.split())


async def run(app: App, subject: Subject) -> Findings:
    """Look at everything. A check whose ground another one found missing is skipped."""
    raise NotImplementedError


async def granted(app: App, connection_id: str, partner_tenant_id: str) -> frozenset[str]:
    """Keys (permissions.py) of what the partner's own tenant has granted. Raises MicrosoftError."""
    raise NotImplementedError
