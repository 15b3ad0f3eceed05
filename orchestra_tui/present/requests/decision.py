"""A decision explained: the sentence, every term of every endpoint, who could not take it, and what would have
changed it.
"""

from collections.abc import Sequence

from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import count, seconds
from orchestra_tui.present.requests.ledger import Candidate, Decision, Report
from orchestra_tui.present.spans import Line, cut_line, line, pad, span, wrapped

# Heads of the terms; the others are shown by the beginning of their name.
_TERMS = {
    "quality": "QUAL",
    "time": "TIME",
    "slo": "LATE",
    "cost": "COST",
    "failure": "FAIL",
    "external": "OTHER",
    "preference": "WEIGHT",
}
_WORDS = {
    "quality": "quality",
    "time": "time it takes",
    "slo": "chance to be late",
    "cost": "cost",
    "failure": "chance to fail",
    "external": "others it displaces",
    "preference": "configured weight",
}
_NUMBER = 6
_SHOWN = 8
# Cells of the numbers of what was expected, and of what stands before numbers whose name is on a line of its own.
_EXPECTED, _APART = 56, 9
_SHOWN_CHANGES = 12


def explained(report: Report, cells: int, glyphs: Glyphs) -> list[Line]:
    """All of it; says why where there is nothing to explain."""
    decision = report.decision
    if decision is None:
        why = (
            f"Nothing was decided: the answer was made for {report.request.decision_id} and given again."
            if report.request.cache
            else "Its decision was not kept: there is nothing to explain."
        )
        return wrapped(why, cells - 1, "muted", " ", " ")
    found = wrapped(decision.sentence, cells - 1, "strong", " ", " ")
    wishes = [f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
              for name, value in decision.requirements.items() if value is not None]  # fmt: skip
    if wishes:
        found += wrapped(f"wanted {', '.join(wishes)}", cells - 1, "muted", " ", " ")
    found += _points(decision.candidates, cells, glyphs)
    found += _expected(decision.candidates, cells, glyphs)
    found += _rejected(decision, cells)
    return found + _changes(report, decision, cells)


def _points(candidates: Sequence[Candidate], cells: int, glyphs: Glyphs) -> list[Line]:
    """Points per term; the sum decides. On narrow terminals the terms of the first stand below each other."""
    if not candidates:
        return []
    names = [term.name for term in candidates[0].terms]
    width = _NUMBER + 1
    room = cells - 2 - width * (len(names) + 1)
    if room < 12:
        return _listed(candidates, cells, glyphs)
    shown = candidates[:_SHOWN]
    name = max(len(one.endpoint) for one in shown) + 1
    apart = name > room
    name = _APART if apart else name
    heads = "".join(f"{_head(term):>{width}}" for term in names)
    found = [(), cut_line(line(span(f" {pad('POINTS', name)}{'SUM':>{width}}{heads}", "muted")), cells)]
    for place, one in enumerate(shown):
        best = place == 0
        if apart:
            # Names that differ only at their end must not be cut to the same.
            found += wrapped(one.endpoint, cells - 1, "strong" if best else "", " ", "   ")
        numbers = "".join(f"{_signed(term.points):>{width}}" for term in one.terms)
        found.append(
            cut_line(
                line(
                    span(f" {pad('' if apart else one.endpoint, name)}", "strong" if best else ""),
                    span(f"{one.utility:>{width}.2f}", "good" if best else ""),
                    span(numbers, "" if best else "muted"),
                ),
                cells,
                glyphs.more,
            )
        )
    return [*found, *_left_out(len(candidates))]


def _listed(candidates: Sequence[Candidate], cells: int, glyphs: Glyphs) -> list[Line]:
    """The two best side by side, one line a term."""
    best, other = candidates[0], candidates[1] if len(candidates) > 1 else None
    found: list[Line] = [(), line(span(f" {best.endpoint}", "strong"))]
    if other is not None:
        found.append(line(span(f" against {other.endpoint}", "muted")))
    theirs = {term.name: term.points for term in other.terms} if other else {}
    rows = [("sum", best.utility, other.utility if other else None)]
    rows += [(_WORDS.get(term.name, term.name), term.points, theirs.get(term.name)) for term in best.terms]
    for word, mine, yours in rows:
        text = f" {pad(word, 20, more=glyphs.more)}{_signed(mine):>{_NUMBER + 1}}"
        right = "" if yours is None else f"{_signed(yours):>{_NUMBER + 1}}"
        found.append(line(span(text, "good" if word == "sum" else ""), span(right, "muted")))
    return [cut_line(row, cells, glyphs.more) for row in found]


