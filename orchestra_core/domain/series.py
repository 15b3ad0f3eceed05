"""How traffic went over the last minutes or hours, in stretches of equal length: the console reads what is served."""

import msgspec

# Seconds by the name of a window.
WINDOWS = {"5m": 300, "15m": 900, "1h": 3600, "6h": 21_600, "24h": 86_400}
BY = ("model", "backend")
# So many models, and as many backends, have rows of their own.
MOST_ROWS = 16
Count = int | None
Amount = float | None


class Spread(msgspec.Struct, frozen=True):
    """Quantiles of the durations of successes that ended in each stretch, in seconds; None: none did."""

    p50: tuple[Amount, ...] = ()
    p95: tuple[Amount, ...] = ()
    p99: tuple[Amount, ...] = ()


class Course(msgspec.Struct, frozen=True):
    """One entry a stretch, oldest first; None is not known.

    `inflight` and `waiting` are the most at any second of it. `cost` is the known part, None where that of no request
    is known; `cost_unknown` counts the requests it leaves out. `latency` is that of whole answers.
    """

    name: str = ""
    requests: tuple[Count, ...] = ()
    failures: tuple[Count, ...] = ()
    tokens_in: tuple[Count, ...] = ()
    tokens_out: tuple[Count, ...] = ()
    cost: tuple[Amount, ...] = ()
    cost_unknown: tuple[Count, ...] = ()
    inflight: tuple[Count, ...] = ()
    waiting: tuple[Count, ...] = ()
    first_token: Spread = Spread()
    latency: Spread = Spread()


class SeriesView(msgspec.Struct, frozen=True):
    """`whole` is everything, `rows` are the busiest models or backends, where those were asked for with `by`.

    Counts are of stretches of `step` seconds of which the last ended at `until`, quantiles of `spread_step` until
    `spread_until`, rows in both of `row_step` until `row_until` (RFC 3339). Nothing is told of the time before
    `since`, when the engine started. `others` is what has no row of its own, None where everything has one.
    """

    window: str
    seconds: int
    since: str
    until: str
    step: int
    spread_until: str
    spread_step: int
    row_until: str
    row_step: int
    whole: Course
    by: str | None = None
    rows: tuple[Course, ...] = ()
    others: Course | None = None
