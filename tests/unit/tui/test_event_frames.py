"""The splitter of the event stream, and what the terminal's variables mean."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_tui.engine import EngineError
from orchestra_tui.frames import MAX_FRAME, Frames
from orchestra_tui.terminal import describe

STREAM = (
    b'event: snapshot\ndata: {"a":"x\xe2\x80\xa8y\xc2\x85z"}\n\n: ping\n\n'
    b"event: token\r\ndata: 1\r\ndata: 2\r\n\r\n"
)
EVENTS = [("snapshot", b'{"a":"x\xe2\x80\xa8y\xc2\x85z"}'), ("token", b"1\n2")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_do_not_depend_on_where_the_bytes_are_cut(cuts: list[int]) -> None:
    """Any chunking gives the same events; line separators inside JSON do not split it."""
    places = sorted({0, *cuts, len(STREAM)})
    frames = Frames()
    found = [event for a, b in pairwise(places) for event in frames.feed(STREAM[a:b])]
    assert found == EVENTS


def test_an_endless_event_is_refused() -> None:
    """A stream that never ends an event does not fill the memory."""
    frames = Frames()
    frames.feed(b"x" * MAX_FRAME)
    with pytest.raises(EngineError):
        frames.feed(b"x")


@pytest.mark.parametrize(
    ("environ", "utf8_mode", "ascii_only"),
    [
        ({"LANG": "en_US.UTF-8"}, False, False),
        ({"LANG": "C.UTF-8"}, False, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, True, True),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True, True),
        ({"LC_CTYPE": "C.UTF-8"}, True, True),
        ({}, True, True),
        ({"LANG": "de_DE.ISO-8859-1"}, False, True),
    ],
)
def test_the_locale_decides_between_unicode_and_ascii(
    environ: dict[str, str], utf8_mode: bool, ascii_only: bool
) -> None:
    """A C locale means ASCII, even after Python coerced its own to UTF-8."""
    assert describe(environ, utf8_mode).ascii is ascii_only


def test_tmux_and_poor_terminals_are_noticed() -> None:
    """tmux needs its own clipboard, a 16-colour terminal its own theme."""
    assert describe({"TMUX": "/tmp/x", "TERM": "screen-256color"}, False).tmux
    assert describe({"TERM": "linux"}, False).basic_colors
    assert not describe({"TERM": "xterm-256color"}, False).basic_colors
