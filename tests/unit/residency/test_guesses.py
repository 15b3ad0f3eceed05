"""Loads ahead of demand: last of all, into free memory, and given up for anybody real."""

from orchestra_core.domain.catalog import Residency
from orchestra_core.residency.scheduler import Load, Policy, Scheduler, Unload
from tests.fakes.residency_pool import POOL, bring, scheduler, see
from tests.fakes.residency_world import endpoint


def test_a_guess_is_loaded_when_nobody_waits() -> None:
    """One at a time."""
    a, b = endpoint("a", 2), endpoint("b", 2)
    made = scheduler(a, b, used=0)
    made.want(a, 0.0, speculative=True)
    made.want(b, 1.0, speculative=True)
    assert made.actions(1.0) == [Load(a, (), True)]
    assert made.actions(1.0) == []
    made.loaded(a, None, 5.0)
    assert made.actions(5.0) == [Load(b, (), True)]


def test_a_request_comes_before_a_guess() -> None:
    """However long that has been there."""
    a, b = endpoint("a", 2), endpoint("b", 2)
    made = scheduler(a, b, used=0)
    made.want(a, 0.0, speculative=True)
    made.want(b, 1.0)
    assert made.actions(1.0) == [Load(b)]


def test_a_guess_under_way_ends_for_a_request() -> None:
    """The device is needed; what it has taken comes back first."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    made.want(a, 0.0, speculative=True)
    made.actions(0.0)
    made.want(b, 1.0)
    assert made.actions(1.0) == [Unload(a, "aborted", 0.0, "box/b")]
    assert made.actions(1.0) == []
    made.failed(a, 2.0)
    assert made.actions(2.0) == [Load(b)]
    assert made.plan(a, 2.0).code != "setback"


def test_a_guess_that_is_ready_before_it_has_ended_goes_nevertheless() -> None:
    """Nobody is sent to a model that is about to go."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    made.want(a, 0.0, speculative=True)
    made.actions(0.0)
    made.want(b, 1.0)
    made.actions(1.0)
    made.loaded(a, None, 1.5)
    assert a.residency is Residency.DRAINING
    assert made.actions(1.5) == []
    made.unloaded(a, 2.0)
    assert made.actions(2.0) == [Load(b)]


def test_a_guess_goes_on_for_a_request_of_its_own() -> None:
    """It was right."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    made.want(a, 0.0, speculative=True)
    made.actions(0.0)
    made.want(a, 1.0)
    made.want(b, 1.0)
    assert made.actions(1.0) == []


def test_a_guess_goes_on_while_those_who_wait_cannot_be_served() -> None:
    """Nobody would gain by its end."""
    a, b = endpoint("a", 2), endpoint("b", 2)
    made = scheduler(a, b)
    made.want(b, 0.0)
    made.actions(0.0)
    made.failed(b, 0.0)
    made.want(a, 0.0, speculative=True)
    made.unwant(b, 0.0)
    assert made.actions(0.0) == [Load(a, (), True)]
    assert made.want(b, 1.0).code == "setback"
    assert made.actions(1.0) == []


def test_a_guess_evicts_nobody_unless_that_is_said() -> None:
    """And then idle ones only."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    made.want(b, 100.0, speculative=True)
    assert made.actions(100.0) == []
    made.want(b, 100.0, speculative=True, evicting=True)
    a.inflight = 1
    assert made.actions(150.0) == []
    a.inflight = 0
    assert made.actions(150.0) == [Unload(a, "room", 0.0, "box/b")]
    made.unloaded(a, 151.0)
    assert made.actions(151.0) == [Load(b, ("box/a",), True)]


def test_nothing_is_guessed_in_a_pool_that_is_getting_full() -> None:
    """From 70 % on."""
    a = endpoint("a", 1)
    made = Scheduler(Policy(headroom=0))
    made.join(a, POOL)
    see(made, 0.0, 7.1)
    made.want(a, 0.0, speculative=True)
    assert made.actions(0.0) == []
    see(made, 1.0, 6.1)
    see(made, 31.0, 6.1)
    assert made.actions(31.0) == [Load(a, (), True)]


def test_nothing_is_guessed_where_memory_is_not_known() -> None:
    """It might drive out what is used."""
    a = endpoint("a", 1)
    made = Scheduler()
    made.join(a, None)
    assert made.want(a, 0.0, speculative=True).code == "unknown_memory"


def test_a_guess_is_forgotten_after_a_minute() -> None:
    """Demand was predicted for then, not for now; it can also be taken back."""
    a, b, c = endpoint("a", 6), endpoint("b", 6), endpoint("c", 3)
    made = scheduler(a, b, c)
    bring(made, a, 0.0)
    made.want(b, 0.0, speculative=True)
    made.want(c, 0.0, speculative=True)
    made.unwant(c, 0.0)
    assert made.actions(0.0) == []
    made.unload(a, 61.0, 0.0)
    made.actions(61.0)
    made.unloaded(a, 61.0)
    assert made.actions(61.0) == []
    assert b.residency is Residency.ABSENT


def test_a_guess_on_a_model_that_is_loaded_for_a_request_changes_nothing() -> None:
    """It is not aborted, even when the request has gone."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    made.want(a, 0.0, speculative=True)
    made.want(a, 0.0)
    assert made.actions(0.0) == [Load(a)]
    made.want(a, 1.0, speculative=True)
    made.unwant(a, 1.0)
    made.want(b, 2.0)
    assert made.actions(2.0) == []


def test_a_guess_that_is_given_up_takes_no_order_with_it() -> None:
    """An operator wants the same model, and waits for a busy one: that goes on."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    a.inflight = 1
    made.want(b, 1.0, speculative=True)
    made.want(b, 2.0, operator=True)
    made.unguess(b)
    a.inflight = 0
    assert made.actions(40.0) == [Unload(a, "room", 0.0, "box/b")]
