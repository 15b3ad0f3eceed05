"""What is remembered for the next run: kept up to date while the console runs, written now and then and at its end."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from textual.app import App

from orchestra_tui.preferences.beginning import Beginning
from orchestra_tui.preferences.kept import COMMANDS, Kept, write
from orchestra_tui.screens.view import ViewScreen

PERIOD = 5.0


class Remembering:
    """`interval` gives the seconds between updates as the user chose them."""

    def __init__(
        self,
        app: App[Any],
        beginning: Beginning,
        now: Callable[[], float],
        interval: Callable[[], float],
        say: Callable[[str, str], None],
    ) -> None:
        self._app = app
        self._file = beginning.file
        self._now = now
        self._interval = interval
        self._say = say
        self._written = self._kept = self._before = beginning.kept
        self._begun: tuple[str, float] = ("", 0.0)
        self._at = 0.0
        self.commands: list[str] = list(beginning.kept.commands)

    def of_view(self, view: str) -> Mapping[str, str]:
        """What a view was when it was left."""
        return self._kept.views.get(view, {})

    def begun(self) -> None:
        """What is set by now was not chosen in this run."""
        self._begun = self._app.theme, self._interval()
        self._at = self._now()

    def commanded(self, text: str) -> None:
        """A command line was entered; the same one again is one."""
        if text.strip() and self.commands[-1:] != [text]:
            self.commands[:] = [*self.commands[-COMMANDS + 1 :], text]

    def tick(self) -> None:
        """Writes what has changed, at most every few seconds and beside the loop."""
        self.collect()
        if self._file is None or self._kept == self._written or self._now() - self._at < PERIOD:
            return
        self._at = self._now()
        self._app.run_worker(self._write(self._kept), group="remember")

    def close(self) -> None:
        """The last word, at the end, when there are no views to ask any more."""
        self._note(self._kept.view, self._kept.views)
        if self._file is not None and self._kept != self._written:
            write(self._file, self._kept)

    async def _write(self, kept: Kept) -> None:
        if self._file is None:
            return
        self._written = kept
        if said := await asyncio.to_thread(write, self._file, kept):
            self._say(said, "warn")

    def collect(self) -> None:
        """Looks what the user has made of what is shown."""
        views = dict(self._kept.views)
        for screen in self._app.screen_stack:
            if isinstance(screen, ViewScreen) and screen.is_mounted:
                views[screen.VIEW] = screen.kept()
        self._note(self._app.current_mode, views)

    def _note(self, view: str, views: Mapping[str, Mapping[str, str]]) -> None:
        theme, interval = self._begun
        self._kept = msgspec.structs.replace(
            self._kept,
            view=view,
            theme=self._before.theme if self._app.theme == theme else self._app.theme,
            interval=self._before.interval if self._interval() == interval else self._interval(),
            views={name: dict(kept) for name, kept in views.items() if kept},
            commands=tuple(self.commands),
        )
