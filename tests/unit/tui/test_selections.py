"""Selection, marks and order of a list, whatever happens to its rows."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.listing import RESORTED, Facet, Listing, Sort, Subject, sorted_by, with_arrow
from orchestra_tui.present.selection import Selection
from orchestra_tui.present.spans import line, plain, span

KEYS = [f"box{number}/m{number % 3}" for number in range(9)]
Thing = tuple[str, int | None]

THINGS = Subject(
    "Things",
    identity=lambda thing: thing[0],
    words=lambda thing: thing[0],
    problem=lambda thing: thing[1] is None,
    facets=(
        Facet("name", lambda thing, _: thing[0], title="NAME"),
        Facet("mem", lambda thing, _: thing[1], title="MEM", right=True),
        Facet("hidden", lambda thing, _: thing[1]),
    ),
)


class Rows(RuleBasedStateMachine):
    """Objects come, go, change and are filtered, sorted, marked and moved over in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.things: dict[str, int | None] = dict.fromkeys(KEYS[:4], 1)
        self.listing = Listing(THINGS)
        self.selection = Selection()
        self.at = 0.0
        self.dialog = False
        self.marked: set[str] = set()
        self.show()

    def show(self) -> None:
        before = self.selection.selected
        shown = self.listing.arranged(list(self.things.items()), "", self.at, held=self.dialog)
        self.selection.retain(self.things)
        lost = self.selection.show([key for key, _ in shown])
        self.marked &= set(self.things)
        if before is not None:
            assert self.selection.selected in (before, None)
            assert lost == (before if self.selection.selected is None else None)

    @rule(
        things=st.dictionaries(st.sampled_from(KEYS), st.none() | st.integers(0, 9)),
        seconds=st.integers(0, 3),
    )
    def refresh(self, things: dict[str, int | None], seconds: int) -> None:
        self.at += seconds
        self.things = things
        self.show()

    @rule(text=st.sampled_from(["", "box1", "!m0", "mem>3", "name:m2", "("]))
    def filter(self, text: str) -> None:
        self.listing.filter(text)
        self.show()

    @rule(by=st.sampled_from([1, -1]))
    def sort(self, by: int) -> None:
        self.listing.sort_by(self.listing.next_sort(by, "NAME  MEM", list(self.things.items()), ""))
        self.show()

    @rule()
    def reverse(self) -> None:
        self.listing.reverse()
        self.show()

    @rule()
    def problems(self) -> None:
        self.listing.problems = not self.listing.problems
        self.show()

    @rule()
    def open_or_close_a_dialog(self) -> None:
        self.dialog = not self.dialog
        self.show()

    @rule(by=st.integers(-9, 9))
    def move(self, by: int) -> None:
        self.selection.move(by)

    @rule()
    def mark(self) -> None:
        if self.selection.toggle():
            self.marked ^= {str(self.selection.selected)}

    @rule()
    def invert(self) -> None:
        self.selection.invert()
        self.marked ^= set(self.selection.keys)

    @rule()
    def unmark(self) -> None:
        self.selection.unmark()
        self.marked = set()

    @invariant()
    def only_what_exists_is_selected_and_marked(self) -> None:
        """The cursor is on its object, and marks are those that were made, as long as their objects live."""
        if self.selection.selected is not None:
            assert self.selection.selected in self.things
            assert self.selection.keys[self.selection.place] == self.selection.selected
        assert self.selection.marks == self.marked
        assert self.selection.marks <= set(self.things)

    @invariant()
    def deeds_are_done_to_marks_or_the_selected_one(self) -> None:
        chosen = self.selection.chosen
        assert len(set(chosen)) == len(chosen)
        assert set(chosen) == (self.marked or {self.selection.selected} - {None})

    @invariant()
    def what_is_shown_is_what_passes(self) -> None:
        passing = {key for key, _ in self.listing.passing(self.things.items(), "")}
        assert set(self.selection.keys) == passing


Rows.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRows = Rows.TestCase


