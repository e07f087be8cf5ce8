"""Connections: a partner tenant that consented, from the first form to its removal.

draft -> authorized (somebody signed in) -> tested (every check passed) -> active (`complete`), with needsConsent when
Microsoft no longer takes the sign-in, and disabling while it is being removed. Signing in again is possible at any time
and touches neither tenants nor mappings.
"""

from shared.connections.checks import SYNC_ROLE_NAMES, Check, CheckReport, lacking_roles, report
from shared.connections.lifecycle import complete, create, granted_permissions, remove, test
from shared.connections.record import CONNECTIONS, Connection, ConnectionView, Status, get, view
from shared.connections.record import every as all  # noqa: A004 - read as connections.all
from shared.connections.renewal import needs_consent, renew_all
from shared.connections.signing_in import authorize, finish_sign_in

__all__ = [
    "CONNECTIONS",
    "SYNC_ROLE_NAMES",
    "Check",
    "CheckReport",
    "Connection",
    "ConnectionView",
    "Status",
    "all",
    "authorize",
    "complete",
    "create",
    "finish_sign_in",
    "get",
    "granted_permissions",
    "lacking_roles",
    "needs_consent",
    "remove",
    "renew_all",
    "report",
    "test",
    "view",
]
