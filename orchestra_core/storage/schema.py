"""Statements that begin the same tables in SQLite and in PostgreSQL; steps of migrations, so never edited.

Whole numbers and amounts have other names in each.
"""

from collections.abc import Iterator

# Of a request that took one attempt the request's row says it all.
ALL_ATTEMPTS = (
    "CREATE VIEW all_attempts AS SELECT request_id, n, endpoint, verdict, status, seconds, first_token,"
    " tokens_in, tokens_out, message, cost, tokens_estimated FROM attempts UNION ALL"
    " SELECT id, 1, coalesce(backend, '') || '/' || coalesce(model_served, ''), verdict, status,"
    " (total_ms - coalesce(queued_ms, 0)) / 1000, (first_token_ms - coalesce(queued_ms, 0)) / 1000,"
    " tokens_in, tokens_out, coalesce(error, ''), cost, tokens_estimated FROM requests WHERE attempts = 1"
)
_NAMES = ("cube", "model", "task", "key", "backend", "tier_asked", "tier_served")
_COUNTS = (
    "requests, successes, failed_cancelled, failed_request, failed_capacity, failed_timeout, failed_interrupted,"
    " failed_backend, failed_other, fallbacks, degraded, cache_hits, tokens_in, tokens_out, tokens_cached,"
    " estimated, cost_unknown, saved_unknown, best_requests, first_requests"
)
_AMOUNTS = (
    "cost, saved, best_paid, best_other, first_paid, first_other, total_ms, queued_ms, loading_ms, serving_ms"
)


def sums(whole: str, real: str, number: str) -> Iterator[str]:
    """What is summed, sums of it by day and by blocks of days, how far they reach, and the prices that were.

    `number` is how a column is said that numbers its rows by itself.
    """
    rowid = " WITHOUT ROWID" if whole == "INTEGER" else ""
    names = ", ".join(f"{name} TEXT NOT NULL" for name in _NAMES)
    yield f"CREATE TABLE usage_names (id {number}, {names}, UNIQUE ({', '.join(_NAMES)}))"
    keys = f"name {whole} NOT NULL, span {whole} NOT NULL, day {whole} NOT NULL"
    columns = [f"{name} {whole} NOT NULL" for name in _COUNTS.split(", ")]
    columns += [f"{name} {real} NOT NULL" for name in _AMOUNTS.split(", ")]
    yield f"CREATE TABLE usage ({keys}, {', '.join(columns)}, PRIMARY KEY (name, span, day)){rowid}"
    yield (
        f"CREATE TABLE usage_latency ({keys}, kind {whole} NOT NULL, bucket {whole} NOT NULL,"
        f" requests {whole} NOT NULL, PRIMARY KEY (name, span, kind, day, bucket)){rowid}"
    )
    yield f"CREATE TABLE usage_blocks (span {whole} NOT NULL, day {whole} NOT NULL, PRIMARY KEY (span, day))"
    yield f"CREATE TABLE progress (name TEXT NOT NULL PRIMARY KEY, seq {whole} NOT NULL)"
    yield "INSERT INTO progress VALUES ('usage', 0)"
    yield (
        f"CREATE TABLE prices (endpoint TEXT NOT NULL, at {real} NOT NULL, price TEXT,"
        " PRIMARY KEY (endpoint, at))"
    )
