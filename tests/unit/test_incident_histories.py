"""The incident machine over random histories: what must hold whatever Azure says, late, twice or in disorder.

Each class lets hypothesis draw a few thousand histories. A history is what a device went through, how its sightings
were delivered, and what people did; time runs as the timer does, from one due look to the next.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.incidents import machine
from shared.incidents.policy import BusinessHours, Rules
from shared.incidents.records import Cause, Effect, Incident, Observation, PlannedWork, Sighting, Snooze

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
DEVICE = "1111111122223333444455555555555" + "5" + "a" * 20
TYPE = "Microsoft.Compute/virtualMachines"
BAD = ("unavailable", "degraded", "unknown")
LONG = timedelta(days=4)
"""Longer than any window, delay and deadline of the rules below."""

RULES = st.builds(
    Rules,
    strict=st.booleans(),
    open_on=st.sampled_from([["unavailable", "degraded"], ["unavailable"], ["unavailable", "degraded", "unknown"]]),
    hold_minutes=st.sampled_from([0, 0, 10]),
    unknown_after_minutes=st.sampled_from([30, 5, 0]),
    flap_changes=st.sampled_from([5, 3, 0]),
    reopen_minutes=st.sampled_from([60, 0, 600]),
    close_delay_minutes=st.sampled_from([0, 0, 15]),
    ignore_user_initiated=st.booleans(),
    ignore_planned=st.booleans(),
)
GAPS = st.sampled_from([1, 3, 7, 20, 45, 90, 400])
"""Minutes."""
STATES = st.sampled_from(["available", "available", "unavailable", "degraded", "unknown", "notReported", None])
CAUSES: st.SearchStrategy[Cause] = st.sampled_from(["platform", "platform", "unknown", "user", "planned", "guest"])
HOURS = BusinessHours(time_zone="Europe/Zurich", always_from="critical")


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


class Desk:
    """A ticket system that takes effects literally and refuses what may not happen."""

    def __init__(self) -> None:
        self.open: str | None = None
        self.silent: str | None = None
        self.closed: list[str] = []
        self.number = 0
        self.opened: list[str] = []

    def take(self, effect: Effect) -> None:
        assert effect.number == self.number + 1, "effects are counted without a gap"
        self.number = effect.number
        getattr(self, f"_{effect.kind}")(effect.alert_id)
        if effect.kind == "release" and effect.close_reason is not None:
            self.closed.append(effect.alert_id)
        else:
            assert (effect.close_reason is not None) == (effect.kind == "close")

    def _open(self, alert_id: str) -> None:
        assert self.open is None, "two tickets for one incident"
        assert self.silent in (None, alert_id)
        assert alert_id not in self.closed
        self.open, self.silent = alert_id, None
        self.opened.append(alert_id)

    def _reopen(self, alert_id: str) -> None:
        assert self.open is None
        assert self.silent is None
        assert self.closed[-1] == alert_id, "only the last one is opened again"
        self.open = alert_id

    def _update(self, alert_id: str) -> None:
        assert self.open == alert_id

    def _close(self, alert_id: str) -> None:
        assert self.open == alert_id
        self.open = None
        if not self.closed or self.closed[-1] != alert_id:
            self.closed.append(alert_id)

    def _suppress(self, alert_id: str) -> None:
        assert self.open is None
        assert self.silent in (None, alert_id)
        assert alert_id not in self.closed
        self.silent = alert_id

    def _release(self, alert_id: str) -> None:
        assert self.silent == alert_id
        self.silent = None


class World:
    """One device, its sightings on the way, and the clock."""

    def __init__(self) -> None:
        self.rules = Rules()
        self.now = START
        self.read_at = START
        self.incident = Incident(device_id=DEVICE)
        self.desk = Desk()
        self.seen: list[Sighting] = []
        self.waiting: list[Sighting] = []
        self.works: list[PlannedWork] = []

    def look(self, *sightings: Sighting) -> None:
        """One run of the machine, and again, because jobs are delivered twice."""
        observation = Observation(sightings=sightings, planned=tuple(self.works), type=TYPE)
        after, effects = machine.step(self.incident, observation, self.rules, self.now)
        self.carry(after, effects)
        if sightings:
            again, more = machine.step(self.incident, observation, self.rules, self.now)
            assert more == ()
            assert again == self.incident

    def carry(self, after: Incident, effects: tuple[Effect, ...]) -> None:
        assert tuple(after.effects) == effects
        for effect in effects:
            self.desk.take(effect)
        self.incident = after.changed(effects=[])

    def until(self, then: datetime) -> None:
        """Time passes: the device is looked at whenever it is due, and between there would be nothing to do."""
        while (due := self.incident.due_at) is not None and due <= then:
            self.idle(due - timedelta(microseconds=1))
            self.now = max(self.now, due)
            self.look()
        self.idle(then)
        self.now = then

    def idle(self, at: datetime) -> None:
        if at > self.now:
            observation = Observation(planned=tuple(self.works), type=TYPE)
            _, effects = machine.step(self.incident, observation, self.rules, at)
            assert effects == (), f"something was to be done at {at}, due {self.incident.due_at}"

    def sight(self, status: Any, cause: Cause, late: int) -> Sighting:
        """A read of Azure now, of something that happened `late` minutes ago."""
        self.read_at = max(self.read_at + timedelta(seconds=1), self.now)
        self.now = self.read_at
        at = self.read_at if status is None else self.read_at - minutes(late)
        made = Sighting(at=at, seen_at=self.read_at, status=status, cause=cause, reason=f"{status} by {cause}")
        self.seen.append(made)
        return made

    def check(self) -> None:
        """What is remembered is what the desk has."""
        assert (self.incident.phase == "open") == (self.desk.open is not None)
        assert self.desk.open in (None, self.incident.alert_id)
        assert self.desk.silent in (None, self.incident.alert_id)
        if self.desk.silent is not None:
            assert self.incident.phase == "suppressed"


def outcome(incident: Incident) -> tuple[Any, ...]:
    """What an incident has come to, without what depends on when it was looked at."""
    if incident.phase == "quiet":
        return ("quiet", incident.sightings)
    shown = (incident.status, incident.condition, incident.severity, incident.since)
    return (incident.phase, incident.suppressed_by, incident.sightings, *shown)


class Disordered(RuleBasedStateMachine):
    """Sightings come late, twice and in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(rules=RULES)
    def policy(self, rules: Rules) -> None:
        self.world.rules = rules

    @rule(
        said=st.lists(
            st.tuples(STATES, CAUSES, GAPS, st.sampled_from([0, 0, 2, 30]), st.booleans()), min_size=1, max_size=4
        )
    )
    def azure_says(self, said: list[tuple[Any, Cause, int, int, bool]]) -> None:
        for status, cause, gap, late, held in said:
            self.world.until(self.world.now + minutes(gap))
            sighting = self.world.sight(status, cause, late)
            if held:
                self.world.waiting.append(sighting)
            else:
                self.world.look(sighting)

    @rule(order=st.randoms(use_true_random=False))
    def what_waits_arrives(self, order: random.Random) -> None:
        batch = [*self.world.waiting, *self.world.waiting[:2], *self.world.seen[-1:]]
        order.shuffle(batch)
        self.world.waiting = []
        self.world.look(*batch)

    @rule(gap=GAPS, kind=st.sampled_from(["action", "maintenance"]), lasts=GAPS, away=st.booleans())
    def work_is_planned(self, gap: int, kind: Any, lasts: int, away: bool) -> None:
        self.world.until(self.world.now + minutes(gap))
        ends = self.world.now + minutes(lasts)
        back_by = None if away and kind == "action" else ends + minutes(30)
        self.world.works.append(
            PlannedWork(
                id=str(len(self.world.works)),
                kind=kind,
                what=kind,
                starts_at=self.world.now,
                ends_at=ends,
                back_by=back_by,
            )
        )
        self.world.look()

    @invariant()
    def what_is_remembered_is_what_the_desk_has(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        end = self.world.now + LONG
        self.world.look(*self.world.waiting)
        self.world.until(end)
        self.world.look()
        mixed = [*self.world.seen, *self.world.seen]
        random.Random(len(mixed)).shuffle(mixed)  # the seed makes a failure repeatable
        other = World()
        other.rules, other.works, other.now = self.world.rules, self.world.works, self.world.read_at
        for sighting in mixed:
            other.look(sighting)
        other.until(end)
        other.look()
        assert outcome(self.world.incident) == outcome(other.incident)
        said = [s for s in self.world.incident.sightings if s.status is not None]
        if not said or self.world.seen[-1].status in ("available", None):
            assert self.world.desk.open is None, "the device is back, or gone, and its ticket is open"


class Rightly(RuleBasedStateMachine):
    """Sightings come as they are read; whether there is a ticket is compared with a plain reading of the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(rules=RULES)
    def policy(self, rules: Rules) -> None:
        self.world.rules = rules

    @rule(said=st.lists(st.tuples(STATES, CAUSES, GAPS), min_size=1, max_size=4))
    def azure_says(self, said: list[tuple[Any, Cause, int]]) -> None:
        for status, cause, gap in said:
            self.world.until(self.world.now + minutes(gap))
            self.an_open_ticket_has_a_reason_and_a_reason_has_its_ticket()
            self.world.look(self.world.sight(status, cause, 0))
            self.an_open_ticket_has_a_reason_and_a_reason_has_its_ticket()

    @invariant()
    def an_open_ticket_has_a_reason_and_a_reason_has_its_ticket(self) -> None:
        world = self.world
        world.check()
        said = [s for s in world.seen if s.status != "notReported"]
        if not said or said[-1].status is None:
            assert world.desk.open is None
            return
        spell: list[Sighting] = []
        for sighting in said:
            spell = [] if sighting.status in ("available", None) else [*spell, sighting]
        since = world.now - said[-1].at
        if not spell:
            calm = max(world.rules.close_delay_minutes, world.rules.flap_window_minutes)
            assert since < minutes(calm) or world.desk.open is None
            return
        named = [s for s in spell if (s.status, s.cause) != ("unknown", "unknown")]
        cause = named[-1].cause if named else "unknown"
        if cause == "user" and world.rules.ignore_user_initiated:
            assert world.desk.open is None
        elif cause != "planned" and any(s.status in world.rules.opening for s in spell):
            first = next(s.at for s in spell if s.status in world.rules.opening)
            if world.now >= first + minutes(world.rules.hold_minutes):
                assert world.desk.open is not None

    def teardown(self) -> None:
        self.world.until(self.world.now + LONG)
        self.an_open_ticket_has_a_reason_and_a_reason_has_its_ticket()


class Planned(RuleBasedStateMachine):
    """A device goes away only because of planned work, and is back in time; then it does not come back once."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(rules=RULES)
    def policy(self, rules: Rules) -> None:
        self.world.rules = rules

    @rule(
        kind=st.sampled_from(["action", "schedule", "maintenance"]),
        pause=GAPS,
        away_after=st.integers(-4, 20),
        states=st.lists(st.tuples(st.sampled_from(BAD), CAUSES), min_size=1, max_size=3),
        ended=st.booleans(),
    )
    def work(self, kind: Any, pause: int, away_after: int, states: list[tuple[Any, Cause]], ended: bool) -> None:
        """It goes at most 4 minutes before an action begins or at most 20 after, and is back 5 minutes early.

        In a window it goes between its begin and its end, to the minute.
        """
        world = self.world
        world.until(world.now + minutes(pause + 5))
        begins = world.now
        plan = PlannedWork(
            id=str(len(world.works)),
            kind=kind,
            what="work",
            starts_at=begins,
            ends_at=begins + minutes(20) if ended else None,
            back_by=begins + minutes(50),
        )
        world.works.append(plan)
        world.look()
        if away_after > 0:
            world.until(begins + minutes(away_after))
        early = minutes(min(away_after, 0) if kind != "maintenance" else 0)
        for place, (status, cause) in enumerate(states):
            world.until(world.now + minutes(3 * bool(place)))
            sighting = world.sight(status, cause, 0)
            world.look(sighting.changed(at=sighting.at + early))
        world.until(begins + minutes(45))
        world.look(world.sight("available", "platform", 0))
        # What began at its start is known to have ended then.
        world.works[-1] = plan.changed(ends_at=begins + minutes(20))
        world.look()

    @invariant()
    def nobody_was_told(self) -> None:
        self.world.check()
        assert self.world.desk.opened == []

    def teardown(self) -> None:
        world = self.world
        world.until(world.now + LONG)
        self.nobody_was_told()
        begins = world.now
        world.works.append(
            PlannedWork(
                id="last", kind="action", what="Restart by Alice", starts_at=begins, back_by=begins + minutes(50)
            )
        )
        world.look(world.sight("unavailable", "user", 0))
        world.until(begins + minutes(49))
        assert world.desk.opened == []
        world.until(begins + minutes(61))
        assert len(world.desk.opened) == 1
        assert world.incident.condition == "overdue"


class People(RuleBasedStateMachine):
    """Snoozes, acknowledgements, policies and outages get in between."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.acknowledged: str | None = None

    @rule(status=STATES, cause=CAUSES, gap=GAPS, late=st.sampled_from([0, 0, 0, 30]))
    def azure_says(self, status: Any, cause: Cause, gap: int, late: int) -> None:
        snoozed = self.world.incident.snooze is not None and self.world.incident.snooze.until is not None
        opened = len(self.world.desk.opened)
        self.world.until(self.world.now + minutes(gap))
        still = self.world.incident.snooze is not None
        self.world.look(self.world.sight(status, cause, late))
        if snoozed and still and self.world.incident.snooze is not None:
            assert len(self.world.desk.opened) == opened, "nothing opens while it is snoozed"

    @rule(rules=RULES, hours=st.booleans())
    def policy_changes(self, rules: Rules, hours: bool) -> None:
        self.world.rules = rules.model_copy(update={"business_hours": HOURS if hours else None})
        self.world.look()

    @rule(gap=GAPS)
    def time_passes(self, gap: int) -> None:
        self.world.until(self.world.now + minutes(gap))

    @rule(until=st.sampled_from([None, 10, 300]), change=st.booleans())
    def somebody_snoozes(self, until: int | None, change: bool) -> None:
        world = self.world
        ends = world.now + minutes(until) if until else None
        asked = Snooze(by="Alice", at=world.now, until=ends, until_change=change)
        world.carry(*machine.snooze(world.incident, asked, world.now))
        world.look()

    @rule()
    def somebody_wakes_it(self) -> None:
        self.world.carry(*machine.wake(self.world.incident, "Bob", self.world.now))
        self.world.look()

    @rule(back=st.booleans())
    def somebody_acknowledges(self, back: bool) -> None:
        world = self.world
        if back:
            world.carry(*machine.unacknowledge(world.incident, "Bob", world.now))
        else:
            world.carry(*machine.acknowledge(world.incident, "Alice", None, world.now))
            self.acknowledged = world.incident.alert_id

    @rule()
    def an_outage_takes_it_over(self) -> None:
        self.world.carry(*machine.absorb(self.world.incident, self.world.now))
        self.world.look()

    @rule()
    def it_leaves_our_sight(self) -> None:
        self.world.carry(*machine.close(self.world.incident, "siteUnmapped", self.world.now))
        assert self.world.desk.open is None
        assert self.world.desk.silent is None
        self.world.look()
        assert self.world.incident.phase == "quiet"

    @invariant()
    def what_is_remembered_is_what_the_desk_has(self) -> None:
        self.world.check()
        if self.world.incident.acknowledgement is not None:
            assert self.world.incident.alert_id == self.acknowledged, "nobody looks after the next alert yet"

    def teardown(self) -> None:
        self.world.look(self.world.sight("available", "platform", 0))
        self.world.until(self.world.now + LONG)
        assert self.world.desk.open is None
        assert self.world.desk.silent is None


def histories(world: type[RuleBasedStateMachine], count: int, steps: int) -> Any:
    """The test of a class over so many histories of at most so many steps."""
    # A class of its own: the settings belong to it.
    own: Any = type(world.__name__, (world,), {})
    case = own.TestCase
    case.settings = settings(
        max_examples=count, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    return case


# Together 10,500, in classes so that workers share them.
TestDisordered1 = histories(Disordered, 1_000, 6)
TestDisordered2 = histories(Disordered, 1_000, 6)
TestDisordered3 = histories(Disordered, 1_000, 6)
TestDisorderedLonger = histories(Disordered, 250, 12)
TestRightly1 = histories(Rightly, 1_000, 6)
TestRightly2 = histories(Rightly, 1_000, 6)
TestRightly3 = histories(Rightly, 1_000, 6)
TestRightlyLonger = histories(Rightly, 250, 12)
TestPlanned = histories(Planned, 1_000, 3)
TestPeople1 = histories(People, 1_500, 8)
TestPeople2 = histories(People, 1_250, 8)
TestPeopleLonger = histories(People, 250, 25)
