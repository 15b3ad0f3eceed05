"""The widget all others build on: toned lines, of which only the changed ones are painted again."""

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.changes import Changes
from orchestra_tui.present.drawn import Unseen
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import EMPTY, TONES, Line, plain
from orchestra_tui.widgets.tones import Tones

# What has a near relative in ASCII; a question mark for what is not known would be a question.
_IN_ASCII = str.maketrans("–—…·‘’“”›", "--~.''\"\">")

Draw = Callable[[Picture, int, int], Sequence[Line]]


class Lines(ScrollView):
    """A scrolling pane of lines. While it has the class `-old` everything in it is muted."""

    DEFAULT_CSS = """
    Lines {
        scrollbar-size: 1 1;
        overflow-x: hidden;
    }
    """
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None, follow: bool = False) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: Sequence[Line] = ()
        self._follow = follow
        self._sticky = True
        self._entitled = ""
        self._aged = ""
        self._tones = Tones(self)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._tones.forget()

    @property
    def lines(self) -> Sequence[Line]:
        return self._lines

    @property
    def text(self) -> str:
        """What is shown, as plain text."""
        return "\n".join(plain(row).rstrip() for row in self._lines)

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Replaces the content; only lines that differ are painted again."""
        if lines is self._lines:
            return
        old, self._lines = self._lines, lines if isinstance(lines, Unseen) else tuple(lines)
        # What is not in sight is painted as a whole when it is scrolled to.
        top = max(round(self.scroll_y), 0)
        for index in range(top, min(max(len(old), len(self._lines)), top + self.size.height)):
            if self._at(old, index) != self._at(self._lines, index):
                self._touch(index)
        if len(old) != len(self._lines):
            stick = self._sticky
            self._measure()
            if self._follow and stick:
                self.call_after_refresh(self.to_end)

    def to_end(self) -> None:
        """Shows the last line, and stays with it until the user scrolls up."""
        self.scroll_end(animate=False, immediate=True)
        self._sticky = True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._sticky = new_value >= self.max_scroll_y

    def entitle(self, title: str) -> None:
        """Sets the border's title, which is text, not markup; an equal one paints nothing."""
        if title != self._entitled:
            self._entitled = title
            self._retitle()

    def age(self, old: bool, word: str = "") -> None:
        """Greys the content out and says in the title how old it is, or brings it back."""
        if old != self.has_class("-old"):
            self.set_class(old, "-old")
            self.refresh()
        if word != self._aged:
            self._aged = word
            self._retitle()

    def _retitle(self) -> None:
        title = "  ".join(part for part in (self._entitled, self._aged) if part)
        self.border_title = title.replace("[", "\\[")

    def render_line(self, y: int) -> Strip:
        return self.paint(self._at(self._lines, y + round(self.scroll_y)))

    def paint(self, row: Line, tone: str = "plain", cells: int = 0) -> Strip:
        """One line in the widget's styles, filled to its width or to `cells`. `tone` is the style below all others."""
        width = cells or self.scrollable_content_region.width
        style, old = self._tones.style, self.has_class("-old")
        segments = []
        for part in row:
            name = "muted" if old else part.tone if part.tone in TONES else ""
            segments.append(Segment(self._printable(part.text), style(name, tone)))
        return Strip(segments, sum(cell_len(part.text) for part in segments)).adjust_cell_length(
            width, style("", tone)
        )

    def on_click(self, event: events.Click) -> None:
        """Runs the action under the pointer, if there is one."""
        row = self._at(self._lines, event.y - self.content_offset.y + round(self.scroll_y))
        at = event.x - self.content_offset.x
        for part in row:
            at -= cell_len(part.text)
            if at < 0:
                if part.action:
                    self.call_later(self.screen.run_action, part.action)
                return

    def on_resize(self) -> None:
        self._measure()

    def _measure(self) -> None:
        self.extend_to(Size(self.scrollable_content_region.width, len(self._lines)))

    def extend_to(self, size: Size) -> None:
        """So much can be scrolled through. The screen is laid out anew only where a scrollbar or a height depends on
        it; Textual does it, and paints all of the pane, for every row more or less."""
        if size == self.virtual_size:
            return
        if self.styles.auto_dimensions:
            self.virtual_size = size
        else:
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)

    def _touch(self, index: int) -> None:
        y = index - round(self.scroll_y)
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _printable(self, text: str) -> str:
        if text.isascii():
            return text if text.isprintable() else ascii(text)
        if not self.app.has_class("-ascii"):
            return text
        return text.translate(_IN_ASCII).encode("ascii", "replace").decode()

    @staticmethod
    def _at(lines: Sequence[Line], index: int) -> Line:
        return lines[index] if 0 <= index < len(lines) else EMPTY


class Pane(Lines):
    """Lines that a pure function draws from the picture, for the size the pane has at the moment."""

    def __init__(
        self,
        draw: Draw,
        title: str = "",
        *,
        id: str | None = None,
        classes: str = "",
        focusable: bool = True,
        view: str = "",
        follow: bool = False,
        count: Callable[[Snapshot], int] | None = None,
    ) -> None:
        super().__init__(id=id, classes=f"pane {classes}".strip(), follow=follow)
        self._draw = draw
        self._picture = Picture()
        self._changes = Changes()
        self.can_focus = focusable
        self._title = title
        self.entitle(title)
        self.view = view
        self._count = count

    def show(self, picture: Picture) -> None:
        """Draws the picture if the pane is visible and has a size; otherwise it is kept for when it has."""
        self._picture = picture
        self.redraw()

    def redraw(self) -> None:
        size = self.scrollable_content_region.size
        if self.display and size.width > 0 and size.height > 0:
            drawn = self._draw(self._picture, size.width, size.height)
            self.show_lines(self._changes.of_lines(self._picture, drawn, size.width))
            self._head(size.height)
            self.age(bool(self._picture.aged), self._picture.aged)

    def on_resize(self) -> None:
        self._measure()
        self.redraw()

    def _head(self, rows: int) -> None:
        """Puts the number of things into the title, and how many of them are shown if not all."""
        if self._count is None or self._picture.snapshot is None:
            return
        number = self._count(self._picture.snapshot)
        title = f"{self._title}  {number}" if number <= rows else f"{self._title}  {rows} of {number}"
        self.entitle(title)


class Bar(Lines):
    """One line without scrolling: header, tabs, status, footer."""

    DEFAULT_CSS = """
    Bar { height: 1; width: 1fr; overflow: hidden hidden; }
    """

    can_focus = False

    def show(self, row: Line) -> None:
        self.show_lines((row,))
