"""What a made-up engine answers to the questions of single views, in the shapes of the API."""

from benchmarks.console.fleet import Fleet, stamp
from orchestra_core.domain.series import WINDOWS, Course, SeriesView, Spread

_STRETCHES = 60
_BUSIEST = 8


def answer(method: str, path: str, asked: dict[str, str], fleet: Fleet, second: int) -> object | None:
    """The answer as JSON will have it; None: nothing is known of such a path."""
    if method == "POST" and path.endswith(("/load", "/unload")):
        return {"model": path.split("/")[-2], "backend": "be-00", "plan": {"fits": True, "frees_bytes": 1}}
    if method != "GET":
        return None
    if path == "/api/v1/series":
        return _series(asked.get("window", "5m"), asked.get("by", "model"), fleet, second)
    if path == "/api/v1/requests":
        return _requests("running" in asked, int(asked.get("limit", "100")), fleet, second)
    if path == "/api/v1/usage":
        groups = [
            {"model": _model(fleet, at), "requests": 1000 - at, "cost": 3.0 - at / 10} for at in range(20)
        ]
        return {"by": [asked.get("by", "model")], "groups": groups}
    return None


def _model(fleet: Fleet, index: int) -> str:
    return fleet.name(index % fleet.size.models)


def _requests(running: bool, limit: int, fleet: Fleet, second: int) -> object:
    """So many of one second: all of them are new in the next one."""
    rate = int(fleet.size.rate)
    first = second * rate
    if running:
        return {"requests": [], "total": 0}
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
