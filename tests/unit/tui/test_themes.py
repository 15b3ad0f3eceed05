"""The console's own themes: told apart by every eye, and readable."""

import pytest
from textual.color import Color
from textual.theme import Theme

from orchestra_tui.terminal import describe
from orchestra_tui.widgets.themes import THEMES, framed, offered

# What is left of linear red, green and blue without one sort of cone (Machado, Oliveira, Fernandes 2009).
EYES = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}  # fmt: skip


def linear(color: str) -> tuple[float, float, float]:
    def one(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = Color.parse(color).normalized
    return one(red), one(green), one(blue)


def lab(color: str, eye: str) -> tuple[float, float, float]:
    rgb = [
        min(max(sum(a * b for a, b in zip(row, linear(color), strict=True)), 0.0), 1.0) for row in EYES[eye]
    ]
    x = (0.4124 * rgb[0] + 0.3576 * rgb[1] + 0.1805 * rgb[2]) / 0.9505
    y = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
    z = (0.0193 * rgb[0] + 0.1192 * rgb[1] + 0.9505 * rgb[2]) / 1.089
    fx, fy, fz = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def apart(one: str, other: str, eye: str) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(lab(one, eye), lab(other, eye), strict=True)) ** 0.5)


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_good_and_bad_are_told_apart(theme: Theme, eye: str) -> None:
    """By every sort of eye; the word and the symbol say it besides."""
    assert apart(str(theme.success), str(theme.error), eye) > 20
    assert apart(str(theme.success), str(theme.warning), eye) > 15


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_tones_are_readable_on_the_ground(theme: Theme) -> None:
    """A contrast of 4.5 at least, as for small text."""
    for color in (theme.success, theme.warning, theme.error, theme.primary, theme.accent, theme.foreground):
        light, dark = sorted(
            (
                0.2126 * r + 0.7152 * g + 0.0722 * b
                for r, g, b in map(linear, (str(color), str(theme.background)))
            ),
            reverse=True,
        )
        assert (light + 0.05) / (dark + 0.05) >= 4.5, color


def test_our_themes_and_the_terminals_own_colours_come_first() -> None:
    """Then the others by name; what the terminal does not know is not offered."""
    assert offered(["nord", "orchestra-light", "dracula", "ansi-dark", "orchestra-dark"]) == [
        "orchestra-dark", "orchestra-light", "ansi-dark", "dracula", "nord",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("environ", "theme"),
    [
        ({"TERM": "xterm-256color"}, "orchestra-dark"),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;15"}, "orchestra-light"),
        ({"TERM": "xterm-256color", "COLORFGBG": "15;0"}, "orchestra-dark"),
        ({"TERM": "linux"}, "ansi-dark"),
        ({"TERM": "xterm", "COLORFGBG": "0;default;15"}, "ansi-light"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "orchestra-dark"),
    ],
)
def test_the_first_theme_suits_the_terminal(environ: dict[str, str], theme: str) -> None:
    """Sixteen colours are the terminal's own; a light ground is believed where the terminal says so."""
    assert describe({"LANG": "C.UTF-8", **environ}, False).theme == theme


def test_frames_have_the_color_of_the_environment() -> None:
    """The frame in focus is the brighter one, in the terminal's own colours too; no environment, no change."""
    own = {"border": "#111111", "border-blurred": "#222222", "background": "#000000", "error": "#ff0000"}
    assert framed(own, "") == framed(own, "no color") == own
    assert framed(own, "red") == {**own, "border": "#ff0000", "border-blurred": "#7F0000"}
    basic = {**own, "error": "ansi_red"}
    assert framed(basic, "red") == {**basic, "border": "ansi_bright_red", "border-blurred": "ansi_red"}
