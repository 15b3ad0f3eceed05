"""The console's own themes; Textual's are there too.

Good and bad differ in blue and in lightness, not only in red and green: they are told apart by every eye.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from orchestra_tui.preferences.palettes import Palette

DARK = Theme(
    name="orchestra-dark",
    primary="#6cb6ff",
    secondary="#b39df3",
    accent="#5cc8e6",
    warning="#f0cc62",
    error="#ff7256",
    success="#3fc79a",
    foreground="#d7dce2",
    background="#11151a",
    surface="#161b22",
    panel="#232a33",
    dark=True,
    variables={"border": "#6cb6ff", "border-blurred": "#323b47", "footer-background": "#161b22"},
)

LIGHT = Theme(
    name="orchestra-light",
    primary="#0b5fb0",
    secondary="#6a4bc4",
    accent="#00708a",
    warning="#8a5a00",
    error="#b02a10",
    success="#007a58",
    foreground="#1d242c",
    background="#f7f8fa",
    surface="#eef0f3",
    panel="#dfe3e8",
    dark=False,
    variables={"border": "#0b5fb0", "border-blurred": "#c3cad3"},
)

THEMES = (DARK, LIGHT)
_FIRST = (DARK.name, LIGHT.name, "ansi-dark", "ansi-light")
_BORDERS = {"border": "border", "border_blurred": "border-blurred"}
# What the colors of an environment are called in a theme.
_ENVIRONMENTS = {
    "red": "error",
    "yellow": "warning",
    "green": "success",
    "blue": "primary",
    "magenta": "secondary",
    "cyan": "accent",
}
_FAINT = 0.5
STANDING = (*(theme.name for theme in THEMES), *BUILTIN_THEMES)
"""Names of the themes there are without a settings file."""


def made(palettes: Mapping[str, Palette]) -> list[Theme]:
    """Themes of the user's own."""
    return [_made(name, palette) for name, palette in palettes.items()]


def _made(name: str, palette: Palette) -> Theme:
    base = DARK if palette.dark else LIGHT
    colors: dict[str, Any] = dict(palette.colors)
    borders = {_BORDERS[key]: colors.pop(key) for key in _BORDERS if key in colors}
    variables = {"border": colors.get("primary", base.primary), **borders}
    if "surface" in colors:
        variables["footer-background"] = colors["surface"]
    return replace(base, name=name, variables={**base.variables, **variables}, **colors)


def framed(variables: Mapping[str, str], color: str) -> dict[str, str]:
    """A theme's variables with all frames in the color of an environment; as they are where it has none.

    The frame of what has the focus is the one that is bright.
    """
    name = _ENVIRONMENTS.get(color)
    if name is None:
        return dict(variables)
    bright = faint = variables[name]
    if bright.startswith("ansi_"):
        bright, faint = f"ansi_bright_{color}", f"ansi_{color}"
    else:
        faint = Color.parse(variables["background"]).blend(Color.parse(bright), _FAINT).hex
    return {**variables, "border": bright, "border-blurred": faint}


def offered(names: Iterable[str]) -> list[str]:
    """All themes; the user's own, the console's and those of the terminal's own colours first."""
    known = set(names)
    first = [*sorted(known.difference(STANDING)), *(name for name in _FIRST if name in known)]
    return [*first, *sorted(known.difference(first, ("textual-ansi",)))]
