"""What was asked and what it cost: the engine's report as a table, savings, suggestions and one row's details."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import cost, count, rate, seconds
from orchestra_tui.present.spans import Line, Span, cut_line, line, pad, span, wrapped

GROUPS = ("model", "task", "key", "backend", "day")
# What is said of a number of days, and how the engine is asked for them.
WINDOWS = (("today", "today"), ("7 days", "7d"), ("30 days", "30d"), ("all days", ""))
_SHORTEST_NAME = 20


class Bounds(msgspec.Struct, frozen=True):
    """Seconds: above one bound, at most the other; None: beyond all bounds."""

    above: float = 0.0
    at_most: float | None = None


class Durations(msgspec.Struct, frozen=True):
    mean: float | None = None
    p50: Bounds | None = None
    p95: Bounds | None = None
    p99: Bounds | None = None


class Figures(msgspec.Struct, frozen=True):
    """Some requests in numbers; None is not known. Of the names, only those that were asked for are there."""

    model: str | None = None
    task: str | None = None
    key: str | None = None
    backend: str | None = None
    day: str | None = None
    requests: int = 0
    successes: int = 0
    failures: dict[str, int] = {}
    error_rate: float | None = None
    fallbacks: int = 0
    degraded: int = 0
    cache_hits: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_per_second: float | None = None
    cost: float | None = None
    cost_unknown_requests: int = 0
    cost_per_success: float | None = None
    seconds: Durations = Durations()
    first_token_seconds: Durations = Durations()

    def name(self, by: str) -> str | None:
        found = getattr(self, by)
        assert found is None or isinstance(found, str)
        return found


class Compared(msgspec.Struct, frozen=True):
    requests: int = 0
    of: int = 0
    paid: float | None = None
    would_have_cost: float | None = None


class Cached(msgspec.Struct, frozen=True):
    hits: int = 0
    saved: float | None = None


class Savings(msgspec.Struct, frozen=True):
    best: Compared = Compared()
    first: Compared = Compared()
    cache: Cached = Cached()
    compare_with: str | None = None


class Suggestion(msgspec.Struct, frozen=True):
    sentence: str = ""
    act: str = ""


class Report(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/usage`, as far as it is shown."""

    by: tuple[str, ...] = ()
    rows: tuple[Figures, ...] = ()
    rows_left_out: int = 0
    totals: Figures = Figures()
    savings: Savings = Savings()
    suggestions: tuple[Suggestion, ...] | None = None
    currency: str = ""
    timestamp: str = ""
    until: str | None = None


class _Column(NamedTuple):
    """`rank`: those with the highest number are dropped first where there is no room (0: never)."""

    rank: int
    head: str
    texts: list[str]

    @property
    def width(self) -> int:
        return max(map(len, (self.head, *self.texts)))


def table(
    rows: Sequence[Figures], by: str, cells: int, glyphs: Glyphs
) -> tuple[Line, list[tuple[str, Line]]]:
    """The header and, per row, its key and itself."""
    columns = _fitting(rows, cells, glyphs)
    numbers = [
        "".join(f"  {text:>{column.width}}" for column, text in zip(columns, texts, strict=True))
        for texts in zip(*(column.texts for column in columns), strict=True)
    ]
    heads = "".join(f"  {column.head:>{column.width}}" for column in columns)
    name = max(cells - 2 - len(heads), _SHORTEST_NAME)
    drawn: list[tuple[str, Line]] = []
    for row, text in zip(rows, numbers, strict=True):
        label = row.name(by)
        lead = span(
            f"  {pad(label or glyphs.unknown, name, more=glyphs.more)}", "strong" if label else "muted"
        )
        drawn.append((label or "", cut_line((lead, span(text, _tone(row))), cells, glyphs.more)))
    return cut_line(line(span(f"  {pad(by.upper(), name)}{heads}", "muted")), cells), drawn


def _fitting(rows: Sequence[Figures], cells: int, glyphs: Glyphs) -> list[_Column]:
    unknown = glyphs.unknown
    columns = [
        _Column(0, "REQS", [count(row.requests) for row in rows]),
        _Column(2, "ERR%", [_percent(row.error_rate, unknown) for row in rows]),
        _Column(6, "FALLB", [count(row.fallbacks) for row in rows]),
        _Column(5, "IN", [count(row.tokens_in) for row in rows]),
        _Column(4, "OUT", [count(row.tokens_out) for row in rows]),
        _Column(3, "TOK/S", [rate(row.tokens_per_second, unknown) for row in rows]),
        _Column(1, "COST", [_known(row, unknown) for row in rows]),
        _Column(7, "P50", [bound(row.seconds.p50, unknown) for row in rows]),
        _Column(1, "P95", [bound(row.seconds.p95, unknown) for row in rows]),
    ]
    while sum(column.width + 2 for column in columns) > cells - 2 - _SHORTEST_NAME:
        worst = max(column.rank for column in columns)
        if worst == 0:
            break
        columns = [column for column in columns if column.rank != worst]
    return columns


