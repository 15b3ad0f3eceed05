"""What comes and goes without us: looks at backends, reloads of the configuration, deaths that nobody tells of."""

from orchestra_core.domain.catalog import Residency
from orchestra_core.domain.memory import Need, Reading, Rule
from orchestra_core.residency.scheduler import Load, Scheduler
from tests.fakes.residency_pool import POOL, bring, scheduler, see
from tests.fakes.residency_world import GIB, endpoint


def reserved(made: Scheduler, now: float = 0.0) -> float:
    return made.view(now)[0].reserved / GIB


def test_a_model_found_loaded_is_reserved_for() -> None:
    """At what it needs or occupies, whichever is more."""
    a, b = endpoint("a", 3), endpoint("b", 3)
    made = scheduler(a, b)
    a.residency = b.residency = Residency.READY
    a.memory_bytes = 4 * GIB
    made.join(a, POOL)
    made.join(b, POOL)
    assert reserved(made) == 7


def test_a_better_estimate_lowers_what_is_reserved() -> None:
    """But never below what is measured."""
    a = endpoint("a", 5)
    made = scheduler(a)
    bring(made, a, 0.0)
    a.need, a.memory_bytes = Need(2 * GIB), 3 * GIB
    made.join(a, POOL)
    assert reserved(made) == 3


def test_a_model_gone_without_us_gives_its_memory_back() -> None:
    """At the next look, or when somebody wants it before."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    a.residency = Residency.ABSENT
    made.join(a, POOL)
    assert reserved(made) == 0
    bring(made, a, 1.0)
    a.residency = Residency.ABSENT
    made.actions(2.0)
    assert reserved(made) == 0


def test_a_model_that_died_unnoticed_is_loaded_again_when_its_memory_is_back() -> None:
    """It does not take over the room of its dead self."""
    a = endpoint("a", 6)
    made = scheduler(a, used=0)
    bring(made, a, 0.0)
    see(made, 50.0, 6)
    a.residency = Residency.ABSENT
    assert made.want(a, 51.0).code == "returning"
    assert made.actions(51.0) == []
    see(made, 52.0, 0)
    assert made.actions(52.0) == [Load(a)]


def test_a_look_that_comes_while_a_load_is_under_way_changes_nothing() -> None:
    """Its end will be told."""
    a = endpoint("a", 6)
    made = scheduler(a)
    made.want(a, 0.0)
    made.actions(0.0)
    a.residency, a.memory_bytes = Residency.READY, 2 * GIB
    made.join(a, POOL)
    assert reserved(made) == 6
    made.loaded(a, 7 * GIB, 5.0)
    assert reserved(made) == 7


def test_a_model_that_its_backend_is_loading_counts_and_may_be_loaded_by_us() -> None:
    """Its reservation is not counted against itself."""
    a = endpoint("a", 6)
    made = scheduler(a)
    a.residency = Residency.LOADING
    made.join(a, POOL)
    assert reserved(made) == 6
    assert made.want(a, 0.0).fits
    assert made.actions(0.0) == [Load(a)]
    assert reserved(made) == 6


def test_a_model_that_leaves_holds_its_memory_until_that_is_back() -> None:
    """Whatever becomes of its endpoint; what is told of it later is nobody's business."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b, used=0)
    bring(made, a, 0.0)
    see(made, 1.0, 6)
    made.leave(a.id, 2.0)
    assert made.view(2.0)[0].returning == 6 * GIB
    for tell in (made.failed, made.unloaded, made.lost, made.kept, made.unwant):
        tell(a, 3.0)
    made.loaded(a, None, 3.0)
    assert reserved(made, 3.0) == 6
    see(made, 4.0, 0)
    assert reserved(made, 4.0) == 0


def test_a_new_object_for_an_endpoint_takes_over_what_is_under_way() -> None:
    """A reload of the configuration makes new ones."""
    old, new = endpoint("a", 6), endpoint("a", 6)
    made = scheduler(old)
    made.want(old, 0.0)
    made.actions(0.0)
    made.join(new, POOL)
    assert new.residency is Residency.LOADING
    made.loaded(old, None, 4.0)
    assert (new.residency, new.took, new.ready_since) == (Residency.READY, 4.0, 4.0)


def test_a_model_in_another_pool_is_reserved_for_there() -> None:
    """What was one machine may be two after a reload."""
    a = endpoint("a", 6)
    made = scheduler(a)
    bring(made, a, 0.0)
    made.read("gpu", Reading(8 * GIB), 0.0)
    made.join(a, "gpu")
    gpu, host = made.view(0.0)
    assert (gpu.reserved, host.reserved) == (6 * GIB, 0)
    made.join(a, None)
    assert [pool.reserved for pool in made.view(0.0)] == [0, 0]
    made.drop("gpu")
    assert [pool.name for pool in made.view(0.0)] == ["host"]


def test_a_rule_counts_from_the_next_join() -> None:
    """Rules come with the configuration."""
    a = endpoint("a", 6)
    made = scheduler(a)
    made.join(a, POOL, Rule(memory=GIB))
    assert made.plan(a, 0.0).code == "quota"
    made.join(a, POOL)
    assert made.plan(a, 0.0).fits


def test_a_backend_that_is_down_holds_no_memory_that_was_measured_to_be_back() -> None:
    """A server that has died with its models keeps nobody else out; when it answers again it has what it has."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b, used=0)
    bring(made, a, 0.0)
    see(made, 50.0, 6)
    a.reachable = False
    made.away(a.id, 51.0)
    assert made.want(b, 51.0).code == "returning"
    assert made.actions(51.0) == []
    see(made, 52.0, 0)
    assert made.actions(52.0) == [Load(b)]
    a.reachable = True
    made.join(a, POOL)
    assert reserved(made, 53.0) == 12


def test_nobody_is_evicted_from_a_backend_that_does_not_answer() -> None:
    """It could not be told to; nor is it tried when memory is short."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    a.reachable = False
    made.away(a.id, 50.0)
    made.want(b, 50.0)
    assert made.actions(50.0) == []
    a.reachable = True
    assert [action.endpoint for action in made.actions(51.0)] == [a]
