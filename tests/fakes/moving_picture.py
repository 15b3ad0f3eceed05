"""Several pictures of a terminal as one that moves: an SVG with a style sheet, which needs no player."""

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

# Below the picture, for what is said of it.
_STRIP = 34.0
_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


class Frame(NamedTuple):
    """A picture as Rich writes it, whose names are unique by its content; what is said of it; seconds it is shown."""

    svg: str
    says: str
    seconds: float = 3.0


def moving(frames: Sequence[Frame], font: str) -> str:
    """One picture after the other, again and again; the first where nothing moves. All have one size."""
    box = _BOX.search(frames[0].svg)
    assert box is not None
    width, height = float(box[1]), float(box[2])
    whole = sum(frame.seconds for frame in frames)
    rules, shown, at = [_still(whole, font)], [], 0.0
    for number, frame in enumerate(frames):
        rules.append(_rule(number, at / whole, (at + frame.seconds) / whole))
        said = f'<text class="said" x="14" y="{height + 23:.0f}">{escape(frame.says)}</text>'
        shown.append(f'<g class="f f{number}">{frame.svg}{said}</g>')
        at += frame.seconds
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height + _STRIP:.0f}">'
        f"<style>{''.join(rules)}</style>"
        f'<rect width="{width:.0f}" height="{height + _STRIP:.0f}" rx="8" fill="#1b2027"/>{"".join(shown)}</svg>\n'
    )


def _still(whole: float, font: str) -> str:
    return (
        f".said{{font:17px {font};fill:#d7dce2}}"
        f".f{{visibility:hidden;animation-duration:{whole:g}s;animation-iteration-count:infinite;"
        "animation-timing-function:step-end}.f0{visibility:visible}"
    )


def _rule(number: int, begin: float, end: float) -> str:
    """Hidden, shown from `begin` to `end` (shares of the whole), hidden again."""
    before = "0%{visibility:hidden}" if begin else ""
    after = f"{end:.4%}{{visibility:hidden}}" if end < 1 else ""
    steps = f"{before}{begin:.4%}{{visibility:visible}}{after}"
    return f"@keyframes k{number}{{{steps}}}.f{number}{{animation-name:k{number}}}"
