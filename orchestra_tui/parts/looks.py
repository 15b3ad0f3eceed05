"""How the console looks: theme, signs, plots, and whether it takes the mouse."""

from collections.abc import Mapping
from typing import Any

from textual.app import App

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.preferences.beginning import Beginning
from orchestra_tui.preferences.palettes import Palette
from orchestra_tui.present.environment import environment
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.screens.options import ThemeScreen
from orchestra_tui.terminal import Terminal
from orchestra_tui.widgets.themes import THEMES, made, offered


class Looks:
    """What was asked for, else what suits the terminal."""

    def __init__(self, app: App[Any], beginning: Beginning, terminal: Terminal) -> None:
        self._app = app
        self._asked = beginning.theme
        self.suits = terminal.theme
        self._own = beginning.themes
        self.glyphs = ASCII if terminal.ascii or beginning.ascii else UNICODE
        self.plots = not beginning.slow
        self.mouse = beginning.mouse
        self.environment = ""

    def begin(self) -> None:
        """Before there is a screen: with a theme that is set later all styles are worked out, and painted, twice."""
        app = self._app
        for theme in (*THEMES, *made(self._own)):
            app.register_theme(theme)
        app.set_reactive(App.theme, self._asked if self._asked in app.available_themes else self.suits)
        # What Textual does where the theme changes, but for the refreshing.
        now = app.current_theme
        classes = {f"-theme-{now.name}": True, "-dark-mode": now.dark, "-light-mode": not now.dark}
        app.update_classes({**classes, "-ascii": self.glyphs.ascii}, update=False)
        app._refresh_truecolor_filter(app.ansi_theme)
        app.stylesheet.set_variables(app.get_css_variables())

    def own(self, palettes: Mapping[str, Palette]) -> None:
        """The user's themes as the settings file has them now; the one that is looked at changes at once."""
        gone, self._own = self._own.keys() - palettes.keys(), dict(palettes)
        shown = self._app.theme
        self._app.theme = self.suits
        for name in gone:
            self._app.unregister_theme(name)
        for theme in made(palettes):
            self._app.register_theme(theme)
        self._app.theme = shown if shown in self._app.available_themes else self.suits

    def use_ascii(self, on: bool) -> None:
        self.glyphs = ASCII if on else UNICODE
        self._app.set_class(on, "-ascii")

    def use_mouse(self, on: bool) -> None:
        """Takes the mouse, or leaves it to the terminal; Textual does so only at the start and the end."""
        self.mouse = on
        turn = getattr(self._app._driver, "_enable_mouse_support" if on else "_disable_mouse_support", None)
        if turn is not None:
            turn()

    def belong(self, snapshot: Snapshot) -> None:
        """All frames are in the color of the engine's environment."""
        color = environment(snapshot).color
        if color != self.environment:
            self.environment = color
            self._app._invalidate_css()
            self._app.refresh_css(animate=False)

    def pick_theme(self) -> None:
        """Shows all themes; the one that is looked at is tried on."""
        screen = ThemeScreen(offered(self._app.available_themes), self._app.theme)
        self._app.push_screen(screen, self._picked)

    def next_theme(self, by: int) -> None:
        names = offered(self._app.available_themes)
        place = names.index(self._app.theme) if self._app.theme in names else 0
        self._app.theme = names[(place + by) % len(names)]

    def _picked(self, chosen: str | None) -> None:
        if chosen:
            self._app.theme = chosen
