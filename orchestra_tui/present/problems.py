"""What is wrong right now, worst first, each with what it is about and why."""

from collections.abc import Sequence

import msgspec

from orchestra_core.domain.snapshot import BreakerView, MemoryView, PoolView, Snapshot
from orchestra_tui.present import pools
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import age, size
from orchestra_tui.present.spans import Line, cut_line, line, span, width, wrapped
from orchestra_tui.present.states import fraction
from orchestra_tui.present.steady import lately, part


class Problem(msgspec.Struct, frozen=True):
    """`bad` needs somebody now; otherwise it is a warning. `view` is where to look."""

    bad: bool
    subject: str
    text: str
    view: str = "overview"


@lately
def problems(snapshot: Snapshot) -> list[Problem]:
    found = [*_backends(snapshot), *_breakers(snapshot), *_memory(snapshot), *_failures(snapshot)]
    return sorted(found, key=lambda problem: not problem.bad)


def lines(snapshot: Snapshot | None, cells: int, height: int, glyphs: Glyphs) -> list[Line]:
    if snapshot is None:
        return []
    found = part(snapshot, problems)
    if not found:
        return [line(span(f" {glyphs.full} none", "good"))]
    short = [cut_line(_row(problem, glyphs), cells, glyphs.more) for problem in found[:height]]
    long = [row for problem in found for row in _rows(problem, cells, glyphs)]
    return long if len(long) <= height else short


def story(view: BreakerView) -> str:
    """Why a breaker is where it is, and what happens next."""
    if view.state == "closed":
        return view.reason
    probe = (
        f", probe in {view.next_probe:.0f}s" if view.next_probe is not None and view.next_probe > 0 else ""
    )
    reason = f": {view.reason}" if view.reason else ""
    return f"{view.state.replace('_', '-')} {age(view.since)}{probe}{reason}"


def _row(problem: Problem, glyphs: Glyphs) -> Line:
    sign, tone = (glyphs.cross, "bad") if problem.bad else (glyphs.high, "warn")
    return line(span(f" {sign} ", tone), span(problem.subject, "strong"), span(f"  {problem.text}"))


def _rows(problem: Problem, cells: int, glyphs: Glyphs) -> list[Line]:
    """In one line if that has room for it, otherwise what it is about and, below, all of what is wrong."""
    whole = _row(problem, glyphs)
    if width(whole) <= cells:
        return [whole]
    return [cut_line(whole[:2], cells, glyphs.more), *wrapped(problem.text, cells - 1, "", "     ", "     ")]


def _backends(snapshot: Snapshot) -> list[Problem]:
    return [
        Problem(True, view.name, f"down: {view.error or 'no answer'}", "backends")
        for view in snapshot.backends
        if view.health == "down"
    ] + [
        Problem(False, view.name, "draining: it gets no new requests until it is resumed", "backends")
        for view in snapshot.backends
        if view.draining
    ]


def _breakers(snapshot: Snapshot) -> list[Problem]:
    return [
        Problem(view.state == "open", view.endpoint, f"breaker {story(view)}", "backends")
        for view in snapshot.breakers
        if view.state != "closed"
    ]


def _memory(snapshot: Snapshot) -> list[Problem]:
    found = [_pool(view) for view in snapshot.pools if pools.consequence(view)]
    pooled = {name for view in snapshot.pools for name in view.backends}
    rest: Sequence[tuple[str, MemoryView]] = [
        *([("host memory", snapshot.host)] if all(view.name != "host" for view in snapshot.pools) else []),
        *(
            (f"{view.name} memory", view.memory)
            for view in snapshot.backends
            if view.memory is not None and view.name not in pooled
        ),
    ]
    for label, pool in rest:
        share = fraction(pool)
        if share >= pool.warning:
            bad = share >= pool.critical
            limit = pool.critical if bad else pool.warning
            free = size(max(pool.total - pool.used, 0))
            word = "critical" if bad else "high"
            found.append(
                Problem(bad, label, f"{word}: {share:.0%} used (limit {limit:.0%}), {free} free", "models")
            )
    return found


def _pool(view: PoolView) -> Problem:
    word = {"warning": "high"}.get(view.pressure, view.pressure)
    text = f"{word}: {pools.share(view):.0%} used, {size(max(view.free, 0))} free; {pools.consequence(view)}"
    return Problem(view.pressure != "warning", f"{view.name} memory", text, "models")


def _failures(snapshot: Snapshot) -> list[Problem]:
    failed = sum(snapshot.throughput.failures[-60:])
    if not failed:
        return []
    total = max(sum(snapshot.throughput.requests[-60:]), failed)
    return [Problem(failed * 5 >= total, "requests", f"{failed} of {total} failed in the last minute")]