def _expected(candidates: Sequence[Candidate], cells: int, glyphs: Glyphs) -> list[Line]:
    """What the terms were made of."""
    if not candidates:
        return []
    if cells < _APART + _EXPECTED:
        return _expected_in_words(candidates, cells, glyphs)
    heads = f"{'TIME':>8}{'FIRST':>8}{'WAIT':>8}{'OUT':>6}{'COST':>10}  FROM"
    shown = candidates[:_SHOWN]
    name = max(len(one.endpoint) for one in shown) + 1
    apart = name > cells - 1 - _EXPECTED
    name = _APART if apart else name
    found: list[Line] = [(), line(span(f" {pad('EXPECTED', name)}{heads}", "muted"))]
    for one in shown:
        if apart:
            found += wrapped(one.endpoint, cells - 1, "", " ", "   ")
        told = one.predicted
        out = None if told.output_tokens is None else round(told.output_tokens)
        cost = glyphs.unknown if told.cost is None else f"{told.cost:.4g}"
        numbers = (
            f"{seconds(told.seconds, glyphs.unknown):>8}{seconds(told.first_token, glyphs.unknown):>8}"
            f"{seconds(told.wait, glyphs.unknown):>8}{count(out, glyphs.unknown):>6}{cost:>10}  "
        )
        mark = span("overloaded, ", "warn") if one.overloaded else span("")
        lead = span(f" {pad('' if apart else one.endpoint, name)}")
        found.append(line(lead, span(numbers, "muted"), mark, span(told.source, "muted")))
    return [cut_line(row, cells, glyphs.more) for row in found]


def _expected_in_words(candidates: Sequence[Candidate], cells: int, glyphs: Glyphs) -> list[Line]:
    """The same where there is no room for columns."""
    found: list[Line] = [(), line(span(" expected", "muted"))]
    for one in candidates[:_SHOWN]:
        told = one.predicted
        parts = [
            f"{seconds(told.seconds, glyphs.unknown)}, first token {seconds(told.first_token, glyphs.unknown)}",
            f"wait {seconds(told.wait, glyphs.unknown)}" if told.wait else "",
            "" if told.cost is None else f"cost {told.cost:.4g}",
            "overloaded" if one.overloaded else "",
            told.source,
        ]
        words = f"{one.endpoint}: {', '.join(part for part in parts if part)}"
        found += wrapped(words, cells - 2, "", "   ", "     ")
    return found


def _rejected(decision: Decision, cells: int) -> list[Line]:
    if not decision.rejected:
        return []
    found: list[Line] = [(), line(span(" could not take it", "muted"))]
    for no in decision.rejected[:_SHOWN]:
        found += wrapped(f"{no.endpoint}: {no.detail or no.reason}", cells - 2, "", "   ", "     ")
    return [*found, *_left_out(len(decision.rejected))]


def _changes(report: Report, decision: Decision, cells: int) -> list[Line]:
    changes = report.what_if
    if not changes:
        if decision.margin is None:
            return []
        said = f"No single fact would have changed it: it was ahead by {decision.margin:.2f} points."
        return [(), *wrapped(said, cells - 1, "muted", " ", " ")]
    found: list[Line] = [(), line(span(" what would have changed it, all else being equal", "muted"))]
    for one in changes[:_SHOWN_CHANGES]:
        found += wrapped(f"{one.endpoint}: {one.sentence}", cells - 2, "", "   ", "     ")
    more = len(changes) - _SHOWN_CHANGES
    if more > 0:
        found.append(
            line(span(f"   and {more} more: ai-orchestra explain {report.request.id} --json", "muted"))
        )
    return [cut_line(row, cells) for row in found]


def _left_out(number: int) -> list[Line]:
    return [line(span(f"   and {number - _SHOWN} more", "muted"))] if number > _SHOWN else []


def _head(term: str) -> str:
    return _TERMS.get(term, term.upper()[:_NUMBER])


def _signed(points: float) -> str:
    """What rounds to nothing has no sign."""
    shown = f"{points:.2f}"
    return "0.00" if shown == "-0.00" else shown
