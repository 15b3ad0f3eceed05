"""Numbers that are others than a moment ago are bold until the next one."""

from collections.abc import Sequence

import msgspec

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.changes import Changes, changed
from orchestra_tui.present.drawn import Drawn
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, Span, plain
from tests.fakes.fake_engine import World


def row(name: str, numbers: str, age: str = "3s") -> Line:
    return (Span(name, "strong"), Span(numbers, "value"), Span(age))


def bold(line: Line) -> list[str]:
    return [span.text for span in line[1:] if span.tone == "strong"]


def moment(second: int, **changes: object) -> Picture:
    snapshot: Snapshot = msgspec.structs.replace(World().snapshot(), uptime=100.0 + second)
    return msgspec.structs.replace(Picture(snapshot=snapshot), **changes)


def of(things: Sequence[tuple[str, str]]) -> Drawn:
    return Drawn(things, lambda one: one[0], lambda one: row(*one))


def test_only_the_words_that_differ_are_bold() -> None:
    """Right-aligned numbers are compared as wholes; ages say nothing; nothing else of the line is another."""
    line = changed(row("m", "   9  10 5.0G"), row("m", "  10  10 5.0G", "4s"))
    assert bold(line) == ["10"]
    assert plain(line) == "m  10  10 5.0G4s"
    assert bold(changed(row("m", " 19  1"), row("m", "  9  1"))) == ["9"]
    assert bold(changed(row("m", "p50 1s"), row("m", "p50 10s"))) == ["p50", "10s"]


def test_a_line_about_something_else_is_no_change() -> None:
    """Another name stands there now, or a line of another form."""
    now = row("other", " 2")
    assert changed(row("m", " 1"), now) is now
    assert changed((), now) is now
    same = row("m", " 1", "9s")
    assert changed(row("m", " 1"), same) is same


def test_what_has_changed_is_bold_for_one_moment() -> None:
    """The same moment drawn again is marked again; the next one, where nothing has changed, is not."""
    changes = Changes()
    first, second, third = moment(0), moment(1), moment(2)
    lines = [row("m", " 1")]
    assert changes.of_lines(first, lines, 80) is lines
    other = [row("m", " 2")]
    for _ in range(2):
        assert bold(changes.of_lines(second, other, 80)[0]) == ["2"]
    assert changes.of_lines(third, other, 80) is other


def test_rows_are_followed_by_their_ids() -> None:
    """Where the order is another, each is compared with itself; new ones are not news."""
    changes = Changes()
    changes.of_rows(moment(0), of([("a", " 1"), ("b", " 2")]), 80)
    marked = changes.of_rows(moment(1), of([("c", " 9"), ("b", " 3"), ("a", " 1")]), 80)
    assert [bold(line) for line in marked.lines] == [[], ["3"], []]
    assert marked.keys == ["c", "b", "a"]


def test_nothing_is_bold_where_it_would_not_help() -> None:
    """On a slow line, where plots are off, after a change of width, and when it was not looked at for a while."""
    before, now = [row("m", " 1")], [row("m", " 2")]
    for late, cells in (
        (moment(1, slow_link=True), 80),
        (moment(1, plots=False), 80),
        (moment(1), 79),
        (moment(60), 80),
    ):
        changes = Changes()
        changes.of_lines(moment(0), before, 80)
        assert changes.of_lines(late, now, cells) is now
