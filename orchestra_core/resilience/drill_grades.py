"""How well a fault was coped with, in grades. Only what was observed is graded; the worst grade is the drill's.

              A        B        C        D       F
    answered  all      ≥ 99 %   ≥ 95 %   ≥ 80 %  below: requests whose clients got their answer
    latency   ≤ 1.5x   ≤ 2x     ≤ 4x     ≤ 8x    above: 95th percentile against before, or at most 0.1 s more: A
    breaker   ≤ 10     ≤ 20     ≤ 50     more    never: failed attempts let through before it opened
    recovery  ≤ 15 s   ≤ 30 s   ≤ 60 s   later   never: from the end of the drill until the breaker closed
    retries   ≤ 2      ≤ 2.5    ≤ 3      ≤ 4     above: attempts for each request

Requests that their clients left are not counted. Times are compared from ten answers each on. A breaker that has not
opened is an F only after twenty failures at a share of at least half; latency and 429 need not open it. One that is
half-open waits for requests: that is no fault of the endpoint.
"""

import msgspec

from orchestra_core.domain.catalog import Circuit
from orchestra_core.domain.drills import Criterion, DrillFault, DrillReport

_LETTERS = "ABCDF"
_ENOUGH = 10
_MANY_FAILURES = 20
_UNFELT = 0.1


def graded(report: DrillReport) -> DrillReport:
    """The report with its grades; without any while no request has been there."""
    if not report.requests and not report.refused:
        return msgspec.structs.replace(report, grade="", criteria=(), hint=_hint(report))
    criteria = (
        _answered(report),
        _latency(report),
        _breaker(report),
        _recovery(report),
        _retries(report),
    )
    return msgspec.structs.replace(report, criteria=criteria, grade=max(one.grade for one in criteria))


def _hint(report: DrillReport) -> str:
    model = report.endpoint.partition("/")[2]
    what = "no request was on the endpoint while the drill ran, so there is nothing to grade"
    return f"{what}; give it traffic of its own, or ask meanwhile: ai-orchestra query --model {model} --prompt Hello"


def _letter(value: float, bounds: tuple[float, ...]) -> str:
    """`bounds` of A to D (or fewer: then the next grade is the worst there is)."""
    return next(
        (_LETTERS[place] for place, bound in enumerate(bounds) if value <= bound), _LETTERS[len(bounds)]
    )


def _answered(report: DrillReport) -> Criterion:
    wanted = report.requests - report.left + report.refused
    says = f"{report.answered} of {wanted} answered"
    parts = [
        f"{number} {what}"
        for number, what in (
            (report.lost, "failed"),
            (report.refused, "refused"),
            (report.left, "left by their clients"),
            (report.pending, "not ended yet"),
        )
        if number
    ]
    if parts:
        says = f"{says}, {', '.join(parts)}"
    if not wanted:
        return Criterion("answered", "", says)
    return Criterion("answered", _letter((wanted - report.answered) / wanted, (0.0, 0.01, 0.05, 0.2)), says)


def _latency(report: DrillReport) -> Criterion:
    p95, was, p50, was_p50 = report.p95, report.before_p95, report.p50, report.before_p50
    if p95 is None or p50 is None:
        return Criterion("latency", "", "no answer to measure")
    says = f"p50 {_seconds(p50)}, p95 {_seconds(p95)}"
    if was is None or was_p50 is None:
        return Criterion("latency", "", f"{says}; no answers before to compare with")
    says = f"{says}; before {_seconds(was_p50)} and {_seconds(was)}"
    if min(report.timed, report.before) < _ENOUGH:
        return Criterion("latency", "", f"{says}; too few answers to grade")
    ratio = p95 / was if was > 0 and p95 - was > _UNFELT else 0.0
    return Criterion("latency", _letter(ratio, (1.5, 2.0, 4.0, 8.0)), says)


def _breaker(report: DrillReport) -> Criterion:
    if report.opened_after is not None:
        says = f"opened after {_seconds(report.opened_after)}, {_failures(report.failures)}"
        return Criterion("breaker", _letter(report.failures, (10, 20, 50)), says)
    if report.fault == DrillFault.LATENCY or not report.failures:
        return Criterion("breaker", "", "did not open and need not")
    says = f"did not open, {_failures(report.failures)}"
    certain = report.failures >= _MANY_FAILURES and report.share >= 0.5
    return Criterion("breaker", "F" if certain else "", says)


def _failures(number: int) -> str:
    return "1 failed attempt" if number == 1 else f"{number} failed attempts"


def _recovery(report: DrillReport) -> Criterion:
    if report.opened_after is None:
        return Criterion("recovery", "", "the breaker had nothing to recover from")
    if report.closed_after is not None:
        says = f"the breaker closed {_seconds(report.closed_after)} after the end"
        return Criterion("recovery", _letter(report.closed_after, (15, 30, 60)), says)
    if report.circuit == Circuit.HALF_OPEN:
        return Criterion("recovery", "", "the breaker is half-open: it closes when requests get there")
    if report.state == "done":
        return Criterion("recovery", "F", "the breaker is still not closed")
    return Criterion("recovery", "", "the breaker is not closed yet")


def _retries(report: DrillReport) -> Criterion:
    if not report.requests:
        return Criterion("retries", "", "no request had an attempt")
    each = report.attempts / report.requests
    says = f"{report.retries} retries for {report.requests} requests, {report.failovers} elsewhere"
    if report.continued:
        says = f"{says}, {report.continued} answers continued"
    if report.spent:
        says = f"{says}, {report.spent:.4f} {report.currency} spent there"
    return Criterion("retries", _letter(each, (2.0, 2.5, 3.0, 4.0)), says)


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
