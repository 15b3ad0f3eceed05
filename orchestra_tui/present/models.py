"""The models table and one model's details."""

from collections.abc import Callable, Sequence
from itertools import groupby

import msgspec
from rich.cells import cell_len

from orchestra_core.domain.price import PriceView, in_words
from orchestra_core.domain.progress import progress_words
from orchestra_core.domain.snapshot import ModelView, Snapshot
from orchestra_tui.present.drawn import Drawn
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.health import outcomes
from orchestra_tui.present.numbers import age, context, count, parameters, rate, seconds, since, size
from orchestra_tui.present.picture import Picture, breaker
from orchestra_tui.present.problems import story
from orchestra_tui.present.spans import Line, Span, cut, cut_line, line, pad, span, wrapped
from orchestra_tui.present.states import circuit, residency
from orchestra_tui.present.steady import lately


class Column(msgspec.Struct, frozen=True):
    """`rank` says which columns give way first when the terminal is narrow (0: never); one that `ages` is another every
    second, which is no news."""

    title: str
    cells: int
    rank: int
    text: Callable[[ModelView, str], str]
    right: bool = True
    ages: bool = False


def _of(view: ModelView) -> str:
    return f"{view.inflight - view.awaiting}/{view.slots}"


COLUMNS = (
    Column("BACKEND", 11, 0, lambda view, _: view.backend, right=False),
    Column("MEM", 5, 2, lambda view, _: size(view.memory_bytes)),
    Column("CTX", 5, 5, lambda view, _: context(view.context)),
    Column("TOK/S", 6, 1, lambda view, _: rate(view.tokens_per_second)),
    Column("RUN", 5, 0, lambda view, _: _of(view)),
    Column("QUE", 3, 3, lambda view, _: str(view.waiting + view.awaiting)),
    Column("LAST", 4, 4, lambda view, now: age(since(now, view.last_used)), ages=True),
    Column("NEED", 5, 6, lambda view, _: size(view.need_bytes)),
    Column("TTFT", 6, 7, lambda view, _: seconds(view.first_token_seconds)),
    Column("CALLS", 6, 8, lambda view, _: count(view.calls)),
    Column("FAIL", 5, 9, lambda view, _: count(view.failed)),
    Column("SIZE", 5, 10, lambda view, _: size(view.size_bytes)),
    Column("QUANT", 8, 11, lambda view, _: view.quantization or "–", right=False),
    Column("TIER", 6, 12, lambda view, _: view.tier, right=False),
)


@lately
def columns(views: Sequence[ModelView], cells: int) -> tuple[Column, ...]:
    """The columns that fit beside the name, for which others give way, and the state."""
    longest = max([cell_len(view.backend) for view in views], default=0)
    backend = min(longest, 16 if cells >= 70 else 11) if cells < widest(views)[0] else longest
    name = min(
        max([cell_len(view.model) for view in views], default=0),
        18 if cells < 90 else 24 if cells < 115 else 36,
    )
    chosen = [msgspec.structs.replace(COLUMNS[0], cells=max(backend, 7)), *COLUMNS[1:]]
    while _taken(chosen) + max(name, 16) > cells and any(column.rank for column in chosen):
        chosen.remove(max(chosen, key=lambda column: column.rank))
    return tuple(chosen)


def table(
    views: Sequence[ModelView], picture: Picture, cells: int, limit: int | None = None
) -> tuple[Line, Sequence[tuple[str, Line]]]:
    """The header and, per endpoint, its id and its row; columns fit all of them, also where only `limit` are drawn."""
    chosen = columns(views, cells)
    name = max(cells - _taken(chosen), 8)
    head = f"    {pad('MODEL', name)} {'STATE':<9}" + "".join(
        " " + pad(column.title, column.cells, right=column.right) for column in chosen
    )
    glyphs = picture.glyphs
    now = picture.snapshot.now if picture.snapshot and any(column.ages for column in chosen) else ""
    rows = Drawn(views[:limit], lambda view: view.id, lambda view: _row(view, chosen, name, now, glyphs))
    return cut_line(line(span(head, "muted")), cells), rows


def ordered(snapshot: Snapshot | None) -> list[ModelView]:
    """All models, by name and backend."""
    return sorted(snapshot.models, key=lambda view: (view.model, view.backend)) if snapshot else []


def widest(views: Sequence[ModelView]) -> tuple[int, int]:
    """The cells that all columns and the longest name need, and those up to the end of the name."""
    backend = max([7, *(cell_len(view.backend) for view in views)])
    name = max([16, *(cell_len(view.model) + 2 * view.pinned for view in views)])
    chosen = [msgspec.structs.replace(COLUMNS[0], cells=backend), *COLUMNS[1:]]
    return _taken(chosen) + name, 4 + name


