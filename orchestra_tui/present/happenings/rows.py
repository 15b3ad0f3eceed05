"""The table of what happened, and everything about one row."""

from collections.abc import Sequence

from orchestra_core.domain.text import one_line
from orchestra_tui.present.drawn import Drawn
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.happenings.entry import Done, Happening, state
from orchestra_tui.present.numbers import clock
from orchestra_tui.present.spans import Line, cut_line, line, pad, span, wrapped

_RESULT, _AT, _WHO = 8, 8, 10
_LEAD = 4 + _RESULT + 1 + _AT + 1
_LABEL = 10
_ROOMY = 56


def table(
    things: Sequence[Happening], cells: int, glyphs: Glyphs, now: str = ""
) -> tuple[Line, Sequence[tuple[str, Line]]]:
    """The header and, for each, its key and its row. `now` is the engine's time (RFC 3339)."""
    what, who = _widths(cells)
    head = f"    {'RESULT':<{_RESULT}} {'AT':<{_AT}} {pad('WHO', who)} {pad('WHAT', what)} "
    header = cut_line(line(span(f"{head}OBJECT AND MESSAGE, OR COMMAND", "muted")), cells, glyphs.more)
    return header, Drawn(things, lambda one: one.key, lambda one: _row(one, what, who, cells, glyphs, now))


def widest(things: Sequence[Happening]) -> tuple[int, int]:
    """The cells that the longest row needs, and those up to what happened."""
    texts = [len(one.subject) + len(one.text) + 2 for one in things]
    return _LEAD + 16 + 1 + 20 + 1 + min(max(texts, default=10), 2000), _LEAD


def _widths(cells: int) -> tuple[int, int]:
    """Of what, and of who."""
    if cells < 100:
        return 16, 6 if cells < 70 else _WHO - 2
    return 20, _WHO if cells < 150 else 16


def _row(one: Happening, what: int, who: int, cells: int, glyphs: Glyphs, now: str) -> Line:
    is_now = state(one, glyphs)
    more = glyphs.more
    at = clock(one.at) if not now or one.at[:10] == now[:10] else one.at[5:10]
    # No more of it than could be shown: sanitising a megabyte takes time.
    room = 2 * cells
    text = one_line(one.text[:room])
    named = one_line(one.subject[:room])
    said = span(text, _tone(is_now.tone))
    roomy = cells - _LEAD - what - who - 2 >= _ROOMY
    if not one.from_engine:
        tail: Line = (span(f" {text}", "code" if one.command else ""),)
    elif one.what.startswith("request."):
        # The number of a request says less than what became of it. Where there is little room, why comes before where.
        where, told, why = text.partition(": ")
        apart = bool(told) and "/" in where and not roomy
        said = span(why, said.tone) if apart else said
        tail = (span(" "), said, span(f"  {where.partition('/')[2] if apart else named}", "muted"))
    elif not roomy:
        # Where there is little room it is the message that counts, which often begins with the model.
        short = named.partition("/")[2] or named
        tail = (span(" "), said) if text.startswith(short) else (span(f" {short} ", "strong"), said)
    else:
        tail = (span(f" {named} ", "strong"), said)
    return cut_line(
        line(
            span(f"  {is_now.symbol} {pad(is_now.word, _RESULT, more=more)} ", is_now.tone),
            span(f"{at:<{_AT}} ", "muted"),
            span(pad(one.who[:room], who, more=more), "muted" if one.from_engine else "accent"),
            span(f" {pad(one.what[:room], what, more=more)}", "muted" if is_now.tone == "muted" else ""),
            *tail,
        ),
        cells,
        more,
    )


def _tone(tone: str) -> str:
    return tone if tone in ("bad", "warn") else ""


def detail(one: Happening | None, cells: int, glyphs: Glyphs) -> list[Line]:
    """Everything about it."""
    if one is None:
        return [line(span(" nothing selected", "muted"))]
    is_now = state(one, glyphs)
    facts = [
        ("what", one.what, "strong"),
        ("result", f"{is_now.symbol} {one.result or 'unknown'}", is_now.tone),
        ("at", f"{one.at[:10]} {clock(one.at)} UTC", ""),
        ("who", one.who, ""),
        ("object", one.subject, ""),
        *(_of_action(one.done) if one.done is not None else [("message", one.text, "")]),
        ("command", one.command, "code"),
    ]
    found: list[Line] = []
    for label, text, tone in facts:
        if text:
            found += wrapped(text, cells - 1, tone, f" {label:<{_LABEL}}", " " * (_LABEL + 1))
    if one.target is not None:
        found += [(), line(span(f" enter goes to {one.target.view}", "muted"))]
    return found


def _of_action(done: Done) -> list[tuple[str, str, str]]:
    key = f"key {done.key}" if done.key else ""
    return [
        ("from", ", ".join(part for part in (done.peer, key) if part), ""),
        ("asked", f"{done.method} {done.path}", ""),
        ("answer", f"HTTP {done.status}" if done.status else "", ""),
        ("request", done.request_id, "muted"),
    ]
