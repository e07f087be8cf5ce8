"""Every error that Tenantry raises on purpose.

TenantryError
├── InvalidInput                400  a field, parameter or body is wrong; `details` names each
├── Unauthenticated             401  no token, or one that does not prove who calls
├── Forbidden                   403  the caller lacks the permission
├── NotFound                    404  no such thing, or outside the caller's sites
├── Conflict                    409  the state of things does not allow it
├── PreconditionFailed          412  changed since it was read (ETag)
├── TooLarge                    413  a body above the limit
├── UnsupportedMediaType        415  a body of the wrong kind
├── TooManyRequests             429  try again after `retry_after` seconds
├── Unavailable                 503  a part that is needed does not answer
└── MicrosoftError              502  Microsoft refused or failed; `status`, `remote_code` are its own
    ├── Throttled                    429 or 503 with a time to wait in `retry_after`
    ├── NeedsConsent                 the connection's sign-in is gone: only a person can mend it
    └── AccessDenied                 this tenant or subscription refuses us; `fix` says what to do
"""

from __future__ import annotations

from typing import ClassVar, NotRequired

from typing_extensions import TypedDict


class ErrorDetail(TypedDict):
    """One thing that is wrong with a request; `target` is the field, parameter or id that it is about."""

    code: str
    message: str
    target: NotRequired[str]


class TenantryError(Exception):
    """Base: `message` says what happened and what to do; `code` and `http_status` go on the wire."""

    http_status: ClassVar[int] = 500
    code: str = "internalError"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        target: str | None = None,
        details: list[ErrorDetail] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.target, self.details = message, target, details or []
        if code is not None:
            self.code = code


class InvalidInput(TenantryError):
    """400: the input is wrong."""

    http_status = 400
    code = "invalidInput"


class Unauthenticated(TenantryError):
    """401: who calls is not proved."""

    http_status = 401
    code = "unauthenticated"


class Forbidden(TenantryError):
    """403: the caller lacks the permission."""

    http_status = 403
    code = "forbidden"


class NotFound(TenantryError):
    """404: there is no such thing in the caller's scope."""

    http_status = 404
    code = "notFound"


class Conflict(TenantryError):
    """409: the present state does not allow it."""

    http_status = 409
    code = "conflict"


class PreconditionFailed(TenantryError):
    """412: the thing has changed since it was read."""

    http_status = 412
    code = "preconditionFailed"


class TooLarge(TenantryError):
    """413: the body is above the limit."""

    http_status = 413
    code = "tooLarge"


class UnsupportedMediaType(TenantryError):
    """415: the body is of a kind the route does not take."""

    http_status = 415
    code = "unsupportedMediaType"


class TooManyRequests(TenantryError):
    """429: try again after `retry_after` seconds."""

    http_status = 429
    code = "tooManyRequests"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(TenantryError):
    """503: a part that is needed does not answer."""

    http_status = 503
    code = "unavailable"


class MicrosoftError(TenantryError):
    """A Microsoft service refused or failed.

    `status` is its HTTP status (0: no answer came), `remote_code` its own code (an AADSTS number, an ARM or Graph
    code), `fix` what a technician can do about it, `request_id` the service's own id of the request, if it gave one.
    """

    http_status = 502
    code = "microsoftError"

    def __init__(self, message: str, *, status: int = 0, remote_code: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.status, self.remote_code, self.fix = status, remote_code, fix
        self.request_id = ""


class Throttled(MicrosoftError):
    """Told to wait: try again after `retry_after` seconds. Never a failure by itself."""

    code = "throttled"

    def __init__(self, message: str, *, retry_after: float, status: int = 429, remote_code: str = "") -> None:
        super().__init__(message, status=status, remote_code=remote_code)
        self.retry_after = retry_after


SIGN_IN_AGAIN = "Sign in to the connection again."
"""What mends a connection whose sign-in is no longer taken."""


class NeedsConsent(MicrosoftError):
    """The connection's sign-in was revoked or has expired; retrying cannot help, signing in again does."""

    code = "needsConsent"


class AccessDenied(MicrosoftError):
    """A tenant or subscription refuses this application or the consenting user."""

    code = "accessDenied"
