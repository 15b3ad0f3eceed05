"""What a made-up engine answers to the questions of single views."""

from collections.abc import Callable
from math import sin

import msgspec

from benchmarks.console.fleet import Fleet, stamp
from orchestra_core.domain.series import WINDOWS, Course, SeriesView, Spread

_ROWS = 8


def answer(method: str, path: str, asked: dict[str, str], fleet: Fleet, second: int) -> object | None:
    """The answer as JSON will have it; None: nothing is known of such a path."""
    if method == "POST" and path.endswith(("/load", "/unload")):
        return {"model": path.split("/")[-2], "backend": "be-00", "plan": {"fits": True, "frees_bytes": 1}}
    if method != "GET":
        return None
    if path == "/api/v1/usage":
        return _usage(asked, fleet, second)
    if path == "/api/v1/series":
        return msgspec.to_builtins(_series(asked, fleet, second))
    return None


def _usage(asked: dict[str, str], fleet: Fleet, second: int) -> object:
    by, now = asked.get("by", "model"), stamp(second)
    names = [now[:10]] if by == "day" else [view.model for view in fleet.at(second).models[:20]]
    rows = [
        {by: name, "requests": 1000 - place + second, "cost": 3.0 + (second - place) / 10}
        for place, name in enumerate(names)
    ]
    return {"by": [by], "rows": rows, "totals": rows[0], "currency": "USD", "until": now[:10]}


def _series(asked: dict[str, str], fleet: Fleet, second: int) -> SeriesView:
    """Every stretch that ends brings a new one, as with an engine that has run for a day."""
    window, step = (
        asked.get("window", "5m"),
        {"5m": 1, "15m": 10, "1h": 10, "6h": 60}.get(asked["window"], 300),
    )
    spread, row = max(step, 10), {1: 10, 10: 60}.get(step, 300)
    length = WINDOWS[window]
    models = [view.model for view in fleet.at(second).models[:_ROWS]]

    def course(name: str, step: int, spread: int, rate: float) -> Course:
        end = second // step
        asked = tuple(int(step * rate * (1 + 0.3 * sin(at / 9))) for at in range(end - length // step, end))
        return Course(
            name,
            asked,
            tuple(int(each % 17 == 0) for each in asked),
            tuple(300 * each for each in asked),
            tuple(90 * each for each in asked),
            tuple(each * 1e-4 for each in asked),
            tuple(0 for _ in asked),
            tuple(each // 4 for each in asked),
            tuple(each // 20 for each in asked),
            _spread(second // spread, length // spread, 0.1),
            _spread(second // spread, length // spread, 0.9),
        )

    until: Callable[[int], str] = lambda step: stamp(second // step * step)  # noqa: E731  three times the same
    rows = tuple(course(name, row, row, 60.0 / (place + 1)) for place, name in enumerate(models))
    whole = course("", step, spread, 500.0)
    return SeriesView(
        window, length, stamp(second - 90_000), until(step), step, until(spread), spread, until(row), row,
        whole, asked.get("by"), rows,
    )  # fmt: skip


def _spread(end: int, number: int, base: float) -> Spread:
    def times(factor: float) -> tuple[float, ...]:
        return tuple(base * factor * (1 + 0.3 * sin(at / 4)) for at in range(end - number, end))

    return Spread(times(1), times(2.5), times(6))
