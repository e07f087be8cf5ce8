import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import access
from shared.access import Principal
from shared.errors import Forbidden, NotFound

ROLES = [*access.INCLUDES, access.ADMIN]


def person(*roles: str, sites: frozenset[str] | None = frozenset()) -> Principal:
    return Principal("id", "name", access.expand(roles), sites)


@given(st.lists(st.text(), max_size=5))
def test_unknown_roles_give_nothing(roles: list[str]) -> None:
    assert access.expand([role for role in roles if role not in ROLES]) == frozenset()


@given(st.lists(st.sampled_from(ROLES)))
def test_expansion_is_closed(roles: list[str]) -> None:
    once = access.expand(roles)
    assert access.expand(once) == once


@pytest.mark.parametrize(
    "role,included",
    [
        (access.DEVICES_UPDATE, access.DEVICES_READ),
        (access.ALERTS_MANAGE, access.DEVICES_READ),
        (access.M365_MANAGE, access.M365_READ),
        (access.M365_MANAGE_PRIVILEGED, access.M365_MANAGE),
        (access.COLLECTIONS_MANAGE, access.COLLECTIONS_READ),
    ],
)
def test_a_managing_role_includes_reading(role: str, included: str) -> None:
    person(role).require(included)


def test_reading_does_not_include_managing() -> None:
    with pytest.raises(Forbidden, match=r"CloudDevices\.Update"):
        person(access.DEVICES_READ).require(access.DEVICES_UPDATE)


def test_an_administrator_has_every_permission() -> None:
    for permission in ROLES:
        person(access.ADMIN).require(permission)


def test_no_role_is_refused_everything_but_being_signed_in() -> None:
    nobody = person()
    nobody.require(access.SIGNED_IN)
    for permission in ROLES:
        with pytest.raises(Forbidden):
            nobody.require(permission)


def test_a_site_outside_the_grant_does_not_exist() -> None:
    bob = person(access.DEVICES_READ, sites=frozenset({"contoso-hq"}))
    bob.require_site("contoso-hq", "device")
    for outside in ("fabrikam-hq", None):
        with pytest.raises(NotFound, match="There is no device"):
            bob.require_site(outside, "device")
    person(access.ADMIN, sites=None).require_site(None, "device")
