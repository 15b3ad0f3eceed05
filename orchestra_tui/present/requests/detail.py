"""Everything of one request: what it was, where its time went, and why it went where it went."""

from orchestra_core.domain.running import RunningView
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import clock, seconds
from orchestra_tui.present.numbers import cost as spelled
from orchestra_tui.present.requests import timeline
from orchestra_tui.present.requests.decision import explained
from orchestra_tui.present.requests.ledger import Ended, Report
from orchestra_tui.present.requests.log import Entry
from orchestra_tui.present.requests.rows import state, whole_seconds
from orchestra_tui.present.spans import Line, line, span, wrapped

_LABEL = 10
# Characters of a stored text that are shown; the rest is what `explain` prints.
_TEXT = 20_000
_LONGEST = 600
Fact = tuple[str, str, str]


def about(entry: Entry | None, currency: str, cells: int, glyphs: Glyphs) -> list[Line]:
    """What the row itself tells: beside the table, and on top of the sheet."""
    if entry is None:
        return [line(span(" no request selected", "muted"))]
    if isinstance(entry, RunningView):
        facts, total = _of_running(entry, glyphs), entry.age_ms
    else:
        facts, total = _of_ended(entry, currency, glyphs), entry.total_ms
    found = _told(facts, cells)
    return [*found, (), *timeline.drawn(timeline.steps(entry), total, cells, glyphs)]


def whole(
    entry: Entry | None, report: Report | None, problem: str, currency: str, cells: int, glyphs: Glyphs
) -> list[Line]:
    """With the report, once it is there; `problem` says why it is not."""
    if report is None:
        running = isinstance(entry, RunningView)
        wait = "its decision is in the ledger once it has ended" if running else "asking the engine …"
        return [
            *about(entry, currency, cells, glyphs),
            (),
            *wrapped(problem or wait, cells - 1, "warn" if problem else "muted", " ", " "),
        ]
    row = report.request
    steps = timeline.steps(row, report.attempts)
    return [
        *_told(_of_ended(row, report.currency, glyphs), cells),
        *_title("timeline", cells, glyphs),
        *timeline.drawn(steps, row.total_ms, cells, glyphs),
        *_messages(report, cells),
        *_title("decision", cells, glyphs),
        *explained(report, cells, glyphs),
        *_text("prompt", report.prompt, cells, glyphs),
        *_text("answer", report.answer, cells, glyphs),
    ]


def _of_running(view: RunningView, glyphs: Glyphs) -> list[Fact]:
    is_now = state(view, glyphs)
    asked = f"{view.model_asked}, task {view.task}" if view.task else view.model_asked
    return [
        ("request", view.id, "strong"),
        ("state", f"{is_now.symbol} {is_now.word}, {whole_seconds(view)} old", is_now.tone),
        ("", view.note, ""),
        ("asked", f"{asked} ({view.surface}{', stream' if view.stream else ''})", ""),
        ("key", view.key if view.key_name is None else f"{view.key_name} ({view.key})", ""),
        ("where", f" {glyphs.arrow} ".join(view.endpoints), ""),
        ("attempts", str(view.attempts) if view.attempts else "", ""),
        ("out", "" if view.tokens_out is None else f"{view.tokens_out} tokens so far", ""),
    ]


def _of_ended(row: Ended, currency: str, glyphs: Glyphs) -> list[Fact]:
    is_now = state(row, glyphs)
    marks = [word for word, true in (("degraded", row.degraded), ("continued", row.continued)) if true]
    cached = [f"from the cache ({row.cache})"] if row.cache else []
    inferred = " (inferred)" if row.task_inferred else ""
    estimated = ", estimated" if row.tokens_estimated else ""
    kept = f", {row.tokens_cached} of them cached" if row.tokens_cached else ""
    cost = spelled(row.cost, "unknown")
    served = f"{row.model} on {row.backend or 'no backend'}" if row.model else "nobody"
    saved = f", {spelled(row.saved)} saved" if row.saved else ""
    ended = ", ".join([row.verdict, *marks, *cached])
    return [
        ("request", row.id, "strong"),
        ("ended", f"{is_now.symbol} {ended}, HTTP {row.status}", is_now.tone),
        ("", row.error or "", "bad" if row.failed else "warn"),
        ("at", f"{row.at[:10]} {clock(row.at)} UTC", ""),
        ("served by", served, ""),
        ("asked", f"{row.model_asked or 'auto'}, task {row.task}{inferred} ({row.surface} {row.kind})", ""),
        ("key", row.key, ""),
        ("took", f"{seconds(row.total_ms / 1000)}, first token {_after(row.first_token_ms, glyphs)}", ""),
        ("tokens", f"{row.tokens_in} in{kept}, {row.tokens_out} out{estimated}", ""),
        ("cost", f"{cost}{f' {currency}' if row.cost is not None else ''}{saved}", ""),
    ]


def _after(milliseconds: float | None, glyphs: Glyphs) -> str:
    return glyphs.unknown if milliseconds is None else seconds(milliseconds / 1000)


def _messages(report: Report, cells: int) -> list[Line]:
    """What failed attempts were told, each in its words."""
    if len(report.attempts) < 2:
        return []
    found: list[Line] = []
    for one in report.attempts:
        if one.message:
            text = f"{one.n} {one.endpoint}: {one.message}"[:_LONGEST]
            found += wrapped(text, cells - 1, "muted", " ", "   ")
    return found


def _told(facts: list[Fact], cells: int) -> list[Line]:
    found: list[Line] = []
    for label, text, tone in facts:
        if text:
            found += wrapped(text[:_LONGEST], cells - 1, tone, f" {label:<{_LABEL}}", " " * (_LABEL + 1))
    return found


def _title(word: str, cells: int, glyphs: Glyphs) -> list[Line]:
    rail = glyphs.rail * max(min(cells, 200) - len(word) - 3, 0)
    return [(), line(span(f" {word} ", "title"), span(rail, "muted"))]


def _text(name: str, text: str | None, cells: int, glyphs: Glyphs) -> list[Line]:
    """A stored text as it is, markup and all."""
    if text is None:
        return []
    shown = wrapped(text[:_TEXT], cells - 1, "", " ", " ")
    if len(text) > _TEXT:
        shown.append(line(span(f" and {len(text) - _TEXT} characters more", "muted")))
    return [*_title(name, cells, glyphs), *shown]
