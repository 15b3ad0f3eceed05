"""Each rule: what is alarming, what is not, and what is said of it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.alerting.facts import Backlog, Disk, Facts
from orchestra_core.alerting.policy import RULES, Policy
from orchestra_core.alerting.rules import STATELESS, evaluate
from orchestra_core.alerting.signals import Signal, grade
from orchestra_core.domain.alerts import Severity
from orchestra_core.domain.budgets import THRESHOLDS, BudgetView
from orchestra_core.domain.snapshot import BackendView, MemoryView, PoolView, Throughput
from tests.unit.alerting.facts import GIB, facts, snapshot

POLICY = Policy()
NONE, INFO, WARNING, CRITICAL = Severity


def said(given_facts: Facts, policy: Policy = POLICY) -> list[Signal]:
    return list(evaluate(given_facts, policy))


def one(given_facts: Facts, policy: Policy = POLICY) -> Signal:
    (signal,) = said(given_facts, policy)
    return signal


def test_a_fleet_without_trouble_is_not_alarming() -> None:
    """No rule has anything to say of it."""
    assert said(facts()) == []


@given(st.floats(0, 2), st.floats(0.01, 1), st.floats(0, 0.5))
def test_what_is_raised_is_kept(value: float, limit: float, ease: float) -> None:
    """And what is kept only was at its limit before: the margin is on one side."""
    raised, kept, reached = grade(value, ((WARNING, limit), (CRITICAL, limit * 1.5)), ease)
    assert kept >= raised
    assert (raised is CRITICAL) == (value >= limit * 1.5)
    assert (raised >= WARNING) == (value >= limit)
    assert (kept is NONE) == (value < limit * (1 - ease))
    assert (reached is None) == (kept is NONE)


@pytest.mark.parametrize(
    ("used", "raised", "kept"),
    [(10.8, NONE, NONE), (11.0, NONE, WARNING), (11.3, WARNING, WARNING), (14.2, WARNING, CRITICAL),
     (14.5, CRITICAL, CRITICAL)],
)  # fmt: skip
def test_memory_of_the_host(used: float, raised: Severity, kept: Severity) -> None:
    """Above 70 % a warning and above 90 % critical; a little below, what was so stays so."""
    found = said(facts(host=MemoryView(total=16 * GIB, used=int(used * GIB))))
    assert [(each.raised, each.kept, each.subject) for each in found] == (
        [(raised, kept, "host")] if kept else []
    )


def test_memory_of_pools() -> None:
    """Each by its own limits; the host's pool is the host, and what nobody measures says nothing."""
    pool = PoolView("gpu:0", 10 * GIB, free=0, reserved=0, used=8 * GIB, warning=0.5, critical=0.75)
    host = PoolView("host", 10 * GIB, free=0, reserved=0, used=GIB)
    blind = PoolView("far", 10 * GIB, free=0, reserved=10 * GIB, used=None)
    signal = one(facts(pools=(pool, host, blind), host=MemoryView(total=10, used=10)))
    assert (signal.subject, signal.raised) == ("gpu:0", CRITICAL)
    assert signal.message == "80% of 10.0 GiB used, limit 75%; 2.0 GiB free"


def test_no_healthy_model() -> None:
    """Critical, with the first reason the engine gives."""
    signal = one(facts(status="unhealthy", notices=("start Ollama",)))
    assert (signal.rule, signal.raised) == ("models", CRITICAL)
    assert signal.message.endswith("start Ollama")


def test_a_backend_that_is_down() -> None:
    """Only one that somebody configured."""
    down = BackendView("a", "ollama", "http://a", "down", False, 0, 1, 0, 0, error="refused")
    found = BackendView("b", "ollama", "http://b", "down", False, 0, 1, 0, 0, origin="discovered")
    signal = one(facts(backends=(down, found)))
    assert (signal.subject, signal.message) == ("a", "down: refused")


@pytest.mark.parametrize(
    ("requests", "failures", "raised"),
    [((1,) * 60, (0,) * 59 + (5,), NONE), ((1,) * 60, (0,) * 59 + (6,), WARNING),
     ((1,) * 60, (1,) * 30 + (0,) * 30, CRITICAL),
     ((1,) * 10, (1,) * 10, NONE), ((9,) * 100, (9,) * 40 + (0,) * 60, NONE)],
)  # fmt: skip
def test_the_share_of_errors(requests: tuple[int, ...], failures: tuple[int, ...], raised: Severity) -> None:
    """Of the window only, and of enough requests to say anything."""
    found = said(facts(throughput=Throughput(requests, failures, requests)))
    assert max((each.raised for each in found), default=NONE) == raised


