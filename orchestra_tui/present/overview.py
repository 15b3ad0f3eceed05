"""The Overview's panes: memory, traffic, models at work, events, and what to do when nothing is there."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from orchestra_core import __version__
from orchestra_core.domain.snapshot import BackendView, MemoryView, ModelView, Snapshot
from orchestra_tui.present import pools
from orchestra_tui.present.frame import requests_per_second, tokens_per_second
from orchestra_tui.present.gauge import gauge, spark
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.models import table
from orchestra_tui.present.numbers import count, rate, seconds, size
from orchestra_tui.present.picture import Launch, LinkState, Picture
from orchestra_tui.present.problems import lines as problem_lines
from orchestra_tui.present.problems import problems
from orchestra_tui.present.spans import Line, Span, cut_line, fit, line, span, width, wrapped
from orchestra_tui.present.states import fraction
from orchestra_tui.present.steady import lately
from orchestra_tui.present.trend import STILL

SAME_VERSION = (
    " Open the console that came with the engine, or restart the engine with this version: ai-orchestra shutdown, then "
    "ai-orchestra."
)
# Beside them a plot of twelve rows and four of numbers.
_TOP_ROWS = 18
_LEAST_ROWS = 4
_MOST_PROBLEMS = 6
_FRAME = 2
_BUSY = {"loading": 0, "reserved": 0, "unloading": 0, "draining": 0, "ready": 1}


def notices(picture: Picture, cells: int) -> list[Line]:
    """What must be read first: the engine not there, its start, and the engine's own notices."""
    found: list[Line] = []
    if picture.launch is not None and not picture.link.live:
        found += _launch(picture.launch, cells)
    elif picture.link.foreign:
        found += _foreign(picture, cells)
    elif picture.snapshot is None:
        found += _absent(picture, cells)
    elif picture.link.state is LinkState.LOST and picture.can_start:
        found += wrapped(" The engine is gone; r starts it again.", cells - 1, "bad", "", " ")
    if picture.snapshot is not None:
        texts = list(picture.snapshot.notices)
        if picture.snapshot.version != __version__:
            texts.append(
                f"This engine {'was' if picture.replay else 'is'} version {picture.snapshot.version}, this console "
                f"{__version__}: what one of them does not know is not shown.{'' if picture.replay else SAME_VERSION}"
            )
        if not picture.snapshot.backends and not texts:
            texts.append(
                "No backend: start Ollama or llama-server here, or add a [[backends]] entry to the "
                "configuration (ai-orchestra config init writes one)."
            )
        for text in texts:
            found += wrapped(text, cells - 1, "warn", f" {picture.glyphs.high} ", "   ")
    return found


