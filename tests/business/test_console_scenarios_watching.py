"""At a real terminal: an answer that is read while others are looked at; scenario 8."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.console.fleet import Size
from benchmarks.console.measure import serving
from tests.fakes.consoles import console_at, left
from tests.fakes.terminal import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there is a terminal")


@pytest.fixture
def place() -> Iterator[Path]:
    """A home whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="orch-") as folder:
        yield Path(folder)


def test_an_answer_streams_on_while_others_are_looked_at_and_ends_when_told(place: Path) -> None:
    """Other views, other sizes and back: it has gone on; escape and the key that stops it end it (8)."""
    size = Size(backends=4, models=8, rate=20.0, answer=("one ", "two ", "three\n"))
    with (
        serving(size) as at,
        console_at(place, "--socket", str(at), size=(120, 40)) as terminal,
    ):
        terminal.row("● live")
        terminal.keys("6")
        terminal.sees("Nothing asked yet")
        terminal.type("Count.")
        terminal.keys("Enter")
        terminal.sees("one two three")
        terminal.keys("Escape")
        terminal.keys("2")
        terminal.sees("MODEL")
        terminal.resize(80, 24)
        terminal.until(lambda: len(terminal.rows) == 24 and terminal.widest <= 80, "the smaller screen")
        terminal.keys("6")
        terminal.sees("one two three")
        terminal.resize(120, 40)
        terminal.row("● done", "tokens", seconds=40)
        left(terminal)
