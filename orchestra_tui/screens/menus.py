"""A short menu: a letter takes an entry at once, arrows and Enter work as well."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from orchestra_tui.present.spans import cut_line, line, span
from orchestra_tui.widgets.table import LiveTable

Entry = tuple[str, str, str]


class MenuScreen(ModalScreen[str]):
    """Entries are (letter, what it is, its beginning). The answer is the letter; empty after escape.

    `about` is said above them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,backspace", "answer('')", show=False),
        Binding("down,ctrl+n,tab", "move(1)", show=False),
        Binding("up,ctrl+p,shift+tab", "move(-1)", show=False),
        Binding("enter", "detail", show=False),
    ]

    def __init__(self, title: str, about: str, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._about = about
        self._title = title
        self._entries = entries

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="dialog menu"):
            yield LiveTable(id="choices", resized=self._draw)

    def on_mount(self) -> None:
        dialog = self.query_one("#dialog")
        dialog.border_title = self._title
        dialog.border_subtitle = "letter or enter, esc leaves"
        dialog.styles.height = len(self._entries) + 3
        self.query_one(LiveTable).focus()
        self._draw()

    def on_key(self, event: events.Key) -> None:
        if event.character in {key for key, _, _ in self._entries}:
            event.stop()
            self.action_answer(event.character or "")

    def action_move(self, by: int) -> None:
        self.query_one(LiveTable).move(by)

    def action_detail(self) -> None:
        self.action_answer(self.query_one(LiveTable).selected or "")

    def action_answer(self, answer: str) -> None:
        """Only once: two keys may have come together."""
        if self.app.screen is self:
            self.dismiss(answer)

    def _draw(self) -> None:
        cells = max(self.query_one(LiveTable).scrollable_content_region.width, 20)
        width = max(len(label) for _, label, _ in self._entries)
        rows = [
            (
                key,
                cut_line(
                    line(span(f"  {key}  ", "key"), span(f"{label:<{width}}  "), span(text, "muted")), cells
                ),
            )
            for key, label, text in self._entries
        ]
        self.query_one(LiveTable).show_rows(cut_line(line(span(f"  {self._about}", "muted")), cells), rows)
