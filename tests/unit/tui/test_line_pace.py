"""When the line to the terminal is called slow, and when quick again."""

from hypothesis import given
from hypothesis import strategies as st

from orchestra_tui.present.pace import QUEUED, QUICK, QUICK_IN_A_ROW, SILENT, SLOW, Pace


def trips(pace: Pace, *seconds: float) -> None:
    for number, taken in enumerate(seconds):
        pace.asked(number * 10.0)
        pace.answered(number * 10.0 + taken)


def test_one_late_answer_is_not_a_slow_line() -> None:
    """Two in a row are; five quick ones end it."""
    pace = Pace()
    trips(pace, SLOW + 0.1)
    assert not pace.slow
    trips(pace, QUICK - 0.1, SLOW + 0.1, SLOW + 0.1)
    assert pace.slow
    trips(pace, *[QUICK - 0.1] * (QUICK_IN_A_ROW - 1))
    assert pace.slow
    trips(pace, QUICK - 0.1)
    assert not pace.slow


def test_an_answer_that_does_not_come_is_slow() -> None:
    """Where answers came before; a terminal that never answers is left alone, and so are answers to nothing."""
    pace = Pace()
    pace.answered(1.0)
    assert pace.trip is None
    pace.asked(1.0)
    pace.look(100.0)
    assert not pace.slow
    pace = Pace()
    trips(pace, QUICK)
    pace.asked(200.0)
    pace.look(200.0 + SILENT)
    assert not pace.slow
    pace.look(200.1 + SILENT)
    assert pace.slow


# A clock's difference may be off by its last bit.
@given(st.lists(st.floats(0, SLOW - 1e-9), max_size=30))
def test_a_line_that_is_never_slow_is_never_called_so(taken: list[float]) -> None:
    """However the quick trips are mixed."""
    pace = Pace()
    trips(pace, *taken)
    assert not pace.slow


def test_one_answer_that_took_very_long_is_enough() -> None:
    """Nobody should wait for the second one."""
    pace = Pace()
    trips(pace, SILENT + 0.1)
    assert pace.slow


def test_a_line_that_is_quick_only_while_spared_is_not_called_so_too_soon() -> None:
    """Each time it turned slow again it must be quick for twice as long."""
    pace = Pace()
    for needed in (QUICK_IN_A_ROW, 2 * QUICK_IN_A_ROW, 4 * QUICK_IN_A_ROW):
        trips(pace, SLOW + 0.1, SLOW + 0.1)
        trips(pace, *[0.0] * (needed - 1))
        assert pace.slow
        trips(pace, 0.0)
        assert not pace.slow


def test_writes_that_wait_are_a_slow_line() -> None:
    """Also before the terminal has answered at all."""
    pace = Pace()
    pace.look(1.0, QUEUED - 1)
    assert not pace.slow
    pace.look(1.0, QUEUED)
    assert pace.slow
