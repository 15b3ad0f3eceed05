"""What is spent today, this month and at this moment, and what of it nobody knows."""

from collections.abc import Sequence

import msgspec

from orchestra_core.domain.series import SeriesView
from orchestra_tui.present.budgets import money
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import uptime
from orchestra_tui.present.spans import Line, fit, line, span
from orchestra_tui.present.usage import Figures, Report

DAYS = 31


class Spending(msgspec.Struct, frozen=True):
    """Known costs, None where of no request it is known; `unknown` requests are left out.

    `an_hour` is of the last `seconds`.
    """

    currency: str
    today: float | None
    month: float | None
    unknown_today: int = 0
    unknown_month: int = 0
    an_hour: float | None = None
    seconds: float = 0.0
    unknown_now: int = 0


def spending(days: Report, last: SeriesView | None) -> Spending | None:
    """From the sums of the last 31 days until the engine's today; None where it does not say which day that is."""
    today = days.until or ""
    if not today:
        return None
    month = [row for row in days.rows if row.day and row.day[:7] == today[:7]]
    now = [row for row in month if row.day == today]
    found = Spending(
        days.currency,
        _sum(now),
        _sum(month),
        sum(row.cost_unknown_requests for row in now),
        sum(row.cost_unknown_requests for row in month),
    )
    if last is None or not last.whole.cost:
        return found
    seconds = len(last.whole.cost) * last.step
    return msgspec.structs.replace(
        found,
        an_hour=sum(filter(None, last.whole.cost)) * 3600 / seconds,
        seconds=float(seconds),
        unknown_now=sum(filter(None, last.whole.cost_unknown)),
    )


def _sum(rows: Sequence[Figures]) -> float | None:
    """Nothing asked is nothing spent; what was asked at unknown cost is not."""
    known = [row.cost for row in rows if row.cost is not None]
    unknown = any(row.requests > row.cost_unknown_requests for row in rows) if rows else True
    return sum(known) if known or unknown else None


def summary(found: Spending | None, cells: int, glyphs: Glyphs, note: str = "") -> Line:
    """One line; `note` is put at its end where there is room."""
    spent = found or Spending("", None, None)
    amounts = [
        (0, "today", money(spent.today, glyphs, at_least=spent.unknown_today > 0)),
        (0, "this month", money(spent.month, glyphs, at_least=spent.unknown_month > 0)),
        (1, "an hour, now", money(spent.an_hour, glyphs, at_least=spent.unknown_now > 0)),
    ]
    parts = [(rank, line(span(f"{what} "), span(amount, "strong"))) for rank, what, amount in amounts]
    parts.append((2, line(span(spent.currency, "muted")) if spent.currency else ()))
    parts.append((3, line(span(note, "muted")) if note else ()))
    if spent.an_hour is not None:
        parts.append((5, line(span(f"by the last {uptime(spent.seconds)}", "muted"))))
    if spent.unknown_month:
        word = "request has" if spent.unknown_month == 1 else "requests have"
        parts.append((4, line(span(f"{spent.unknown_month} {word} no known price", "warn"))))
    return (*line(span(" ")), *fit(parts, cells - 1))
