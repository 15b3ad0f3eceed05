"""The console as a user starts it, in a terminal of its own."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.fakes.processes import clean_environment
from tests.fakes.terminal import Terminal

PROGRAM = (sys.executable, "-m", "orchestra_core")


@contextmanager
def console_at(
    home: Path,
    *arguments: str,
    size: tuple[int, int] = (80, 24),
    more: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """`ai-orchestra` with these arguments in a terminal of this size."""
    with Terminal([*PROGRAM, *arguments], clean_environment(home), home, size, more=more) as terminal:
        yield terminal


def left(terminal: Terminal) -> None:
    """Quits from wherever the user is; the program ends well and gives the terminal back."""
    terminal.keys("Escape")
    terminal.keys("C-q")
    assert terminal.ended() == 0, terminal.text
    assert "Traceback" not in terminal.text
    assert terminal.is_restored()


def filtered(terminal: Terminal, words: str) -> None:
    """Types a filter as people do: waits until it stands there, and until its line is gone."""
    terminal.type(f"/{words}")
    terminal.until(lambda: words in terminal.rows[-2], "the filter typed")
    terminal.keys("Enter")
    terminal.until(lambda: words not in terminal.rows[-2], "the filter's line closed")


def chosen(terminal: Terminal, title: str) -> str:
    """The name in the row under the cursor, in the view with these words; other views have marks of their own."""
    terminal.sees(title)
    return terminal.row("▌").split()[2].rstrip("…")


def runs(process: int) -> bool:
    """Whether there is such a process, one that has ended and waits for its parent aside."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
