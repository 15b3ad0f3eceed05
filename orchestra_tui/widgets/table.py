"""A table whose selection is an object, not a row number."""

from collections.abc import Callable, Collection, Sequence

from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip

from orchestra_tui.messages import SelectionLost
from orchestra_tui.present.drawn import Drawn
from orchestra_tui.present.selection import Selection
from orchestra_tui.present.spans import EMPTY, Line, Span, width
from orchestra_tui.widgets.lines import Lines


class LiveTable(Lines):
    """Rows with keys under a fixed header. The selection and the marks stay on their keys wherever the rows go; when
    the selected key vanishes nothing is selected, so that no action can reach a row the user did not choose."""

    can_focus = True

    def __init__(
        self,
        *,
        id: str | None = None,
        classes: str | None = None,
        resized: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._resized = resized
        self._header: Line = EMPTY
        self._selection = Selection()
        self._cells = 0
        self._pinned = 0

    @property
    def selected(self) -> str | None:
        """The key of the selected row."""
        return self._selection.selected

    @property
    def keys(self) -> tuple[str, ...]:
        return self._selection.keys

    @property
    def marks(self) -> frozenset[str]:
        """The keys that are marked, also those that a filter hides."""
        return self._selection.marks

    @property
    def chosen(self) -> tuple[str, ...]:
        """What a deed is done to: the marked keys, or the selected one."""
        return self._selection.chosen

    @property
    def marked(self) -> str:
        """How many are marked, for a title; empty without marks."""
        return self._selection.marked

    @property
    def header(self) -> Line:
        return self._header

    def show_rows(
        self, header: Line, rows: Sequence[tuple[str, Line]], *, cells: int = 0, pinned: int = 0
    ) -> None:
        """Replaces the rows, painting only those that changed or moved.

        Rows of more `cells` than there are can be scrolled sideways; their first `pinned` cells stay.
        """
        if (cells, pinned) != (self._cells, self._pinned):
            self._cells, self._pinned = cells, pinned
            self.set_class(cells > 0, "-wide")
            self._measure()
            self.refresh()
        if header != self._header:
            self._header = header
            self._touch(-1)
        before, shown, marks = self._selection.place, self.selected, self._marked_rows()
        lost = self._selection.show(rows.keys if isinstance(rows, Drawn) else [key for key, _ in rows])
        if lost is not None:
            self.post_message(SelectionLost(lost))
        self.show_lines(rows.lines if isinstance(rows, Drawn) else [row for _, row in rows])
        for index in marks ^ self._marked_rows():
            self._touch(index)
        if (before, shown) != (self._selection.place, self.selected):
            self.refresh_row(before)
            self.refresh_row(self._selection.place)
            self._reveal()

    def select(self, key: str | None) -> None:
        """Moves the selection to a key that is shown, or to nothing."""
        self.refresh_row(self._selection.place)
        self._selection.select(key)
        self.refresh_row(self._selection.place)
        self._reveal()

    def move(self, by: int) -> None:
        """Moves the selection; without one, starts where the last one was."""
        self.refresh_row(self._selection.place)
        self._selection.move(by)
        self.refresh_row(self._selection.place)
        self._reveal()

    def mark(self) -> bool:
        """Marks the selected row, or takes its mark away; False where none is selected."""
        self.refresh_row(self._selection.place)
        return self._selection.toggle()

    def invert_marks(self) -> None:
        self._selection.invert()
        for index in range(len(self.keys)):
            self._touch(index)

    def unmark(self) -> None:
        for index in self._marked_rows():
            self._touch(index)
        self._selection.unmark()

    def retain_marks(self, existing: Collection[str]) -> None:
        """Drops the marks of objects that do not exist any more; rows of those are not shown either."""
        self._selection.retain(existing)

    def refresh_row(self, index: int) -> None:
        self._touch(index)

    @property
    def page(self) -> int:
        return max(self.scrollable_content_region.height - 2, 1)

    def render_line(self, y: int) -> Strip:
        if y == 0:
            return self._shifted(self._header)
        index = y - 1 + round(self.scroll_y)
        row = self._at(self.lines, index)
        if not row:
            return self.paint(row)
        chosen = self.selected is not None and index == self._selection.place
        marked = index < len(self.keys) and self.keys[index] in self.marks
        if not chosen and not marked:
            return self._shifted(row)
        plain = self.app.has_class("-ascii")
        sign = ("#" if plain else "✓") if marked else (">" if plain else "▌")
        first = row[0]
        signed = (Span(sign, "key"), first._replace(text=first.text[1:]), *row[1:])
        return self._shifted(signed, "cursor" if chosen else "plain")

    def on_click(self, event: events.Click) -> None:
        event.prevent_default()
        index = event.y - self.content_offset.y - 1 + round(self.scroll_y)
        if 0 <= index < len(self.keys):
            again = self.keys[index] == self.selected
            self.select(self.keys[index])
            if again and event.chain > 1:
                self.call_later(self.screen.run_action, "screen.detail")

    def on_resize(self) -> None:
        """Rows are drawn for a width: whoever draws them is told when there is another one."""
        if self._resized is not None:
            self._resized()

    def _marked_rows(self) -> set[int]:
        """The rows with a mark; looked for only where there are marks."""
        if not self.marks:
            return set()
        return {index for index, key in enumerate(self.keys) if key in self.marks}

    def _shifted(self, row: Line, tone: str = "plain") -> Strip:
        """The part of a row that is scrolled to, after the cells that stay."""
        room = self.scrollable_content_region.width
        if self._cells <= room:
            return self.paint(row, tone)
        whole = self.paint(row, tone, max(self._cells, width(row)))
        begin = min(self._pinned, room // 2)
        offset = begin + round(self.scroll_x)
        return Strip.join([whole.crop(0, begin), whole.crop(offset, offset + room - begin)])

    def _reveal(self) -> None:
        if self.selected is not None and self.size.height > 1:
            top, place = round(self.scroll_y), self._selection.place
            room = self.scrollable_content_region.height - 1
            if place < top:
                self.scroll_to(y=place, animate=False, immediate=True)
            elif place >= top + room:
                self.scroll_to(y=place - room + 1, animate=False, immediate=True)

    def _measure(self) -> None:
        room = self.scrollable_content_region.width
        self.extend_to(Size(max(room, self._cells), len(self.lines) + 1))

    def _touch(self, index: int) -> None:
        y = 0 if index < 0 else index + 1 - round(self.scroll_y)
        if (index < 0 or y >= 1) and y < max(self.size.height, 1):
            self.refresh(Region(0, y, self.size.width, 1))
