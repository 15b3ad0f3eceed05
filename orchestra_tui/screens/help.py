"""The dialogs that only show something: help and details."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from orchestra_tui.present import manual
from orchestra_tui.present.actions.table import Keymap
from orchestra_tui.present.picture import Picture
from orchestra_tui.widgets.lines import Draw, Pane


class SheetScreen(ModalScreen[None]):
    """A scrolling sheet over the view; every way back closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,backspace,enter,question_mark", "dismiss", show=False),
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
        Binding("ctrl+d,pagedown,space", "move(10)", show=False),
        Binding("ctrl+u,pageup", "move(-10)", show=False),
        Binding("g,home", "move(-10000)", show=False),
        Binding("G,end", "move(10000)", show=False),
    ]

    def __init__(self, title: str, draw: Draw) -> None:
        super().__init__()
        self._title = title
        self._draw = draw

    def compose(self) -> ComposeResult:
        sheet = Pane(self._draw, self._title, id="sheet")
        sheet.border_subtitle = "esc closes"
        yield sheet

    def on_mount(self) -> None:
        self.query_one(Pane).focus()
        self.query_one(Pane).redraw()

    def show(self, picture: Picture, *, frozen: bool = False) -> None:
        if not frozen and self.is_mounted and self.app.is_running:
            self.query_one(Pane).show(picture)

    def action_move(self, by: int) -> None:
        self.query_one(Pane).scroll_relative(y=by, animate=False)

    async def action_dismiss(self, result: None = None) -> None:
        self.dismiss(result)


class HelpScreen(SheetScreen):
    """The keys of a view."""

    def __init__(self, view: str, keymap: Keymap | None = None) -> None:
        super().__init__("Help", lambda _picture, cells, _rows: manual.lines(view, cells, keymap))