def below(report: Report, cells: int, glyphs: Glyphs) -> list[Line]:
    """All together, what routing saved, and what could be better."""
    whole, currency = report.totals, report.currency
    told = (
        f"{_requests(whole.requests)}, {_percent(whole.error_rate, glyphs.unknown)} % failed, "
        f"{count(whole.tokens_in)} tokens in, {count(whole.tokens_out)} out, {_known(whole, glyphs.unknown)} {currency}"
    )
    drawn = wrapped(told, cells - 1, "strong", " ", " ")
    saved = report.savings
    best = f"always {saved.compare_with}" if saved.compare_with else "always the best model"
    for said, one in ((best, saved.best), ("always the first model", saved.first)):
        drawn += wrapped(f"{said}: {_against(one, currency)}", cells - 1, "", " ", "   ")
    if saved.cache.hits:
        answers = f"{count(saved.cache.hits)} {'answer' if saved.cache.hits == 1 else 'answers'}"
        told = f"cache: {answers}, {cost(saved.cache.saved, glyphs.unknown)} {currency} saved"
        drawn += wrapped(told, cells - 1, "", " ", "   ")
    for advice in report.suggestions or ():
        drawn += wrapped(advice.sentence, cells - 1, "accent", f" {glyphs.full} ", "   ")
        drawn += wrapped(advice.act, cells - 1, "muted", "   ", "   ")
    return drawn


def detail(row: Figures, by: str, currency: str, cells: int, glyphs: Glyphs) -> list[Line]:
    """Everything there is to know of one row."""
    unknown = glyphs.unknown
    failures = ", ".join(f"{number} {kind}" for kind, number in row.failures.items())
    facts = [
        (by, row.name(by) or unknown),
        ("requests", f"{row.requests}, {row.successes} well"),
        ("failures", failures or "none"),
        ("fallbacks", f"{row.fallbacks}; degraded {row.degraded}; from the cache {row.cache_hits}"),
        (
            "tokens",
            f"{row.tokens_in} in, {row.tokens_out} out, {rate(row.tokens_per_second, unknown)} a second",
        ),
        ("cost", f"{_known(row, unknown)} {currency}"),
        ("", f"not known of {_requests(row.cost_unknown_requests)}" if row.cost_unknown_requests else ""),
        ("a success", f"{cost(row.cost_per_success, unknown)} {currency}"),
        ("whole", _spread(row.seconds, unknown)),
        ("first token", _spread(row.first_token_seconds, unknown)),
    ]
    drawn: list[Line] = []
    for label, text in facts:
        if text:
            drawn += wrapped(text, cells - 1, "", f" {label:<12}", " " * 13)
    return drawn


def bound(found: Bounds | None, unknown: str) -> str:
    """The upper bound of a quantile, or that it is beyond the last."""
    if found is None:
        return unknown
    return f">{seconds(found.above)}" if found.at_most is None else seconds(found.at_most)


def _spread(found: Durations, unknown: str) -> str:
    parts = [f"{name} {bound(getattr(found, name), unknown)}" for name in ("p50", "p95", "p99")]
    return ", ".join(parts) + (f", mean {seconds(found.mean)}" if found.mean is not None else "")


def _against(one: Compared, currency: str) -> str:
    if one.paid is None or one.would_have_cost is None:
        return "not known what it would have cost"
    instead = f"{cost(one.would_have_cost)} {currency} instead of {cost(one.paid)}"
    return f"{instead}, over {one.requests} of {_requests(one.of)}"


def _requests(number: int) -> str:
    return f"{number if number < 100_000 else count(number)} {'request' if number == 1 else 'requests'}"


def _known(row: Figures, unknown: str) -> str:
    return cost(row.cost, unknown, at_least=row.cost_unknown_requests > 0)


def _percent(share: float | None, unknown: str) -> str:
    return unknown if share is None else f"{100 * share:.1f}"


def _tone(row: Figures) -> str:
    return "warn" if row.error_rate is not None and row.error_rate >= 0.05 else ""


def nothing(picture_live: bool, error: str) -> list[Line]:
    """In place of what is not there yet."""
    if error:
        return [line(Span(" "), span(error, "warn"))]
    return [line(span(" asking the engine …" if picture_live else " not connected", "muted"))]
