"""Escape and another key that a terminal sends as one."""

from collections.abc import Iterator

import pytest
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import XTermParser
from textual.events import Key

from orchestra_tui.parts.typing import after_escape
from orchestra_tui.terminal import keep_escaped_keys


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    """Textual's table of keys, ours in it, and as it was after the test."""
    before = dict(ANSI_SEQUENCES_KEYS)
    keep_escaped_keys()
    yield
    ANSI_SEQUENCES_KEYS.clear()
    ANSI_SEQUENCES_KEYS.update(before)


@pytest.mark.parametrize("key", ["2", "3", "j", "L", "q"])
def test_it_is_both_whatever_the_terminal_says_next(key: str) -> None:
    """Where its cursor is, it says now and then; before, 2 after escape became ^2 by that."""
    said = list(XTermParser().feed(f"\x1b{key}\x1b[5;7R"))
    assert [after_escape(each) for each in said if isinstance(each, Key)] == [key]
    assert [type(each).__name__ for each in said] == ["Key", "CursorPosition"]


@pytest.mark.parametrize(
    ("sent", "key"), [("\x1bOA", "up"), ("\x1b[B", "down"), ("\x1bf", "ctrl+right"), ("\x1bOP", "f1")]
)
def test_keys_that_begin_with_an_escape_are_what_they_were(sent: str, key: str) -> None:
    """Arrows and function keys are sent so."""
    assert [each.key for each in XTermParser().feed(sent) if isinstance(each, Key)] == [key]
