"""What is loaded when, for whom, and what goes for it."""

from orchestra_core.domain.catalog import Residency
from orchestra_core.domain.memory import Pressure, Rule
from orchestra_core.residency.scheduler import Load, Policy, Scheduler, Unload
from tests.fakes.residency_pool import POOL, bring, scheduler, see
from tests.fakes.residency_world import GIB, endpoint


def test_a_wanted_model_is_loaded_once_for_all_who_wait() -> None:
    """Single flight, and the time it took is known afterwards."""
    a = endpoint("a", 4)
    made = scheduler(a)
    assert made.want(a, 0.0).fits
    made.want(a, 0.0)
    assert made.actions(0.0) == [Load(a)]
    assert a.residency is Residency.LOADING
    assert made.actions(0.0) == []
    made.loaded(a, None, 5.0)
    assert (a.residency, a.took, a.ready_since) == (Residency.READY, 5.0, 5.0)
    assert made.actions(5.0) == []


def test_an_idle_model_makes_room_and_the_load_begins_when_it_has_gone() -> None:
    """The plan says so before."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    plan = made.want(b, 100.0)
    assert (plan.evicts, plan.frees_bytes, plan.fits) == (("box/a",), 6 * GIB, True)
    assert made.actions(100.0) == [Unload(a, "room", 0.0, "box/b")]
    assert a.residency is Residency.DRAINING
    assert made.actions(100.0) == []
    assert made.plan(b, 100.0).waits_for == ("box/a",)
    made.unloaded(a, 101.0)
    assert made.actions(101.0) == [Load(b, ("box/a",))]


def test_a_load_waits_until_memory_is_measured_to_be_back() -> None:
    """An answer of the backend is not enough."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b, used=0)
    bring(made, a, 0.0)
    see(made, 99.0, 6)
    made.want(b, 100.0)
    made.actions(100.0)
    made.unloaded(a, 101.0)
    assert made.actions(101.0) == []
    assert made.plan(b, 101.0).code == "returning"
    see(made, 102.0, 6)
    assert made.actions(102.0) == []
    see(made, 103.0, 0)
    assert made.actions(103.0) == [Load(b, ("box/a",))]


def test_a_plan_reckons_with_what_others_used_a_moment_ago() -> None:
    """They may take it again within the minute."""
    a = endpoint("a", 4)
    made = scheduler(a, used=8)
    see(made, 10.0, 0)
    assert made.plan(a, 10.0).code == "no_room"
    assert made.plan(a, 61.0).fits


def test_a_plan_waits_for_what_is_promised_to_a_model_that_leaves() -> None:
    """Even if that has never used it all: it still may."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b, used=0)
    bring(made, a, 0.0)
    a.memory_bytes = 2 * GIB
    made.join(a, POOL)
    see(made, 99.0, 2)
    made.unload(a, 100.0, 5.0)
    made.actions(100.0)
    assert made.plan(b, 100.0).waits_for == ("box/a",)
    made.want(b, 100.0)
    assert made.actions(100.0) == []


def test_a_busy_model_is_not_evicted() -> None:
    """Whether it serves or somebody waits for a slot on it; the plan says whom it waits for."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    for busy in ("inflight", "waiting"):
        setattr(a, busy, 1)
        plan = made.plan(b, 100.0)
        assert (plan.waits_for, plan.evicts, plan.code) == (("box/a",), (), "busy")
        assert plan.reason == "box/a is busy"
        setattr(a, busy, 0)
    a.inflight = 1
    made.want(b, 100.0)
    assert made.actions(110.0) == []
    a.inflight = 0
    assert made.actions(110.0) == [Unload(a, "room", 0.0, "box/b")]


def test_a_model_that_is_ready_is_not_evicted_before_those_who_waited_have_begun() -> None:
    """Or it would have been loaded for nobody."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    made.want(a, 0.0)
    made.actions(0.0)
    made.loaded(a, None, 1.0)
    assert made.plan(b, 100.0).reason == "box/a is busy"
    made.unwant(a, 100.0)
    assert made.plan(b, 100.0).evicts == ("box/a",)


def test_a_model_that_has_just_come_is_not_evicted() -> None:
    """Not before twice the time of its load, or half a minute."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    assert made.plan(b, 29.0).reason == "box/a was loaded 29 s ago"
    assert made.plan(b, 30.0).evicts == ("box/a",)
    a.took = 20.0
    assert made.plan(b, 39.0).waits_for == ("box/a",)
    assert made.plan(b, 40.0).evicts == ("box/a",)


