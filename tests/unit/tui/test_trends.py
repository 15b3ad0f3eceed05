"""Where a memory goes: foretold only from steady readings, and never far."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.snapshot import MemoryView, PoolView
from orchestra_tui.present import pools
from orchestra_tui.present.gauge import gauge
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.spans import plain, width
from orchestra_tui.present.trend import STILL, Trend, foretold, trend
from orchestra_tui.readings import Readings
from tests.fakes.fake_engine import World

LIMITS = (0.9, 0.7)


def every_ten_seconds(*shares: float) -> list[tuple[float, float]]:
    return [(10.0 * place, share) for place, share in enumerate(shares)]


STEADY = every_ten_seconds(*(0.5 + 0.005 * place for place in range(13)))
WOBBLING = every_ten_seconds(*(0.5 + 0.005 * place + (0.002, 0.0, -0.002)[place % 3] for place in range(13)))


@pytest.mark.parametrize("readings", [STEADY, WOBBLING], ids=["steady", "wobbling"])
def test_a_steady_rise_reaches_its_next_limit(readings: list[tuple[float, float]]) -> None:
    """Half a per cent in ten seconds: from 56 % it is some five minutes to 70 %, and from there seven to 90 %."""
    found = trend(readings)
    assert found.direction == 1
    assert foretold(found, 0.56, LIMITS) == "~5 min to 70 %"
    assert foretold(found, 0.70, LIMITS) == "~7 min to 90 %"
    assert foretold(found, 0.699, LIMITS) == "<1 min to 70 %"
    assert foretold(found, 0.95, LIMITS) == ""
    assert foretold(found, 0.20, LIMITS) == ""


@pytest.mark.parametrize(
    ("readings", "direction"),
    [
        (every_ten_seconds(*(0.3 + 0.01 * min(place, 20) + 0.002 * place for place in range(28))), 1),
        (every_ten_seconds(), 0),
        (every_ten_seconds(0.5), 0),
        (every_ten_seconds(*[0.5] * 20), 0),
        (every_ten_seconds(*(0.5 + 0.004 * (place % 2) for place in range(20))), 0),
        (every_ten_seconds(*(0.9 - 0.01 * place for place in range(20))), -1),
        # A model was loaded.
        (every_ten_seconds(*[0.2] * 10, *[0.4] * 10), 0),
        (every_ten_seconds(*[0.2] * 10, *[0.4] * 3), 1),
        # Too few yet.
        (every_ten_seconds(0.50, 0.51, 0.52, 0.53), 1),
        # Up and down.
        (every_ten_seconds(*(0.5 + 0.05 * (place % 3) for place in range(21))), 0),
        # It rose, and has stopped.
        (every_ten_seconds(*(0.3 + 0.01 * min(place, 20) for place in range(28))), 0),
    ],
    ids=["slowing", "none", "one", "flat", "noise", "falling", "step", "new step", "few", "saw", "stopped"],
)
def test_what_does_not_rise_steadily_foretells_nothing(
    readings: list[tuple[float, float]], direction: int
) -> None:
    """Flat, noisy, falling, jumping, not watched for long: the arrow is what was, and of the future nothing is said."""
    found = trend(readings)
    assert (found.direction, found.slope) == (direction, None)
    assert foretold(found, 0.6, LIMITS) == ""


@given(st.lists(st.floats(0, 1.2), max_size=40))
def test_nothing_is_foretold_far_beyond_what_was_seen(shares: list[float]) -> None:
    """Whatever was read: half an hour at most, and six times as far ahead as was looked back; and only what rises."""
    found = trend(every_ten_seconds(*shares))
    assert found.reach <= min(1800.0, 60.0 * len(shares))
    assert found.slope is None or found.slope > 0


@pytest.mark.parametrize("cells", [40, 56, 78, 118])
def test_a_gauge_says_when_it_is_full(cells: int) -> None:
    """Beside the word where there is room, else in place of the amount; an arrow follows the per cent."""
    pool = PoolView("host", 100, 40, 60, used=60)
    for drawn in (
        pools.gauge("host", pool, cells, UNICODE, 6, trend(STEADY)),
        gauge("host", MemoryView(100, 60), cells, UNICODE, 6, trend(STEADY)),
    ):
        assert " ↑60%" in plain(drawn)
        assert "~3 min to 70 %" in plain(drawn)
        assert ("60B/100B" in plain(drawn)) is (cells > 56)
        assert width(drawn) <= max(cells, 46)
    assert " v60% " in plain(pools.gauge("host", pool, cells, ASCII, 6, Trend(-1)))
    assert "  60% " in plain(pools.gauge("host", pool, cells, ASCII, 6, STILL))


def test_readings_are_of_the_moment_that_is_shown() -> None:
    """A rise of two minutes is foretold at its end and not at its beginning; another engine begins anew."""
    readings, first = Readings(), World().snapshot()
    shown = [
        msgspec.structs.replace(
            first,
            uptime=100.0 + second,
            host=msgspec.structs.replace(first.host, used=int(first.host.total * (0.3 + second / 2000))),
        )
        for second in range(120)
    ]
    for each in shown:
        readings.add(each)
    at_end = readings.until(shown[-1])
    assert at_end is readings.until(shown[-1])
    assert at_end["host"].slope == pytest.approx(1 / 2000, rel=0.1)
    assert readings.until(shown[5]).get("host", STILL) == STILL
    assert readings.until(None) == {}
    other = msgspec.structs.replace(shown[-1], pid=first.pid + 1)
    readings.add(other)
    assert readings.until(other)["host"] == STILL
