"""What the terminal we were started in can do, and the way to its clipboard beside OSC 52."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from string import ascii_letters, digits
from typing import cast

import msgspec
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

from orchestra_tui.preferences.places import kept_file


class Terminal(msgspec.Struct, frozen=True):
    """`ascii`: the locale is not UTF-8. `tmux`: inside tmux, whose default swallows OSC 52. `light`: dark text on a
    light ground, as far as the terminal says so. `osc52`: as far as is known it has a clipboard that can be written
    to. `folder` is where the console's own files are."""

    ascii: bool = False
    tmux: bool = False
    basic_colors: bool = False
    light: bool = False
    osc52: bool = True
    folder: Path = Path()

    @property
    def theme(self) -> str:
        """The theme that suits it: of sixteen colours only those that the terminal has itself."""
        kind = "ansi" if self.basic_colors else "orchestra"
        return f"{kind}-{'light' if self.light else 'dark'}"


PLAIN = Terminal()
# White and light grey in COLORFGBG, which several terminals set.
LIGHT_GROUNDS = ("7", "15")
# After escape: what terminals send begins with O, P or X; b and f are the arrows of a Mac with option.
_BEGINNINGS = "OPXbf"
# Consoles of machines and printers of text: nothing behind them has a clipboard.
_WITHOUT_CLIPBOARD = ("linux", "vt100", "vt220", "ansi", "dumb", "cons25", "")


def describe(environ: Mapping[str, str], utf8_mode: bool) -> Terminal:
    """Reads the usual variables. `utf8_mode` is Python's: with it a C.UTF-8 locale may be Python's own doing
    (PEP 538), which says nothing of the terminal."""
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    coerced = (
        utf8_mode
        and not environ.get("LC_ALL")
        and environ.get("LC_CTYPE") == "C.UTF-8"
        and environ.get("LANG", "C") in ("", "C", "POSIX")
    )
    utf8 = "utf" in locale.lower() and not coerced
    term = environ.get("TERM", "")
    poor = term in ("linux", "xterm", "screen", "tmux", "vt100", "ansi") and not environ.get("COLORTERM")
    ground = environ.get("COLORFGBG", "").rpartition(";")[2]
    tmux = bool(environ.get("TMUX"))
    return Terminal(
        ascii=not utf8,
        tmux=tmux,
        # Of other themes Textual would still show the greys.
        basic_colors=poor or bool(environ.get("NO_COLOR")),
        light=ground in LIGHT_GROUNDS,
        # GNU screen, told by STY, keeps what it does not know to itself.
        osc52=term not in _WITHOUT_CLIPBOARD and (tmux or not environ.get("STY")),
        folder=kept_file(environ).parent,
    )


class _Chord(msgspec.Struct, frozen=True):
    """A key as the values of Textual's table of keys are: it asks for `value`."""

    value: str


def keep_escaped_keys() -> None:
    """Makes Textual read escape and a letter or digit as these two (alt and the key), as soon as both are there.

    Its table says what a Mac writes for option and a digit, so that escape and 3 type a pound sign. Of what is not in
    the table it waits for more, and whatever the terminal sends next, if only where its cursor is, turns escape and 2
    into ^2.
    """
    table = cast("dict[str, object]", ANSI_SEQUENCES_KEYS)
    for each in digits + ascii_letters:
        if each not in _BEGINNINGS:
            shift = "shift+" if each.isupper() else ""
            table[f"\x1b{each}"] = (_Chord(f"alt+{shift}{each.lower()}"),)


async def tmux_buffer(text: str) -> bool:
    """Puts `text` into tmux's paste buffer and the outer clipboard; False when tmux would not."""
    try:
        process = await asyncio.create_subprocess_exec(
            "tmux",
            "load-buffer",
            "-w",
            "-",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return False
    try:
        await asyncio.wait_for(process.communicate(text.encode()), 2)
    except TimeoutError:
        process.kill()
    return process.returncode == 0
