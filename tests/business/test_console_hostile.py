"""Whatever others call their models, say or are asked: the terminal gets no sequence that is not the console's own.

What goes to the terminal is captured at a pty and read by a terminal that knows the console's sequences and no other.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from benchmarks.console.fleet import Size
from benchmarks.console.measure import VIEWS, console, serving, show
from benchmarks.console.screen import Screen
from benchmarks.console.terminal import PtyProgram

# A title, a screen wiped, a key pressed for the user, C1 controls, a link, a clipboard, an image, and a bell.
SEQUENCES = (
    "\x1b]0;owned\x07",
    "\x1b[2J\x1b[H",
    "\x1b[5n",
    "\x9b31m\x85",
    "\x1b]8;;http://evil\x1b\\x",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1bPq#0\x1b\\",
    "\a\b\x7f",
    "\u202egnp\u2066",
)
NAMES = (
    *(f"{index}{sequence}m" for index, sequence in enumerate(SEQUENCES)),
    "[red]bold[/red]",
    "[@click=app.quit]go[/]",
    "\u202egnp.exe\u202c",
    "e\u0301" + "\u0301" * 40,
    "模型-七十億",
    "🤖👩‍👩‍👧‍👦:7b",
    "نموذج-كبير",
    "two\nlines\ttab",
    "x" * 3000,
)
ANSWER = (*SEQUENCES, "[bold]literal[/bold] ", "\x1b", "[31m", "日本語 ", "{x} $y \\n\n")
PASTE_BEGINS, PASTE_ENDS = "\x1b[200~", "\x1b[201~"


@pytest.fixture(scope="module")
def hostile() -> Size:
    return Size(
        backends=6, models=len(NAMES), names=NAMES, told=" [red]\x1b]0;told\x07\x1b[2J[/red]", answer=ANSWER
    )


@contextmanager
def seen_by(size: Size) -> Iterator[PtyProgram]:
    """The console on an engine that says all this."""
    with serving(size) as socket, console(socket, size=(120, 40), keep=True) as running:
        running.sees("live")
        yield running


def only_its_own(running: PtyProgram) -> None:
    """Nothing came through that the console does not make, and a lot of what it makes did."""
    assert running.screen.strange == []
    assert running.screen.copied == []
    assert running.screen.sequences > 100
    assert b"owned\x07" not in running.raw
    assert b"\x1b[2J" not in running.raw


def test_names_and_errors_reach_the_terminal_sanitised(hostile: Size) -> None:
    """In every view, with details open and a filter typed; markup stands there as it was written."""
    with seen_by(hostile) as running:
        for _, key in VIEWS:
            if not show(running, key):
                continue
            running.run(0.4)
            if key in "2345":
                running.type("\r")
                running.run(0.4)
                running.type("\x1b")
                running.run(0.2)
        show(running, "2")
        running.type("/red\r")
        assert "[red]bold[/red]" in running.sees("[red]bold")
        only_its_own(running)


def test_answers_and_prompts_show_literally(hostile: Size) -> None:
    """A prompt of markup and an answer of control sequences cut over its pieces are text and nothing else."""
    with seen_by(hostile) as running:
        show(running, "6")
        running.sees("Prompt")
        running.type(PASTE_BEGINS + "[red]alarm[/red] \x1b[2J\x9b2J " + PASTE_ENDS)
        running.sees("[red]alarm[/red]")
        running.type("\r")
        running.sees("[bold]literal[")
        running.sees("␛[31m")
        running.until(lambda: "日本語" in running.screen.text, "wide characters")
        running.type("\x1b")
        running.run(0.3)
        only_its_own(running)


def test_five_thousand_pasted_lines_and_one_of_a_megabyte_do_not_hurt(hostile: Size) -> None:
    """Both can be pasted and left again, and the console answers keys afterwards."""
    with seen_by(hostile) as running:
        show(running, "6")
        running.sees("Prompt")
        running.type(
            PASTE_BEGINS + "".join(f"line {index} [b]\u202e\n" for index in range(5000)) + PASTE_ENDS
        )
        running.until(lambda: "line 4999" in running.screen.text, "the last pasted line", 60)
        running.type(PASTE_BEGINS + "m" * 1_000_000 + PASTE_ENDS)
        running.until(lambda: "mmmm" in running.screen.text, "the long line", 60)
        running.type("\x1b")
        running.run(0.3)
        running.type("1")
        running.sees("Backends and breakers", 60)
        only_its_own(running)


@pytest.mark.parametrize("foreign", [*SEQUENCES[:3], SEQUENCES[4], SEQUENCES[6], "\a", "\x9b"], ids=repr)
def test_the_terminal_of_these_tests_notices(foreign: str) -> None:
    """A sequence that is not the console's is seen, whole or cut in two; its own are not, nor is any text."""
    for cut in range(1, len(foreign.encode())):
        screen = Screen(80, 24)
        screen.feed(b"\x1b[1;31mred\x1b[0m\x1b[5;1H")
        screen.feed(foreign.encode()[:cut])
        screen.feed(foreign.encode()[cut:] + b"after\x1b[2;1H")
        assert screen.strange, (foreign, cut)
    assert _noticed("[red] 模型 \x1b[0m\x1b[?25l\x1b[3;4H") == []


def _noticed(text: str) -> Sequence[str]:
    screen = Screen(80, 24)
    screen.feed(text.encode())
    return screen.strange
