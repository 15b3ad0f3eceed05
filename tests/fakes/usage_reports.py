"""A report of usage as an engine gives it, made by the engine's own functions from rows of the test's making."""

from typing import Any

import msgspec

from orchestra_core.accounting.report import figures, named, savings
from orchestra_core.accounting.suggestions import Suggestion
from orchestra_core.accounting.usage import By, Compared, UsageRow, bucket, summed

NAMES = {
    "model": ("llama-3.3-70b-instruct-fp8", "gpt-5-mini", ""),
    "task": ("text_generation", "code_generation", "vision"),
    "key": ("1f2e3d4c", "127.0.0.1", "5a6b7c8d"),
    "backend": ("gpu-a", "cloud", ""),
    "day": ("2026-11-21", "2026-11-22", "2026-11-23"),
}


def usage_rows(by: str) -> list[UsageRow]:
    first, second, third = NAMES[by]
    return [
        UsageRow(
            (first,), 12_345, 12_300, {"backend": 45}, fallbacks=12, tokens_in=9_876_543, tokens_out=1_234_567,
            serving_ms=30_000_000.0, total_ms=4e7, total={bucket(1500.0): 12_000, bucket(9000.0): 345},
        ),
        UsageRow(
            (second,), 412, 380, {"timeout": 32}, tokens_in=41_200, tokens_out=90_000, cost=1.5, cost_unknown=3,
            serving_ms=900_000.0, total_ms=1e6, total={bucket(700.0): 412}, best=Compared(400, 1.5, 4.5),
        ),
        UsageRow((third,), 1, 0, {"cancelled": 1}, cost_unknown=1),
    ]  # fmt: skip


def usage_report(by: str, until: str | None = None) -> dict[str, Any]:
    """The body of `/api/v1/usage` as JSON types; today is the last of its days."""
    rows = usage_rows(by)
    whole = summed(rows)
    advice = Suggestion(
        "over_served",
        "gpt-5-mini",
        "gpt-5-mini answered 412 text_generation requests at tier high that asked for low",
        {"requests": 412},
        "have a model of tier low for it",
    )
    told: dict[str, Any] = msgspec.to_builtins(
        {
            "by": [by],
            "since": None,
            "until": NAMES["day"][-1] if until == "today" else until,
            "where": {},
            "currency": "USD",
            "timezone": "UTC",
            "timestamp": "2026-11-23T08:00:00.000Z",
            "pending": 0,
            "rows": [named(row, (By(by),)) for row in rows],
            "rows_left_out": 0,
            "totals": figures(whole),
            "savings": savings(whole) | {"compare_with": None},
            "efficiency": None,
            "suggestions": [advice],
        }
    )
    return told
