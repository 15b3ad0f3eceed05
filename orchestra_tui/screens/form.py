"""A dialog with a few fields to type into."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from orchestra_tui.present.form import Field, mistakes
from orchestra_tui.present.spans import line, span
from orchestra_tui.widgets.lines import Lines

Typed = dict[str, str]


class FormScreen(ModalScreen[Typed | None]):
    """Answers with what was typed, by field, when nothing in it is wrong; with None when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("down", "app.focus_next", show=False, priority=True),
        Binding("up", "app.focus_previous", show=False, priority=True),
        Binding("ctrl+x", "clear", show=False, priority=True),
    ]

    def __init__(self, title: str, fields: Sequence[Field], typed: Mapping[str, str]) -> None:
        super().__init__()
        self._title = title
        self._fields = fields
        self._before = typed

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="dialog form"):
            with VerticalScroll(id="fields", can_focus=False):
                for field in self._fields:
                    yield Label(f"{field.label:<12}", classes="label", markup=False)
                    given = self._before.get(field.name, "")
                    yield Input(
                        given, placeholder=field.hint, id=field.name, compact=True, select_on_focus=False
                    )
            yield Lines(id="hint")

    def on_mount(self) -> None:
        self.query_one("#dialog").border_title = self._title
        self.query_one("#fields").styles.height = min(len(self._fields), max(self.app.size.height - 6, 3))
        for typed in self.query(Input):
            typed.cursor_blink = False
        self.query(Input).first().focus()
        self._say("enter takes all of it, ctrl+x clears, esc leaves it as it was", "muted")

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_clear(self) -> None:
        for typed in self.query(Input):
            typed.value = ""

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        typed = {field.name: self.query_one(f"#{field.name}", Input).value.strip() for field in self._fields}
        wrong = mistakes(self._fields, typed)
        if not wrong:
            self.dismiss({name: text for name, text in typed.items() if text})
            return
        name = next(iter(wrong))
        label = next(field.label for field in self._fields if field.name == name)
        self._say(f"{label}: {wrong[name]}", "bad")
        self.query_one(f"#{name}", Input).focus()

    def _say(self, text: str, tone: str) -> None:
        self.query_one("#hint", Lines).show_lines([line(span(f"  {text}", tone))])
