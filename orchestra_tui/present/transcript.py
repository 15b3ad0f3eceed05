"""Prompts and answers as lines; what cannot change any more is drawn once: answers come in thousands of pieces."""

from collections.abc import Sequence

from orchestra_core.domain.text import safe_text
from orchestra_tui.present.answer import Answer, summary
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.spans import Line, line, span, wrapped

# Of a pasted prompt this many lines are shown again above its answer.
PROMPT_ROWS = 12
_SHOWN = 12_000
# A paragraph that is longer and has not ended is broken here, so that its beginning is not wrapped again and again.
_LONGEST = 4000


class Transcript:
    """The lines of one column of answers, the oldest first; model text is shown as it is, never interpreted."""

    def __init__(self) -> None:
        self._for: tuple[int, Glyphs] | None = None
        self._drawn: dict[int, _Drawn] = {}

    def lines(self, answers: Sequence[Answer], cells: int, glyphs: Glyphs) -> list[Line]:
        known = self._drawn if self._for == (cells, glyphs) else {}
        self._for = cells, glyphs
        self._drawn = {id(each): known.get(id(each)) or _Drawn(each, cells, glyphs) for each in answers}
        return [row for answer in answers for row in self._drawn[id(answer)].lines(answer, cells, glyphs)]


class _Drawn:
    """One answer. `_read` characters of its text are drawn for good."""

    def __init__(self, answer: Answer, cells: int, glyphs: Glyphs) -> None:
        shown = answer.prompt[:_SHOWN]
        rows = wrapped(shown, cells - 1, "accent", f" {glyphs.arrow} ", "   ")
        self._done: list[Line] = rows[:PROMPT_ROWS]
        if len(rows) > PROMPT_ROWS or len(shown) < len(answer.prompt):
            lines, characters = answer.prompt.count("\n") + 1, len(answer.prompt)
            whole = f"   {glyphs.more} {lines} lines, {characters} characters in all"
            self._done.append(line(span(whole, "muted")))
        # Held, so that no other answer can have its identity while this is kept.
        self._answer = answer
        self._read = 0
        self._code = False
        self._whole: list[Line] | None = None

    def lines(self, answer: Answer, cells: int, glyphs: Glyphs) -> list[Line]:
        if self._whole is not None:
            return self._whole
        drawn = [*self._text(answer.text, cells)]
        if answer.error:
            drawn += wrapped(answer.error, cells - 1, "bad", f" {glyphs.cross} ", "   ")
        if not answer.running:
            drawn += [*summary(answer, cells - 1, glyphs), ()]
            self._whole = drawn
        elif not answer.text:
            drawn.append(line(span(" waiting for the first token", "muted")))
        return drawn

    def _text(self, text: str, cells: int) -> list[Line]:
        while (end := text.find("\n", self._read)) >= 0:
            self._settle(text, end, cells)
            self._read = end + 1
        while len(text) - self._read > _LONGEST:
            at = text.rfind(" ", self._read, self._read + _LONGEST) + 1 or self._read + _LONGEST
            self._settle(text, at, cells)
            self._read = at
        rest = text[self._read :]
        return [*self._done, *self._paragraph(rest, cells)[0]] if rest else self._done

    def _settle(self, text: str, end: int, cells: int) -> None:
        paragraph = text[self._read : end]
        for start in range(0, max(len(paragraph), 1), _LONGEST):
            rows, self._code = self._paragraph(paragraph[start : start + _LONGEST], cells)
            self._done += rows

    def _paragraph(self, paragraph: str, cells: int) -> tuple[list[Line], bool]:
        """Its lines, and whether what follows is code."""
        fence = paragraph.lstrip().startswith("```")
        tone = "code" if self._code or fence else ""
        return wrapped(safe_text(paragraph), cells - 1, tone, " ", " "), self._code != fence
