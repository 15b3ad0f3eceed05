"""Fault drills as a state machine: whatever the order of things, none is longer than asked or doubled."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestra_core.domain.catalog import Circuit
from orchestra_core.domain.drills import MOST, DrillFault, DrillWish
from orchestra_core.domain.errors import OperationFailed
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.resilience.drill import PATIENCE, Drill, Ended, complete
from orchestra_core.resilience.drill_board import KEPT, Board

PLACES = st.sampled_from([f"b/{letter}" for letter in "uvwxyz"])
ROUNDING = 1e-9
FRACTIONS = st.floats(0, 1, exclude_max=True)


class Drilling(RuleBasedStateMachine):
    """Drills begun, stopped, met and forgotten in any order, beside a plain account of what may be active."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.board = Board()
        self.number = 0
        # By id: the drill, and the moment after which nothing may come of it.
        self.known: dict[str, tuple[Drill, float]] = {}

    @rule(seconds=st.sampled_from([0.0, 0.4, 5.0, 31.0, PATIENCE]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        place=PLACES,
        fault=st.sampled_from(list(DrillFault)),
        seconds=st.floats(5, 600),
        share=st.floats(0.01, 1),
        closed=st.booleans(),
    )
    def begin(self, place: str, fault: DrillFault, seconds: float, share: float, closed: bool) -> None:
        running = [one for one in self.board.drills.values() if one.ended_at is None]
        allowed = len(running) < MOST and all(one.wish.endpoint != place for one in running)
        self.number += 1
        wish = complete(DrillWish(place, fault, seconds, share))
        drill = Drill(f"d-{self.number}", wish, "me", self.now, closed=closed)
        try:
            before = self.board.begin(drill)
        except OperationFailed:
            assert not allowed
            return
        assert allowed
        self.known[drill.id] = drill, self.now + seconds
        if before is not None:
            self.keep(before)

    def keep(self, drill: Drill) -> None:
        report = drill.report(self.now, "then", "now", "USD")
        assert report.state == "done"
        assert report.ran <= report.seconds + ROUNDING
        assert report.answered + report.left + report.lost == report.requests
        self.board.keep(drill, report)

    @rule(place=PLACES)
    def stop(self, place: str) -> None:
        drill = self.board.drills.get(place)
        if drill is not None:
            drill.end(self.now, "stopped")
            self.known[drill.id] = drill, min(self.known[drill.id][1], self.now)

    @rule()
    def look(self) -> None:
        for drill in self.board.overdue(self.now):
            drill.end(self.now, "over")
        for drill in tuple(self.board.drills.values()):
            if drill.look(self.now):
                self.keep(drill)

    @rule(place=PLACES, call=st.integers(0, 20), chance=FRACTIONS, spread=FRACTIONS, probe=st.booleans())
    def meet(self, place: str, call: int, chance: float, spread: float, probe: bool) -> None:
        drill = self.board.drills.get(place)
        strike = drill and drill.meet(f"r{call}", self.now, chance, spread, probe=probe)
        if drill is not None and strike is not None:
            assert self.now < self.known[drill.id][1]
            assert chance < drill.wish.share
            assert strike.delay is None or strike.delay >= 0
            assert probe or drill.waits_for(f"r{call}")

    @rule(place=PLACES, call=st.integers(0, 20), ok=st.booleans(), left=st.booleans())
    def end_request(self, place: str, call: int, ok: bool, left: bool) -> None:
        drill = self.board.drills.get(place)
        if drill is not None:
            drill.ended(Ended(f"r{call}", ok, left and not ok, 0.5, 2, 1, False, 0.0))
            assert not drill.waits_for(f"r{call}")

    @rule(place=PLACES, verdict=st.sampled_from(list(Verdict)), circuit=st.sampled_from(list(Circuit)))
    def happen(self, place: str, verdict: Verdict, circuit: Circuit) -> None:
        drill = self.board.drills.get(place)
        if drill is not None:
            drill.tried(Outcome(verdict, place))
            drill.turned(circuit, self.now)
            drill.refused("r", self.now)

    @invariant()
    def nothing_outlives_its_time(self) -> None:
        for drill, until in self.known.values():
            assert drill.active(self.now) == (self.now < until and drill.ended_at is None)
            assert drill.view(self.now).remaining <= drill.wish.seconds + ROUNDING
            if self.now >= until:
                assert not drill.active(self.now)
                assert drill.meet("late", self.now, 0.0, 0.0) is None

    @invariant()
    def one_at_each_place_and_few_at_once(self) -> None:
        active = [drill for drill, _ in self.known.values() if drill.active(self.now)]
        assert len({drill.wish.endpoint for drill in active}) == len(active) <= MOST
        assert len(self.board.reports) <= KEPT


Drilling.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestDrilling = Drilling.TestCase
