"""One playground answer as it arrives, and how it is shown."""

from collections.abc import Sequence

import msgspec
from rich.cells import cell_len

from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import rate, seconds
from orchestra_tui.present.spans import Line, Span, cut_line, fit, line, pad, span, wrapped

AUTO = "auto"
KEPT = 20
RECENT = 100
# What is remembered between runs is one file of at most a megabyte.
SAVED = 50
LONGEST_SAVED = 10_000


class Answer(msgspec.Struct):
    """One prompt and what came back. Times are seconds on one clock; tokens are as reported, else counted."""

    prompt: str
    asked: str
    sent: float
    parts: list[str] = []
    model: str = ""
    backend: str = ""
    why: str = ""
    first: float | None = None
    last: float | None = None
    pieces: int = 0
    tokens: int | None = None
    prompt_tokens: int | None = None
    cost: float | None = None
    engine_first: float | None = None
    engine_total: float | None = None
    ended: str = ""
    error: str = ""

    def add(self, text: str, now: float) -> None:
        if self.first is None:
            self.first = now
        self.last = now
        self.pieces += 1
        self.parts.append(text)

    @property
    def text(self) -> str:
        """All that came; joined once for all pieces of a frame, since a long answer has many thousands."""
        if len(self.parts) > 1:
            self.parts[:] = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""

    @property
    def running(self) -> bool:
        return not self.ended

    @property
    def first_token(self) -> float | None:
        """Seconds to the first token: the engine's own measure where it gives one."""
        if self.engine_first is not None:
            return self.engine_first
        return None if self.first is None else self.first - self.sent

    @property
    def whole(self) -> float | None:
        """Seconds from sending to the last piece; the engine's own measure where it gives one."""
        if self.engine_total is not None:
            return self.engine_total
        return None if self.last is None else self.last - self.sent

    @property
    def counted(self) -> int:
        return self.pieces if self.tokens is None else self.tokens

    @property
    def speed(self) -> float | None:
        """Tokens per second after the first one; None until two came. The engine's own measure where it gives
        one: the pieces of a short answer arrive here together."""
        if self.engine_first is not None and self.engine_total is not None and self.counted > 1:
            lasted = self.engine_total - self.engine_first
            return (self.counted - 1) / lasted if lasted > 0 else None
        if self.first is None or self.last is None or self.last <= self.first or self.counted < 2:
            return None
        return (self.counted - 1) / (self.last - self.first)


def summary(answer: Answer, cells: int, glyphs: Glyphs) -> list[Line]:
    """In muted lines how an answer ended and what it took."""
    unknown = glyphs.unknown
    where = answer.model or answer.asked
    mark = {"done": glyphs.full, "cancelled": glyphs.hollow}.get(answer.ended, glyphs.cross)
    texts = [
        f"{mark} {answer.ended}",
        f"{where} on {answer.backend}" if answer.backend else where,
        f"first token {seconds(answer.first_token, unknown)}",
        f"{rate(answer.speed, unknown)} tok/s",
        f"{answer.counted} tokens",
        *([f"cost {cost(answer)}"] if answer.ended == "done" else []),
    ]
    return _flowing(texts, cells)


def _flowing(texts: Sequence[str], cells: int) -> list[Line]:
    """As many texts in a line as it holds whole; one that is longer than a line is wrapped."""
    rows = [""]
    for text in texts:
        if rows[-1] and cell_len(rows[-1]) + 2 + cell_len(text) > cells - 3:
            rows.append("")
        rows[-1] += f"  {text}" if rows[-1] else text
    first, *rest = rows
    return [
        *wrapped(first, cells, "muted", " ", "   "),
        *(piece for row in rest for piece in wrapped(row, cells, "muted", "   ", "   ")),
    ]