def test_the_cursor_stays_on_its_object_when_rows_are_sorted() -> None:
    """Row numbers change, the selected key does not; what vanishes is selected again when it comes back."""
    selection = Selection()
    selection.show(["a", "b", "c"])
    selection.select("c")
    assert selection.show(["c", "b", "a"]) is None
    assert (selection.selected, selection.place) == ("c", 0)
    assert selection.show(["b", "a"]) == "c"
    assert selection.selected is None
    assert selection.show(["a", "c"]) is None
    assert selection.selected == "c"


def test_marks_that_a_filter_hides_are_counted() -> None:
    """Who marks three and filters two away is told before something is done to them."""
    selection = Selection()
    selection.show(["a", "b", "c"])
    selection.invert()
    assert selection.marked == "3 marked"
    selection.show(["b"])
    assert selection.marked == "3 marked (2 hidden)"
    assert selection.chosen == ("b", "a", "c")
    selection.unmark()
    assert selection.marked == ""


def test_rows_change_places_every_two_seconds_and_never_under_a_dialog() -> None:
    """Values may change with every snapshot; the order is renewed slowly, and what is new waits at the end."""
    listing = Listing(THINGS)
    listing.sort_by(Sort("mem", down=True))
    assert listing.arranged([], "", 9.9) == []

    def order(at: float, held: bool = False, **values: int) -> str:
        return "".join(key for key, _ in listing.arranged(values.items(), "", at, held=held))

    assert order(10, a=1, b=2) == "ba"
    assert order(11, a=3, b=2, c=9) == "bac"
    assert order(10 + RESORTED, a=3, b=2, c=9) == "cab"
    assert order(20, held=True, a=9, b=2, c=1) == "cab"
    assert order(20, a=9, b=2, c=1) == "abc"
    listing.reverse()
    assert order(20.1, a=9, b=2, c=1) == "cba"


@pytest.mark.parametrize("down", [True, False])
def test_what_is_not_known_comes_last(down: bool) -> None:
    """In either direction, and it is not a zero."""
    things: list[Thing] = [("a", None), ("b", 0), ("c", 5)]
    assert [key for key, _ in sorted_by(THINGS, things, Sort("mem", down), "")][-1] == "a"


def test_only_columns_that_are_seen_are_sorted_by() -> None:
    """From left to right, then the view's own order again; numbers begin with the largest."""
    listing = Listing(THINGS)
    things: list[Thing] = [("a", 1)]
    steps = []
    for _ in range(3):
        listing.sort_by(listing.next_sort(1, "  NAME      MEM", things, ""))
        steps.append(listing.sort)
    assert steps == [Sort("name"), Sort("mem", down=True), Sort()]
    assert listing.next_sort(-1, "NAME", things, "") == Sort("name")
    assert Listing(THINGS).next_sort(1, "UNNAMED MEMORY", things, "") == Sort()


def test_the_arrow_stands_beside_the_title_of_its_column() -> None:
    """On the side that has room, and the header keeps its width."""
    header = line(span("    NAME      MEM QUE", "muted"))
    name, mem = THINGS.facets[:2]
    assert plain(with_arrow(header, mem, Sort("mem", down=True), UNICODE)) == "    NAME     ▼MEM QUE"
    assert plain(with_arrow(header, name, Sort("name"), ASCII)) == "    NAME^     MEM QUE"
    assert with_arrow(header, None, Sort(), UNICODE) == header
    assert with_arrow(header, THINGS.facets[2], Sort("hidden"), UNICODE) == header


def test_the_title_tells_all_that_was_made_of_the_list() -> None:
    """Problems, filter with its mistake, sort, marks and numbers."""
    listing = Listing(THINGS)
    listing.problems = True
    listing.filter("(box")
    listing.sort_by(Sort("mem", down=True))
    title = listing.title(UNICODE, 2, 9, "3 marked")
    assert title == (
        "Things  problems only  filter: (box (regex: a ( without a ); as text)  sort mem ▼  3 marked  2/9"
    )


def test_a_filter_is_completed_from_what_there_is() -> None:
    """Names of fields, and the values that rows have at the moment."""
    listing = Listing(THINGS)
    things: list[Thing] = [("alpha", 1), ("beta", 2)]
    assert listing.completed("na", things, "") == "name:"
    assert listing.completed("name:be", things, "") == "name:beta"
    assert listing.completed("name:z", things, "") is None
