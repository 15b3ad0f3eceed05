"""What a drill does to attempts, what it counts, and the grades that come of it."""

from typing import Any

import msgspec
import pytest

from orchestra_core.domain.catalog import Circuit
from orchestra_core.domain.drills import DrillFault, DrillReport, DrillWish
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.resilience.drill import PATIENCE, UNASKED, Drill, Ended, Strike, complete, quantile, words
from orchestra_core.resilience.drill_grades import graded

WELL = DrillReport(
    "d-1",
    "b/m",
    "errors",
    "HTTP 500 to every call",
    1.0,
    30.0,
    "done",
    "me",
    "then",
    requests=100,
    struck=100,
    answered=100,
    attempts=200,
    retries=100,
    failovers=100,
    failures=5,
    opened_after=1.0,
    closed_after=8.0,
    timed=100,
    p50=1.0,
    p95=2.0,
    before=100,
    before_p50=1.0,
    before_p95=2.0,
)


def drill(fault: DrillFault = DrillFault.ERRORS, **more: Any) -> Drill:
    return Drill("d-1", complete(DrillWish("b/m", fault, **more)), "me", 100.0)


def test_each_fault_has_its_parameters_as_usual() -> None:
    """What was not said is filled in, and said in words."""
    said = [words(complete(DrillWish("b/m", fault))) for fault in DrillFault]
    assert said == [
        "500 ms added to every call",
        "HTTP 500 to every call",
        "silence for every call",
        "every call cut after 5 tokens",
    ]
    jitter = complete(DrillWish("b/m", DrillFault.LATENCY, share=0.25, latency_ms=80, jitter_ms=20))
    assert words(jitter) == "80 ms, give or take 20, added to 25% of the calls"


@pytest.mark.parametrize(
    "more", [{"status": 418}, {"latency_ms": 5.0}, {"jitter_ms": 5.0}, {"after_tokens": 3}]
)
def test_what_belongs_to_another_fault_is_refused(more: dict[str, Any]) -> None:
    """Rather than begun as something else than was meant."""
    with pytest.raises(InvalidRequest):
        complete(DrillWish("b/m", DrillFault.ERRORS, **more))


def test_a_share_of_the_calls_is_struck() -> None:
    """Those whose chance is below it; the others are on the endpoint all the same, and counted."""
    half = drill(share=0.5)
    strikes = [half.meet(f"r{number}", 101.0, number / 10, 0.0) for number in range(10)]
    assert [strike is not None for strike in strikes] == [True] * 5 + [False] * 5
    view = half.view(101.0)
    assert (view.requests, view.struck, view.remaining) == (10, 5, 29.0)


def test_jitter_goes_both_ways() -> None:
    """From less to more of what is added, never below nothing."""
    late = drill(DrillFault.LATENCY, latency_ms=100, jitter_ms=100)
    delays = [strike.delay for spread in (0.0, 0.5, 0.99) if (strike := late.meet("r", 101.0, 0.0, spread))]
    assert delays == pytest.approx([0.0, 0.1, 0.198])


def test_probes_are_struck_and_are_no_requests() -> None:
    """They never end for a client, so nothing would ever be waited for."""
    silent = drill(DrillFault.SILENCE)
    assert silent.meet("health-probe", 101.0, 0.0, 0.0, probe=True) == Strike(DrillFault.SILENCE, "d-1", None)
    report = silent.report(102.0, "then", None, "USD")
    assert (report.probes, report.pending, report.requests) == (1, 0, 0)


def test_it_is_done_when_the_breaker_is_closed_and_requests_have_ended() -> None:
    """After its end, and not before; its report has the times between."""
    one = drill()
    one.meet("r", 101.0, 0.0, 0.0)
    one.tried(Outcome(Verdict.FAILED, "b/m", 500))
    one.turned(Circuit.OPEN, 104.0)
    assert not one.look(120.0)
    one.end(125.0, "stopped by me")
    assert not one.look(126.0)
    one.turned(Circuit.HALF_OPEN, 127.0)
    one.turned(Circuit.CLOSED, 131.0)
    assert not one.look(132.0)
    one.ended(Ended("r", True, False, 2.5, 2, 1, False, None))
    assert one.look(133.0)
    report = one.report(140.0, "then", "later", "USD")
    assert (report.opened_after, report.closed_after, report.ran) == (4.0, 6.0, 25.0)
    assert (report.failures, report.answered, report.retries, report.spent) == (1, 1, 1, None)
    assert report.p95 == 2.5


