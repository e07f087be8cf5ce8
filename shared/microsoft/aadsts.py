"""What the sign-in service's AADSTS numbers mean to a technician, and what to do about them.

Source: learn.microsoft.com/entra/identity-platform/reference-error-codes.
"""

from __future__ import annotations

from shared.errors import SIGN_IN_AGAIN, AccessDenied, MicrosoftError, NeedsConsent, Throttled
from shared.microsoft.http_errors import UNNAMED_SECONDS

NEEDS_SIGN_IN: dict[int, tuple[str, str]] = {
    50173: ("The sign-in was revoked (password change or revoked sessions).", SIGN_IN_AGAIN),
    700082: ("The sign-in expired because it was not used for 90 days.", SIGN_IN_AGAIN),
    70043: (
        "The sign-in expired by a sign-in frequency policy.",
        "Exclude the account from that policy, then sign in again.",
    ),
    50076: (
        "The account signed in without multifactor authentication.",
        "Turn on Microsoft's MFA for the account, then sign in again.",
    ),
    50079: (
        "The account must register for multifactor authentication.",
        "Register MFA for the account, then sign in again.",
    ),
    9002313: ("The stored sign-in is not one Microsoft knows.", SIGN_IN_AGAIN),
    50034: ("The account that signed in no longer exists.", "Sign in again with another account."),
    50057: ("The account that signed in is disabled.", "Enable it, or sign in again with another account."),
}
DENIED: dict[int, tuple[str, str]] = {
    65001: (
        "The application has no consent in this tenant.",
        "Sync the tenant again, or have its administrator consent.",
    ),
    50020: (
        "The account is not admitted to this tenant by any GDAP relationship.",
        "Assign the GDAP security group to an active relationship with this tenant, and put the account in the group.",
    ),
    50177: (
        "The account is not admitted to this tenant.",
        "Assign the GDAP security group to an active relationship with this tenant, and put the account in the group.",
    ),
    53003: (
        "Conditional Access of this tenant blocks the sign-in.",
        "Exclude the service provider's account from that policy.",
    ),
    530032: (
        "A security policy of this tenant blocks the sign-in.",
        "Exclude the service provider's account from that policy.",
    ),
    5000224: ("This tenant no longer exists.", "Unsync it."),
    90002: ("There is no such tenant.", "Check the tenant id."),
    900023: ("There is no such tenant.", "Check the tenant id."),
    700016: ("The application does not exist in this tenant.", "Sync the tenant again."),
    7000229: ("The application has no enterprise application in this tenant yet.", "Sync the tenant again."),
    7000215: ("The client secret is wrong.", "Put the current secret value (not its id) in the vault."),
    7000222: ("The client secret has expired.", "Make a new client secret and put it in the vault."),
    50105: ("The account is not assigned to the application.", "Assign it, or turn assignment off."),
    650051: ("Another enterprise application has this name.", "Rename or remove it, then sync again."),
}
REPLICATING = frozenset({700016, 7000229, 65001, 7000215})
"""Also said for minutes after the thing was made."""


def from_answer(status: int, body: dict[str, object], retry_after: float | None = None) -> MicrosoftError:
    """The error of a token endpoint's refusal. `status` is HTTP's, `body` the OAuth error object."""
    codes = body.get("error_codes")
    number = int(codes[0]) if isinstance(codes, list) and codes else 0
    code = f"AADSTS{number}" if number else str(body.get("error", "unknown"))
    described = str(body.get("error_description", "")).split(" Trace ID:")[0].split("\r\n")[0]
    if status == 429 or status >= 500:
        return Throttled(
            "The sign-in service asks to wait.",
            retry_after=retry_after or UNNAMED_SECONDS,
            status=status,
            remote_code=code,
        )
    if number in NEEDS_SIGN_IN:
        text, fix = NEEDS_SIGN_IN[number]
        return NeedsConsent(text, status=status, remote_code=code, fix=fix)
    if number in DENIED:
        text, fix = DENIED[number]
        return AccessDenied(text, status=status, remote_code=code, fix=fix)
    if body.get("error") == "invalid_grant":
        return NeedsConsent(described, status=status, remote_code=code, fix=SIGN_IN_AGAIN)
    return MicrosoftError(described or "The sign-in service refused.", status=status, remote_code=code)
