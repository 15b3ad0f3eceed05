"""How the console begins: what was asked on the command line, then the settings file, then what is remembered."""

from pathlib import Path
from typing import TypeVar

import msgspec

from orchestra_tui.preferences.kept import Kept
from orchestra_tui.preferences.palettes import Palette
from orchestra_tui.preferences.settings import Settings
from orchestra_tui.present.actions.views import BY_NAME

T = TypeVar("T")


class Wishes(msgspec.Struct, frozen=True):
    """The flags of the command line; None or empty: not given."""

    view: str = ""
    filter: str = ""
    theme: str = ""
    interval: float | None = None
    slow: bool | None = None
    ascii: bool | None = None
    mouse: bool | None = None
    read_only: bool | None = None


class Beginning(msgspec.Struct, frozen=True):
    """`file` is where it is remembered, `settings` where the settings are, `log` where a crash is told; None: nowhere.
    `word` is to be said."""

    view: str = "overview"
    theme: str = ""
    interval: float = 1.0
    slow: bool = False
    ascii: bool = False
    mouse: bool = True
    read_only: bool = False
    keys: dict[str, tuple[str, ...]] = {}
    themes: dict[str, Palette] = {}
    kept: Kept = Kept()
    file: Path | None = None
    settings: Path | None = None
    log: Path | None = None
    word: str = ""


def begin(wishes: Wishes, settings: Settings, kept: Kept) -> Beginning:
    """The first of the three that says something of a thing is right about it."""
    view = wishes.view or settings.view or kept.view
    view = view if view in BY_NAME else "overview"
    views = dict(kept.views)
    if wishes.filter:
        views[view] = {**views.get(view, {}), "filter": wishes.filter}
    slow = bool(_first(wishes.slow, settings.slow))
    return Beginning(
        view=view,
        theme=wishes.theme or settings.theme or kept.theme,
        interval=_first(wishes.interval, settings.interval) or (2.0 if slow else kept.interval or 1.0),
        slow=slow,
        ascii=bool(_first(wishes.ascii, settings.ascii)),
        mouse=_first(wishes.mouse, settings.mouse) is not False,
        read_only=bool(_first(wishes.read_only, settings.read_only)),
        keys=settings.keys,
        themes=settings.themes,
        kept=msgspec.structs.replace(kept, views=views),
    )


def _first(*found: T | None) -> T | None:
    return next((each for each in found if each is not None), None)
