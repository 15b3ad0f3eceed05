"""The dialogs about the console itself: its options, and its theme, both seen at once."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.options import Option, rows
from orchestra_tui.present.spans import line, span
from orchestra_tui.screens.dialogs import PickScreen
from orchestra_tui.widgets.lines import Lines
from orchestra_tui.widgets.table import LiveTable


class OptionsScreen(ModalScreen[str]):
    """All options; left and right change the one that is selected. Answers with the key of what has a dialog."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,o,backspace", "answer", show=False),
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
        Binding("right,l,enter,space", "change(1)", show=False),
        Binding("left,h", "change(-1)", show=False),
    ]

    def __init__(
        self, options: Callable[[], Sequence[Option]], change: Callable[[str, int], None], glyphs: Glyphs
    ) -> None:
        super().__init__()
        self._options = options
        self._change = change
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="dialog options"):
            yield LiveTable(id="choices")
            yield Lines(id="hint")

    def on_mount(self) -> None:
        self.query_one("#dialog").border_title = "Options"
        self.query_one("#choices").styles.height = len(self._options()) + 1
        hint = self.query_one("#hint", Lines)
        hint.can_focus = False
        hint.show_lines(
            [line(span("  left right change, up down move, esc closes; chosen ones are remembered", "muted"))]
        )
        self.query_one(LiveTable).focus()
        self.call_after_refresh(self._draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def action_move(self, by: int) -> None:
        self.query_one(LiveTable).move(by)

    def action_change(self, by: int) -> None:
        self._change(self.query_one(LiveTable).selected or "", by)
        self.call_after_refresh(self._draw)

    def action_answer(self) -> None:
        self.dismiss("")

    def _draw(self) -> None:
        if self.is_mounted and self.app.is_running:
            table = self.query_one(LiveTable)
            table.show_rows((), rows(self._options(), max(table.size.width, 20), self._glyphs))


class ThemeScreen(PickScreen):
    """The themes; the one that is selected is tried on. Leaving brings back the one before."""

    def __init__(self, names: Sequence[str], current: str) -> None:
        super().__init__("Theme", [(name, line(span(f"   {name}"))) for name in names], current)
        self._names = names

    def action_move(self, by: int) -> None:
        super().action_move(by)
        chosen = self.query_one(LiveTable).selected
        if chosen in self._names:
            self.app.theme = str(chosen)

    def action_answer(self) -> None:
        self.app.theme = self._current
        super().action_answer()
