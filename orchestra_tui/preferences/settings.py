"""The console's settings file: a few settings and the keys, each wrong one said with its line."""

import re
import tomllib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec

from orchestra_tui.preferences.keymap import canonical, mistakes, nearest
from orchestra_tui.preferences.palettes import Palette, palettes
from orchestra_tui.preferences.palettes import mistakes as unfit
from orchestra_tui.present.actions.views import VIEWS

SHORTEST, LONGEST = 0.5, 10.0


class Settings(msgspec.Struct, frozen=True):
    """None: not said. `keys` are by the id of their action, `themes` by their names."""

    theme: str | None = None
    interval: float | None = None
    view: str | None = None
    ascii: bool | None = None
    mouse: bool | None = None
    slow: bool | None = None
    read_only: bool | None = None
    keys: dict[str, tuple[str, ...]] = {}
    themes: dict[str, Palette] = {}


class SettingsError(Exception):
    """All that is wrong with the file, a sentence each."""

    def __init__(self, problems: Collection[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read(path: Path, themes: Collection[str]) -> Settings:
    """The settings of a file, which may not exist. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: cannot be read: {error}"]) from error
    return parse(text, str(path), themes)


def parse(text: str, name: str, themes: Collection[str]) -> Settings:
    """The settings that a text says; `name` is put before what is wrong. Raises SettingsError."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{name}: not TOML: {error}"]) from error
    keys, own = found.pop("keys", {}), found.pop("themes", {})
    if not isinstance(own, dict):
        raise SettingsError([f"{name}:{_line(text, 'themes')}: themes is a table for each: [themes.NAME]"])
    problems = [f"{name}:{_line(text, key)}: {said}" for key, said in _wrong(found, [*own, *themes])]
    problems += [f"{name}:{_place(text, theme, key)}: {said}" for theme, key, said in unfit(own, themes)]
    if isinstance(keys, dict):
        keymap, wrong = _keymap(keys)
        problems += [f"{name}:{_line(text, key, 'keys')}: {said}" for key, said in wrong]
    else:
        keymap = {}
        problems.append(f"{name}:{_line(text, 'keys')}: keys is a table: [keys]")
    if problems:
        raise SettingsError(problems)
    return msgspec.convert({**found, "keys": keymap, "themes": palettes(own)}, Settings)


def _wrong(found: dict[str, Any], themes: Collection[str]) -> Iterator[tuple[str, str]]:
    views = [view.name for view in VIEWS]
    flags = dict.fromkeys(("ascii", "mouse", "slow", "read_only"), _flag)
    checks: dict[str, Callable[[Any], str]] = {
        "theme": lambda value: _one_of(value, themes),
        "view": lambda value: _one_of(value, views),
        "interval": _interval,
        **flags,
    }
    for key, value in found.items():
        if key not in checks:
            yield key, f"there is no setting {key!r}{nearest(key, [*checks, 'keys', 'themes'])}"
        elif said := checks[key](value):
            yield key, f"{key} {said}"


def _one_of(value: object, known: Collection[str]) -> str:
    if value in known:
        return ""
    return f"is {value!r}, which there is not{nearest(str(value), list(known))} Known: {', '.join(known)}"


def _interval(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = number and SHORTEST <= float(str(value)) <= LONGEST
    return "" if fits else f"is {value!r}; it is seconds, {SHORTEST:g} to {LONGEST:g}"


def _flag(value: object) -> str:
    return "" if isinstance(value, bool) else f"is {value!r}; it is true or false"


def _keymap(keys: dict[str, Any]) -> tuple[dict[str, tuple[str, ...]], list[tuple[str, str]]]:
    """Ids have dots, which TOML reads as tables unless they are quoted: both are the same here."""
    keymap: dict[str, tuple[str, ...]] = {}
    wrong = []
    for name, value in _flat(keys):
        several = value if isinstance(value, list) else [value]
        if all(isinstance(each, str) for each in several):
            keymap[name] = tuple(canonical(each) for each in several)
        else:
            wrong.append((name, f"{name} is {value!r}; it is a key, or a list of keys"))
    return keymap, [*wrong, *mistakes(keymap)]


def _flat(keys: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in keys.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def _place(text: str, theme: str, key: str) -> int:
    """The line of a key in a theme, or of the theme."""
    table = f"themes.{theme}"
    return _line(text, key, table) if key else max(_line(text, table), _line(text, theme, "themes"))


def _line(text: str, key: str, table: str = "") -> int:
    """The line on which a key is set; the first one where it is not found, as in an inline table."""
    wanted = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*(=|\.)|\s*\[\s*{re.escape(key)}\s*\]""")
    inside = ""
    for number, row in enumerate(text.splitlines(), 1):
        if (not table or inside == table) and wanted.match(row):
            return number
        head = re.match(r"\s*\[\s*([\w.-]+)\s*\]", row)
        inside = head[1] if head else inside
    return 1
