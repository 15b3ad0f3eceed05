"""The settings file is read again when it has changed: theme, interval and keys are new at once."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from textual.app import App

from orchestra_tui.parts.feed import Feed
from orchestra_tui.parts.looks import Looks
from orchestra_tui.preferences.settings import Settings, SettingsError, read
from orchestra_tui.widgets.themes import STANDING

PERIOD = 2.0


class Reloading:
    """`keyed` is told the keys. A file with mistakes changes nothing; the first mistake is said."""

    def __init__(
        self,
        app: App[Any],
        file: Path | None,
        feed: Feed,
        say: Callable[[str, str], None],
        keyed: Callable[[Mapping[str, Sequence[str]]], None],
        looks: Looks,
    ) -> None:
        self._app = app
        self._file = file
        self._feed = feed
        self._say = say
        self._keyed = keyed
        self._looks = looks
        self._seen = self._stamp()
        self._at = 0.0

    def tick(self, now: float) -> None:
        if self._file is None or now - self._at < PERIOD:
            return
        self._at = now
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            found = read(self._file, STANDING)
        except SettingsError as error:
            more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
            self._say(f"{error.problems[0]}{more}; nothing is changed", "bad")
            return
        self._use(found)
        self._say(f"{self._file.name} was read again", "accent")

    def _use(self, found: Settings) -> None:
        self._keyed(found.keys)
        self._looks.own(found.themes)
        if found.theme:
            self._app.theme = found.theme
        if found.interval and found.interval != self._feed.chosen:
            self._feed.chosen = found.interval
            self._feed.follow()

    def _stamp(self) -> tuple[int, int]:
        try:
            status = self._file.stat() if self._file is not None else None
        except OSError:
            status = None
        return (status.st_mtime_ns, status.st_size) if status else (0, 0)