def test_a_share_of_errors_in_words() -> None:
    """With the numbers it is made of."""
    seen = Throughput((2,) * 60, (1,) * 60, (0,) * 60)
    assert one(facts(throughput=seen)).message == "50% of 120 requests failed in the last 60 s"


def budget(used: float, thresholds: tuple[float, ...] = THRESHOLDS, **more: Any) -> BudgetView:
    fields: dict[str, Any] = {
        "name": "team", "scope": "everything", "period": "day", "kind": "hard", "over": "refuse",
        "currency": "EUR", "limit": 20.0, "reserved": 0.0, "settled": 20 * used, "left": 20 * (1 - used),
        "starts": "", "resets": "", "resets_in": 7250.0, "elapsed": 0.5,
    }  # fmt: skip
    return BudgetView(used=used, thresholds=thresholds, **(fields | more))


@pytest.mark.parametrize(
    ("used", "raised"), [(0.49, NONE), (0.5, INFO), (0.8, WARNING), (0.99, WARNING), (1.0, CRITICAL), (1.4, CRITICAL)]
)  # fmt: skip
def test_budgets(used: float, raised: Severity) -> None:
    """At 50, 80 and 100 %, unless a budget says otherwise."""
    found = said(facts(budgets=(budget(used),)))
    assert [(each.subject, each.raised) for each in found] == ([("team", raised)] if raised else [])
    assert said(facts(budgets=(budget(used, ()),))) == []


def test_a_budget_in_words() -> None:
    """What is spent of what, whose it is where each key has its own, and when it begins anew."""
    signal = one(facts(budgets=(budget(0.85, key="0a", scope="key 0a"),)))
    assert signal.subject == "team 0a"
    assert signal.message == "85% of 20 EUR a day spent, key 0a; it begins anew in 2 h"


def test_the_backlog_of_the_journal() -> None:
    """As a share of its room, with what was lost."""
    assert said(facts(backlog=Backlog(1, 0))) == []
    assert said(facts(backlog=Backlog(10, 100))) == []
    signal = one(facts(backlog=Backlog(200 * 1024**2, 256 * 1024**2, 3)))
    assert signal.raised is CRITICAL
    assert signal.message == "200 MiB of records wait for the database, room for 256 MiB; 3 were not kept"


def test_trouble_with_the_database() -> None:
    """In the words of whoever writes to it."""
    signal = one(facts(database="unavailable: disk I/O error"))
    assert (signal.rule, signal.raised, signal.message) == (
        "database", WARNING, "unavailable: disk I/O error",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("free", "raised", "kept"),
    [(3.0, NONE, NONE), (2.1, NONE, WARNING), (1.9, WARNING, WARNING), (0.52, WARNING, CRITICAL),
     (0.4, CRITICAL, CRITICAL)],
)  # fmt: skip
def test_the_space_on_a_disk(free: float, raised: Severity, kept: Severity) -> None:
    """By free bytes."""
    found = said(facts(disks=(Disk("state", "/var/x", int(free * GIB), 99 * GIB),)))
    assert [(each.raised, each.kept) for each in found] == ([(raised, kept)] if kept else [])


def test_every_rule_can_be_switched_off() -> None:
    """By its name, and no other goes with it."""
    seen = snapshot(
        host=MemoryView(total=10, used=10),
        status="unhealthy",
        backends=tuple(msgspec.structs.replace(view, health="down") for view in snapshot().backends[:1]),
        throughput=Throughput((9,) * 9, (9,) * 9, (0,) * 9),
        database="unavailable",
        budgets=(budget(1.0),),
    )
    all_wrong = Facts(seen, (Disk("state", "/", 0, 1),), Backlog(9, 9))
    assert {each.rule for each in said(all_wrong)} == set(STATELESS)
    for name in STATELESS:
        assert {each.rule for each in said(all_wrong, Policy(off=(name,)))} == set(STATELESS) - {name}
    assert set(STATELESS) | {"latency", "breakers"} == set(RULES)
