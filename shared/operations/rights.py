"""What our sign-in may do in Azure, and which right it lacks where Azure refuses.

Rights are asked of the resource group first, whose answer is kept for a moment and serves all that lies in it; only
what the group does not give is asked of the resource itself, so that a right that was just given is seen at once.
Sources: learn.microsoft.com/azure/role-based-access-control/scope-overview (what is held on a scope is held below it),
learn.microsoft.com/rest/api/authorization/permissions.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from shared.app import App
from shared.errors import MicrosoftError, NeedsConsent
from shared.microsoft import arm_actions
from shared.microsoft.identity import TenantCredential

Roles = list[dict[str, list[str]]]
"""`{actions, notActions}` of each role that is held."""

KEPT_FOR = timedelta(minutes=1)
MOST_KEPT = 1000
"""Resource groups."""
FORBIDDEN = 403
MISSING = "azureRightMissing"
GROUP = re.compile(r"^/subscriptions/[^/]+/resourceGroups/[^/]+(?=/)", re.IGNORECASE)
REFUSAL = re.compile(r"perform action '(?P<action>[^']+)' over scope '(?P<scope>[^']+)'")
"""In Azure's text of a refusal: learn.microsoft.com/azure/role-based-access-control/troubleshooting."""


async def lacking(app: App, credential: TenantCredential, resource_id: str, actions: Collection[str]) -> frozenset[str]:
    """Those of the actions that we may not do on a resource; none where Azure does not say. Raises NeedsConsent."""
    try:
        missing = frozenset(actions)
        if (group := GROUP.match(resource_id)) is not None:
            missing = _without(missing, await _of_group(app, credential, group[0]))
        if missing:
            missing = _without(missing, await _read(app, credential, resource_id))
    except NeedsConsent:
        raise
    except MicrosoftError:
        return frozenset()
    return missing


async def _of_group(app: App, credential: TenantCredential, scope: str) -> Roles:
    kept: dict[tuple[object, str], tuple[datetime, Roles]] = app.memory.setdefault("rights", {})
    key, now = (credential.key, scope.lower()), app.clock.now()
    if (known := kept.get(key)) is not None and now - known[0] < KEPT_FOR:
        return known[1]
    found = await _read(app, credential, scope)
    if len(kept) >= MOST_KEPT:
        kept.clear()
    kept[key] = (now, found)
    return found


async def _read(app: App, credential: TenantCredential, scope: str) -> Roles:
    return await arm_actions.permitted(app.settings, app.transport.azure, credential, scope)


def _without(actions: frozenset[str], roles: Roles) -> frozenset[str]:
    return frozenset(action for action in actions if not allows(roles, action))


def allows(roles: Roles, action: str) -> bool:
    """Whether one of the roles grants an action; what a role excludes, another may grant.

    Source: learn.microsoft.com/azure/role-based-access-control/role-definitions#actions.
    """
    return any(_named(role, "actions", action) and not _named(role, "notActions", action) for role in roles)


def _named(role: dict[str, list[str]], member: str, action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in role.get(member) or [])


def said(action: str, scope: str) -> str:
    """That a right is missing, and what to do."""
    return f"The application may not {action} on {scope}. Give it a role with that action there, or above."


def refused(error: MicrosoftError) -> tuple[str, str] | None:
    """(action, scope) of the right that Azure says is missing; None when it refused for another reason, or says not."""
    found = REFUSAL.search(error.message) if error.status == FORBIDDEN else None
    return (found["action"], found["scope"]) if found else None
