"""How long an approval of a schedule holds: while its owner wants what was approved, or less."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from shared.access import Principal
from shared.schedules.changes import Wanted, is_within
from shared.schedules.records import Approval, Chosen, Schedule, Target
from shared.schedules.targets import Found

OWNER = Principal("owner", "Olga", frozenset(), frozenset({"contoso", "fabrikam"}))
OTHER = Principal("other", "Otto", frozenset(), frozenset({"contoso", "fabrikam"}))
DAY = date(2027, 12, 24)
WANTED = Wanted(
    name="Off",
    action="stop",
    time_zone="UTC",
    rule="FREQ=DAILY",
    start_at="2027-01-01T19:00",
    holidays=[DAY],
    target=Target(chosen=Chosen(types=["vm"])),
)
BEFORE = Schedule(
    id="s1",
    name=WANTED.name,
    action=WANTED.action,
    time_zone=WANTED.time_zone,
    rule=WANTED.rule,
    start_at=WANTED.start_at,
    holidays=WANTED.holidays,
    target=WANTED.target,
    site_ids=["contoso", "fabrikam"],
    owner_id=OWNER.id,
    owner_name=OWNER.name,
    approval=Approval(why="large", devices=30, by="bob"),
    created_at=datetime(2027, 1, 1, tzinfo=UTC),
    created_by_name=OWNER.name,
    changed_at=datetime(2027, 1, 1, tzinfo=UTC),
)


def within(wanted: Wanted = WANTED, caller: Principal = OWNER, *site_ids: str) -> bool:
    return is_within(BEFORE, caller, wanted, Found([], frozenset(site_ids or BEFORE.site_ids)))


def test_the_same_or_less_by_its_owner_is_what_was_approved() -> None:
    assert within()
    assert within(replace(WANTED, name="Nights", enabled=False))
    assert within(replace(WANTED, holidays=[DAY, date(2027, 12, 25)]))
    assert within(WANTED, OWNER, "contoso")


def test_another_owner_a_site_more_or_a_holiday_less_was_not_approved() -> None:
    assert not within(WANTED, OTHER)
    assert not within(WANTED, OWNER, "contoso", "northwind")
    assert not within(replace(WANTED, holidays=[]))
    assert not within(replace(WANTED, action="restart"))
    assert not within(replace(WANTED, target=Target(chosen=Chosen(search="x"))))
