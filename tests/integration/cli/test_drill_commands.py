"""`drill` on the command line: what is asked of the engine, and how a report reads."""

import json
from typing import Any

import msgspec
import pytest

from orchestra_core.domain.drills import DrillPlan, DrillReport
from orchestra_core.resilience.drill_grades import graded
from tests.fakes.command import run

pytestmark = pytest.mark.usefixtures("home")
DRILLS = "/api/v1/drills"
RUNNING = DrillReport(
    "d-1",
    "be/m",
    "errors",
    "HTTP 500 to every call",
    1.0,
    30.0,
    "running",
    "ann",
    "2026-11-23T10:00:00.000Z",
    may_cost="requests that go elsewhere may be paid at cloud/m (2/3 USD)",
)
DONE = graded(
    msgspec.structs.replace(
        RUNNING,
        id="d-0",
        state="done",
        ran=30.0,
        ended_by="its time was over",
        requests=20,
        struck=20,
        answered=19,
        lost=1,
        lost_ids=("req-7",),
        attempts=39,
        retries=19,
        failovers=19,
        failures=5,
        opened_after=0.8,
        closed_after=9.4,
        timed=19,
        p50=0.9,
        p95=1.4,
        before=40,
        before_p50=0.8,
        before_p95=1.2,
    )
)
LISTING = {"running": [RUNNING], "reports": [DONE]}


def test_a_drill_is_begun_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """What was not said is left to the engine; its id is what is printed, what it may cost is told beside it."""
    ran = run(
        capsys,
        {("POST", DRILLS): (202, RUNNING)},
        *("drill", "start", "be/m", "--fault", "errors", "--status", "503", "--confirm", "be/m"),
    )
    assert (ran.code, ran.out) == (0, "d-1\n")
    assert "may cost: requests that go elsewhere may be paid at cloud/m (2/3 USD)" in ran.err
    assert "HTTP 500 to every call" in ran.err
    ((_, _, body),) = ran.asked
    assert body == {
        "endpoint": "be/m",
        "fault": "errors",
        "seconds": 30.0,
        "share": 1.0,
        "status": 503,
        "traffic": 0.0,
        "confirm": "be/m",
    }


def test_a_plan_says_what_to_confirm(capsys: pytest.CaptureFixture[str]) -> None:
    """With --dry-run nothing is begun."""
    plan = DrillPlan("be/m", "silence for every call", 30.0, False, "be/m", (), "nothing")
    ran = run(
        capsys,
        {("POST", DRILLS): (200, plan)},
        *("drill", "start", "be/m", "--fault", "silence", "--dry-run"),
    )
    assert ran.out.splitlines() == [
        "be/m: silence for every call for 30 s; it is real: --confirm be/m",
        "others of the same model: none: clients will notice",
        "may cost: nothing",
    ]
    assert [body["dry_run"] for _, _, body in ran.asked] == [True]


def test_a_report_is_read_from_the_top(capsys: pytest.CaptureFixture[str]) -> None:
    """What it was, a line for each criterion with its grade and numbers, the worst, and who was lost."""
    ran = run(capsys, {("GET", DRILLS): (200, LISTING)}, "drill", "report", "d-0")
    assert ran.out.splitlines() == [
        "drill d-0 on be/m: HTTP 500 to every call, 30 s, its time was over; done",
        "  C  answered  19 of 20 answered, 1 failed",
        "  A  latency   p50 900 ms, p95 1.4 s; before 800 ms and 1.2 s",
        "  A  breaker   opened after 800 ms, 5 failed attempts",
        "  A  recovery  the breaker closed 9.4 s after the end",
        "  A  retries   19 retries for 20 requests, 19 elsewhere",
        "  C  in all",
        "     not answered: req-7",
    ]
    assert (
        json.loads(run(capsys, {("GET", DRILLS): (200, LISTING)}, "drill", "report", "d-0", "--json").out)[
            "grade"
        ]
        == "C"
    )


def test_the_list_has_what_runs_and_what_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, the running ones first."""
    rows = run(capsys, {("GET", DRILLS): (200, LISTING)}, "drill", "list").out.splitlines()
    assert [row.split()[:2] for row in rows] == [["DRILL", "STATE"], ["d-1", "running"], ["d-0", "done"]]
    assert rows[2].split()[-2:] == ["20", "C"]


def test_an_unknown_drill_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """With where to look."""
    ran = run(capsys, {("GET", DRILLS): (200, LISTING)}, "drill", "report", "d-9")
    assert (ran.code, ran.err.strip()) == (
        1,
        "ai-orchestra: there is no drill d-9; `ai-orchestra drill list` shows them",
    )


def test_waiting_ends_with_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    """--wait prints what came of it when it is done."""
    answers: dict[tuple[str, str], Any] = {
        ("POST", DRILLS): (202, msgspec.structs.replace(RUNNING, id="d-0")),
        ("GET", DRILLS): (200, LISTING),
    }
    ran = run(capsys, answers, "drill", "start", "be/m", "--fault", "errors", "--wait")
    assert ran.code == 0
    assert "  C  in all" in ran.out.splitlines()


def test_stopping_says_what_was_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """The report so far."""
    stopped = msgspec.structs.replace(DONE, ended_by="stopped by ann")
    ran = run(capsys, {("POST", f"{DRILLS}/d-0/stop"): (200, stopped)}, "drill", "stop", "d-0")
    assert "stopped by ann" in ran.out
