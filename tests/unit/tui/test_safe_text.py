"""The sanitiser of everything that came from outside."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.text import MAX_LINE, one_line, safe_text

HOSTILE = [
    "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\link",
    "\x1b]52;c;aGk=\x07",
    "\x1b]1337;File=x",
    "\x1b[2J\x1b[6n",
    "\x1bP1$q\x1b\\",
    "\x1b_apc\x1b^pm\x1bXsos",
    "\x1bc",
    "\x1b]0;unterminated",
    "\x9b2J\x9d0;t\x9c",
    "a\rb",
    "x\u202egnp.exe",
    "\u2066a\u2069",
    "\ufeffbom",
    "tag\U000e0041\U000e007f",
    "half \ud800",
    "line\u2028sep\u2029",
]


def is_bad(char: str) -> bool:
    code = ord(char)
    return (
        (code < 0x20 and char not in "\n\t")
        or 0x7F <= code <= 0x9F
        or code in (0x061C, 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF)
        or 0x202A <= code <= 0x202E
        or 0x2066 <= code <= 0x2069
        or 0xD800 <= code <= 0xDFFF
        or 0xE0000 <= code <= 0xE007F
    )


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_a_terminal_obeys_survives(hostile: str) -> None:
    """Every known payload loses the characters that give it power."""
    assert not any(map(is_bad, safe_text(hostile)))


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_is_made_harmless_and_stays_so(value: str) -> None:
    """For any string the result has no control, and sanitising again changes nothing."""
    once = safe_text(value)
    assert not any(map(is_bad, once))
    assert safe_text(once) == once


def test_controls_are_shown_rather_than_dropped() -> None:
    """A reader sees that something was there."""
    assert safe_text("\x1b[31mred") == "␛[31mred"
    assert safe_text("a\x07b\x9bc\u202ed") == "a\\x07b\\x9bc\\u202ed"


def test_ordinary_text_is_untouched() -> None:
    """ASCII, newlines, tabs, accents, CJK and emoji pass; CRLF becomes LF."""
    for value in ("plain", "two\nlines\tand a tab", "naïve café", "模型 🙂"):
        assert safe_text(value) == value
    assert safe_text("a\r\nb") == "a\nb"
    assert safe_text("e\u0301") == unicodedata.normalize("NFC", "e\u0301")


def test_a_sequence_split_over_two_tokens_is_harmless() -> None:
    """The function keeps no state, so the halves are as harmless as the whole."""
    assert safe_text("\x1b") + safe_text("[2J") == safe_text("\x1b[2J")


def test_marks_and_lines_are_bounded() -> None:
    """At most eight combining marks follow each other, and a line has an end."""
    assert len(safe_text("a" + "\u0336" * 50)) == 9
    assert len(safe_text("x" * 20_000 + "\nshort")) == MAX_LINE + 1 + len("\nshort")


def test_one_line_has_one_line() -> None:
    """A cell never breaks the row it is in."""
    assert one_line("a\nb\tc") == "a b c"
