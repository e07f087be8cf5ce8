"""The sentences of tickets: complete, and with one full stop."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from shared.incidents import machine, notes
from shared.incidents.records import Cause, Sighting, Snooze
from tests.unit.test_incident_machine import START, Case, at, work


def test_the_end_of_flapping_tells_how_long_it_lasted() -> None:
    case = Case()
    for minute in range(0, 60, 10):
        case.sees("unavailable" if minute % 20 == 0 else "available", minute)
    assert case.incident.condition == "flapping"
    case.looked(200)
    said = "It is available again since 2026-03-03 12:50 UTC, after going up and down for 50 minutes."
    assert case.said == said


@pytest.mark.parametrize("cause, reason", [("user", "Stopped by a user."), ("planned", "Planned maintenance.")])
def test_no_sentence_of_a_machine_that_was_taken_down_has_doubled_punctuation(cause: Cause, reason: str) -> None:
    case = Case(work(0, 5, 30, kind="maintenance", what="Maintenance: patching."))
    case.sees("unavailable", -30)
    sighting = Sighting(at=at(-20), seen_at=at(-20), status="unavailable", cause=cause, reason=reason)
    case.looked(-20, sighting)
    case.looked(60)
    case.sees("available", 70)
    case.sees("unavailable", 71)
    later = Case(work(0, 5, 30, kind="maintenance", what="Maintenance: patching."))
    later.sees("unavailable", 1)
    later.looked(40)
    for effect in [*case.effects, *later.effects]:
        assert not re.search(r"[.;:,]\s*[.;:,]", effect.note), effect.note
    assert "patching; it should have been back by" in later.said


def test_a_snooze_says_until_when_and_says_it_once() -> None:
    asked = Snooze(by="Alice", at=START, until=START + timedelta(hours=2))
    said = "Snoozed by Alice until 2026-03-03 14:00 UTC"
    assert notes.snoozed(asked) == said
    assert notes.suppressed("snooze", asked.until, said) == f"{said}."
    case = Case()
    case.sees("unavailable", 0)
    case.kept(machine.snooze(case.incident, asked, at(1)))
    assert said in case.said
