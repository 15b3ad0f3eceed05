"""Themes of the user's own in the settings file, their names and colours checked."""

import re
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from orchestra_tui.preferences.keymap import nearest

COLORS = (
    "primary",
    "secondary",
    "accent",
    "warning",
    "error",
    "success",
    "foreground",
    "background",
    "surface",
    "panel",
    "border",
    "border_blurred",
)
# What text has to be read on.
_READ = (("foreground", "background"), ("foreground", "surface"))
_LEAST_CONTRAST = 3.0
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}|#[0-9A-Fa-f]{3}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class Palette(msgspec.Struct, frozen=True):
    """Colours by what they are for; those that are not said are those of the console's own dark or light theme."""

    dark: bool = True
    colors: dict[str, str] = {}


def palettes(themes: dict[str, Any]) -> dict[str, Palette]:
    """Of tables that were checked."""
    return {
        name: Palette(table.get("dark", True), {key: table[key] for key in COLORS if key in table})
        for name, table in themes.items()
    }


def mistakes(themes: dict[str, Any], known: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong: the theme, the key in it (empty: the theme itself), and what is wrong with it. `known` are themes
    that there are already."""
    for name, table in themes.items():
        if not _NAME.fullmatch(name):
            yield name, "", f"the theme {name!r} needs a name of small letters, digits and -"
        elif name in known:
            yield name, "", f"there is a theme {name!r} already; this one needs another name"
        elif not isinstance(table, dict):
            yield name, "", f"{name} is {table!r}; a theme is a table: [themes.{name}]"
        else:
            yield from ((name, key, said) for key, said in _wrong(table))


def _wrong(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    sound = True
    for key, value in table.items():
        said = ""
        if key == "dark":
            said = "" if isinstance(value, bool) else f"dark is {value!r}; it is true or false"
        elif key not in COLORS:
            said = f"a theme has no {key!r}{nearest(key, [*COLORS, 'dark'])}"
        elif not isinstance(value, str) or not _COLOR.fullmatch(value):
            said = f'{key} is {value!r}; it is a color such as "#6cb6ff"'
        if said:
            sound = False
            yield key, said
    for ink, paper in _READ if sound else ():
        if (
            ink in table
            and paper in table
            and (found := contrast(table[ink], table[paper])) < _LEAST_CONTRAST
        ):
            yield (
                ink,
                f"{ink} on {paper} has a contrast of {found:.1f}; below {_LEAST_CONTRAST:g} nobody can read it",
            )


def contrast(one: str, other: str) -> float:
    """As the WCAG count it: 1 for the same color, 21 for black and white."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
