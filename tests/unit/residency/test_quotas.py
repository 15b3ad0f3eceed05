"""What an operator allows: bytes and places of a backend, copies and bytes of a model, exclusive groups."""

from orchestra_core.domain.memory import Quota, Rule
from orchestra_core.residency.scheduler import Load, Unload
from tests.fakes.residency_pool import POOL, bring, scheduler
from tests.fakes.residency_world import GIB, endpoint


def test_a_backend_has_only_so_many_models_loaded() -> None:
    """An idle one of its own goes, not one of another backend; a busy one is waited for."""
    a, b, c = endpoint("a", 1), endpoint("b", 1), endpoint("c", 1, backend="other")
    made = scheduler(a, b, c)
    made.quota("box", Quota(loaded=1))
    bring(made, c, 0.0)
    bring(made, a, 0.0)
    a.inflight = 1
    made.want(b, 100.0)
    assert made.actions(100.0) == []
    assert made.plan(b, 100.0).waits_for == ("box/a",)
    a.inflight = 0
    assert made.actions(100.0) == [Unload(a, "room", 0.0, "box/b")]
    assert made.actions(100.0) == []
    made.unloaded(a, 101.0)
    assert made.actions(101.0) == [Load(b, ("box/a",))]


def test_a_backend_has_only_so_much_memory() -> None:
    """What is more is refused; what fits instead of others makes them go."""
    a, b, c = endpoint("a", 3), endpoint("b", 3), endpoint("c", 6)
    made = scheduler(a, b, c)
    made.quota("box", Quota(memory=5 * GIB))
    bring(made, a, 0.0)
    assert made.plan(b, 100.0).evicts == ("box/a",)
    plan = made.want(c, 100.0)
    assert (plan.code, plan.reason) == (
        "quota",
        "needs 6.0 GiB, and `memory` of box in [[backends]] allows 5.0 GiB",
    )


def test_a_backend_may_have_nothing_loaded() -> None:
    """A quota of none."""
    a = endpoint("a", 3)
    made = scheduler(a)
    made.quota("box", Quota(loaded=0))
    assert made.want(a, 0.0).reason == "box may have no model loaded"


def test_a_quota_filled_with_pinned_models_refuses() -> None:
    """Nobody waits for what will not happen."""
    a, b = endpoint("a", 1), endpoint("b", 1)
    made = scheduler(a, b)
    made.join(a, POOL, Rule(pinned=True))
    made.quota("box", Quota(loaded=1))
    bring(made, a, 0.0)
    plan = made.want(b, 100.0)
    assert plan.code == "no_room"
    assert plan.reason == "the quota of box is taken by models that may not be evicted"


def test_a_model_may_need_only_so_much() -> None:
    """Whatever room there is."""
    a = endpoint("a", 3)
    made = scheduler(a)
    made.join(a, POOL, Rule(memory=2 * GIB))
    plan = made.want(a, 0.0)
    assert (plan.code, plan.reason) == ("quota", "needs 3.0 GiB, and `memory` in [models] allows 2.0 GiB")


def test_a_model_has_only_so_many_copies() -> None:
    """One that is being loaded elsewhere counts."""
    a, b = endpoint("a", 1), endpoint("a", 1, backend="other")
    made = scheduler(a, b)
    for found in (a, b):
        made.join(found, POOL, Rule(copies=1))
    made.want(a, 0.0)
    made.actions(0.0)
    plan = made.want(b, 0.0)
    assert (plan.code, plan.reason) == (
        "copies",
        "it is loaded on 1 other backends, and `copies` in [models] allows 1",
    )


def test_one_model_of_a_group_is_there_at_a_time() -> None:
    """Whatever room there is, the other goes first."""
    a, b = endpoint("a", 1), endpoint("b", 1)
    made = scheduler(a, b)
    for found in (a, b):
        made.join(found, POOL, Rule(group="g"))
    bring(made, a, 0.0)
    made.want(b, 100.0)
    assert made.actions(100.0) == [Unload(a, "room", 0.0, "box/b")]
    assert made.actions(100.0) == []
    made.unloaded(a, 101.0)
    assert made.actions(101.0) == [Load(b, ("box/a",))]


def test_a_busy_or_pinned_rival_is_not_driven_out() -> None:
    """Who is busy is waited for; who is pinned stays, and the other is refused."""
    a, b = endpoint("a", 1), endpoint("b", 1)
    made = scheduler(a, b)
    made.join(b, POOL, Rule(group="g"))
    made.join(a, POOL, Rule(group="g"))
    bring(made, a, 0.0)
    a.inflight = 1
    made.want(b, 100.0)
    assert made.actions(100.0) == []
    assert made.plan(b, 100.0).waits_for == ("box/a",)
    made.join(a, POOL, Rule(group="g", pinned=True))
    plan = made.plan(b, 100.0)
    assert (plan.code, plan.reason) == ("group", "box/a is pinned, and only one of 'g' may be")