def detail(view: ModelView, picture: Picture, cells: int) -> list[Line]:
    """Everything the engine knows of one endpoint; what nobody can know of a hosted one is left out."""
    glyphs, state = picture.glyphs, residency(view, picture.glyphs)
    now = picture.snapshot.now if picture.snapshot else ""
    dash = glyphs.unknown
    rows: list[tuple[str, str, str]] = [
        ("model", view.model, "strong"),
        ("backend", view.backend, "strong"),
        ("state", f"{state.symbol} {state.word}", state.tone),
        *((("progress", under_way(view), "accent"),) if under_way(view) else ()),
        *((("not loaded", view.barred, "warn"),) if view.barred else ()),
        ("memory", _known((view.memory_bytes, "measured"), (view.size_bytes, "on disk")), ""),
        ("need", _need(view, ""), ""),
        *((("pinned", f"{glyphs.pin} it is never evicted", "accent"),) if view.pinned else ()),
        ("context", f"{context(view.context, dash)} tokens", ""),
        ("weights", _weights(view), ""),
        ("tier", view.tier, ""),
        ("speed", f"{rate(view.tokens_per_second, dash)} tok/s ({_observed(view)})", ""),
        ("first token", seconds(view.first_token_seconds, dash), ""),
        ("work", f"{_of(view)} slots busy, {view.waiting + view.awaiting} waiting", ""),
        *((("demand", f"{view.demand * 60:.1f} requests a minute expected", ""),) if view.demand else ()),
        *((("last load", seconds(view.load_seconds), ""),) if view.load_seconds else ()),
        ("calls", f"{count(view.calls)}, {count(view.failed)} failed", "warn" if view.failed else ""),
        ("last used", _ago(since(now, view.last_used), dash), ""),
        ("price", price(view.price), ""),
        ("can", ", ".join(view.capabilities) or dash, ""),
        ("tasks", ", ".join(view.tasks) or dash, ""),
    ]
    drawn: list[Line] = []
    for label, text, tone in rows:
        if text:
            drawn += wrapped(text, cells - 1, tone, f" {label:<12}", " " * 13)
    return drawn + _breaker_lines(view, picture, cells)


def _known(*parts: tuple[int | None, str]) -> str:
    """Sizes, those that are known, each with its word."""
    return ", ".join(f"{size(amount)} {word}" for amount, word in parts if amount is not None)


def _weights(view: ModelView) -> str:
    number = f"{parameters(view.parameters, '')} parameters" if view.parameters is not None else ""
    return ", ".join(part for part in (number, view.quantization) if part)


def _breaker_lines(view: ModelView, picture: Picture, cells: int) -> list[Line]:
    own = breaker(picture.snapshot, view.id)
    if own is None:
        return []
    state = circuit(own.state, picture.glyphs)
    text = f"{state.symbol} {state.word}" if own.state == "closed" else f"{state.symbol} {story(own)}"
    drawn = wrapped(text, cells - 1, state.tone, " breaker     ", " " * 13)
    if own.recent:
        drawn.append(line(span(" last calls  ", "muted"), *outcomes(own.recent, picture.glyphs)))
    return [cut_line(row, cells) for row in drawn]


def _row(view: ModelView, chosen: Sequence[Column], name: int, now: str, glyphs: Glyphs) -> Line:
    state = residency(view, glyphs)
    lead = (
        span(f"  {state.symbol} ", state.tone),
        *_name(view, name, glyphs),
        span(f" {state.word:<9}", state.tone),
    )
    if under_way(view):
        where = pad(view.backend, chosen[0].cells, more=glyphs.more)
        return (*lead, span(f" {where}"), *_progress(view, chosen, glyphs))
    tone = "muted" if view.residency == "absent" else "value"
    cells: list[Span] = []
    for ages, several in groupby(chosen, key=lambda column: column.ages):
        texts = (
            pad(column.text(view, now), column.cells, right=column.right, more=glyphs.more)
            for column in several
        )
        cells.append(span("".join(f" {text}" for text in texts), "" if ages and tone == "value" else tone))
    return (*lead, *cells)


def _name(view: ModelView, cells: int, glyphs: Glyphs) -> Line:
    if not view.pinned:
        return (span(pad(view.model, cells, more=glyphs.more), "strong"),)
    short = cut(view.model, cells - 2, glyphs.more)
    return line(
        span(short, "strong"), span(f" {glyphs.pin}", "accent"), span(" " * (cells - cell_len(short) - 2))
    )


def under_way(view: ModelView) -> str:
    """Of a load or unload: percent or words of the backend, and the seconds it has taken; empty if there is none."""
    if view.residency in ("ready", "absent"):
        return ""
    return (
        progress_words(view.residency, view.progress, view.changing_seconds)
        .removeprefix(view.residency)
        .strip(" ,")
    )


def _need(view: ModelView, dash: str) -> str:
    if view.need_bytes is None:
        return dash
    basis = {"measured": "measured before", "metadata": "from metadata", "size": "from its size"}.get(
        view.need_basis
    )
    error = None if view.need_error is None else f"usually {view.need_error:.0%} off"
    why = ", ".join(part for part in (basis, error) if part)
    where = f" of {view.pool}" if view.pool else ""
    return f"{size(view.need_bytes)}{where}{f' ({why})' if why else ''}"


def _progress(view: ModelView, chosen: Sequence[Column], glyphs: Glyphs) -> Line:
    room = sum(column.cells + 1 for column in chosen if column.title != "BACKEND")
    return (span(" " + pad(under_way(view), room - 1, more=glyphs.more), "accent"),)


def _taken(chosen: Sequence[Column]) -> int:
    return 4 + 10 + sum(column.cells + 1 for column in chosen) + 1


def _observed(view: ModelView) -> str:
    number = view.speed_observations
    return "estimated" if number == 0 else f"{number} observed"


def _ago(value: float | None, dash: str) -> str:
    return dash if value is None else f"{age(value)} ago"


def price(shown: PriceView) -> str:
    """In one line: what it is, whose word it is, and since when."""
    words = in_words(shown)
    if shown.source == "unknown":
        return words
    if shown.input or shown.output:
        words += " per million tokens in/out"
        if shown.cached is not None and shown.cached != shown.input:
            words += f", cached {shown.cached:g}"
        words += "".join(
            f", {read:g}/{written:g} above {start} tokens" for start, read, written in shown.above
        )
    day = f" since {shown.since[:10]}" if shown.since else ""
    return f"{words} ({shown.source}{day}{f': {shown.origin}' if shown.origin else ''})"
