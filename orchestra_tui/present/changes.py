"""What is another number than it was a moment ago: bold until the next one.

Only what a presenter calls a `value` is compared: ages and pictures change every second, and say nothing by it.
"""

import re
from collections.abc import Iterator, Sequence

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.drawn import Drawn
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, Span

# What was not looked at for longer would be bold all over.
_SECONDS = 12.0
_WORDS = re.compile(r"\S+")
_NOTHING: tuple[Sequence[Line], Sequence[str]] = ((), ())


class Changes:
    """Remembers the rows of the moment before the one that is shown. Who draws a moment again gets the same marks."""

    def __init__(self) -> None:
        self._moment: Snapshot | None = None
        self._cells = 0
        self._last = self._before = _NOTHING

    def of_lines(self, picture: Picture, lines: Sequence[Line], cells: int) -> Sequence[Line]:
        """The lines with what has changed in each of them marked."""
        before, _ = self._step(picture, lines, (), cells)
        if not before or before is lines:
            return lines
        return (*map(changed, before, lines), *lines[len(before) :])

    def of_rows(self, picture: Picture, rows: Drawn, cells: int) -> Drawn:
        """The same of rows that are known by their ids, wherever they go."""
        before, keys = self._step(picture, rows.lines, rows.keys, cells)
        if not before:
            return rows
        same = keys == rows.keys
        places = {} if same else {key: place for place, key in enumerate(keys)}

        def draw(at: int) -> Line:
            place = at if same else places.get(rows.keys[at])
            return rows.lines[at] if place is None else changed(before[place], rows.lines[at])

        return rows.drawn_by(draw)

    def _step(
        self, picture: Picture, lines: Sequence[Line], keys: Sequence[str], cells: int
    ) -> tuple[Sequence[Line], Sequence[str]]:
        """What is to be compared with; nothing where that would not help, or would cost a slow line too much."""
        moment, earlier = picture.snapshot, self._moment
        if moment is not earlier:
            near = moment and earlier and abs(moment.uptime - earlier.uptime) <= _SECONDS
            self._before = self._last if near else _NOTHING
        if cells != self._cells:
            # Rows of another width are other rows.
            self._before, self._cells = _NOTHING, cells
        self._moment, self._last = moment, (lines, keys)
        return self._before if picture.plots and not picture.slow_link else _NOTHING


def changed(before: Line, now: Line) -> Line:
    """The line with those words of its values in bold that were others; as it is where it tells of something else."""
    if before is now or len(before) != len(now):
        return now
    marked: list[Span] = []
    for old, new in zip(before, now, strict=True):
        if old.text == new.text or new.tone != "value" or old.tone != "value":
            if new.tone == "strong" and old.text != new.text:
                return now
            marked.append(new)
        else:
            marked += _words(old.text, new)
    return now if len(marked) == len(now) else tuple(marked)


def _words(old: str, new: Span) -> Iterator[Span]:
    """Words stay in their columns; where the columns are others, all of them are new."""
    text, end = new.text, 0
    for word in _WORDS.finditer(text):
        first, last = max(word.start() - 1, 0), word.end() + 1
        if len(old) != len(text) or old[first:last] != text[first:last]:
            yield new._replace(text=text[end : word.start()])
            yield new._replace(text=word[0], tone="strong")
            end = word.end()
    yield new._replace(text=text[end:])
