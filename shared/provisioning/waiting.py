"""When a job that met an expected wait comes back, and when waiting ends.

A new object of Entra ID is not seen everywhere at once, and a service that is busy says so: neither is a failure. The
job ends, and a successor comes later (learn.microsoft.com/graph/best-practices-concept#handling-expected-errors).
"""

from __future__ import annotations

from http import HTTPStatus

from shared.errors import AccessDenied, MicrosoftError, NeedsConsent, Throttled
from shared.microsoft.aadsts import REPLICATING

MAX_DELAY = 60.0
PATIENCE = 13
"""Waits of 2, 4, 8... 60 seconds without any progress: about ten minutes."""
DENIED_PATIENCE = 6
"""A refusal for want of rights is more often true than late: about two minutes."""
_REPLICATING = frozenset(f"AADSTS{number}" for number in REPLICATING)


def patience(error: MicrosoftError) -> int:
    """How often an error is waited out; 0 when waiting cannot help. Pure."""
    if isinstance(error, NeedsConsent):
        return 0
    if isinstance(error, Throttled) or error.remote_code in _REPLICATING:
        return PATIENCE
    if error.status == HTTPStatus.NOT_FOUND or error.remote_code == "PrincipalNotFound":
        return PATIENCE
    if isinstance(error, AccessDenied) and not error.remote_code.startswith("AADSTS"):
        return DENIED_PATIENCE
    return 0


def delay(error: MicrosoftError, attempt: int) -> float:
    """Seconds to the successor of attempt number `attempt` (from 0): what the service asked, at least 2^n. Pure."""
    asked = error.retry_after if isinstance(error, Throttled) else 0.0
    return max(asked, min(MAX_DELAY, 2.0 ** (attempt + 1)))