def test_a_breaker_that_stays_open_is_not_waited_for_for_ever() -> None:
    """After three minutes the report is what it is."""
    one = drill()
    one.turned(Circuit.OPEN, 104.0)
    one.end(130.0, "over")
    assert not one.look(130.0 + PATIENCE - 1)
    assert one.look(130.0 + PATIENCE)
    assert one.report(400.0, "then", "later", "USD").closed_after is None


def test_quantiles_are_values_that_there_were() -> None:
    """Of nothing there is none."""
    assert quantile([], 0.5) is None
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([float(number) for number in range(100)], 0.95) == 95.0


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("answered", "B", {"answered": 99, "lost": 1}),
    ("answered", "C", {"answered": 95, "lost": 5}),
    ("answered", "D", {"answered": 80, "lost": 20}),
    ("answered", "F", {"answered": 79, "lost": 21}),
    ("answered", "A", {"answered": 60, "left": 40}),
    ("answered", "F", {"refused": 50}),
    ("latency", "A", {"before_p95": 0.01, "p95": 0.1}),
    ("latency", "B", {"p95": 4.0}),
    ("latency", "F", {"p95": 17.0}),
    ("latency", "", {"p95": 17.0, "before": 9}),
    ("latency", "", {"p95": None, "p50": None, "timed": 0}),
    ("breaker", "B", {"failures": 11}),
    ("breaker", "D", {"failures": 51}),
    ("breaker", "F", {"failures": 20, "opened_after": None, "closed_after": None}),
    ("breaker", "", {"failures": 19, "opened_after": None, "closed_after": None}),
    ("breaker", "", {"failures": 90, "share": 0.4, "opened_after": None, "closed_after": None}),
    ("recovery", "B", {"closed_after": 16.0}),
    ("recovery", "D", {"closed_after": 61.0}),
    ("recovery", "F", {"closed_after": None}),
    ("recovery", "", {"closed_after": None, "state": "recovering"}),
    ("retries", "B", {"attempts": 201, "retries": 101}),
    ("retries", "F", {"attempts": 401, "retries": 301}),
]


@pytest.mark.parametrize(("name", "grade", "more"), CASES)
def test_grades_follow_the_table(name: str, grade: str, more: dict[str, Any]) -> None:
    """One number off what is well changes its own grade, and the drill's is the worst."""
    report = graded(msgspec.structs.replace(WELL, **more))
    grades = {one.name: one.grade for one in report.criteria}
    assert grades[name] == grade
    others = {one for other, one in grades.items() if other != name and one}
    assert others <= {"A"}
    assert report.grade == (grade or "A")


def test_a_drill_that_nobody_met_has_no_grade() -> None:
    """It says so, and how to make traffic."""
    report = graded(msgspec.structs.replace(WELL, requests=0, answered=0, attempts=0, retries=0))
    assert (report.grade, report.criteria) == ("", ())
    assert "ai-orchestra query --model m" in report.hint


def test_a_half_open_breaker_that_nobody_asks_is_not_waited_for_long() -> None:
    """Where probes cost money none is made: half a minute after the end it is done, and its recovery is not graded."""
    one = drill()
    one.meet("r", 101.0, 0.0, 0.0)
    one.turned(Circuit.OPEN, 104.0)
    one.ended(Ended("r", True, False, 0.5, 2, 1, False, 0.0))
    one.turned(Circuit.HALF_OPEN, 115.0)
    assert not one.look(129.0)
    one.end(130.0, "over")
    assert one.recovering
    assert not one.look(130.0 + UNASKED - 1)
    assert one.look(130.0 + UNASKED)
    assert not one.recovering
    report = graded(one.report(170.0, "then", "later", "USD"))
    assert {each.name: each.grade for each in report.criteria}["recovery"] == ""
