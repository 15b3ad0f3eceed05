"""The options that can be changed while the console runs, and how each is changed."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from orchestra_tui.present.options import Option
from orchestra_tui.screens.tabled import TableScreen

if TYPE_CHECKING:
    from orchestra_tui.app import Orchestra

_AUTO, _ON, _OFF = "auto", "on", "off"


class Options:
    """Reads and changes them; a change is seen at once."""

    def __init__(self, app: "Orchestra") -> None:
        self._app = app
        self._changes: dict[str, Callable[[int], None]] = {
            "interval": app.action_interval,
            "theme": app.looks.next_theme,
            "ascii": lambda _: self._ascii(),
            "plots": lambda _: self._plots(),
            "mouse": lambda _: app.looks.use_mouse(not app.looks.mouse),
            "paused": lambda _: app.action_pause(),
            "wide": lambda _: self._wide(),
            "slow": self._slow,
        }

    def all(self) -> Sequence[Option]:
        app, picture = self._app, self._app.picture()
        slow = _AUTO if app.pacing.forced is None else _ON if app.pacing.forced else _OFF
        trip = app.pacing.pace.trip
        told = (
            f"the terminal answers in {trip * 1000:.0f} ms" if trip is not None else "by how quick it answers"
        )
        beginning = app.beginning
        return [
            Option("interval", "interval", f"{app.interval:g} s", "seconds between updates (+ -)"),
            Option("theme", "theme", app.theme, "t shows all of them"),
            Option("ascii", "ascii", _word(picture.glyphs.ascii), "only ASCII signs"),
            Option("plots", "plots", _word(picture.plots), "plots cost most of what is sent"),
            Option("mouse", "mouse", _word(app.looks.mouse), "off: the terminal selects text itself"),
            Option("paused", "paused", _word(picture.paused), "hold the display still (p)"),
            Option("wide", "wide", _word(self._is_wide()), "all columns of the list (w)"),
            Option("slow", "slow link", slow, told),
            Option(
                "read_only",
                "read-only",
                picture.read_only or _OFF,
                "--read-only, or the engine's",
                fixed=True,
            ),
            Option("settings", "settings", str(beginning.settings or "–"), "", fixed=True),
            Option("memory", "remembered", str(beginning.file or "–"), "", fixed=True),
        ]

    def change(self, key: str, by: int) -> None:
        """One step on, or back where `by` is negative; what is only shown stays."""
        if key in self._changes:
            self._changes[key](by)

    def _ascii(self) -> None:
        self._app.looks.use_ascii(not self._app.looks.glyphs.ascii)
        self._app.refresh_all()

    def _plots(self) -> None:
        self._app.looks.plots = not self._app.looks.plots
        self._app.refresh_all()

    def _slow(self, by: int) -> None:
        order = (None, True, False)
        self._app.pacing.force(order[(order.index(self._app.pacing.forced) + by) % 3])

    def _table(self) -> TableScreen | None:
        return next((each for each in self._app.screen_stack if isinstance(each, TableScreen)), None)

    def _is_wide(self) -> bool:
        table = self._table()
        return table is not None and "wide" in table.kept()

    def _wide(self) -> None:
        table = self._table()
        if table is None:
            self._app.say("this view has no list", "warn")
        else:
            table.action_wide()


def _word(on: bool) -> str:
    return _ON if on else _OFF
