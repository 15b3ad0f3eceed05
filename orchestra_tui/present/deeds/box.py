"""What stands in the box that asks: title and facts, each wrapped, and how it is answered."""

from orchestra_core.domain.snapshot import EnvironmentView
from orchestra_core.domain.text import one_line
from orchestra_tui.present.deeds.deed import Question, Risk
from orchestra_tui.present.environment import coloring
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.spans import Line, Span, cut_line, line, span, wrapped

NOWHERE = EnvironmentView()
_LABEL = 11


def rows(question: Question, cells: int, glyphs: Glyphs, where: EnvironmentView = NOWHERE) -> list[Line]:
    """Nothing of what is decided about is cut off. `where` is the environment it is done in."""
    drawn = wrapped(question.title, cells - 2, "title", "  ", "  ")
    drawn.append(())
    if where.name:
        named = Span(f" {one_line(where.name)} ", coloring(where))
        drawn.append(line(span(f"  {'in':<{_LABEL}}", "muted"), named))
    for label, text, tone in question.facts:
        drawn += wrapped(text, cells - 2, tone, f"  {label:<{_LABEL}}", " " * (_LABEL + 2))
    return [cut_line(row, cells, glyphs.more) for row in drawn]


def hint(question: Question) -> str:
    if not question.open:
        return "Enter or esc closes; nothing is sent."
    if question.risk is Risk.HIGH:
        return f"Type {question.typed} and Enter to confirm; esc cancels."
    return (
        "Enter confirms, esc cancels." if question.risk is Risk.LOW else "y confirms; Enter or esc cancels."
    )


def button(verb: str, question: Question) -> str:
    """The word on the button that says yes."""
    return question.yes or verb.capitalize()
