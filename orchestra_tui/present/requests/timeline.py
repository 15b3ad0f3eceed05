"""Where the time of a request went, each part drawn to scale on one axis."""

from collections.abc import Sequence

import msgspec

from orchestra_core.domain.running import RunningView
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import seconds
from orchestra_tui.present.requests.ledger import Attempt, Ended
from orchestra_tui.present.requests.log import Entry
from orchestra_tui.present.spans import Line, cut_line, line, pad, span, wrapped

_LABEL = 10
_TIMES = 15
_WIDE = 60
_MOST_BAR = 48
_LONGEST = 300


class Step(msgspec.Struct, frozen=True):
    """One part of it, in milliseconds since the request came. `about`: when it began is not known exactly."""

    label: str
    begin: float
    end: float
    tone: str = ""
    note: str = ""
    about: bool = False


def steps(entry: Entry, attempts: Sequence[Attempt] = ()) -> list[Step]:
    """What happened, in its order."""
    return _of_running(entry) if isinstance(entry, RunningView) else _of_ended(entry, attempts)


def _of_running(view: RunningView) -> list[Step]:
    now, first = view.age_ms, view.first_token_ms
    if first is not None:
        return [
            Step("to first", 0.0, first, "muted", view.endpoints[-1] if view.endpoints else ""),
            Step("streaming", first, now, "accent", _tokens(view.tokens_out)),
        ]
    return [Step(view.state, 0.0, now, "accent", view.note or ", ".join(view.endpoints))]


def _of_ended(row: Ended, attempts: Sequence[Attempt]) -> list[Step]:
    if row.cache:
        return [Step("cached", 0.0, row.total_ms, "good", "given again from the cache")]
    sent = min(row.queued_ms or 0.0, row.total_ms)
    several = len(attempts) > 1
    before = _before(attempts[:-1], sent) if several else []
    waited = before[0].begin if before else sent
    found: list[Step] = []
    if waited > 0.5 or row.attempts == 0:
        found.append(Step("waited", 0.0, waited, "warn" if row.attempts else "", _waited(row)))
    if row.attempts == 0:
        return found
    last = attempts[-1] if attempts else None
    where = last.endpoint if last else f"{row.backend or ''}/{row.model or ''}".strip("/")
    label = f"attempt {last.n if several and last else row.attempts}"
    return [*found, *before, *_last(row, sent, label, where)]


def _before(attempts: Sequence[Attempt], until: float) -> list[Step]:
    """The attempts before the last one, laid end to end: pauses between them are not recorded."""
    found: list[Step] = []
    for one in reversed(attempts):
        begin = max(until - one.seconds * 1000, 0.0)
        found.insert(
            0, Step(f"attempt {one.n}", begin, until, "bad", f"{one.endpoint}: {one.verdict}", about=True)
        )
        until = begin
    return found


def _last(row: Ended, sent: float, label: str, where: str) -> list[Step]:
    tone = "good" if row.verdict == "success" else "muted" if row.verdict == "cancelled" else "bad"
    first = row.first_token_ms
    end = where if row.verdict == "success" else f"{where}: {row.verdict}"
    if first is None or not sent <= first <= row.total_ms:
        return [Step(label, sent, row.total_ms, tone, end)]
    return [
        Step(label, sent, first, "accent", f"{end}, to the first token"),
        Step("tokens", first, row.total_ms, tone, _rate(row, first)),
    ]


def _rate(row: Ended, first: float) -> str:
    lasted = (row.total_ms - first) / 1000
    speed = f", {row.tokens_out / lasted:.1f}/s" if lasted > 0.001 and row.tokens_out else ""
    return _tokens(row.tokens_out) + speed


def _tokens(number: int | None) -> str:
    return "" if number is None else "1 token" if number == 1 else f"{number} tokens"


def _waited(row: Ended) -> str:
    if row.attempts == 0:
        return "it was sent nowhere"
    loading = row.loading_ms or 0.0
    if loading >= 1.0:
        return f"for a slot and its model, which took {seconds(loading / 1000)} to load"
    return "in the queue, and on its way"


def drawn(found: Sequence[Step], total: float, cells: int, glyphs: Glyphs) -> list[Line]:
    """A bar for each, in proportion to the whole; what it is stands behind it, or below where there is no room."""
    if not found:
        return []
    if cells < _WIDE:
        return _stacked(found, total, cells, glyphs)
    bar = min(cells - _LABEL - _TIMES - 4, _MOST_BAR)
    room = cells - bar - _LABEL - _TIMES - 4
    lines: list[Line] = []
    for step in found:
        times = span(f" {_times(step):>{_TIMES}}", "muted")
        head = (*_bar(step, total, bar, glyphs), times)
        note = step.note[:_LONGEST]
        if len(note) + 2 <= room:
            head, note = (*head, span(f"  {note}", "muted")), ""
        lines.append(cut_line(head, cells, glyphs.more))
        if note:
            below = line(span(" " * (_LABEL + 1) + note, "muted"))
            lines.append(cut_line(below, cells, glyphs.more))
    return lines


def _stacked(found: Sequence[Step], total: float, cells: int, glyphs: Glyphs) -> list[Line]:
    """Where there is little room the bars get all of it; times and what it was stand below."""
    lines: list[Line] = []
    for step in found:
        lines.append(cut_line(_bar(step, total, max(cells - _LABEL - 2, 1), glyphs), cells, glyphs.more))
        lines += wrapped(
            f"{_times(step)}  {step.note[:_LONGEST]}".rstrip(),
            cells,
            "muted",
            " " * (_LABEL + 1),
            " " * (_LABEL + 1),
        )
    return lines


def _bar(step: Step, total: float, bar: int, glyphs: Glyphs) -> Line:
    gap, full = _scaled(step, total, bar)
    return line(
        span(f" {pad(step.label, _LABEL, more=glyphs.more)}"),
        span(" " * gap),
        span(glyphs.bar * full, step.tone),
        span(" " * (bar - gap - full)),
    )


def _times(step: Step) -> str:
    """When it began, and how long it took."""
    about = "~" if step.about else ""
    return f"{about}{seconds(step.begin / 1000)}+{seconds((step.end - step.begin) / 1000)}"


def _scaled(step: Step, total: float, bar: int) -> tuple[int, int]:
    """Where its bar begins and how long it is; whatever took time has a cell."""
    whole = max(total, step.end, 1.0)
    gap = min(round(step.begin / whole * bar), bar - 1)
    end = round(step.end / whole * bar)
    return gap, min(max(end - gap, 1), bar - gap)
