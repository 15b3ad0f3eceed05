"""The dialogs that only show something: help and details."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from orchestra_core.domain.text import one_line
from orchestra_tui.present import manual
from orchestra_tui.present.actions.table import Keymap
from orchestra_tui.present.actions.views import BY_NAME
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.searching import lit, places
from orchestra_tui.present.spans import Line, plain
from orchestra_tui.widgets.lines import Draw
from orchestra_tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from orchestra_tui.app import Orchestra

_LONGEST = 60


class SheetScreen(ModalScreen[None]):
    """A scrolling sheet over the view. `/` searches in it, `n` and `N` go to the next match, `y` copies all of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,backspace,enter,question_mark", "dismiss", show=False),
        Binding("escape", "back", show=False),
        # Text typed at once after it must not be read as keys.
        Binding("slash", "search", show=False, priority=True),
        Binding("n", "match(1)", show=False),
        Binding("N", "match(-1)", show=False),
        Binding("y,Y", "copy", show=False),
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
        Binding("ctrl+d,pagedown,space", "move(10)", show=False),
        Binding("ctrl+u,pageup", "move(-10)", show=False),
        Binding("g,home", "move(-10000)", show=False),
        Binding("G,end", "move(10000)", show=False),
        Binding("w", "fold", show=False),
    ]
    HINT: ClassVar[str] = "/ search  w {fold}  y copy  esc closes"
    SEARCHED_BY_SLASH: ClassVar[bool] = True

    def __init__(self, title: str, draw: Draw, crumbs: Sequence[str] = ()) -> None:
        """`crumbs` name what it is about, below the view; without them the title does."""
        super().__init__()
        self._title = title
        self._crumbs = tuple(crumbs) or (title,)
        self._draw = draw
        self._words = ""
        self._typing = False
        # The match that was gone to last; -1: none yet.
        self._at = -1

    @property
    def sheet(self) -> Sheet:
        return self.query_one(Sheet)

    def compose(self) -> ComposeResult:
        view = BY_NAME.get(self.app.current_mode)
        crumbs = [*([view.title] if view is not None else []), *map(one_line, self._crumbs)]
        sign = ">" if self.app.has_class("-ascii") else "›"
        yield Sheet(self._drawn, f" {sign} ".join(crumbs), id="sheet")

    def on_mount(self) -> None:
        self.sheet.focus()
        self._redraw()

    def show(self, picture: Picture, *, frozen: bool = False) -> None:
        if not frozen and self.is_mounted and self.app.is_running:
            self.sheet.show(picture)

    def on_key(self, event: events.Key) -> None:
        """While words are typed, letters are not keys."""
        if self._typing:
            event.stop()
            event.prevent_default()
            self._typed(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While words are typed a slash is one of their signs; help is searched without one."""
        if action == "search":
            return not self._typing and self.SEARCHED_BY_SLASH
        return super().check_action(action, parameters)

    def action_move(self, by: int) -> None:
        self.sheet.scroll_relative(y=by, animate=False)

    def action_fold(self) -> None:
        """Leaves long lines whole, to be scrolled sideways, or lets them go on in the next row again."""
        self.sheet.fold(not self.sheet.folded)
        self._hint()

    def action_search(self) -> None:
        self._typing, self._words, self._at = True, "", -1
        self._redraw()

    def action_match(self, by: int) -> None:
        """Goes to the next line with the words, and from the last one to the first."""
        found = places(self.sheet.lines, self._words)
        if found:
            self._at = (self._at + by) % len(found)
            place = found[self._at]
            self.sheet.scroll_to(y=max(place - 2, 0), animate=False, immediate=True)
            self.sheet.show_column(plain(self.sheet.lines[place]).lower().find(self._words.lower()))
        self._hint()

    def action_copy(self) -> None:
        cast("Orchestra", self.app).copy(self.sheet.text, self._title)

    def action_back(self) -> None:
        """Escape ends the search first."""
        if self._words:
            self._words, self._at = "", -1
            self._redraw()
        else:
            self.dismiss(None)

    async def action_dismiss(self, result: None = None) -> None:
        self.dismiss(result)

    def _typed(self, event: events.Key) -> None:
        if event.key == "enter":
            self._typing = False
        elif event.key == "escape" or (event.key == "backspace" and not self._words):
            self._typing, self._words = False, ""
        else:
            self._words = edited(self._words, event)
        self._redraw()
        self._at = -1
        if self._words:
            self.action_match(1)

    def _drawn(self, picture: Picture, cells: int, rows: int) -> Sequence[Line]:
        return lit(self._draw(picture, cells, rows), self._words)

    def _redraw(self) -> None:
        self.sheet.redraw()
        self._hint()

    def _hint(self) -> None:
        found = len(places(self.sheet.lines, self._words))
        text = self.HINT.format(fold="whole lines" if self.sheet.folded else "folded lines")
        if self._typing:
            text = f"/{self._words}{' ' if self._words else ''}  {found} found  enter  esc"
        elif self._words:
            text = f"/{self._words}  {self._at + 1 if found else 0} of {found}  n N  esc ends the search"
        self.sheet.border_subtitle = text.replace("[", "\\[")


class HelpScreen(SheetScreen):
    """The keys of a view; what is typed leaves those that have to do with it."""

    HINT = "type to search  arrows scroll  esc closes"
    SEARCHED_BY_SLASH = False

    def __init__(self, view: str, keymap: Keymap | None = None) -> None:
        super().__init__(
            "Help", lambda _picture, cells, _rows: manual.lines(view, cells, keymap, self._words)
        )

    def on_key(self, event: events.Key) -> None:
        """A first `q` or `?` closes, as in every sheet, and a first space or slash begins nothing.

        What is not for the words goes on to the sheet: Textual asks the classes one after the other.
        """
        first = not self._words
        typed = event.is_printable and not (first and event.key in ("q", "question_mark", "space", "slash"))
        if typed or (event.key == "backspace" and not first):
            event.stop()
            event.prevent_default()
            self._words = edited(self._words, event)
            self.sheet.scroll_home(animate=False)
            self._redraw()

    def _hint(self) -> None:
        words = self._words.replace("[", "\\[")
        self.sheet.border_subtitle = f"search: {words}  esc clears" if words else self.HINT


def edited(words: str, event: events.Key) -> str:
    """The words after a key."""
    if event.key == "backspace":
        return words[:-1]
    if event.is_printable and event.character is not None:
        return (words + event.character)[:_LONGEST]
    return words
