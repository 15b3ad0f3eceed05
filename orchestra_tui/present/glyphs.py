"""The signs used on screen, and their ASCII stand-ins for terminals whose locale is not UTF-8."""

import msgspec


class Glyphs(msgspec.Struct, frozen=True):
    """Signs that are one cell wide in every common font; the word beside them carries the meaning."""

    ascii: bool = False
    full: str = "●"
    half: str = "◐"
    hollow: str = "○"
    cross: str = "✕"
    down: str = "▼"
    closed: str = "◆"
    open: str = "◇"
    probing: str = "◈"
    high: str = "▲"
    critical: str = "■"
    bar: str = "█"
    other: str = "▓"
    returning: str = "░"
    rail: str = "─"
    kept: str = "╌"
    mark: str = "┃"
    spark: str = "▁▂▃▄▅▆▇█"
    unknown: str = "–"
    more: str = "…"
    dot: str = "·"
    arrow: str = "›"
    ok: str = "▪"
    pin: str = "★"
    rising: str = "↑"
    falling: str = "↓"


UNICODE = Glyphs()
ASCII = Glyphs(
    ascii=True,
    full="*",
    half="~",
    hollow="o",
    cross="x",
    down="v",
    closed="=",
    open="/",
    probing="?",
    high="^",
    critical="!",
    bar="#",
    other="%",
    returning=":",
    rail="-",
    kept=".",
    mark="|",
    spark="_.,:-=+#",
    unknown="-",
    more="~",
    dot="-",
    arrow=">",
    ok=".",
    pin="+",
    rising="^",
    falling="v",
)
