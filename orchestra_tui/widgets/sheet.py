"""A pane whose long lines go on in the next row, or are left whole and scrolled sideways."""

from textual.geometry import Size
from textual.strip import Strip

from orchestra_tui.present.spans import width
from orchestra_tui.widgets.lines import Draw, Pane

# Lines left whole are drawn for so many cells; only a prompt or an answer may have longer ones.
_WIDEST = 1000
_STEP = 10


class Sheet(Pane):
    """Folded at first."""

    def __init__(self, draw: Draw, title: str, *, id: str) -> None:
        super().__init__(draw, title, id=id)
        self.folded = True

    def fold(self, folded: bool) -> None:
        self.folded = folded
        self.set_class(not folded, "-wide")
        if folded:
            self.scroll_to(x=0, animate=False, immediate=True)
        self.redraw()
        self._measure()
        self.refresh()

    def redraw(self) -> None:
        if self.folded:
            super().redraw()
        elif self.display and self.size.width > 0:
            self.show_lines(self._draw(self._picture, _WIDEST, self.size.height))
            self.age(bool(self._picture.aged), self._picture.aged)

    def show_column(self, column: int) -> None:
        """Scrolls sideways where a column is not seen."""
        room, left = self.scrollable_content_region.width, round(self.scroll_x)
        if not self.folded and not left <= column < left + room - 8:
            self.scroll_to(x=max(column - room // 2, 0), animate=False, immediate=True)

    def action_scroll_right(self) -> None:
        self.scroll_relative(x=_STEP, animate=False)

    def action_scroll_left(self) -> None:
        self.scroll_relative(x=-_STEP, animate=False)

    def render_line(self, y: int) -> Strip:
        if self.folded:
            return super().render_line(y)
        room, left = self.scrollable_content_region.width, round(self.scroll_x)
        row = self._at(self.lines, y + round(self.scroll_y))
        return self.paint(row, cells=max(left + room, width(row))).crop(left, left + room)

    def _measure(self) -> None:
        room = self.scrollable_content_region.width
        widest = 0 if self.folded else max(map(width, self.lines), default=0)
        self.extend_to(Size(max(room, widest), len(self.lines)))
