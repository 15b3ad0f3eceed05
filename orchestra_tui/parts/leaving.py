"""Quitting, and what becomes of an engine that this console started."""

import asyncio
from collections.abc import Callable

from textual.app import App

from orchestra_tui.asking.stopping import shutdown
from orchestra_tui.engine import EngineError
from orchestra_tui.parts.feed import Feed
from orchestra_tui.present.spans import line, span
from orchestra_tui.screens.dialogs import ChoiceScreen

STOPPING_SECONDS = 20.0


class Leaving:
    """Ends the application with `kept`, `stopped`, `left` (somebody else's engine goes on) or nothing."""

    def __init__(
        self, app: App[str], feed: Feed, say: Callable[[str, str], None], *, keeps: bool = False
    ) -> None:
        """`keeps`: an engine that this console started goes on, nobody is asked."""
        self._app = app
        self._keeps = keeps
        self._feed = feed
        self._say = say

    def leave(self) -> None:
        """Quits; asks first when an engine this console started still runs."""
        if any(isinstance(screen, ChoiceScreen) for screen in self._app.screen_stack):
            return
        ours = self._feed.launcher
        if ours is None or not ours.alive:
            self._app.exit("left" if self._feed.link().live else "")
            return
        if self._keeps:
            self._app.exit("kept")
            return
        rows = [
            line(span(f"  This console started the engine (process {ours.pid}).")),
            line(span("  Kept running, it goes on serving; start the console", "muted")),
            line(span("  again to attach to it.", "muted")),
        ]
        choices = [("keep", "k", "Keep running"), ("stop", "s", "Stop it"), ("cancel", "c", "Cancel")]
        self._app.push_screen(ChoiceScreen("Quit: what about the engine?", rows, choices), self._chosen)

    def _chosen(self, choice: str | None) -> None:
        if choice == "keep":
            self._app.exit("kept")
        elif choice == "stop":
            self._say("stopping the engine …", "warn")
            self._app.run_worker(self._stop(), group="stop", exclusive=True)

    async def _stop(self) -> None:
        ours = self._feed.launcher
        if ours is None:
            return
        try:
            await shutdown(self._feed.engine)
        except EngineError:
            ours.terminate()
        if await asyncio.to_thread(ours.wait, STOPPING_SECONDS):
            self._app.exit("stopped")
        else:
            self._say(f"the engine (process {ours.pid}) does not stop; its log: {ours.log}", "bad")
