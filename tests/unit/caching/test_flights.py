"""Those who ask the same at the same time: everybody is answered once, and a backend in trouble meets few of them."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestra_core.caching.flights import Flight, Flights


def aloft(number: int) -> tuple[Flight[str], list[tuple[int, str | None]]]:
    told: list[tuple[int, str | None]] = []
    flight = Flights[str]().begin(b"q")
    for place in range(number):
        flight.board(lambda answer, place=place: told.append((place, answer)))
    return flight, told


def test_an_answer_is_everybodys() -> None:
    """All that wait get it, once, and nobody can board after it."""
    flights = Flights[str]()
    flight = flights.begin(b"q")
    told: list[str | None] = []
    for _ in range(3):
        flight.board(told.append)
    assert flights.get(b"q") is flight
    flight.land("yes")
    flight.dissolve()
    flight.fail()
    assert told == ["yes"] * 3
    assert (flight.over, flights.get(b"q"), len(flights)) == (True, None, 0)


def test_failures_release_one_then_two_then_four() -> None:
    """In the order they came; while one that was released is under way nobody else is."""
    flight, told = aloft(10)
    flight.fail()
    assert told == [(0, None)]
    flight.fail()
    assert told == [(place, None) for place in range(3)]
    flight.fail()
    assert len(told) == 3
    flight.fail()
    assert len(told) == 7
    for _ in range(4):
        flight.fail()
    assert len(told) == 10
    assert not flight.over
    for _ in range(3):
        flight.fail()
    assert flight.over


def test_slowness_releases_in_the_same_steps_and_the_first_answer_counts() -> None:
    """Who was sent first may still be the one whose answer comes."""
    flight, told = aloft(5)
    flight.late()
    flight.late()
    assert told == [(0, None), (1, None), (2, None)]
    flight.land("at last")
    assert told[3:] == [(3, "at last"), (4, "at last")]


def test_who_leaves_is_not_told() -> None:
    """A place that was given up is nobody's; after its release it cannot be given up any more."""
    told: list[str | None] = []
    flight = Flights[str]().begin(b"q")
    first, second = flight.board(told.append), flight.board(told.append)
    assert flight.leave(first)
    assert not flight.leave(first)
    flight.fail()
    assert told == [None]
    assert not flight.leave(second)


def test_an_answer_that_is_not_shared_lets_everybody_go() -> None:
    """It would not be shared the next time either."""
    flight, told = aloft(4)
    flight.dissolve()
    assert told == [(place, None) for place in range(4)]


class FlightMachine(RuleBasedStateMachine):
    """Any order of boarding, leaving, failing, being late and landing."""

    def __init__(self) -> None:
        super().__init__()
        self.over = 0
        self.flight: Flight[str] = Flight(self._ended)
        self.told: dict[int, str | None] = {}
        self.tickets: list[int] = []
        self.waiting: set[int] = set()
        self.sent = 1

    def _ended(self) -> None:
        self.over += 1

    def _wake(self, place: int, answer: str | None) -> None:
        assert place not in self.told
        self.told[place] = answer
        self.waiting.discard(place)
        if answer is None and not self.flight.over:
            self.sent += 1

    @precondition(lambda self: not self.flight.over)
    @rule()
    def board(self) -> None:
        place = len(self.tickets)
        self.waiting.add(place)
        self.tickets.append(self.flight.board(lambda answer: self._wake(place, answer)))

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.tickets) - 1))
        assert self.flight.leave(self.tickets[place]) == (place in self.waiting)
        self.waiting.discard(place)

    @precondition(lambda self: self.sent and not self.flight.over)
    @rule()
    def fail(self) -> None:
        self.sent -= 1
        self.flight.fail()

    @rule()
    def late(self) -> None:
        self.flight.late()

    @rule(lands=st.booleans())
    def end(self, lands: bool) -> None:
        if lands:
            self.flight.land("answer")
        else:
            self.flight.dissolve()

    @invariant()
    def nobody_is_forgotten(self) -> None:
        """Who waits, waits for somebody who is under way; a flight that is over has nobody and ended once."""
        assert self.flight.waiting == len(self.waiting)
        assert self.over == self.flight.over
        if self.waiting:
            assert self.sent
            assert not self.flight.over


TestFlight = FlightMachine.TestCase
TestFlight.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
