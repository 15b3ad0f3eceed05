"""The story of a breaker: in its row, and in full with each time it opened."""

import msgspec
import pytest

from orchestra_core.domain.snapshot import BreakerView, TripView
from orchestra_tui.present import health
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.spans import plain

OPEN = BreakerView(
    "box2/nomic-embed-text",
    "open",
    41.0,
    5,
    2,
    19.2,
    "5 timeouts in 30 s",
    "+" * 12 + "x+++xxxxx",
    history=(
        TripView(700.0, "HTTP 500", ("req-1", "req-2")),
        TripView(41.0, "5 timeouts in 30 s", ("req-6", "req-7", "req-8", "req-9")),
    ),
)


def row(view: BreakerView, cells: int) -> str:
    return plain(health.table_row(view, cells, UNICODE)).rstrip()


def test_a_row_tells_state_since_next_probe_outcomes_and_why() -> None:
    """The last outcomes are cut to make room for the reason, down to eight; all twenty where there is room."""
    told = f" ◇ {OPEN.endpoint:<26} open         41s     19s  ▪▪▪✕✕✕✕✕  5 timeouts in…"
    assert row(OPEN, 80) == told
    assert row(OPEN, 160).endswith(
        "open         41s     2     19s  " + "▪" * 11 + "✕▪▪▪✕✕✕✕✕  5 timeouts in 30 s"
    )
    assert plain(health.table_header(120)).split() == [
        "ENDPOINT",
        "BREAKER",
        "SINCE",
        "TRIPS",
        "PROBE",
        "OUTCOMES,",
        "WHY",
    ]
    assert "TRIPS" not in plain(health.table_header(80))


@pytest.mark.parametrize(("held", "words"), [(None, "   held"), (570.0, "held 9m")])
def test_one_that_an_operator_holds_has_no_probe(held: float | None, words: str) -> None:
    """It says so instead, and for how long where that is known."""
    view = msgspec.structs.replace(
        OPEN, tripped=True, next_probe=None, held_for=held, reason="tripped by operator"
    )
    assert f"41s     2 {words}  " in row(view, 120)


def test_one_that_starts_slowly_says_how_far_it_is() -> None:
    """A closed one has no reason else."""
    view = BreakerView("a/b", "closed", 4.0, 0, 1, reason="", recent="++", allowance=0.4)
    assert row(view, 120).endswith("▪▪  40% of its slots so far")
    assert row(msgspec.structs.replace(view, allowance=1.0), 120).endswith("▪▪")


def test_the_timeline_has_every_opening_newest_first() -> None:
    """With the requests that caused it, of many only the last three; foreign text is no markup."""
    drawn = [plain(each).rstrip() for each in health.timeline(OPEN, 78, UNICODE)]
    assert drawn == [
        " ◇ box2/nomic-embed-text",
        "   open for 41s, probe in 19s, 5 failures in a row, 5 timeouts in 30 s",
        "   last     ▪▪▪▪▪▪▪▪▪▪▪▪✕▪▪▪✕✕✕✕✕",
        "   opened   41s ago: 5 timeouts in 30 s (req-7, req-8, req-9)",
        "            11m ago: HTTP 500 (req-1, req-2)",
    ]
    held = msgspec.structs.replace(OPEN, tripped=True, held_for=60.0, reason="\x1b[2J[red]")
    assert "held for another 1m" in plain(health.timeline(held, 78, UNICODE)[1])
    assert "␛[2J[red]" in plain(health.timeline(held, 78, ASCII)[1])
    assert all(len(plain(each)) <= 30 for each in health.timeline(OPEN, 30, UNICODE))
