"""What is said to the user in the status bar, how long it stays there, and what is copied."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App

from orchestra_core.domain.text import safe_text
from orchestra_tui.parts.saving import save
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.terminal import Terminal, tmux_buffer

SAID_SECONDS = 12.0
# How long a warning or an error can be read before the next event takes its place.
HELD_SECONDS = 5.0
# xterm takes some 100 kB of base64 by OSC 52; what is longer would be dropped without a word.
LARGEST_COPY = 70_000


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

    def leave(self) -> None:
        """Another view is shown: a hint or a refusal was about the one that is left."""
        if {part.tone for part in self.message} <= {"warn", "muted"}:
            self.message = ()

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
    """Copies by OSC 52, and to tmux's buffer inside tmux; what neither takes is written to a file."""

    def __init__(self, app: App[Any], terminal: Terminal, say: Callable[[str, str], None]) -> None:
        self._app = app
        self._terminal = terminal
        self._say = say

    def copy(self, text: str, what: str = "") -> None:
        """Copies, and says where the text went; `what` is a word for it."""
        text = safe_text(text)
        if not text.strip():
            self._say("nothing to copy here", "warn")
            return
        self._app.run_worker(self._copied(text, what), group="copy", exclusive=True)

    async def put(self, text: str) -> str:
        """Where it went, in words; empty where no clipboard takes it."""
        places = []
        if self._terminal.osc52 and len(text) <= LARGEST_COPY:
            self._app.copy_to_clipboard(text)
            places.append("the terminal's clipboard (OSC 52)")
        if self._terminal.tmux and await tmux_buffer(text):
            places.append("tmux's buffer")
        elif self._terminal.tmux:
            return ""  # what tmux does with OSC 52 depends on its options, and it does not tell
        return " and ".join(places)

    async def export(self, stem: str, suffix: str, data: str) -> None:
        """Writes a file where the console was started, else where its own files are; says and copies its path."""
        path, why = await asyncio.to_thread(save, (Path.cwd(), self._terminal.folder), stem, suffix, data)
        if path is None:
            self._say(f"export: {why}", "bad")
            return
        copied = " (path copied)" if await self.put(str(path)) else ""
        # Eighty columns have no room for a long path and the rest.
        shown = f"./{path.name}" if path.parent == Path.cwd() else path
        self._say(f"exported to {shown}{copied}", "accent")

    async def _copied(self, text: str, what: str) -> None:
        size = f"{what + ', ' if what else ''}{len(text)} characters"
        where = await self.put(text)
        if where:
            self._say(f"copied {size} to {where}", "accent")
            return
        path, why = await asyncio.to_thread(save, (self._terminal.folder,), "copied", ".txt", text)
        if path is None:
            self._say(f"copy: no clipboard here, and {why}", "bad")
        else:
            self._say(f"no clipboard here: {size} are in {path}", "warn")
