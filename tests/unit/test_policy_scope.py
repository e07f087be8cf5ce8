"""What of the policy someone sees and changes who is limited to sites."""

from __future__ import annotations

from typing import Any

import pytest

from shared.access import ALERTS_MANAGE, Principal
from shared.alerts import policies
from shared.alerts.policies import Version, merged, narrowed, sent
from shared.errors import Forbidden
from shared.incidents.policy import Override, Policy
from shared.sites import Site, SiteMap

MINE, CLIENTS = frozenset({"a", "b"}), frozenset({"contoso"})
BOB = Principal("bob", "Bob", frozenset({ALERTS_MANAGE}), MINE)
SITES = SiteMap(
    [
        Site(id="a", client_name="Contoso", site_name="A"),
        Site(id="b", client_name="Contoso", site_name="B"),
        Site(id="c", client_name="Fabrikam", site_name="C"),
    ]
)
OWN = {"siteIds": ["a"], "holdMinutes": 5}
SHARED = {"siteIds": ["a", "c"], "holdMinutes": 6}
FOREIGN = {"siteIds": ["c"], "holdMinutes": 7}
BY_TYPE = {"types": ["Microsoft.Compute/virtualMachines"], "holdMinutes": 8}
OF_OTHERS = {"clientNames": ["Fabrikam"], "holdMinutes": 9}


def policy(*overrides: dict[str, Any], **rules: Any) -> Policy:
    return Policy.model_validate({"overrides": list(overrides), **rules})


def shown(present: Policy) -> list[dict[str, Any]]:
    """The overrides as the caller got them."""
    found: list[dict[str, Any]] = policies.view(Version(data=sent(present)), SITES, BOB)["overrides"]
    return found


def after(present: Policy, *overrides: dict[str, Any], **rules: Any) -> list[dict[str, Any]]:
    """The overrides once the caller's change is taken."""
    wanted = policy(*overrides, **rules)
    found: list[dict[str, Any]] = sent(merged(present, wanted, MINE, CLIENTS))["overrides"]
    return found


def test_one_sees_what_can_be_about_ones_sites_and_of_it_ones_own_names() -> None:
    present = policy(OWN, SHARED, FOREIGN, BY_TYPE, OF_OTHERS)
    assert shown(present) == [OWN, {"siteIds": ["a"], "holdMinutes": 6}, BY_TYPE]
    both = Override.model_validate({"siteIds": ["c"], "clientNames": ["Contoso"]})
    assert narrowed(both, MINE, CLIENTS) is None


def test_what_was_shown_and_sent_back_changes_nothing() -> None:
    present = policy(FOREIGN, OWN, SHARED, OF_OTHERS, BY_TYPE, FOREIGN)
    assert after(present, *shown(present)) == sent(present)["overrides"]


def test_ones_own_overrides_are_added_changed_and_left_out_while_the_others_keep_their_places() -> None:
    present = policy(FOREIGN, OWN, SHARED, OF_OTHERS, BY_TYPE)
    mine, narrow = {"siteIds": ["b"], "strict": True}, {"siteIds": ["a"], "holdMinutes": 6}
    assert after(present, narrow, mine, BY_TYPE) == [FOREIGN, SHARED, mine, OF_OTHERS, BY_TYPE]
    changed = {**OWN, "holdMinutes": 50}
    assert after(present, changed, narrow, BY_TYPE, mine) == [changed, FOREIGN, SHARED, OF_OTHERS, BY_TYPE, mine]


@pytest.mark.parametrize(
    "overrides, rules",
    [
        ([BY_TYPE], {"holdMinutes": 1}),
        ([BY_TYPE], {"watchdog": {"pollLateMinutes": 60}}),
        ([BY_TYPE], {"businessHours": {"timeZone": "Europe/Zurich"}}),
        ([], {}),
        ([{**BY_TYPE, "holdMinutes": 1}], {}),
        ([BY_TYPE, OF_OTHERS], {}),
        ([BY_TYPE, FOREIGN], {}),
        ([BY_TYPE, SHARED], {}),
        ([BY_TYPE, {"clientNames": ["Contoso"], "holdMinutes": 1}], {}),
    ],
)
def test_a_change_of_anything_else_is_refused(overrides: list[dict[str, Any]], rules: dict[str, Any]) -> None:
    with pytest.raises(Forbidden, match="siteIds are all yours"):
        after(policy(BY_TYPE), *overrides, **rules)


def test_the_defaults_spelled_out_are_no_change() -> None:
    assert after(Policy(), OWN, **policies.full(Policy())) == [OWN]


def test_what_an_override_does_not_say_stays_unsaid_when_it_is_stored() -> None:
    present = policy(OWN, {"types": ["a.b/c"], "businessHours": None}, businessHours={"timeZone": "UTC"})
    stored = Version.model_validate_json(Version(data=sent(present)).model_dump_json(exclude_none=True)).policy
    assert stored is not None
    assert stored.overrides[0].set_here() == {"hold_minutes": 5}
    assert stored.for_device("X", "z", "A.B/C").business_hours is None
    assert stored.for_device("X", "a", "d.e/f").business_hours is not None
