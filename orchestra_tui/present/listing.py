"""What every list of objects can do: filter, sort, only problems, and telling all of it in a title."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.query import Query, complete, parse
from orchestra_tui.present.spans import Line, Span, cut

Value = str | int | float | None
# Seconds: rows that change places more often cannot be read.
RESORTED = 2.0
_COMPLETED = 50


class Facet(msgspec.Struct, frozen=True):
    """One thing told of every object. `name` is what filters, sorting and exports call it.

    `value` is what is sorted and exported by (None: not known), `text` how it is shown; both get the object and the
    engine's time. `title` stands over it where the table shows it, on the right of its column or on the left.
    """

    name: str
    value: Callable[[Any, str], Value]
    text: Callable[[Any, str], str] | None = None
    title: str = ""
    right: bool = False

    def shown(self, thing: object, now: str) -> str:
        if self.text is not None:
            return self.text(thing, now)
        value = self.value(thing, now)
        return "" if value is None else str(value)


class Subject(msgspec.Struct, frozen=True):
    """What a list is about. `words` is all that plain words of a filter look at; `problem` says what `e` leaves.

    `member` is the list of the snapshot that has these objects, and the field of their ids; empty: they are not in it.
    """

    title: str
    identity: Callable[[Any], str]
    words: Callable[[Any], str]
    facets: tuple[Facet, ...]
    problem: Callable[[Any], bool]
    member: tuple[str, str] | None = None

    def facet(self, name: str) -> Facet | None:
        return next((each for each in self.facets if each.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(facet.name for facet in self.facets)


class Sort(msgspec.Struct, frozen=True):
    """By which facet, and whether the largest comes first; no name: the view's own order."""

    name: str = ""
    down: bool = False


class _Fields(Mapping[str, str]):
    """The facets of one object as a filter reads them; only those it asks for are made."""

    def __init__(self, subject: Subject, thing: object, now: str) -> None:
        self._subject, self._thing, self._now = subject, thing, now

    def __getitem__(self, name: str) -> str:
        facet = self._subject.facet(name)
        if facet is None:
            raise KeyError(name)
        return facet.shown(self._thing, self._now)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._subject.facet(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._subject.names)

    def __len__(self) -> int:
        return len(self._subject.facets)


class Listing:
    """The state of one list: what the user made of it. `arranged` is what is shown, in its order."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.query = Query()
        self.sort = Sort()
        self.problems = False
        self._ranks: dict[str, int] = {}
        self._ranked = float("-inf")

    def filter(self, text: str) -> None:
        self.query = parse(text, self.subject.names)

    def sort_by(self, sort: Sort) -> None:
        self.sort = sort
        self._ranked = float("-inf")

    def reverse(self) -> None:
        self.sort_by(Sort(self.sort.name, not self.sort.down))

    def arranged(self, things: Iterable[Any], now: str, at: float, *, held: bool = False) -> list[Any]:
        """What passes the filter. A chosen order is renewed every two seconds at most, and not at all while it is
        `held`, because a dialog about a row is open; what is new meanwhile stands at the end.

        `now` is the engine's time, `at` the console's, in seconds.
        """
        kept = self.passing(things, now)
        if not self.sort.name:
            return kept
        identity = self.subject.identity
        if not held and (at >= self._ranked + RESORTED or not self._ranks):
            kept = sorted_by(self.subject, kept, self.sort, now)
            self._ranks = {identity(thing): rank for rank, thing in enumerate(kept)}
            self._ranked = at
            return kept
        return sorted(kept, key=lambda thing: self._ranks.get(identity(thing), len(self._ranks)))

    def passing(self, things: Iterable[Any], now: str) -> list[Any]:
        """What passes the filter, in the order in which it is."""
        return [thing for thing in things if self._passes(thing, now)]

    def _passes(self, thing: object, now: str) -> bool:
        if self.problems and not self.subject.problem(thing):
            return False
        return not self.query or self.query.matches(
            self.subject.words(thing), _Fields(self.subject, thing, now)
        )

    def next_sort(self, by: int, titles: str, things: Sequence[Any], now: str) -> Sort:
        """The sort by the next column of the header `titles`; after the last one comes the view's own order."""
        shown = [facet for facet in self.subject.facets if facet.title and _place(titles, facet.title) >= 0]
        names = ["", *(facet.name for facet in sorted(shown, key=lambda each: _place(titles, each.title)))]
        place = names.index(self.sort.name) if self.sort.name in names else 0
        name = names[(place + by) % len(names)]
        facet = self.subject.facet(name)
        # Of numbers the largest are looked for, of names the first.
        numbers = facet is not None and any(
            isinstance(facet.value(thing, now), int | float) for thing in things
        )
        return Sort(name, numbers)

    def completed(self, text: str, things: Sequence[Any], now: str) -> str | None:
        """The filter that `text` begins."""
        return complete(text, _Known(self.subject, things, now))

    def title(self, glyphs: Glyphs, shown: int, total: int, marked: str = "") -> str:
        chips = (
            "problems only" if self.problems else "",
            _chip(self.query),
            f"sort {self.sort.name} {arrow(self.sort, glyphs)}" if self.sort.name else "",
            marked,
        )
        return "  ".join((self.subject.title, *(chip for chip in chips if chip), f"{shown}/{total}"))


