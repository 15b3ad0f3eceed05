"""The lines every view has: identity and link, tabs, status, footer, and the sign of a terminal too small."""

from collections.abc import Iterator, Sequence

from orchestra_core import __version__
from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present import alerts, drills, environment
from orchestra_tui.present.actions import table
from orchestra_tui.present.actions.views import VIEWS
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.happenings.latest import subject_of
from orchestra_tui.present.numbers import age, clock, rate, uptime
from orchestra_tui.present.picture import LinkState, Picture
from orchestra_tui.present.problems import problems
from orchestra_tui.present.spans import Line, Span, cut, cut_line, fit, line, span, width
from orchestra_tui.present.states import fraction, pressure
from orchestra_tui.present.steady import lately, part

NEEDED = (60, 18)
RECENT = 10
_CANDIDATES = 30


def header(picture: Picture, cells: int) -> Line:
    """Who, whether simulated, how fresh, and the four numbers that matter; what does not fit is left out."""
    snapshot = picture.snapshot
    parts: list[tuple[int, Line]] = [(2, line(Span(" ORCHESTRA ", "title")))]
    if snapshot is not None and snapshot.environment.name:
        parts.append((0, environment.badge(snapshot)))
    if snapshot is not None and snapshot.simulated:
        parts.append((0, line(Span(" SIMULATED ", "badge"))))
    parts.append((0, time(picture)))
    if snapshot is not None and picture.link.state is LinkState.LOST:
        parts.append((1, line(span(f"data {age(picture.link.age)} old", "bad"))))
    parts += [(rank, line(Span(f" {word} ", "badge"))) for rank, word in _badges(picture)]
    if snapshot is not None:
        memory = pressure(snapshot.host, picture.glyphs)
        wrong, tone = part(snapshot, _wrong)
        parts += [
            (2, line(span("req "), span(f"{requests_per_second(picture):.1f}/s", "strong"))),
            (3, line(span("tok "), span(f"{tokens_per_second(picture):.0f}/s", "strong"))),
            (1, line(span("mem "), span(f"{fraction(snapshot.host):.0%} {memory.word}", memory.tone))),
            (4, line(span("p95 "), span(_latency(snapshot.totals.p95, picture.glyphs), "strong"))),
            (5, line(span(f"up {part(snapshot, _up)}", "muted"))),
            (6, line(span(snapshot.address, "muted"))),
            (7, line(span(f"v{snapshot.version}", "muted"))),
        ]
        parts += [(0, drills.badge(snapshot)), (0, alerts.badge(snapshot, picture.glyphs))]
        if wrong:
            word = "problem" if wrong == 1 else "problems"
            parts.append((1, line(span(f"{picture.glyphs.high} {wrong} {word}", tone))))
    return fit(parts, cells)


def time(picture: Picture) -> Line:
    """Where a recording that is shown stands, or else how the connection is."""
    return line(Span(f" REPLAY {picture.replay} ", "badge")) if picture.replay else link(picture)


def _badges(picture: Picture) -> Iterator[tuple[int, str]]:
    """What is out of the ordinary in a word, each with its rank."""
    snapshot = picture.snapshot
    if picture.read_only and not picture.replay:
        yield 0, "RO"
    if snapshot is not None and snapshot.intake_paused:
        yield 0, "INTAKE PAUSED"
    if snapshot is not None and snapshot.version != __version__:
        yield 1, f"ENGINE v{cut(snapshot.version, 12)}"
    if picture.paused:
        yield 0, f"PAUSED {picture.position}"


def link(picture: Picture) -> Line:
    """The state of the connection in symbol and words, with what happens next."""
    glyphs, now = picture.glyphs, picture.link
    if now.state is LinkState.LOST:
        return line(span(f"{glyphs.cross} {_lost(picture)}", "bad"))
    if now.state is LinkState.LIVE and not picture.slow_link:
        return line(span(f"{glyphs.full} live {picture.interval:g}s", "good"))
    elapsed = picture.launch.seconds if picture.launch else 0
    words = {
        LinkState.LIVE: f"slow link: {picture.interval:g} s",
        LinkState.STARTING: f"starting engine {elapsed:.0f}s",
        LinkState.STALE: f"stale {age(now.age)}",
    }
    return line(span(f"{glyphs.half} {words.get(now.state, 'connecting')}", "warn"))


