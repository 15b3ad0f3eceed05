"""Made-up courses of traffic for the console's tests."""

from math import sin

from orchestra_core.domain.series import WINDOWS, Course, SeriesView, Spread

SINCE, UNTIL = "2026-11-22T08:00:00.000Z", "2026-11-22T20:15:30.000Z"


def course(name: str, number: int, spreads: int, scale: float = 1.0) -> Course:
    """Waves of traffic with failures, a gap in the quantiles and no known cost in every fifth stretch."""
    requests = tuple(int((12 + 8 * sin(place / 9)) * scale) for place in range(number))

    def spread(base: float) -> Spread:
        def quantile(times: float) -> tuple[float | None, ...]:
            return tuple(
                None if place % 11 == 7 else base * times * (1 + 0.3 * sin(place / 4))
                for place in range(spreads)
            )

        return Spread(quantile(1), quantile(2.5), quantile(6))

    return Course(
        name=name,
        requests=requests,
        failures=tuple(int(place % 40 == 13) * 2 for place in range(number)),
        tokens_in=tuple(40 * each for each in requests),
        tokens_out=tuple(110 * each for each in requests),
        cost=tuple(None if place % 5 == 0 else each * 1e-4 for place, each in enumerate(requests)),
        cost_unknown=tuple(each if place % 5 == 0 else 0 for place, each in enumerate(requests)),
        inflight=tuple(each // 3 for each in requests),
        waiting=tuple(0 for _ in requests),
        first_token=spread(0.08),
        latency=spread(0.7),
    )


def series_view(window: str = "5m", by: str | None = "model") -> SeriesView:
    """As an engine tells it that has run for half a day."""
    seconds = WINDOWS[window]
    step, row_step = {300: (1, 10), 900: (10, 60), 3600: (10, 60), 21_600: (60, 300), 86_400: (300, 300)}[
        seconds
    ]
    spread = max(step, 10)
    there = min(seconds, 44_100)
    names = ("llama3.2:3b", "mistral-nemo:12b", "gpt-5-mini") if by == "model" else ("box1", "box2", "cloud")
    rows = tuple(
        course(name, there // row_step, there // row_step, row_step / (step * 2 ** (place + 1)))
        for place, name in enumerate(names)
    )
    return SeriesView(
        window, seconds, SINCE, UNTIL, step, UNTIL, spread, UNTIL, row_step,
        whole=course("", there // step, there // spread),
        by=by,
        rows=rows if by else (),
    )  # fmt: skip
