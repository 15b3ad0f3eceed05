"""Sums of the ledger as the API tells them: rates, quantiles and costs, null where something is not known."""

from orchestra_core.accounting.usage import By, Compared, Quantile, UsageRow, quantile

Told = dict[str, object]
# Whose failure says nothing about the engine or its backends.
_NOT_OURS = "cancelled"


def named(row: UsageRow, by: tuple[By, ...]) -> Told:
    """A row with the values it stands for; null is no value, as the model of a request that nobody served."""
    return {name.value: value or None for name, value in zip(by, row.names, strict=True)} | figures(row)


def figures(row: UsageRow) -> Told:
    """Everything there is to say of some requests."""
    cost = known_cost(row)
    return {
        "requests": row.requests,
        "successes": row.successes,
        "failed": failed(row),
        "cancelled": row.failures.get(_NOT_OURS, 0),
        "failures": dict(sorted(row.failures.items())),
        "error_rate": error_rate(row),
        "fallbacks": row.fallbacks,
        "fallback_rate": _share(row.fallbacks, row.requests),
        "degraded": row.degraded,
        "cache_hits": row.cache_hits,
        "tokens_in": row.tokens_in,
        "tokens_out": row.tokens_out,
        "tokens_cached": row.tokens_cached,
        "tokens_estimated_requests": row.estimated,
        "tokens_per_second": tokens_per_second(row),
        "cost": cost,
        "cost_unknown_requests": row.cost_unknown,
        "cost_per_success": cost_per_success(row),
        "saved": row.saved if row.saved or not row.saved_unknown else None,
        "saved_unknown_requests": row.saved_unknown,
        "seconds": {"mean": _mean_seconds(row), **_quantiles(row.total)},
        "first_token_seconds": _quantiles(row.first_token),
        "queued_seconds": row.queued_ms / 1000,
        "loading_seconds": row.loading_ms / 1000,
    }


def failed(row: UsageRow) -> int:
    """Requests that ended otherwise than well, without those whose client left."""
    return sum(count for kind, count in row.failures.items() if kind != _NOT_OURS)


def error_rate(row: UsageRow) -> float | None:
    """The share of those that could have succeeded."""
    return _share(failed(row), row.requests - row.failures.get(_NOT_OURS, 0))


def known_cost(row: UsageRow) -> float | None:
    """The known part; None where nothing is known, which a zero beside requests of unknown cost may be."""
    return None if row.cost_unknown and not row.cost else row.cost


def cost_per_success(row: UsageRow) -> float | None:
    """What a successful request cost, with those that failed on the way; None unless every cost is known."""
    return None if row.cost_unknown or not row.successes else row.cost / row.successes


def tokens_per_second(row: UsageRow) -> float | None:
    """While requests that got tokens were being served; a request that runs beside others counts its whole time."""
    return row.tokens_out * 1000 / row.serving_ms if row.serving_ms > 0.0 and row.tokens_out else None


def savings(whole: UsageRow) -> Told:
    """What was paid against what the same tokens would have cost elsewhere, over the requests where both are known."""
    return {
        "best": _compared(whole.best, whole.requests),
        "first": _compared(whole.first, whole.requests),
        "cache": {
            "hits": whole.cache_hits,
            "saved": whole.saved if whole.saved or not whole.saved_unknown else None,
            "unknown_requests": whole.saved_unknown,
        },
    }


def efficiency(row: UsageRow) -> Told:
    """Of one backend."""
    return {
        "backend": row.names[0] or None,
        "requests": row.requests,
        "successes": row.successes,
        "tokens_per_second": tokens_per_second(row),
        "cost": known_cost(row),
        "cost_unknown_requests": row.cost_unknown,
        "cost_per_success": cost_per_success(row),
    }


def _compared(made: Compared, requests: int) -> Told:
    known = made.requests > 0
    saved = made.other - made.paid if known else None
    return {
        "requests": made.requests,
        "of": requests,
        "paid": made.paid if known else None,
        "would_have_cost": made.other if known else None,
        "saved": saved,
        "saved_share": saved / made.other if saved is not None and made.other > 0.0 else None,
    }


def _quantiles(counts: dict[int, int]) -> Told:
    return {name: _spread(quantile(counts, q)) for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}


def _spread(found: Quantile | None) -> Told | None:
    return None if found is None else {"above": found.low, "at_most": found.high}


def _mean_seconds(row: UsageRow) -> float | None:
    return row.total_ms / row.requests / 1000 if row.requests else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None
