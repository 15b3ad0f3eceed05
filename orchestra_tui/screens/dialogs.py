"""The dialogs that want an answer: whether a deed is done, quitting, choosing a model."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from orchestra_core.domain.snapshot import EnvironmentView
from orchestra_core.domain.text import one_line
from orchestra_tui.present.deeds.box import NOWHERE, button, hint, rows
from orchestra_tui.present.deeds.deed import Question, Refusal, Risk
from orchestra_tui.present.environment import coloring
from orchestra_tui.present.glyphs import UNICODE, Glyphs
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.query import parse
from orchestra_tui.present.spans import Line, line, plain, span
from orchestra_tui.widgets.lines import Lines
from orchestra_tui.widgets.table import LiveTable

Again = Callable[[Picture], Question | Refusal]


class ConfirmScreen(ModalScreen[Question | Refusal | None]):
    """Asks about a deed, and answers with the question that was said yes to, None for no, or why it makes no sense.

    Follows the live state: what is more than was asked is asked again. Yes can be said while the question is open.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "answer(False)", show=False),
        Binding("n", "answer(False)", show=False),
        Binding("y", "answer(True)", show=False),
        Binding("left,right,h,l", "app.focus_next", show=False),
        Binding("down,pagedown", "scroll(1)", show=False),
        Binding("up,pageup", "scroll(-1)", show=False),
    ]

    def __init__(
        self,
        verb: str,
        question: Question,
        again: Again,
        glyphs: Glyphs = UNICODE,
        where: EnvironmentView = NOWHERE,
        behind: str = "",
    ) -> None:
        super().__init__()
        self._behind = behind
        self._where = where
        self._verb = verb
        self._question = question
        self._again = again
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes=f"dialog -{coloring(self._where)}"):
            yield Lines(id="facts")
            yield Input(id="typed", compact=True, select_on_focus=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="no", compact=True)
                yield Button(button(self._verb, self._question), id="yes", compact=True)
            yield Lines(id="hint")

    def on_mount(self) -> None:
        for lines in self.query(Lines):
            lines.can_focus = False
        self.query_one(Input).cursor_blink = False
        if self._behind:
            self.query_one(
                "#dialog"
            ).border_subtitle = f" the display is paused at {self._behind}; this is about now "
        if self._where.name:
            self.query_one("#dialog").border_title = Content(f" {one_line(self._where.name)} ")
        self._ask(self._question, first=True)

    def follow(self, picture: Picture) -> None:
        """Asks again with fresh state; a question that no longer makes sense closes the dialog."""
        asked = self._again(picture)
        if isinstance(asked, Refusal):
            if picture.link.live and self.is_current:
                self.dismiss(asked)
            return
        self.put(asked)

    def put(self, asked: Question) -> None:
        """Asks this instead; if it is more than before, or can be answered now, the focus goes where it is safe."""
        before, self._question = self._question, asked
        if self.is_mounted and asked != before:
            self._ask(asked, first=asked.beyond(before) or asked.open is not before.open)

    def action_answer(self, yes: bool) -> None:
        asked = self._question
        if yes and not (
            asked.open and (not asked.typed or self.query_one(Input).value.strip() == asked.typed)
        ):
            return
        self.dismiss(asked if yes else None)

    def action_scroll(self, by: int) -> None:
        self.query_one("#facts", Lines).scroll_relative(y=by, animate=False)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_answer(event.button.id == "yes")

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(self._question if event.value.strip() == self._question.typed else None)

    def _ask(self, question: Question, *, first: bool) -> None:
        self._question = question
        cells = max(min(self.app.size.width - 8, 68), 20)
        drawn = rows(question, cells, self._glyphs, self._where)
        self.query_one("#facts", Lines).show_lines(drawn)
        self.query_one("#facts").styles.height = min(len(drawn), max(self.app.size.height - 8, 4))
        self.query_one("#typed").display = question.risk is Risk.HIGH
        self.query_one("#typed", Input).placeholder = f"type {one_line(question.typed)} to confirm"
        self.query_one("#yes", Button).label = Content(one_line(button(self._verb, question)))
        self.query_one("#yes").display = question.risk is not Risk.HIGH and question.open
        self.query_one("#hint", Lines).show_lines([line(span(f"  {hint(question)}", "muted"))])
        if first:
            target = {Risk.LOW: "#yes", Risk.SOME: "#no", Risk.HIGH: "#typed"}[question.risk]
            self.query_one(target).focus()


class ChoiceScreen(ModalScreen[str]):
    """One of a few answers; the first one has the focus. Escape gives an empty answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "answer('')", show=False),
        Binding("left,h", "app.focus_previous", show=False),
        Binding("right,l", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, rows: Sequence[Line], choices: Sequence[tuple[str, str, str]]) -> None:
        super().__init__()
        self._title = title
        self._rows = rows
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="dialog"):
            yield Lines(id="facts")
            with Horizontal(id="buttons"):
                for name, key, label in self._choices:
                    yield Button(f"{label} ({key})", id=name, compact=True)

    def on_mount(self) -> None:
        facts = self.query_one("#facts", Lines)
        facts.can_focus = False
        facts.show_lines([line(span(f"  {self._title}", "title")), (), *self._rows])
        facts.styles.height = len(self._rows) + 2
        self.query(Button).first().focus()

    def on_key(self, event: events.Key) -> None:
        for name, key, _ in self._choices:
            if event.key == key:
                event.stop()
                self.dismiss(name)

    def action_answer(self, answer: str) -> None:
        self.dismiss(answer)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id or "")


class PickScreen(ModalScreen[str]):
    """A list to choose a name from; typing narrows it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "answer", show=False),
        Binding("down,ctrl+n", "move(1)", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", show=False, priority=True),
        Binding("pagedown", "move(10)", show=False, priority=True),
        Binding("pageup", "move(-10)", show=False, priority=True),
    ]

    def __init__(self, title: str, rows: Sequence[tuple[str, Line]], current: str) -> None:
        super().__init__()
        self._title = title
        self._rows = rows
        self._current = current

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="dialog picker"):
            yield Input(id="typed", compact=True, placeholder="type to narrow, enter chooses, esc leaves")
            yield LiveTable(id="choices")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one(Input).focus()
        self.query_one(LiveTable).can_focus = False
        self.query_one("#dialog").border_title = self._title
        self.query_one("#dialog").styles.height = min(len(self._rows) + 4, 20)
        self._narrow("")
        self.query_one(LiveTable).select(self._current)

    def action_move(self, by: int) -> None:
        self.query_one(LiveTable).move(by)

    def action_detail(self) -> None:
        self.dismiss(self.query_one(LiveTable).selected or "")

    def action_answer(self) -> None:
        self.dismiss("")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._narrow(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(self.query_one(LiveTable).selected or "")

    def _narrow(self, text: str) -> None:
        table = self.query_one(LiveTable)
        query = parse(text, ())
        # Names come first: a word that only a description has must not keep another choice selected.
        named = [(key, row) for key, row in self._rows if query.matches(key)]
        rows = named or [(key, row) for key, row in self._rows if query.matches(f"{key} {plain(row)}")]
        table.show_rows((), rows)
        self.query_one("#dialog").border_subtitle = "" if rows else "nothing matches"
        if rows and (text or table.selected is None):
            table.select(rows[0][0])
