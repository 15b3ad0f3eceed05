"""Requests as rows, filtered, and one of them with its timeline and its decision: what is said, and that it fits."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.requests import timeline
from orchestra_tui.present.requests.detail import about, whole
from orchestra_tui.present.requests.rows import Layout, Painter, state
from orchestra_tui.present.spans import plain, width
from tests.fakes.log_pictures import FOLDER, PICTURES
from tests.fakes.request_log import ENDED, LIVE, NOW, RETRIED, ended, report, running

HOSTILE = "a\x1b[2J\x07[red]b[/]\u202ec\nd" + "x" * 100_000
EVERY = (*LIVE, *ENDED)


def text(rows: object) -> str:
    return "\n".join(plain(row) for row in rows)  # type: ignore[attr-defined]  # lines of spans


@given(st.integers(30, 220), st.sampled_from([UNICODE, ASCII]))
def test_every_row_fits_every_width(cells: int, glyphs: object) -> None:
    """No presenter draws wider than it was told, at any width."""
    head, rows = Painter().table(EVERY, cells, glyphs, NOW)  # type: ignore[arg-type]  # the strategy's type is wider
    drawn = [head, *(row for _, row in rows)]
    for entry in EVERY:
        drawn += about(entry, "USD", cells, glyphs)  # type: ignore[arg-type]  # of either kind
    for one in (RETRIED, report(ENDED[-1]), report(ENDED[1], decision=None, what_if=())):
        drawn += whole(one.request, one, "", "USD", cells, glyphs)  # type: ignore[arg-type]  # of either kind
    assert [plain(row) for row in drawn if width(row) > cells] == []


def test_at_80_columns_the_core_is_there() -> None:
    """State, time, model, backend, status, times and tokens; the rest comes with the room."""
    heads = [column.head for column in Layout.of(78).columns]
    assert heads == ["BACKEND", "HTTP", "FIRST", "TOTAL", "OUT"]
    assert "HTTP" not in [column.head for column in Layout.of(74).columns], "the name of the model says more"
    assert {"KEY", "COST", "TRY", "IN"} <= {column.head for column in Layout.of(118).columns}
    assert Layout.of(220).columns[-1].head == "ID"


def test_rows_say_state_in_symbol_and_word() -> None:
    """Those that run with their place; those that ended by what became of them."""
    _, rows = Painter().table(EVERY, 120, UNICODE, NOW)
    words = [plain(row)[2:15].strip() for _, row in rows]
    assert words == [
        "● streaming",
        "○ queued #2",
        "◐ loading #1",
        "✕ failed",
        "▪ cached",
        "○ cancelled",
        "▲ degraded",
        "▲ continued",
        "▪ success",
        "▪ success",
    ]
    assert state(running(1, cancelling=True), ASCII).word == "cancelling"


def test_what_is_not_known_is_a_dash_and_never_zero() -> None:
    """No token yet, no price, no status while it runs."""
    _, rows = Painter().table((LIVE[1], ENDED[5]), 130, UNICODE, NOW)
    live, unpriced = (plain(row).split() for _, row in rows)
    assert live.count("–") >= 4
    assert "–" in unpriced


def test_rows_of_another_day_tell_the_day() -> None:
    """In place of a time of day that would mislead."""
    _, rows = Painter().table((ended(1),), 80, UNICODE, "2026-03-03T00:00:01.000Z")
    assert "03-02" in plain(rows[0][1])


def test_rows_that_ended_are_drawn_once() -> None:
    """The same objects again, until the width is another one."""
    painter = Painter()
    first = painter.table(ENDED, 100, UNICODE, NOW)[1]
    assert all(a[1] is b[1] for a, b in zip(first, painter.table(ENDED, 100, UNICODE, NOW)[1], strict=True))
    assert painter.table(ENDED, 90, UNICODE, NOW)[1] != first


@pytest.mark.parametrize("field", ["model", "backend", "key", "task", "error", "model_asked", "surface"])
def test_hostile_names_show_literally(field: str) -> None:
    """No control character is left, markup is text, and of a megabyte only the beginning is looked at."""
    row = msgspec.structs.replace(ENDED[0], **{field: HOSTILE})
    drawn = [
        *(line for _, line in Painter().table((row,), 120, UNICODE, NOW)[1]),
        *whole(row, report(row, prompt=HOSTILE, answer=HOSTILE), "", "USD", 120, UNICODE),
    ]
    said = text(drawn)
    assert not any(
        ord(char) < 32 or 127 <= ord(char) < 160 or char == "\u202e" for char in said if char != "\n"
    )
    assert "[red]b[/]" in said


def test_the_timeline_is_in_proportion() -> None:
    """Half of the time is half of the bar; waiting, the first token and the rest follow each other."""
    row = ended(1, queued_ms=1000.0, first_token_ms=2000.0, total_ms=4000.0)
    steps = timeline.steps(row)
    assert [(step.label, step.begin, step.end) for step in steps] == [
        ("waited", 0.0, 1000.0),
        ("attempt 1", 1000.0, 2000.0),
        ("tokens", 2000.0, 4000.0),
    ]
    bars = [plain(line) for line in timeline.drawn(steps, 4000.0, 80, UNICODE)]
    counts = [bar.count("█") for bar in bars if "█" in bar]
    assert counts[2] == counts[0] + counts[1] == 2 * counts[0]
    places = [bar.index("█") for bar in bars if "█" in bar]
    assert places == [11, 11 + counts[0], 11 + counts[0] + counts[1]]


def test_attempts_before_the_last_one_are_laid_before_it() -> None:
    """Each where it was made and how it ended, in their order, none outside of the whole."""
    steps = timeline.steps(RETRIED.request, RETRIED.attempts)
    assert [step.label for step in steps] == ["attempt 1", "attempt 2", "attempt 3"]
    assert [step.about for step in steps] == [True, True, False]
    assert [round(step.begin) for step in steps] == [0, 100, 900]
    assert all(0 <= step.begin <= step.end <= RETRIED.request.total_ms for step in steps)
    assert "gpu-a/llama3.2:3b: unreachable" in text(timeline.drawn(steps, 1980.0, 120, UNICODE))


def test_what_was_sent_nowhere_has_only_waited() -> None:
    """A cancelled place in the queue, and an answer from the cache."""
    queued = ended(1, attempts=0, queued_ms=2000.0, total_ms=2000.0, first_token_ms=None, verdict="cancelled")
    assert [(step.label, step.note) for step in timeline.steps(queued)] == [("waited", "it was sent nowhere")]
    assert [step.label for step in timeline.steps(ENDED[1])] == ["cached"]


def test_the_decision_is_explained_term_by_term() -> None:
    """The sum and every term of every endpoint, what was expected, who could not, and what would have changed it."""
    said = text(whole(ENDED[-1], report(ENDED[-1]), "", "USD", 100, UNICODE))
    assert "sooner done (+0.61) and cheaper (+0.12)" in said
    assert "POINTS" in said
    assert "QUAL   TIME   LATE   COST   FAIL  OTHER WEIGHT" in said
    points = ["box1/llama3.2:3b", "0.59", "0.90", "-0.40", "-0.05", "-0.10", "-0.01", "0.00", "0.25"]
    assert points in [row.split() for row in said.splitlines()]
    assert "overloaded" in said
    assert "lab/tiny:1b: its quality is low, and medium was asked for" in said
    assert "1.2 s instead of 3.4 s would have been fast enough" in said
    assert "wanted quality=medium, max_tokens=200" in said
    assert "0.00042 USD" in said
    assert "120 in, 48 out" in said


def test_long_names_that_differ_at_their_end_stay_apart() -> None:
    """On a line of their own where they do not fit beside the numbers."""
    names = [f"a-backend-of-the-far-north/some-model-with-a-long-name:70b-{end}" for end in ("q4", "q8")]
    told = report(ENDED[-1])
    assert told.decision is not None
    pair = zip(told.decision.candidates, names, strict=True)
    candidates = tuple(msgspec.structs.replace(one, endpoint=name) for one, name in pair)
    decision = msgspec.structs.replace(told.decision, candidates=candidates)
    said = text(whole(ENDED[-1], msgspec.structs.replace(told, decision=decision), "", "USD", 78, UNICODE))
    assert [said.count(name) for name in names] == [2, 2]


def test_where_the_terminal_is_narrow_the_terms_stand_below_each_other() -> None:
    """Both candidates in columns, one line a term."""
    said = text(whole(ENDED[-1], report(ENDED[-1]), "", "USD", 60, UNICODE))
    assert "time it takes" in said
    assert "box1/llama3.2:3b: 2.10s, first token 0.24s, cost" in said
    assert "against box2/llama3.2:3b" in said


def test_texts_are_shown_only_where_they_are_stored() -> None:
    """Prompt and answer as they are; without them there is no heading either."""
    without = text(whole(ENDED[-1], report(ENDED[-1]), "", "USD", 80, UNICODE))
    assert "prompt" not in without
    kept = text(
        whole(ENDED[-1], report(ENDED[-1], prompt="Why [b]?", answer="Because."), "", "USD", 80, UNICODE)
    )
    assert "Why [b]?" in kept
    assert "Because." in kept


def test_why_nothing_is_explained_is_said() -> None:
    """Given from the cache, of another version, still running, or refused by the engine."""
    cached = text(whole(ENDED[1], report(ENDED[1], decision=None), "", "USD", 80, UNICODE))
    assert "Nothing was decided" in cached
    lost = text(whole(ENDED[2], report(ENDED[2], decision=None, what_if=()), "", "USD", 80, UNICODE))
    assert "was not kept" in lost
    assert "once it has ended" in text(whole(LIVE[0], None, "", "USD", 80, UNICODE))
    assert "the ledger is away" in text(whole(ENDED[0], None, "the ledger is away", "USD", 80, UNICODE))


@pytest.mark.parametrize("name", PICTURES)
def test_what_is_drawn_is_what_was_reviewed(name: str) -> None:
    """As in tests/unit/tui/pictures; `python -m tests.fakes.log_pictures` writes a change there that is meant."""
    assert PICTURES[name]() == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