def facts(
    answers: Sequence[Answer], asked: Sequence[str], cells: int, now: float, glyphs: Glyphs, more: str = ""
) -> list[Line]:
    """The side pane: what is asked next, with `more` than the defaults, and the numbers of the last answers."""
    drawn = [row for name in asked for row in _pair("next asks", name, "accent", cells)]
    drawn += _pair("with", more, "", cells) if more else []
    if len(answers) > 1:
        drawn += [(), *_side_by_side(answers, cells, now, glyphs)]
    elif answers:
        drawn.append(())
        for label, text, tone in numbers(answers[0], now, glyphs.unknown):
            drawn += _pair(label, text, tone, cells)
    for answer in answers:
        if answer.why:
            head = " why" if len(answers) == 1 else f" why {answer.model}"
            drawn += [(), line(span(head, "muted")), *wrapped(answer.why, cells - 1, "", " ", " ")]
    return drawn


def ticker(answer: Answer | None, asked: str, cells: int, now: float, glyphs: Glyphs) -> Line:
    """The same numbers in one line, for a narrow terminal."""
    if answer is None or not answer.running:
        why = f"  why: {answer.why}" if answer is not None and answer.why else ""
        return cut_line(
            line(span(" next asks ", "muted"), span(asked, "accent"), span(why, "muted")), cells, glyphs.more
        )
    unknown = glyphs.unknown
    where = answer.model + (f" on {answer.backend}" if answer.backend else "")
    texts = [
        (0, f"{now - answer.sent:.1f}s", "accent"),
        (1, where or answer.asked, "strong"),
        (2, f"first {seconds(answer.first_token, unknown)}", ""),
        (3, f"{rate(answer.speed, unknown)} tok/s", ""),
        (4, f"{answer.counted} tok", ""),
    ]
    return (Span(" "), *fit([(rank, line(span(text, tone))) for rank, text, tone in texts], cells - 1))


def numbers(answer: Answer, now: float, unknown: str) -> list[tuple[str, str, str]]:
    """Label, value and tone of everything that is measured of an answer."""
    state = f"running {now - answer.sent:.1f}s" if answer.running else answer.ended
    tone = {"done": "good", "failed": "bad", "cancelled": "warn"}.get(answer.ended, "warn")
    rows = [
        ("state", state, tone),
        ("model", answer.model or unknown, "strong"),
        ("backend", answer.backend or unknown, "strong"),
        ("first token", seconds(answer.first_token, unknown), ""),
        ("speed", f"{rate(answer.speed, unknown)} tok/s", ""),
        ("whole", seconds(answer.whole, unknown), ""),
        ("tokens", f"{answer.counted}{' so far' if answer.running else ''}", ""),
    ]
    if answer.prompt_tokens is not None:
        rows.append(("prompt", f"{answer.prompt_tokens} tokens", ""))
    if answer.ended == "done":
        rows.append(("cost", cost(answer), ""))
    return rows


def cost(answer: Answer) -> str:
    """What an answer cost in the engine's currency; not zero where nobody knows."""
    return "unknown" if answer.cost is None else f"{answer.cost:.6g}"


def _side_by_side(answers: Sequence[Answer], cells: int, now: float, glyphs: Glyphs) -> list[Line]:
    """One column of numbers for each answer."""
    columns = [
        {label: (text, tone) for label, text, tone in numbers(answer, now, glyphs.unknown)}
        for answer in answers
    ]
    labels = dict.fromkeys(label for column in columns for label in column)
    room = max((cells - 14) // len(answers) - 1, 4)
    drawn: list[Line] = []
    for label in labels:
        cellular = [column.get(label, ("", "")) for column in columns]
        row = [span(f" {label:<12}", "muted")]
        for text, tone in cellular:
            row += [span(" "), span(pad(text, room, more=glyphs.more), tone)]
        drawn.append(line(*row))
    return drawn


def _pair(label: str, text: str, tone: str, cells: int) -> list[Line]:
    return wrapped(text, cells - 1, tone, f" {label:<12}", " " * 13)
