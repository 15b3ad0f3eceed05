"""The table of requests. Columns have fixed widths, so that nothing moves sideways while rows come and go."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from orchestra_core.domain.running import RunningView
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import clock, cost, count, seconds
from orchestra_tui.present.requests.ledger import Ended
from orchestra_tui.present.requests.log import WINDOW, Entry
from orchestra_tui.present.spans import Line, cut_line, line, pad, span
from orchestra_tui.present.states import State

_STATE = 11
_TIME = 8
_LEAST_MODEL = 16
# Characters of a foreign name that are sanitised for a cell of a table.
_LOOKED_AT = 400
# Verdicts whose names are longer than their column.
_SHORT = {
    "context_overflow": "too long",
    "content_filter": "filtered",
    "misconfigured": "misconfig",
}


class _Column(NamedTuple):
    """`rank`: those with the highest number are dropped first where there is no room (0: never)."""

    rank: int
    head: str
    width: int
    text: Callable[[Entry, Glyphs], str]
    right: bool = True


def state(entry: Entry, glyphs: Glyphs) -> State:
    """What a request is at, or how it ended."""
    return _at(entry, glyphs) if isinstance(entry, RunningView) else _over(entry, glyphs)


def _at(view: RunningView, glyphs: Glyphs) -> State:
    if view.cancelling:
        return State(glyphs.down, "cancelling", "warn")
    place = f" #{view.position}" if view.position is not None else ""
    if view.state == "streaming":
        return State(glyphs.full, "streaming", "accent")
    if view.state in ("queued", "shared"):
        return State(glyphs.hollow, view.state + place, "accent")
    if view.state in ("loading", "retrying", "budget"):
        return State(glyphs.half, view.state + place, "warn")
    return State(glyphs.half, view.state, "accent")


def _over(row: Ended, glyphs: Glyphs) -> State:
    if row.failed:
        return State(glyphs.cross, _SHORT.get(row.verdict, row.verdict), "bad")
    if row.verdict == "cancelled":
        return State(glyphs.hollow, "cancelled", "muted")
    if row.continued:
        return State(glyphs.high, "continued", "warn")
    if row.degraded:
        return State(glyphs.high, "degraded", "warn")
    if row.cache:
        return State(glyphs.ok, "cached", "good")
    return State(glyphs.ok, "success", "good")


def whole_seconds(view: RunningView) -> str:
    """Of one that runs: a number that does not move more than once a second."""
    return seconds(max(view.age_ms, 0.0) / 1000) if view.age_ms < 1000 else f"{view.age_ms / 1000:.0f}s"


def _model(entry: Entry, glyphs: Glyphs) -> str:
    if entry.model:
        return entry.model
    return f"({entry.model_asked})" if entry.model_asked else glyphs.unknown


def _key(entry: Entry, glyphs: Glyphs) -> str:
    named = entry.key_name if isinstance(entry, RunningView) else None
    return named or entry.key or glyphs.unknown


def _status(entry: Entry, glyphs: Glyphs) -> str:
    return glyphs.unknown if isinstance(entry, RunningView) or not entry.status else str(entry.status)


def _first(entry: Entry, glyphs: Glyphs) -> str:
    value = entry.first_token_ms
    return glyphs.unknown if value is None else seconds(value / 1000)


def _total(entry: Entry, _: Glyphs) -> str:
    return whole_seconds(entry) if isinstance(entry, RunningView) else seconds(entry.total_ms / 1000)


def _in(entry: Entry, glyphs: Glyphs) -> str:
    return glyphs.unknown if isinstance(entry, RunningView) else count(entry.tokens_in)


def _out(entry: Entry, glyphs: Glyphs) -> str:
    return count(entry.tokens_out, glyphs.unknown)


def _cost(entry: Entry, glyphs: Glyphs) -> str:
    return cost(None if isinstance(entry, RunningView) else entry.cost, glyphs.unknown)


_COLUMNS = (
    _Column(2, "BACKEND", 10, lambda entry, glyphs: entry.backend or glyphs.unknown, right=False),
    _Column(4, "KEY", 12, _key, right=False),
    _Column(7, "TASK", 15, lambda entry, glyphs: entry.task or glyphs.unknown, right=False),
    _Column(3, "HTTP", 4, _status),
    _Column(5, "TRY", 3, lambda entry, _: str(entry.attempts)),
    _Column(1, "FIRST", 6, _first),
    _Column(0, "TOTAL", 6, _total),
    _Column(6, "IN", 5, _in),
    _Column(0, "OUT", 5, _out),
    _Column(5, "COST", 8, _cost),
    _Column(8, "SURFACE", 8, lambda entry, _: entry.surface, right=False),
    _Column(9, "ID", 26, lambda entry, _: entry.id, right=False),
)


class Layout(NamedTuple):
    """Which columns there are, and the width that is left for the model."""

    columns: tuple[_Column, ...]
    model: int
    cells: int

    @classmethod
    def of(cls, cells: int) -> "Layout":
        columns = list(_COLUMNS)
        lead = 4 + _STATE + 1 + _TIME + 1

        def left() -> int:
            return cells - lead - sum(column.width + 1 for column in columns)

        while left() < _LEAST_MODEL and any(column.rank for column in columns):
            worst = max(column.rank for column in columns)
            columns.remove(next(column for column in reversed(columns) if column.rank == worst))
        return cls(tuple(columns), max(left(), 4), cells)

    @staticmethod
    def widest(entries: Sequence[Entry]) -> tuple[int, int]:
        """The cells that all columns and the longest name need, and those up to the model."""
        lead = 4 + _STATE + 1 + _TIME + 1
        name = max((len(entry.model or entry.model_asked or "") for entry in entries), default=0)
        columns = sum(column.width + 1 for column in _COLUMNS)
        return lead + min(max(name + 2, _LEAST_MODEL), _LOOKED_AT) + columns, lead

    def head(self, more: str) -> Line:
        cells = [pad(column.head, column.width, right=column.right, more=more) for column in self.columns]
        text = f"    {'STATE':<{_STATE}} {'AT':<{_TIME}} {pad('MODEL', self.model)} {' '.join(cells)}"
        return cut_line(line(span(text, "muted")), self.cells, more)


class Painter:
    """Draws rows; those that have ended do not change and are drawn once for a width."""

    def __init__(self) -> None:
        self._drawn: dict[str, Line] = {}
        self._for: tuple[object, ...] = ()

    def table(
        self, entries: Sequence[Entry], cells: int, glyphs: Glyphs, now: str = ""
    ) -> tuple[Line, list[tuple[str, Line]]]:
        """The header and, per request, its id and its row. `now` is the engine's time (RFC 3339)."""
        layout = Layout.of(cells)
        wanted = (cells, glyphs, now[:10])
        if wanted != self._for or len(self._drawn) > 4 * WINDOW:
            self._drawn, self._for = {}, wanted
        rows = [(entry.id, self._row(entry, layout, glyphs, now)) for entry in entries]
        return layout.head(glyphs.more), rows

    def _row(self, entry: Entry, layout: Layout, glyphs: Glyphs, now: str) -> Line:
        if isinstance(entry, RunningView):
            return row(entry, layout, glyphs, now)
        drawn = self._drawn.get(entry.id)
        if drawn is None:
            drawn = self._drawn[entry.id] = row(entry, layout, glyphs, now)
        return drawn


def row(entry: Entry, layout: Layout, glyphs: Glyphs, now: str) -> Line:
    is_now = state(entry, glyphs)
    more = glyphs.more
    at = clock(entry.at) if not now or entry.at[:10] == now[:10] else entry.at[5:10]
    numbers = " ".join(
        pad(column.text(entry, glyphs)[:_LOOKED_AT], column.width, right=column.right, more=more)
        for column in layout.columns
    )
    quiet = is_now.tone == "muted"
    return cut_line(
        line(
            span(f"  {is_now.symbol} {pad(is_now.word, _STATE, more=more)} ", is_now.tone),
            span(f"{at:<{_TIME}} ", "muted"),
            span(
                pad(_model(entry, glyphs)[:_LOOKED_AT], layout.model, more=more),
                "muted" if quiet else "strong",
            ),
            span(f" {numbers}", "muted" if quiet else "bad" if is_now.tone == "bad" else ""),
        ),
        layout.cells,
        more,
    )