class _Known(Mapping[str, Iterable[str]]):
    """The values that a field has now, for completion; made only when asked for."""

    def __init__(self, subject: Subject, things: Sequence[Any], now: str) -> None:
        self._subject, self._things, self._now = subject, things, now

    def __getitem__(self, name: str) -> Iterable[str]:
        facet = self._subject.facet(name)
        if facet is None:
            raise KeyError(name)
        texts = {facet.shown(thing, self._now) for thing in self._things}
        return sorted(text for text in texts if text)[:_COMPLETED]

    def __iter__(self) -> Iterator[str]:
        return iter(self._subject.names)

    def __len__(self) -> int:
        return len(self._subject.facets)


def sorted_by(subject: Subject, things: Iterable[Any], sort: Sort, now: str) -> list[Any]:
    """In the order of a facet; equal ones stay in their order, and what is not known comes last either way."""
    facet = subject.facet(sort.name)
    if facet is None:
        return list(things)
    valued = [(facet.value(thing, now), thing) for thing in things]
    known = [(_comparable(value), thing) for value, thing in valued if value is not None]
    known.sort(key=lambda pair: pair[0], reverse=sort.down)
    return [thing for _, thing in known] + [thing for value, thing in valued if value is None]


def arrow(sort: Sort, glyphs: Glyphs) -> str:
    return glyphs.down if sort.down else glyphs.high


def with_arrow(header: Line, facet: Facet | None, sort: Sort, glyphs: Glyphs) -> Line:
    """The header with the column that is sorted by set off, and an arrow in the space beside its title."""
    for index, part in enumerate(header):
        place = _place(part.text, facet.title) if facet is not None and facet.title else -1
        if facet is None or place < 0:
            continue
        end = place + len(facet.title)
        sign = arrow(sort, glyphs)
        first, last = (place - 1, end) if facet.right and place else (place, end + 1)
        shown = f"{sign}{facet.title}" if first < place else f"{facet.title}{sign}"
        rest = part.text[last:]
        pieces = (Span(part.text[:first], part.tone), Span(shown, "key"), Span(rest, part.tone))
        return (*header[:index], *pieces, *header[index + 1 :])
    return header


def _comparable(value: str | float) -> tuple[float, str]:
    """Names after numbers, whatever their case."""
    return (float("inf"), value.lower()) if isinstance(value, str) else (value, "")


def _place(header: str, title: str) -> int:
    """Where a title stands in a header, as a word of its own."""
    at = header.find(title)
    while at >= 0:
        end = at + len(title)
        if (at == 0 or header[at - 1] == " ") and (end == len(header) or header[end] == " "):
            return at
        at = header.find(title, at + 1)
    return -1


def _chip(query: Query) -> str:
    """Short enough to leave room for the others where something is to be said of it."""
    if not query.mistake:
        return query.chip
    return f"filter: {cut(query.text.strip(), 20)} ({query.mistake})"
