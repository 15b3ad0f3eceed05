"""What a made-up engine answers to the questions of single views, in the shapes of the API."""

from collections.abc import Callable

from benchmarks.console.fleet import Fleet, stamp
from orchestra_core.domain.running import RunningView
from orchestra_core.domain.series import WINDOWS, Course, SeriesView, Spread

_STRETCHES = 60
_BUSIEST = 8


def answer(method: str, path: str, asked: dict[str, str], fleet: Fleet, second: int) -> object | None:
    """The answer as JSON will have it; None: nothing is known of such a path."""
    if method == "POST" and path.endswith(("/load", "/unload")):
        return {"model": path.split("/")[-2], "backend": "be-00", "plan": {"fits": True, "frees_bytes": 1}}
    if method != "GET":
        return None
    made: dict[str, Callable[[], object]] = {
        "/api/v1/series": lambda: _series(asked.get("window", "5m"), asked.get("by", "model"), fleet, second),
        "/api/v1/requests": lambda: _requests(
            "running" in asked, int(asked.get("limit", "100")), fleet, second
        ),
        "/api/v1/usage": lambda: _usage(asked.get("by", "model"), fleet, second),
        "/api/v1/audit": lambda: _audit(fleet, second),
        "/api/v1/drills": lambda: {"running": [], "reports": []},
    }
    return made[path]() if path in made else None


def _model(fleet: Fleet, index: int) -> str:
    return fleet.name(index % fleet.size.models)


def _requests(running: bool, limit: int, fleet: Fleet, second: int) -> object:
    """So many of one second: all of them are new in the next one."""
    rate = int(fleet.size.rate)
    first = second * rate
    if running:
        under_way = [_running(at, fleet, second) for at in range(min(limit, rate // 40))]
        return {"requests": under_way, "total": len(under_way)}
    rows = [
        {
            "id": f"req-{first - at:010}", "at": stamp(second - at / max(rate, 1)),
            "verdict": "timeout" if at % 97 == 5 else "success", "status": 504 if at % 97 == 5 else 200,
            "surface": "openai", "kind": "chat", "model": _model(fleet, at * 7), "backend": "be-00",
            "tokens_in": 410, "tokens_out": 60 + at % 30, "first_token_ms": 90.0 + at, "total_ms": 400.0 + at * 3,
            "attempts": 1, "cost": 0.0002,
        }
        for at in range(min(limit, rate))
    ]  # fmt: skip
    return {"requests": rows, "next": None, "currency": "USD", "timestamp": stamp(second)}


def _running(at: int, fleet: Fleet, second: int) -> RunningView:
    """One of those that take a few seconds: streaming for `at` seconds and some."""
    age = at % 5 + 0.4
    return RunningView(
        f"run-{second - at % 5}-{at}", stamp(second - age), age * 1000, "k1", "shop", "openai", "chat",
        "conversation", _model(fleet, at * 3), True, "streaming", model=_model(fleet, at * 3), backend="be-00",
        endpoints=(f"be-00/{_model(fleet, at * 3)}",), attempts=1, tokens_out=int(age * 40), first_token_ms=120.0,
    )  # fmt: skip


def _usage(by: str, fleet: Fleet, second: int) -> object:
    """Of the last days, or of the busiest twenty of whatever it is."""
    names = (
        [f"2026-02-{day:02}" for day in range(9, 29)]
        if by == "day"
        else [_model(fleet, at) for at in range(20)]
    )
    requests = int(second * fleet.size.rate)
    shares = [1 / (at + 4) for at in range(len(names))]
    rows = [{by: name, **_figures(int(requests * share))} for name, share in zip(names, shares, strict=True)]
    advice = {
        "sentence": f"{names[0]} answered many that asked for tier low",
        "act": "have a model of tier low",
    }
    compared = {
        "requests": requests,
        "of": requests,
        "paid": requests * 2e-4,
        "would_have_cost": requests * 5e-4,
    }
    return {
        "by": [by], "rows": rows, "rows_left_out": 0, "totals": _figures(requests), "currency": "USD",
        "savings": {"best": compared, "first": compared}, "suggestions": [advice], "timestamp": stamp(second),
    }  # fmt: skip


def _figures(requests: int) -> dict[str, object]:
    return {
        "requests": requests, "successes": requests - requests // 300, "failures": {"timeout": requests // 300},
        "error_rate": 1 / 300,
        "tokens_in": requests * 410, "tokens_out": requests * 74, "cost": requests * 2e-4,
    }  # fmt: skip


def _audit(fleet: Fleet, second: int) -> object:
    """One deed every twenty seconds, of three operators."""
    rows = [
        {
            "at": stamp(at), "request_id": f"act-{at}", "key": "k1", "who": ("ann", "ben", "cleo")[at // 20 % 3],
            "peer": "unix", "method": "POST", "path": f"/api/v1/models/{_model(fleet, at // 20)}/load", "status": 202,
            "outcome": "done", "command": f"ai-orchestra load {_model(fleet, at // 20)}",
        }
        for at in range(second - second % 20, max(second - 4000, 0), -20)
    ]  # fmt: skip
    return {"entries": rows, "next": None}


def _series(window: str, by: str, fleet: Fleet, second: int) -> SeriesView:
    seconds = WINDOWS.get(window, 300)
    step = seconds // _STRETCHES
    until = second - second % step
    now = stamp(until)
    return SeriesView(
        window, seconds, stamp(0), now, step, now, step, now, step,
        whole=_course("", fleet, until, step, 1.0),
        by=by,
        rows=tuple(_course(_model(fleet, at), fleet, until, step, 0.1 - at / 100) for at in range(_BUSIEST)),
    )  # fmt: skip


def _course(name: str, fleet: Fleet, until: int, step: int, share: float) -> Course:
    stretches = range(until - _STRETCHES * step, until, step)
    requests = tuple(int(fleet.requests(at) * step * share) for at in stretches)
    slow = tuple(0.4 + each % 17 / 40 for each in requests)
    spread = Spread(slow, tuple(each * 3 for each in slow), tuple(each * 6 for each in slow))
    return Course(
        name, requests, tuple(each // 300 for each in requests), tuple(each * 410 for each in requests),
        tuple(each * 74 for each in requests), tuple(each * 0.0002 for each in requests), (0,) * _STRETCHES,
        tuple(each % 90 for each in requests), (0,) * _STRETCHES, spread, spread,
    )  # fmt: skip
