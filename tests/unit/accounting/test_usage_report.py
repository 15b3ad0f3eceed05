"""What the API tells of sums: known parts, null for what is not known, never a zero in its place."""

import msgspec
import pytest

from orchestra_core.accounting.report import efficiency, figures, named, savings
from orchestra_core.accounting.usage import BOUNDS, By, Compared, UsageRow, bucket


def test_nothing_known_is_null() -> None:
    """Rates, quantiles and means of no requests, or of requests that tell nothing, are null and not zero."""
    told = figures(UsageRow())
    unknown = ("error_rate", "fallback_rate", "tokens_per_second", "cost_per_success")
    assert [told[name] for name in unknown] == [None] * 4
    assert told["seconds"] == {"mean": None, "p50": None, "p95": None, "p99": None}
    assert told["first_token_seconds"] == {"p50": None, "p95": None, "p99": None}
    assert told["cost"] == 0.0


@pytest.mark.parametrize(
    ("cost", "unknown", "told", "each"),
    [(0.0, 0, 0.0, 0.0), (3.0, 0, 3.0, 1.5), (3.0, 1, 3.0, None), (0.0, 1, None, None)],
)
def test_cost_is_the_known_part(cost: float, unknown: int, told: float | None, each: float | None) -> None:
    """Beside how many requests it leaves out; per successful request only where it leaves out none."""
    found = figures(UsageRow(requests=4, successes=2, cost=cost, cost_unknown=unknown))
    assert (found["cost"], found["cost_unknown_requests"], found["cost_per_success"]) == (told, unknown, each)


def test_who_left_is_neither_success_nor_failure() -> None:
    """The rate of errors is over those that could have succeeded."""
    told = figures(UsageRow(requests=10, successes=6, failures={"cancelled": 2, "timeout": 1, "other": 1}))
    assert (told["failed"], told["cancelled"], told["error_rate"]) == (2, 2, 0.25)
    assert told["failures"] == {"cancelled": 2, "other": 1, "timeout": 1}


def test_a_quantile_is_told_with_its_bounds() -> None:
    """In seconds, of the bucket it lies in."""
    told = figures(UsageRow(requests=2, total={bucket(100.0): 1, bucket(1e9): 1}, total_ms=3000.0))
    place = bucket(100.0)
    assert told["seconds"] == {
        "mean": 1.5,
        "p50": {"above": BOUNDS[place - 1] / 1000, "at_most": BOUNDS[place] / 1000},
        "p95": {"above": BOUNDS[-1] / 1000, "at_most": None},
        "p99": {"above": BOUNDS[-1] / 1000, "at_most": None},
    }


def test_a_row_carries_its_names() -> None:
    """In the order asked for; no value is null."""
    told = named(UsageRow(("", "2026-11-23"), 1), (By.MODEL, By.DAY))
    assert (told["model"], told["day"], told["requests"]) == (None, "2026-11-23", 1)


def test_savings_say_over_how_many_requests() -> None:
    """Never invented: of requests where both sums are known, with their number, and null where there are none."""
    whole = UsageRow(requests=10, best=Compared(4, 1.0, 5.0), cache_hits=3, saved=0.5, saved_unknown=1)
    assert savings(whole) == {
        "best": {
            "requests": 4,
            "of": 10,
            "paid": 1.0,
            "would_have_cost": 5.0,
            "saved": 4.0,
            "saved_share": 0.8,
        },
        "first": {
            "requests": 0,
            "of": 10,
            "paid": None,
            "would_have_cost": None,
            "saved": None,
            "saved_share": None,
        },
        "cache": {"hits": 3, "saved": 0.5, "unknown_requests": 1},
    }


def test_efficiency_counts_the_tokens_of_the_time_they_took() -> None:
    """Tokens over the serving time, cost over successes."""
    told = efficiency(UsageRow(("box",), 4, 2, tokens_out=300, serving_ms=6000.0, cost=1.0))
    assert (told["backend"], told["tokens_per_second"], told["cost_per_success"]) == ("box", 50.0, 0.5)


def test_everything_told_is_json() -> None:
    """As the API sends it."""
    assert msgspec.json.decode(msgspec.json.encode(figures(UsageRow(requests=1))))["requests"] == 1
