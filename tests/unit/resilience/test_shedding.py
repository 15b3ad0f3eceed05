"""Who is refused when memory runs out, and until when."""

from orchestra_core.domain.memory import Pressure
from orchestra_core.resilience.shedding import EVERYBODY, NOBODY, Shedding


def test_low_priority_goes_first_then_everything_new() -> None:
    """Critical memory sheds what is below normal, 95 % all new requests, 98 % new connections too."""
    shedding = Shedding()
    shedding.update(0.89, Pressure.FULL)
    assert (shedding.least, shedding.closed) == (EVERYBODY, False)
    shedding.update(0.91, Pressure.CRITICAL)
    assert (shedding.least, shedding.closed) == (0, False)
    shedding.update(0.95, Pressure.CRITICAL)
    assert (shedding.least, shedding.closed) == (NOBODY, False)
    shedding.update(0.98, Pressure.CRITICAL)
    assert (shedding.least, shedding.closed) == (NOBODY, True)


def test_a_mark_that_was_crossed_holds_until_there_is_clearly_more() -> None:
    """Three points below the mark, not at it: memory that swings does not open and close the door."""
    shedding = Shedding()
    shedding.update(0.985, Pressure.CRITICAL)
    shedding.update(0.951, Pressure.CRITICAL)
    assert (shedding.least, shedding.closed) == (NOBODY, True)
    shedding.update(0.949, Pressure.CRITICAL)
    assert (shedding.least, shedding.closed) == (NOBODY, False)
    shedding.update(0.919, Pressure.CRITICAL)
    assert (shedding.least, shedding.closed) == (0, False)
    shedding.update(0.8, Pressure.CALM)
    assert shedding.least == EVERYBODY
