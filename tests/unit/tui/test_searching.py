"""Words found in lines, and keys found in the help."""

from hypothesis import given
from hypothesis import strategies as st

from orchestra_tui.present import manual
from orchestra_tui.present.searching import lit, places
from orchestra_tui.present.spans import Span, line, plain, span


def test_words_are_set_off_also_across_tones() -> None:
    """Whatever the case of letters, and whatever the tones of the parts they are in."""
    row = line(span('"model": ', "accent"), span("Qwen 2.5 qwen", "code"))
    assert lit([row], "qwen")[0] == (
        Span('"model": ', "accent"),
        Span("Qwen", "badge"),
        Span(" 2.5 ", "code"),
        Span("qwen", "badge"),
    )
    assert lit([row], ': "') == [row]
    assert [part.text for part in lit([row], 'L": Q')[0] if part.tone == "badge"] == ['l": ', "Q"]
    assert lit([row], "") == [row]


def test_lines_with_the_words_are_numbered() -> None:
    """Without words there are none; signs of expressions are only signs."""
    rows = [line("one"), line("two (1)"), line("ONE (2)")]
    assert places(rows, "one") == [0, 2]
    assert places(rows, "(") == [1, 2]
    assert places(rows, "") == []


@given(st.lists(st.text(max_size=12), max_size=6), st.text(min_size=1, max_size=3))
def test_nothing_is_lost_by_setting_words_off(parts: list[str], words: str) -> None:
    """The text of a line stays as it is."""
    row = line(*(span(part) for part in parts))
    assert plain(lit([row], words)[0]) == plain(row)


def test_help_finds_keys_by_what_they_do() -> None:
    """All words must be in a key, its name, what it does or its command; what does not match is gone."""
    found = "\n".join(plain(row) for row in manual.lines("models", 78, words="sort before"))
    assert "sort by the column before" in found
    assert "sort by the next column" not in found
    assert "Other commands:" not in found
    assert "no key has to do with 'xyzzy'" in plain(manual.lines("models", 78, words="xyzzy")[0])
