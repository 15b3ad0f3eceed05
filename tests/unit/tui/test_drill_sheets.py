"""Fault drills as text: what is typed, the badge, the rows of the list, and reports of every outcome."""

import msgspec
import pytest

from orchestra_core.domain.drills import DrillReport, DrillView
from orchestra_core.resilience.drill_grades import graded
from orchestra_tui.present.drills import FAULTS, badge, fields, report, rows, running, usual, wish
from orchestra_tui.present.form import mistakes
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.spans import plain, width
from tests.fakes.world import World

PLACE = "box1/llama3.2:3b"
VIEW = DrillView("d-1", PLACE, "errors", "HTTP 500 to every call", "running", 30.0, 24.4, "ann", 3, 3)
RUNNING = DrillReport(
    "d-1",
    PLACE,
    "errors",
    "HTTP 500 to every call",
    1.0,
    30.0,
    "running",
    "ann",
    "2026-03-02T13:02:00.000Z",
    ran=5.6,
    requests=20,
    answered=18,
    lost=2,
    lost_ids=("req-1", "req-2"),
    attempts=38,
    retries=18,
    failures=5,
    opened_after=0.8,
)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_usual_values_make_a_wish(fault: str) -> None:
    """What stands in the form at first is right, and complete."""
    typed = usual(fault)
    assert mistakes(fields(fault), typed) == {}
    made = wish(PLACE, fault, typed)
    assert {**made, "endpoint": PLACE, "fault": fault} == made
    assert (made["seconds"], made["share"]) == (30.0, 1.0)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("seconds", "4"),
        ("seconds", "601"),
        ("share", "0"),
        ("share", "101%"),
        ("share", "x"),
        ("status", "404"),
        ("traffic", "21"),
    ],
)
def test_what_is_wrong_is_said_before_it_is_sent(name: str, wrong: str) -> None:
    """With what to type."""
    (told,) = mistakes(fields("errors"), {name: wrong}).values()
    assert told.startswith(("a number from", "one of 429"))


def test_shares_are_percents() -> None:
    """With their sign or without."""
    assert [wish(PLACE, "silence", {"share": text})["share"] for text in ("50", "50%", "1 %")] == [
        0.5,
        0.5,
        0.01,
    ]


def test_the_badge_is_about_what_runs() -> None:
    """None, one with its time, several with the longest; one that recovers injects nothing any more."""
    snapshot = World().snapshot()
    later = msgspec.structs.replace(VIEW, id="d-2", endpoint="x/y", remaining=99.0)
    over = msgspec.structs.replace(VIEW, id="d-3", state="recovering", remaining=0.0)
    drills = [(), (over,), (VIEW, over), (later, VIEW)]
    shown = [plain(badge(msgspec.structs.replace(snapshot, drills=some))) for some in drills]
    assert shown == ["", "", " DRILL 24s ", " 2 DRILLS 99s "]
    assert [one.id for one in running(msgspec.structs.replace(snapshot, drills=(later, VIEW)))] == [
        "d-1",
        "d-2",
    ]


@pytest.mark.parametrize("cells", [50, 76, 140])
def test_a_report_is_whole_at_any_width(cells: int) -> None:
    """Nothing is wider than there is room, and the grades stand in one column."""
    drawn = report(graded(RUNNING), cells, UNICODE)
    assert max(width(row) for row in drawn) <= cells
    texts = [plain(row) for row in drawn]
    assert [row[2] for row in texts if row[5:14].rstrip() in ("answered", "breaker", "recovery")] == [
        "D",
        "A",
        "–",
    ]
    assert any("req-1, req-2" in row for row in texts)
    assert any("F on its endpoint stops it" in row for row in texts)


def test_what_nobody_met_says_how_to_have_traffic() -> None:
    """No grade is made up."""
    quiet = graded(
        msgspec.structs.replace(RUNNING, requests=0, answered=0, lost=0, lost_ids=(), state="done")
    )
    texts = "\n".join(plain(row) for row in report(quiet, 76, UNICODE))
    assert "in all" not in texts
    assert "nothing to grade" in texts


def test_foreign_words_are_shown_as_they_are() -> None:
    """Names and reasons of engines are text: neither markup nor obeyed by a terminal."""
    odd = msgspec.structs.replace(
        RUNNING, endpoint="b/[red]\x1b[31m", ended_by="stopped by \u202eann", lost_ids=("\x07",)
    )
    texts = "\n".join(plain(row) for row in report(graded(odd), 76, ASCII))
    assert "[red]" in texts
    assert not {"\x1b", "\x07", "\u202e"} & set(texts)
    (_, row), *_ = rows(None, [graded(odd)], 60, ASCII)
    assert "\x1b" not in plain(row)


def test_rows_tell_running_recovering_and_done_apart() -> None:
    """By symbol and word, in as many cells as there are."""
    snapshot = msgspec.structs.replace(World().snapshot(), drills=(VIEW,))
    over = msgspec.structs.replace(RUNNING, id="d-2", state="recovering")
    done = msgspec.structs.replace(RUNNING, id="d-3", state="done")
    drawn = rows(snapshot, [RUNNING, over, graded(done)], 60, ASCII)
    assert [key for key, _ in drawn] == ["d-1", "d-2", "d-3"]
    words = [plain(row) for _, row in drawn]
    assert ["24 s left" in words[0], "recovers" in words[1], "grade F" in words[2]] == [True] * 3
    assert max(width(row) for _, row in drawn) <= 60
