"""What is said to the user in the status bar, how long it stays there, and what is copied."""

from collections.abc import Callable
from typing import Any

from textual.app import App

from orchestra_core.domain.text import safe_text
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.terminal import Terminal, tmux_buffer

SAID_SECONDS = 12.0
# How long a warning or an error can be read before the next event takes its place.
HELD_SECONDS = 5.0


class Speech:
    """One line at a time. `shown` is called when there is another one."""

    def __init__(self, now: Callable[[], float], shown: Callable[[], None]) -> None:
        self.message: Line = ()
        self._now = now
        self._shown = shown
        self._said = 0.0
        self._overtaken = False

    def say(self, text: str, tone: str = "accent") -> None:
        self.say_line(line(span(text, tone)))

    def say_line(self, message: Line) -> None:
        self.message = message
        self._said = self._now()
        self._overtaken = False
        self._shown()

    def overtake(self) -> None:
        """Something happened that is newer than what was said."""
        self._overtaken = True
        self.forget()

    def forget(self) -> None:
        """What was said makes room for the news: at once, but a warning or an error not before it could be read.

        Without news it stays for a while, and an error until there are some.
        """
        age = self._now() - self._said
        tones = {part.tone for part in self.message}
        if self._overtaken:
            old = tones.isdisjoint(("warn", "bad")) or age >= HELD_SECONDS
        else:
            old = age > SAID_SECONDS and "bad" not in tones
        if old:
            self.message = ()


class Clipboard:
    """Copies to the terminal's clipboard by OSC 52, and to tmux's buffer inside tmux."""

    def __init__(self, app: App[Any], terminal: Terminal, say: Callable[[str, str], None]) -> None:
        self._app = app
        self._terminal = terminal
        self._say = say

    def copy(self, text: str) -> None:
        text = safe_text(text)
        if not text.strip():
            self._say("nothing to copy here", "warn")
            return
        self._app.copy_to_clipboard(text)
        self._app.run_worker(self._copied(text), group="copy", exclusive=True)

    async def _copied(self, text: str) -> None:
        where = "the terminal's clipboard (OSC 52)"
        if self._terminal.tmux:
            where += " and tmux's buffer" if await tmux_buffer(text) else "; tmux took nothing"
        self._say(f"copied {len(text)} characters to {where}", "accent")
