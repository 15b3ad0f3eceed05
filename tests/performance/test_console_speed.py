"""What the console costs to look at, through a pty: scenarios 14 and 15 in short. Bytes are exact enough for their
budget; CPU has slack for the tests beside these, and is the process's own, not time that passes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.console.fleet import Fleet, Size
from benchmarks.console.measure import (
    SLOW_LINE,
    VIEWS,
    console,
    growth,
    idle,
    presses,
    rate,
    serving,
    show,
    start,
)
from benchmarks.console.report import FIRST_PAINT_CPU, IDLE_BYTES, OVERVIEW_BYTES, OVERVIEW_CPU
from benchmarks.console.terminal import PtyProgram

SLACK = 3.0
SECONDS = 3.0


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    """50 backends, 200 models and 500 requests a second, made up."""
    with serving(Size()) as at:
        yield at


def test_the_first_paint_is_cheap(socket: Path) -> None:
    """Beyond importing Textual; on a machine that others use too, the cheapest of three."""
    assert min(start(socket).beyond for _ in range(3)) < SLACK * FIRST_PAINT_CPU


def test_views_write_little_and_cost_little(socket: Path) -> None:
    """The Overview stays within its budget of bytes, and no other view writes twice as much."""
    with console(socket) as running:
        running.sees("live")
        running.run(2.5)
        overview = rate(running, "overview", SECONDS)
        assert 0 < overview.bytes_a_second <= OVERVIEW_BYTES
        assert overview.cpu < SLACK * OVERVIEW_CPU
        for name, key in VIEWS[1:]:
            if show(running, key):
                running.run(0.5)
                assert rate(running, name, 1.0).bytes_a_second <= 2 * OVERVIEW_BYTES, name


def test_where_nothing_happens_nothing_is_written() -> None:
    """An idle fleet leaves the terminal alone, but for the times its backends take to answer probes: every 5 s."""
    # On a busy machine a paint of the start may come late.
    assert any(idle(5.0, Size()).bytes_a_second <= IDLE_BYTES for _ in range(2))


def opened(running: PtyProgram, key: str) -> int:
    """The bytes of a view that is opened for the first time."""
    before = running.received
    assert show(running, key)
    running.until(lambda: running.received - before > 5_000, f"view {key}")
    running.run(0.7)
    return running.received - before


def test_what_is_opened_is_painted_once() -> None:
    """A screen full takes up to 20 kB. At the start it is painted without and then with data; a view that is opened
    once, and what comes with an answer of the engine. Of an idle fleet, so that nothing else is painted meanwhile."""
    with serving(Size(rate=0.0)) as socket, console(socket) as running:
        running.sees("live")
        running.run(1.0)
        assert running.received < 42_000
        for name, key in VIEWS[1:]:
            assert opened(running, key) < 40_000, name


def test_where_the_focus_goes_little_is_painted() -> None:
    """What has it and what had it, and not the screen; so quickly is a key seen on a slow line."""
    with serving(Size(rate=0.0)) as socket, console(socket) as running:
        running.sees("live")
        running.run(1.0)
        before = running.received
        running.type(":")
        running.sees("command (:help)")
        running.run(0.3)
        assert running.received - before < 10_000


def test_a_key_is_seen_with_few_bytes(socket: Path) -> None:
    """On a line of 64 kB/s what a key shows takes less than the 150 ms by its bytes, and half a frame's CPU."""
    typed = presses(socket, 2)
    assert min(each.bytes / SLOW_LINE for each in typed) < 0.15
    assert min(each.cpu for each in typed) < 0.1


def test_a_slow_line_is_noticed_and_spared(socket: Path) -> None:
    """On 8 kB/s what the terminal answers comes late: the console says so, and updates every 2 s."""
    with console(socket, rate=8_000.0) as running:
        running.sees("slow link: 2 s", 90)


def test_memory_does_not_grow_without_end(socket: Path) -> None:
    """A short soak; what is kept of the last ten minutes grows by a few kB a snapshot."""
    found = growth(socket, 2.5, look=0.5)
    assert found.after - found.before < 8e6
    assert found.bytes_late <= 2 * OVERVIEW_BYTES


def test_the_made_up_fleet_changes_as_traffic_would() -> None:
    """Each second differs from the one before as 500 requests make it; without traffic nothing but time does."""
    busy, still = Fleet(Size()), Fleet(Size(rate=0.0))
    before, after = busy.at(4000), busy.at(4001)
    assert sum(one.calls != two.calls for one, two in zip(before.models, after.models, strict=True)) > 100
    assert 400 < after.totals.requests - before.totals.requests < 600
    assert len(after.backends) == 50
    assert len(after.models) == 200
    assert still.at(4000).models == still.at(4001).models
