"""Loads that fail are tried again later, and later each time."""

from orchestra_core.residency.setbacks import Setbacks


def test_the_pause_doubles_from_five_seconds_to_a_minute() -> None:
    """5, 10, 20, 40, 60, 60."""
    setbacks = Setbacks()
    pauses = [setbacks.failed("a", 100.0).until - 100.0 for _ in range(6)]
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_the_pause_runs_out() -> None:
    """Then the next try may be made."""
    setbacks = Setbacks()
    assert setbacks.remaining("a", 0.0) == 0
    setbacks.failed("a", 10.0)
    assert setbacks.remaining("a", 12.0) == 3
    assert setbacks.remaining("a", 15.0) == 0
    assert setbacks.remaining("b", 12.0) == 0


def test_success_clears() -> None:
    """The next failure is a first one again."""
    setbacks = Setbacks()
    setbacks.failed("a", 0.0)
    setbacks.failed("a", 0.0)
    setbacks.loaded("a")
    assert setbacks.failed("a", 0.0).until == 5


def test_a_load_after_which_the_model_died_soon_is_no_success() -> None:
    """Or it would be loaded for ever."""
    setbacks = Setbacks()
    for _ in range(2):
        assert setbacks.failed("a", 0.0, died=True).until == 0
        setbacks.loaded("a")
    assert setbacks.failed("a", 0.0, died=True).until == 5
    setbacks.forget("a")
    assert setbacks.failed("a", 0.0).until == 5


def test_deaths_for_want_of_memory_count_while_the_need_is_the_same() -> None:
    """A larger need starts anew, and so does another sort of failure."""
    setbacks = Setbacks()
    for _ in range(2):
        setbacks.failed("a", 0.0, out_of_memory=True, needed=7)
    assert setbacks.failed("a", 0.0, out_of_memory=True, needed=7).exhausted == 3
    assert setbacks.failed("a", 0.0, out_of_memory=True, needed=8).exhausted == 1
    assert setbacks.failed("a", 0.0).exhausted == 0
