"""The options of the console as rows: what each is now, and what it does."""

from collections.abc import Sequence

import msgspec

from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.spans import Line, cut_line, line, pad, span


class Option(msgspec.Struct, frozen=True):
    """`fixed`: it is shown only, and `about` says where it is set."""

    key: str
    label: str
    value: str
    about: str
    fixed: bool = False


def rows(options: Sequence[Option], cells: int, glyphs: Glyphs) -> list[tuple[str, Line]]:
    """Per option its key and its row: label, value between the arrows that change it, and what it is."""
    width = max((len(option.value) for option in options if not option.fixed), default=0)
    drawn = []
    for option in options:
        ends = ("  ", "  ") if option.fixed else ("< ", " >")
        value = option.value if option.fixed else pad(option.value, width, more=glyphs.more)
        parts = line(
            span(f"   {pad(option.label, 11)}"),
            span(ends[0], "key"),
            span(value, "muted" if option.fixed else "strong"),
            span(ends[1], "key"),
            span(f" {option.about}", "muted"),
        )
        drawn.append((option.key, cut_line(parts, cells, glyphs.more)))
    return drawn
