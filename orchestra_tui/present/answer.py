"""One playground answer as it arrives, and how it is shown."""

import msgspec

from orchestra_core.domain.text import safe_text
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import rate, seconds
from orchestra_tui.present.spans import Line, Span, cut_line, fit, line, span, wrapped

AUTO = "auto"
KEPT = 20


class Answer(msgspec.Struct):
    """One prompt and what came back. Times are seconds on one clock; tokens are as reported, else counted."""

    prompt: str
    asked: str
    sent: float
    text: str = ""
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
        self.text += text

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


def transcript(answers: list[Answer], cells: int, glyphs: Glyphs) -> list[Line]:
    """All prompts and answers, the oldest first; model text is shown as it is, never interpreted."""
    drawn: list[Line] = []
    for answer in answers:
        drawn += wrapped(answer.prompt, cells - 1, "accent", f" {glyphs.arrow} ", "   ")
        drawn += _body(answer.text, cells)
        if answer.error:
            drawn += wrapped(answer.error, cells - 1, "bad", f" {glyphs.cross} ", "   ")
        if not answer.running:
            drawn += [(Span(" "), *summary(answer, cells - 1, glyphs)), ()]
        elif not answer.text:
            drawn.append(line(span(" waiting for the first token", "muted")))
    return drawn


def summary(answer: Answer, cells: int, glyphs: Glyphs) -> Line:
    """One muted line of what an answer cost."""
    unknown = glyphs.unknown
    where = (
        f"{answer.model or answer.asked} on {answer.backend}"
        if answer.backend
        else answer.model or answer.asked
    )
    mark = {"done": glyphs.full, "cancelled": glyphs.hollow}.get(answer.ended, glyphs.cross)
    texts = [
        f"{mark} {answer.ended}",
        where,
        f"first token {seconds(answer.first_token, unknown)}",
        f"{rate(answer.speed, unknown)} tok/s",
        f"{answer.counted} tokens",
    ]
    return fit([(rank, line(span(text, "muted"))) for rank, text in enumerate(texts)], cells)


def facts(answer: Answer | None, asked: str, cells: int, now: float, glyphs: Glyphs) -> list[Line]:
    """The side pane: what is asked of, and the numbers of the last answer."""
    unknown = glyphs.unknown
    rows: list[tuple[str, str, str]] = [("next asks", asked, "accent")]
    if answer is not None:
        rows += [("", "", ""), *_rows(answer, now, unknown)]
    drawn: list[Line] = []
    for label, text, tone in rows:
        drawn += wrapped(text, cells - 1, tone, f" {label:<12}", " " * 13) if label else [()]
    if answer is not None and answer.why:
        drawn += [(), line(span(" why", "muted")), *wrapped(answer.why, cells - 1, "", " ", " ")]
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


def _rows(answer: Answer, now: float, unknown: str) -> list[tuple[str, str, str]]:
    state = f"running {now - answer.sent:.1f}s" if answer.running else answer.ended
    tone = {"done": "good", "failed": "bad", "cancelled": "warn"}.get(answer.ended, "warn")
    rows = [
        ("state", state, tone),
        ("model", answer.model or unknown, "strong"),
        ("backend", answer.backend or unknown, "strong"),
        ("first token", seconds(answer.first_token, unknown), ""),
        ("speed", f"{rate(answer.speed, unknown)} tok/s", ""),
        ("tokens", f"{answer.counted}{' so far' if answer.running else ''}", ""),
    ]
    if answer.prompt_tokens is not None:
        rows.append(("prompt", f"{answer.prompt_tokens} tokens", ""))
    if answer.ended == "done":
        rows.append(("cost", "unknown" if answer.cost is None else f"{answer.cost:.6g}", ""))
    return rows


def _body(text: str, cells: int) -> list[Line]:
    drawn: list[Line] = []
    code = False
    for paragraph in safe_text(text).split("\n") if text else ():
        fence = paragraph.lstrip().startswith("```")
        tone = "code" if code or fence else ""
        code = code != fence
        drawn += wrapped(paragraph, cells - 1, tone, " ", " ")
    return drawn