def memory(picture: Picture, cells: int, height: int) -> list[Line]:
    """A gauge for each pool and for what is in none, the host first; with their parts where there is room for that."""
    snapshot = picture.snapshot
    if snapshot is None:
        return []
    glyphs, others = picture.glyphs, pools_of(snapshot)
    names = [*(pool.name for pool in snapshot.pools), *(name for name, _ in others)]
    label = min(max(width(line(span(name))) for name in names), max(cells // 4, min(cells // 3, 16)))
    silent = {view.name for view in snapshot.backends if unreported(view)}
    detailed = 2 * len(snapshot.pools) + len(others) <= height
    trends = picture.trends
    drawn: list[Line] = []
    for pool in sorted(snapshot.pools, key=lambda pool: (pool.name != "host", -pools.share(pool)))[:height]:
        drawn.append(
            (Span(" "), *pools.gauge(pool.name, pool, cells - 2, glyphs, label, trends.get(pool.name, STILL)))
        )
        if detailed:
            drawn.append((Span("  "), *pools.parts(pool, cells - 2, glyphs)))
    drawn += [
        (
            Span(" "),
            *gauge(name, memory, cells - 2, glyphs, label, trends.get(name, STILL), known=name not in silent),
        )
        for name, memory in others[: max(height - len(drawn), 0)]
    ]
    if len(drawn) + 2 <= height:
        drawn += [(), _legend(snapshot, cells, glyphs)]
    return drawn[:height]


def pools_of(snapshot: Snapshot) -> list[tuple[str, MemoryView]]:
    """What is in no pool of the engine's: the host, with the models of our own child processes, then the memory that
    backends report, the fullest first."""
    pooled = {name for pool in snapshot.pools for name in pool.backends}
    own = [
        (view.name, view.memory)
        for view in snapshot.backends
        if view.memory is not None and view.name not in pooled
    ]
    if any(pool.name == "host" for pool in snapshot.pools):
        return sorted(own, key=lambda pool: -fraction(pool[1]))
    ours = sum(view.memory.ours for view in snapshot.backends if view.memory and view.kind == "managed")
    host = msgspec.structs.replace(snapshot.host, ours=max(snapshot.host.ours, ours))
    return [("host", host), *sorted(own, key=lambda pool: -fraction(pool[1]))]


def unreported(view: BackendView) -> bool:
    """Whether a backend has models in memory and tells of none: its use is not known, and not zero."""
    return view.memory is not None and view.memory.used == 0 and view.ready > 0


def traffic_row(picture: Picture, cells: int) -> Line:
    """Throughput in one row: sparkline of five minutes, then the numbers."""
    snapshot = picture.snapshot
    if snapshot is None:
        return ()
    totals, unknown = snapshot.totals, picture.glyphs.unknown
    numbers = fit(
        [
            (0, line(span(f"{requests_per_second(picture):.1f}", "value"), span(" req/s", "muted"))),
            (1, line(span(f"{tokens_per_second(picture):.0f}", "value"), span(" tok/s", "muted"))),
            (2, line(span("p95 ", "muted"), span(seconds(totals.p95, unknown), "value"))),
            (3, line(span(str(totals.inflight), "value"), span(" in flight", "muted"))),
        ],
        cells - 22,
    )
    drawn = spark(snapshot.throughput.requests, cells - width(numbers) - 4, picture.glyphs)
    return line(Span(" "), span(drawn, "accent"), Span("  "), *numbers)


def traffic_lines(picture: Picture, cells: int, height: int) -> list[Line]:
    """The numbers below the plot: load, latency, totals; as many rows as there are."""
    snapshot = picture.snapshot
    if snapshot is None:
        return []
    totals, unknown = snapshot.totals, picture.glyphs.unknown
    groups = [
        [
            ("req/s", rate(requests_per_second(picture))),
            ("tok/s", rate(tokens_per_second(picture))),
            ("in flight", str(totals.inflight)),
            ("queued", str(totals.waiting)),
        ],
        [
            ("p50", seconds(totals.p50, unknown)),
            ("p95", seconds(totals.p95, unknown)),
            ("p99", seconds(totals.p99, unknown)),
            ("first token p50", seconds(totals.ttft_p50, unknown)),
            ("p95", seconds(totals.ttft_p95, unknown)),
        ],
        [
            ("total", count(totals.requests)),
            ("failed", count(totals.failed)),
            ("cancelled", count(totals.cancelled)),
            ("failovers", count(totals.failovers)),
        ],
        [
            ("tokens in", count(totals.tokens_in)),
            ("out", count(totals.tokens_out)),
            ("most used", totals.most_used or unknown),
        ],
    ]
    rows = [
        (
            Span(" "),
            *fit(
                [
                    (i, line(span(f"{name} ", "muted"), span(text, "value")))
                    for i, (name, text) in enumerate(group)
                ],
                cells - 1,
            ),
        )
        for group in groups
    ]
    return rows[: max(height, 0)]


def work(picture: Picture, cells: int, height: int) -> list[Line]:
    """The models that are doing something, the busiest first."""
    snapshot = picture.snapshot
    if snapshot is None:
        return []
    if not snapshot.models:
        return [line(span(" no model", "muted"))]
    head, rows = table(_busiest(snapshot.models), picture, cells, max(height - 1, 0))
    return [head, *(row for _, row in rows)][:height]


@lately
def _busiest(models: Sequence[ModelView]) -> list[ModelView]:
    return sorted(models, key=lambda view: (_BUSY.get(view.residency, 2), -view.calls, view.id))


def heights(picture: Picture, rows: int, cells: int) -> dict[str, int]:
    """How a narrow terminal's rows are shared: each pane one title row and what it needs, most urgent first.

    The traffic pane has one row, or becomes a small plot where at least seven rows are left over.
    """
    snapshot = picture.snapshot
    wants = {
        "notices": len(notices(picture, cells)),
        "health": 1,
        "problems": 1,
        "memory": 1,
        "traffic": 1,
        "events": 1,
    }
    given = {name: min(number, 1) for name, number in wants.items()}
    if snapshot is not None:
        wants |= {
            "health": max(len(snapshot.backends), 1),
            "problems": max(len(problems(snapshot)), 1),
            "memory": 2 * len(snapshot.pools) + len(pools_of(snapshot)),
            "events": 3,
        }
    left = rows - sum(given.values()) - (len(given) - 1)
    limits = {"notices": 5, "health": 6, "memory": 2, "problems": 5, "events": 3}
    for step in range(2, 24):
        for name, limit in limits.items():
            if left > 0 and given[name] < min(wants[name], step, limit if step < 9 else 24):
                given[name] += 1
                left -= 1
    if left >= 7:
        given["traffic"] += 7
        left -= 7
    given["events"] += max(left, 0)
    return given


class Shares(NamedTuple):
    """Rows of the panes in two columns, frames and all; models and events have what is left below."""

    health: int
    memory: int
    problems: int


def shares(picture: Picture, rows: int, cells: int) -> Shares:
    """Above, backends and memory beside a plot of a dozen rows; below, models beside problems and events."""
    top = max(min(rows // 2, _TOP_ROWS), 2 * _LEAST_ROWS)
    if picture.snapshot is None:
        return Shares(top - _LEAST_ROWS, _LEAST_ROWS, _LEAST_ROWS)
    snapshot = picture.snapshot
    others = len(pools_of(snapshot))
    gauges = len(snapshot.pools) + others + _FRAME
    # With its parts and its legend, as long as all backends and the sum of their breakers have room.
    wishes = (2 * len(snapshot.pools) + others + _FRAME + 2, gauges + 2, gauges)
    room = top - len(snapshot.backends) - 2 - _FRAME
    memory = next((wish for wish in wishes if wish <= room), min(gauges, top // 2))
    memory = max(memory, _LEAST_ROWS)
    told = problem_lines(snapshot, cells // 2 - 2, _MOST_PROBLEMS, picture.glyphs)
    return Shares(top - memory, memory, len(told) + _FRAME)


def _legend(snapshot: Snapshot, cells: int, glyphs: Glyphs) -> Line:
    ours = sum(pools.promised(pool) for pool in snapshot.pools)
    ours += sum(memory.ours for _, memory in pools_of(snapshot))
    full = f" full {snapshot.pools[0].full:.0%}" if snapshot.pools else ""
    marks = f"high {snapshot.host.warning:.0%}{full}"
    return fit(
        [
            (1, line(span(f" {glyphs.bar} models {size(ours)}", "muted"))),
            (2, line(span(f"{glyphs.other} others", "muted"))),
            (
                0,
                line(
                    span(glyphs.mark, "warn"),
                    span(f" {marks}  ", "muted"),
                    span(glyphs.mark, "bad"),
                    span(f" critical {snapshot.host.critical:.0%}", "muted"),
                ),
            ),
            (3, line(span(f"engine {size(snapshot.engine_memory)}", "muted"))),
        ],
        cells,
    )


def _launch(launch: Launch, cells: int) -> list[Line]:
    if launch.code is not None:
        head = f" The engine ended with exit code {launch.code}; r starts it again. Log: {launch.log}"
        tone = "bad"
    else:
        head = f" Starting the engine (process {launch.pid}, {launch.seconds:.0f}s). Log: {launch.log}"
        tone = "accent"
    rows = wrapped(head, cells - 1, tone, "", " ")
    for text in launch.tail[-(6 if launch.code is not None else 3) :]:
        # What it does may be cut; why it ended may not.
        whole = wrapped(text, cells - 1, "muted", "   ", "     ")
        rows += whole if launch.code is not None else [cut_line(line(span(f"   {text}", "muted")), cells)]
    return rows


def _foreign(picture: Picture, cells: int) -> list[Line]:
    """An engine that answers, but what this console cannot read."""
    link = picture.link
    text = (
        f" The engine at {picture.target} is of version {link.foreign}, this console of {__version__}: {link.reason}."
        f"{SAME_VERSION}"
    )
    return wrapped(text, cells - 1, "bad", "", " ")


def _absent(picture: Picture, cells: int) -> list[Line]:
    if picture.link.state is LinkState.CONNECTING:
        return wrapped(f" Connecting to {picture.target} …", cells - 1, "muted")
    how = "r starts one." if picture.can_start else "Start one with: ai-orchestra serve"
    text = f" No engine at {picture.target}: {picture.link.reason}. {how}"
    return wrapped(text, cells - 1, "warn", "", " ")
