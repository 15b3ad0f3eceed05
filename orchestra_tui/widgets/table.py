"""A table whose selection is an object, not a row number."""

from collections.abc import Callable, Sequence

from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip

from orchestra_tui.messages import SelectionLost
from orchestra_tui.present.spans import EMPTY, Line, Span
from orchestra_tui.widgets.lines import Lines


class LiveTable(Lines):
    """Rows with keys under a fixed header. The selection stays on its key wherever the row goes; when the key
    vanishes nothing is selected, so that no action can reach a row the user did not choose."""

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
        self._keys: tuple[str, ...] = ()
        self._selected: str | None = None
        # What was selected when it vanished: the same object is selected again when it comes back, as after the
        # engine's restart, unless the user has chosen something else meanwhile.
        self._missed: str | None = None
        self._place = 0
        self._started = False

    @property
    def selected(self) -> str | None:
        """The key of the selected row."""
        return self._selected

    @property
    def keys(self) -> tuple[str, ...]:
        return self._keys

    def show_rows(self, header: Line, rows: Sequence[tuple[str, Line]]) -> None:
        """Replaces the rows, painting only those that changed or moved."""
        if header != self._header:
            self._header = header
            self.refresh(Region(0, 0, self.size.width, 1))
        before, shown = self._place, self._selected
        self._keys = tuple(key for key, _ in rows)
        self._follow_key()
        self.show_lines([row for _, row in rows])
        if (before, shown) != (self._place, self._selected):
            self.refresh_row(before)
            self.refresh_row(self._place)
            self._reveal()

    def select(self, key: str | None) -> None:
        """Moves the selection to a key that is shown, or to nothing."""
        self.refresh_row(self._place)
        self._missed = None
        self._selected = key if key in self._keys else None
        if self._selected is not None:
            self._place = self._keys.index(self._selected)
            self._started = True
        self.refresh_row(self._place)
        self._reveal()

    def move(self, by: int) -> None:
        """Moves the selection; without one, starts where the last one was."""
        if not self._keys:
            return
        place = self._place + by if self._selected is not None else self._place
        self.select(self._keys[min(max(place, 0), len(self._keys) - 1)])

    def refresh_row(self, index: int) -> None:
        self._touch(index)

    @property
    def page(self) -> int:
        return max(self.scrollable_content_region.height - 2, 1)

    def render_line(self, y: int) -> Strip:
        if y == 0:
            return self.paint(self._header)
        index = y - 1 + round(self.scroll_y)
        row = self._at(self.lines, index)
        if self._selected is None or index != self._place or not row:
            return self.paint(row)
        sign = ">" if self.app.has_class("-ascii") else "▌"
        first = row[0]
        return self.paint((Span(sign, "key"), first._replace(text=first.text[1:]), *row[1:]), "cursor")

    def on_click(self, event: events.Click) -> None:
        event.prevent_default()
        index = event.y - self.content_offset.y - 1 + round(self.scroll_y)
        if 0 <= index < len(self._keys):
            again = self._keys[index] == self._selected
            self.select(self._keys[index])
            if again and event.chain > 1:
                self.call_later(self.screen.run_action, "screen.detail")

    def on_resize(self) -> None:
        """Rows are drawn for a width: whoever draws them is told when there is another one."""
        if self._resized is not None:
            self._resized()

    def _follow_key(self) -> None:
        if self._selected is None and self._missed in self._keys:
            self._selected, self._missed = self._missed, None
        if self._selected is None:
            if not self._started and self._keys:
                self._selected, self._place, self._started = self._keys[0], 0, True
        elif self._selected in self._keys:
            self._place = self._keys.index(self._selected)
        else:
            self.post_message(SelectionLost(self._selected))
            self._missed = self._selected
            self._selected = None
            self._place = min(self._place, max(len(self._keys) - 1, 0))

    def _reveal(self) -> None:
        if self._selected is not None and self.size.height > 1:
            top = round(self.scroll_y)
            room = self.scrollable_content_region.height - 1
            if self._place < top:
                self.scroll_to(y=self._place, animate=False, immediate=True)
            elif self._place >= top + room:
                self.scroll_to(y=self._place - room + 1, animate=False, immediate=True)

    def _measure(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self.lines) + 1)

    def _touch(self, index: int) -> None:
        y = index + 1 - round(self.scroll_y)
        if 1 <= y < max(self.size.height, 1):
            self.refresh(Region(0, y, self.size.width, 1))