def _lost(picture: Picture) -> str:
    now = picture.link
    what = f"engine v{cut(now.foreign, 12)} not understood" if now.foreign else "lost"
    if picture.paused:
        return f"{what} (try {now.attempt})"
    return f"{what}: reconnecting in {max(now.retry_in, 0):.0f} s (try {now.attempt})"


@lately
def tabs(view: str, cells: int) -> Line:
    """Titles where all of them fit; else short names, the title of the present view as long as there is room."""
    long = [f" {each.digit} {each.title} " for each in VIEWS]
    short = [f" {each.digit} {each.short} " for each in VIEWS]
    mixed = [
        title if each.name == view else brief for each, title, brief in zip(VIEWS, long, short, strict=True)
    ]
    texts, gap = next(
        (
            (texts, gap)
            for texts, gap in ((long, 1), (mixed, 1), (mixed, 0), (short, 0))
            if sum(map(len, texts)) + gap * (len(texts) - 1) <= cells
        ),
        (short, 0),
    )
    parts = [
        (0, line(span(text, "tab" if each.name == view else "muted", f"app.view('{each.name}')")))
        for each, text in zip(VIEWS, texts, strict=True)
    ]
    return fit(parts, cells, gap)


@lately
def footer(
    view: str,
    place: str,
    cells: int,
    idle: frozenset[str] = frozenset(),
    keymap: table.Keymap | None = None,
) -> Line:
    """The keys of the view, as many as fit, each clickable; help and command line stay longest."""
    keep = {"help": 0, "command": 1, "quit": 2, "quit.prompt": 2}
    parts = [
        (
            keep.get(action.id, 2 + action.rank),
            line(
                span(action.shown.split()[0], "key", action.call),
                span(f" {action.label}", "muted", action.call),
            ),
        )
        for action in table.footer(view, place, keymap)
        if action.id not in idle
    ]
    return (Span(" "), *fit(parts, cells - 1))


def candidates(lines: Sequence[str], at: int, cells: int) -> Line:
    """What a line can become, from the one that is chosen on (-1: none is), each by its last words."""
    first = max(at, 0)
    words = [text.partition(" ")[2] or text for text in lines]
    parts: list[tuple[int, Line]] = []
    for index, word in enumerate(words[first : first + _CANDIDATES]):
        tone = "tab" if index + first == at else "muted"
        parts.append((index, line(span(f" {cut(word, 40)} ", tone))))
    count = line(span(f" {len(lines)}: ", "muted"))
    return (*count, *fit(parts, cells - width(count), gap=0))


def status(message: Line, latest: Event | None, cells: int) -> Line:
    """The last thing that was said to the user, or else the last thing that happened."""
    if message:
        return cut_line((Span(" "), *message), cells)
    if latest is None:
        return ()
    tone = {"error": "bad", "warning": "warn"}.get(latest.level, "muted")
    subject = subject_of(latest, latest.message)
    text = f" {clock(latest.at)} {subject + ': ' if subject else ''}{latest.message}"
    return cut_line(line(span(text, tone)), cells)


def too_small(picture: Picture, cells: int, rows: int) -> list[Line]:
    summary = cut_line(line(Span(" "), *time(picture)), cells)
    need = f" needs {NEEDED[0]}x{NEEDED[1]}, have {cells}x{rows}"
    return [
        summary,
        cut_line(line(span(need, "warn")), cells),
        cut_line(line(span(" q quit  : cmd", "muted")), cells),
    ]


def requests_per_second(picture: Picture) -> float:
    snapshot = picture.snapshot
    return part(snapshot, lambda now: _recent(now.throughput.requests, now.uptime)) if snapshot else 0.0


def tokens_per_second(picture: Picture) -> float:
    snapshot = picture.snapshot
    return part(snapshot, lambda now: _recent(now.throughput.tokens, now.uptime)) if snapshot else 0.0


def _wrong(snapshot: Snapshot) -> tuple[int, str]:
    """How many problems there are, and their tone."""
    found = problems(snapshot)
    return len(found), "bad" if any(problem.bad for problem in found) else "warn"


def _up(snapshot: Snapshot) -> str:
    return uptime(snapshot.uptime)


def _recent(values: tuple[int, ...], uptime: float) -> float:
    """A second's mean of the last ten; the history begins with the first request, the engine's time before it."""
    return sum(values[-RECENT:]) / max(min(uptime, RECENT), 1.0)


def _latency(value: float | None, glyphs: Glyphs) -> str:
    return glyphs.unknown if value is None else f"{rate(value)}s"
