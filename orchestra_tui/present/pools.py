"""Pools of memory: one bar of everything that is promised, the share in use, its word, and the parts in numbers."""

from collections.abc import Mapping

from orchestra_core.domain.snapshot import PoolView, Snapshot
from orchestra_tui.present.gauge import Reading, measured, percent, row, runs
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import size
from orchestra_tui.present.spans import Line, Span, cut, fit, line, span
from orchestra_tui.present.states import State
from orchestra_tui.present.trend import STILL, Trend, foretold

# In a row of all pools.
_BRIEF, _NAME = 10, 16


def pressure(pool: PoolView, glyphs: Glyphs) -> State:
    """What the engine does about it is in `consequence`."""
    return {
        "warning": State(glyphs.high, "high", "warn"),
        "full": State(glyphs.high, "full", "bad"),
        "critical": State(glyphs.critical, "critical", "bad"),
    }.get(pool.pressure, State(glyphs.full, "ok", "good"))


def consequence(pool: PoolView) -> str:
    """Of a pool under pressure: what is not done, or done, until there is more room."""
    return {
        "warning": f"from {pool.warning:.0%} on nothing is loaded ahead of need",
        "full": f"from {pool.full:.0%} on idle models are evicted",
        "critical": f"from {pool.critical:.0%} on nothing is loaded, and low priority is refused",
    }.get(pool.pressure, "")


def share(pool: PoolView) -> float:
    """In use of the total, 0..1; where nobody measures that, what is promised."""
    used = pool.reserved if pool.used is None else pool.used
    return used / pool.total if pool.total > 0 else 0.0


def promised(pool: PoolView) -> int:
    """Bytes of the models that are in the pool or on their way into it."""
    return max(pool.reserved - pool.returning, 0)


def bar(pool: PoolView, cells: int, glyphs: Glyphs) -> Line:
    """From the left: models, what is coming back from ended ones, others, free; at the right end what is kept free."""
    total = max(pool.total, 1)
    tone = pressure(pool, glyphs).tone
    parts = (
        (promised(pool), glyphs.bar, tone),
        (pool.returning, glyphs.returning, "accent"),
        (pool.foreign, glyphs.other, tone),
    )
    signs: list[str] = []
    tones: list[str] = []
    amount = 0
    for part, sign, part_tone in parts:
        amount += part
        end = min(max(round(amount / total * cells), len(signs) + (part > 0)), cells)
        tones += [part_tone] * (end - len(signs))
        signs += [sign] * (end - len(signs))
    kept = min(round(pool.headroom / total * cells), cells - len(signs))
    rail = cells - len(signs) - kept
    signs += [glyphs.rail] * rail + [glyphs.kept] * kept
    tones += ["muted"] * (rail + kept)
    if pool.used is not None:
        for limit, mark_tone in ((pool.warning, "warn"), (pool.full, "warn"), (pool.critical, "bad")):
            place = min(int(limit * cells), cells - 1)
            signs[place], tones[place] = glyphs.mark, mark_tone
    return runs(signs, tones)


def gauge(
    label: str, pool: PoolView, cells: int, glyphs: Glyphs, label_cells: int, trend: Trend = STILL
) -> Line:
    """The row of a pool."""
    return row(label, _measured(pool, glyphs), cells, glyphs, label_cells, trend)


def _measured(pool: PoolView, glyphs: Glyphs) -> Reading:
    used = pool.reserved if pool.used is None else pool.used
    return Reading(
        lambda room: bar(pool, room, glyphs),
        share(pool),
        f"{size(used)}/{size(pool.total)}",
        pressure(pool, glyphs),
        (pool.warning, pool.full, pool.critical),
    )


def brief(snapshot: Snapshot, cells: int, glyphs: Glyphs, trends: Mapping[str, Trend]) -> Line:
    """All pools in one row, as many as there is room for: the host first, then the fullest."""
    order = sorted(snapshot.pools, key=lambda pool: (pool.name != "host", -share(pool)))
    readings = [(pool.name, _measured(pool, glyphs)) for pool in order]
    if all(pool.name != "host" for pool in order):
        readings.insert(0, ("host", measured(snapshot.host, glyphs)))
    found = [
        (rank, _brief(name, reading, glyphs, trends.get(name, STILL)))
        for rank, (name, reading) in enumerate(readings)
    ]
    return (Span(" "), *fit(found, max(cells - 1, 0), gap=3))


def _brief(name: str, reading: Reading, glyphs: Glyphs, trend: Trend) -> Line:
    told = foretold(trend, reading.share, reading.limits)
    return line(
        span(f"{cut(name, _NAME)} ", "muted"),
        *reading.bar(_BRIEF),
        percent(reading, trend, glyphs),
        span(f" {reading.state.symbol} {reading.state.word}", reading.state.tone),
        span(f" {told}" if told else "", "warn"),
    )


def parts(pool: PoolView, cells: int, glyphs: Glyphs) -> Line:
    """The parts of the bar in numbers; those that are nothing are left out, and what is free never."""
    shown: list[tuple[int, Line]] = [(1, _part(glyphs.bar, promised(pool), "models"))]
    if pool.returning:
        shown.append((0, _part(glyphs.returning, pool.returning, "returning", "accent")))
    if pool.foreign:
        shown.append((2, _part(glyphs.other, pool.foreign, "others")))
    shown.append((0, _part(glyphs.rail, max(pool.free, 0), "free", "good" if pool.free > 0 else "warn")))
    if pool.headroom:
        shown.append((3, _part(glyphs.kept, pool.headroom, "kept free")))
    if pool.used is None:
        shown.append((4, line(span("configured, not measured", "muted"))))
    return fit(shown, cells, gap=1)


def _part(sign: str, amount: int, word: str, tone: str = "muted") -> Line:
    return line(span(f"{sign} ", "muted"), span(size(amount), tone), span(f" {word}", "muted"))
