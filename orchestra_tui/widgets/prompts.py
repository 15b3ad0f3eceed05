"""The two places where text is typed: the command line, and the playground's prompt."""

from collections.abc import Callable, Sequence

from textual import events
from textual.suggester import Suggester
from textual.widgets import Input, TextArea
from textual.widgets.text_area import EditResult

from orchestra_core.domain.text import safe_text
from orchestra_tui.messages import (
    CandidatesFound,
    CommandClosed,
    CommandGiven,
    FilterChanged,
    PromptGiven,
    PromptLeft,
    PromptRecalled,
)


class _Completer(Suggester):
    def __init__(self, complete: Callable[[str], Sequence[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        return next(iter(self._complete(value)), None)


class CommandLine(Input):
    """`:` commands with completion and history, or a `/` filter that works while it is typed."""

    DEFAULT_CSS = """
    CommandLine { height: 1; border: none; padding: 0; width: 1fr; background: $surface; }
    """

    def __init__(self, complete: Callable[[str], Sequence[str]], history: Sequence[str] = ()) -> None:
        super().__init__(compact=True, suggester=_Completer(complete), select_on_focus=False, id="command")
        self.cursor_blink = False
        self._complete = complete
        self._filtering = False
        self._history = history
        self._back = 0
        self._candidates: tuple[str, ...] = ()
        self._at = -1
        self.display = False

    @property
    def is_open(self) -> bool:
        return self.display

    def open(self, *, filtering: bool, text: str = "") -> None:
        self._filtering = filtering
        self._back = 0
        self._candidates, self._at = (), -1
        self.placeholder = (
            "filter: word !word ^regex$ state:ready tok/s>20 (tab completes)"
            if filtering
            else "command (:help)"
        )
        self.value = text
        self.cursor_position = len(text)
        if filtering:
            # The first letter replaces the filter there was; right and end go on with it.
            self.select_all()
        self.display = True
        self.screen.set_focus(self)

    def close(self) -> None:
        self.display = False

    @property
    def filtering(self) -> bool:
        return self._filtering

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._filtering and self.display:
            self.post_message(FilterChanged(event.value))
        elif self.display:
            if self._at < 0 or self.value != self._candidates[self._at]:
                self._candidates, self._at = tuple(self._complete(self.value)), -1
            several = self._candidates if len(self._candidates) > 1 else ()
            self.post_message(CandidatesFound(several, self._at))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not self._filtering:
            self.post_message(CommandGiven(event.value))
        self.post_message(CommandClosed())

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "escape" or (event.key == "backspace" and not self.value):
            event.stop()
            event.prevent_default()
            if self._filtering:
                self.post_message(FilterChanged(""))
            self.post_message(CommandClosed())
        elif event.key in ("up", "down") and not self._filtering:
            event.stop()
            event.prevent_default()
            self._recall(1 if event.key == "up" else -1)
        elif event.key in ("tab", "shift+tab"):
            event.stop()
            event.prevent_default()
            self._cycle(1 if event.key == "tab" else -1)

    def _cycle(self, by: int) -> None:
        """The line becomes the first of its candidates, then the next one, and after the last the first again."""
        cycling = self._at >= 0 and len(self._candidates) > 1 and self.value == self._candidates[self._at]
        if not cycling:
            self._candidates, self._at = tuple(self._complete(self.value)), -1 if by > 0 else 0
        if self._candidates:
            self._at = (self._at + by) % len(self._candidates)
            self.value = self._candidates[self._at]
            self.cursor_position = len(self.value)
        else:
            self._at = -1

    def _recall(self, by: int) -> None:
        self._back = min(max(self._back + by, 0), len(self._history))
        self.value = self._history[-self._back] if self._back else ""
        self.cursor_position = len(self.value)


class PromptArea(TextArea):
    """Enter sends, ctrl+j starts a new line, escape leaves. What is pasted is sanitised first."""

    def __init__(self) -> None:
        super().__init__(
            id="prompt",
            compact=True,
            highlight_cursor_line=False,
            placeholder="Ask something. Enter sends, ctrl+j is a new line.",
        )
        self.cursor_blink = False
        self._back = 0

    def clear(self) -> EditResult:
        self._back = 0
        return super().clear()

    def recall(self, asked: Sequence[str], by: int) -> None:
        """Puts what was asked before in place of the text; beyond the latest it is empty again."""
        back = min(max(self._back + by, 0), len(asked))
        if back != self._back:
            self._back = back
            self.text = asked[-back] if back else ""
            self.move_cursor(self.document.end)

    async def _on_key(self, event: events.Key) -> None:
        beyond = {"up": (0, 1), "down": (self.document.line_count - 1, -1)}.get(event.key)
        if beyond is not None and self.cursor_location[0] == beyond[0]:
            event.stop()
            event.prevent_default()
            self.post_message(PromptRecalled(beyond[1]))
        elif event.key == "enter":
            event.stop()
            event.prevent_default()
            if self.text.strip():
                self.post_message(PromptGiven(self.text))
        elif event.key in ("ctrl+j", "shift+enter"):
            event.stop()
            event.prevent_default()
            self.insert("\n")
        elif event.key == "escape":
            event.stop()
            event.prevent_default()
            self.post_message(PromptLeft())

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert(safe_text(event.text.replace("\r\n", "\n").replace("\r", "\n")))