def test_a_loading_model_is_not_evicted() -> None:
    """One load at a time; the next waits for it."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    made.want(a, 0.0)
    made.actions(0.0)
    made.want(b, 0.0)
    assert made.plan(b, 5.0).reason == "box/a is being loaded"
    assert made.actions(100.0) == []


def test_victims_are_those_least_worth_their_memory() -> None:
    """Demand times load time for each byte; of those without demand, the one longest unused."""
    a, b, c, d = (endpoint(name, 3) for name in "abcd")
    made = scheduler(a, b, c, d)
    for found in (a, b, c):
        bring(made, found, 0.0)
    a.demand = 0.1
    b.last_done, c.last_done = 50.0, 40.0
    assert made.plan(d, 100.0).evicts == ("box/c",)
    c.demand = 0.2
    assert made.plan(d, 100.0).evicts == ("box/b",)
    b.demand = 0.3
    a.took, b.took, c.took = 10.0, 1.0, 10.0
    assert made.plan(d, 100.0).evicts == ("box/b",)


def test_a_victim_that_a_larger_one_makes_needless_stays() -> None:
    """Only what is needed goes."""
    a, b, c = endpoint("a", 2), endpoint("b", 7), endpoint("c", 8)
    made = scheduler(a, b, c)
    bring(made, a, 0.0)
    bring(made, b, 0.0)
    b.demand = 1.0
    assert made.plan(c, 100.0).evicts == ("box/b",)


def test_nobody_is_evicted_in_vain() -> None:
    """While the others that would have to go are busy, the idle one stays."""
    a, b, c = endpoint("a", 3), endpoint("b", 5), endpoint("c", 9)
    made = scheduler(a, b, c)
    bring(made, a, 0.0)
    bring(made, b, 0.0)
    b.inflight = 1
    made.want(c, 100.0)
    assert made.actions(100.0) == []
    assert made.plan(c, 100.0).waits_for == ("box/b",)


def test_a_pinned_model_is_never_evicted() -> None:
    """Not for room, not after its time, not under pressure."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b, used=0)
    made.join(a, POOL, Rule(pinned=True, ttl=1.0))
    bring(made, a, 0.0)
    see(made, 100.0, 9.5)
    assert made.actions(100.0) == []
    see(made, 200.0, 6)
    assert made.want(b, 200.0).code == "no_room"


def test_a_model_goes_some_time_after_its_last_completion() -> None:
    """One that is busy does not."""
    a = endpoint("a", 4)
    made = scheduler(a)
    made.join(a, POOL, Rule(ttl=60))
    bring(made, a, 5.0)
    a.last_done = 20.0
    a.inflight = 1
    assert made.actions(90.0) == []
    a.inflight = 0
    assert made.actions(79.0) == []
    assert made.actions(80.0) == [Unload(a, "idle", 0.0)]


def test_a_model_never_used_goes_some_time_after_it_was_ready() -> None:
    """It is not gone before anybody could use it."""
    a = endpoint("a", 4)
    made = scheduler(a)
    made.join(a, POOL, Rule(ttl=60))
    bring(made, a, 100.0)
    assert made.actions(159.0) == []
    assert made.actions(160.0) == [Unload(a, "idle", 0.0)]


def test_a_full_pool_lets_idle_models_go_until_it_will_be_below_the_mark() -> None:
    """The least valuable first, and no more than needed; what is on its way out counts."""
    a, b, c = (endpoint(name, 2) for name in "abc")
    made = scheduler(a, b, c, used=0)
    for found in (a, b, c):
        bring(made, found, 0.0)
    a.demand, b.demand = 0.2, 0.1
    see(made, 50.0, 8.6)
    assert made.pressure is Pressure.FULL
    assert made.actions(50.0) == [Unload(c, "pressure", 0.0)]
    assert made.actions(51.0) == []
    see(made, 52.0, 9.6)
    assert made.actions(52.0) == [Unload(b, "pressure", 0.0)]


def test_only_a_critical_pool_lets_models_go_that_have_just_come() -> None:
    """Else the next request would load them again."""
    a = endpoint("a", 2)
    made = scheduler(a, used=0)
    bring(made, a, 0.0)
    see(made, 5.0, 8.6)
    assert made.actions(5.0) == []
    see(made, 6.0, 9.1)
    assert made.actions(6.0) == [Unload(a, "pressure", 0.0)]


def test_nothing_is_loaded_while_the_pool_is_critical() -> None:
    """Even what would fit by the rule waits; it is not refused."""
    a = endpoint("a", 0.1)
    made = Scheduler(Policy(headroom=0))
    made.join(a, POOL)
    see(made, 0.0, 9.2)
    plan = made.want(a, 0.0)
    assert (plan.code, plan.fits) == ("pressure", True)
    assert "nothing is loaded while it is that full" in plan.reason
    assert made.actions(0.0) == []
    see(made, 61.0, 8.4)
    assert made.actions(61.0) == [Load(a)]


def test_a_model_larger_than_predicted_makes_idle_ones_go() -> None:
    """The promise is what was measured, and the rule holds again as soon as possible."""
    a, b = endpoint("a", 4), endpoint("b", 5)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    made.want(b, 1.0)
    made.actions(1.0)
    made.loaded(b, 7 * GIB, 2.0)
    assert made.view(2.0)[0].reserved == 11 * GIB
    assert made.actions(2.0) == [Unload(a, "pressure", 0.0)]
