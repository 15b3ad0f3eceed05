"""The console's own themes; Textual's are there too.

Good and bad differ in blue and in lightness, not only in red and green: they are told apart by every eye.
"""

from collections.abc import Iterable

from textual.theme import Theme

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


def offered(names: Iterable[str]) -> list[str]:
    """All themes, the console's own and those of the terminal's own colours first."""
    known = set(names)
    first = [name for name in _FIRST if name in known]
    return [*first, *sorted(known.difference(first, ("textual-ansi",)))]
