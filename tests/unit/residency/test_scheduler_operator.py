"""What an operator may do to models."""

import pytest

from orchestra_core.domain.catalog import Residency
from orchestra_core.domain.memory import Quota
from orchestra_core.residency.scheduler import Refuse, Unload
from tests.fakes.residency_pool import bring, scheduler
from tests.fakes.residency_world import GIB, endpoint


def test_a_plan_of_an_unload_says_what_it_frees_and_who_is_still_served() -> None:
    """Nothing is done for it."""
    a = endpoint("a", 4)
    made = scheduler(a)
    bring(made, a, 0.0)
    a.inflight = 1
    plan = made.plan(a, 0.0, "unload")
    assert (plan.frees_bytes, plan.waits_for) == (4 * GIB, ("box/a",))
    assert made.actions(0.0) == []


@pytest.mark.parametrize(
    ("patience", "force", "done"), [(0.0, False, False), (5.0, False, True), (0.0, True, True)]
)
def test_a_busy_model_is_unloaded_by_an_operator_only_with_patience_or_force(
    patience: float, force: bool, done: bool
) -> None:
    """An idle one at once."""
    a, b = endpoint("a", 4), endpoint("b", 4)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    bring(made, b, 0.0)
    a.inflight = 1
    assert made.unload(a, 1.0, patience, force=force) is done
    assert made.unload(b, 1.0, 0.0)
    unloads = [Unload(a, "asked", patience), Unload(b, "asked", 0.0)]
    assert made.actions(1.0) == (unloads if done else unloads[1:])
    assert not made.unload(b, 1.0, 0.0)


def test_a_load_under_way_is_ended_by_an_operator_only_with_force() -> None:
    """It is not worth a pause then."""
    a = endpoint("a", 4)
    made = scheduler(a)
    made.want(a, 0.0, operator=True)
    made.actions(0.0)
    assert not made.unload(a, 1.0, 5.0)
    assert made.unload(a, 1.0, 0.0, force=True)
    assert made.actions(1.0) == [Unload(a, "asked", 0.0)]
    made.failed(a, 2.0)
    assert made.want(a, 2.0).fits


def test_an_unload_that_did_not_happen_is_not_tried_again_at_once() -> None:
    """The model is there as before, and its memory is its own."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    made.want(b, 100.0)
    made.actions(100.0)
    made.kept(a, 101.0)
    assert a.residency is Residency.READY
    assert made.actions(101.0) == []
    assert made.actions(106.0) == [Unload(a, "room", 0.0, "box/b")]


def test_a_model_that_its_backend_lists_before_the_load_has_ended_is_unloaded_then() -> None:
    """An operator sees it ready and unloads it: that is not lost, and does not break into the load."""
    a = endpoint("a", 4)
    made = scheduler(a)
    made.want(a, 0.0, operator=True)
    made.actions(0.0)
    a.residency = Residency.READY
    assert made.unload(a, 1.0, 0.0)
    assert made.actions(1.0) == []
    made.loaded(a, None, 2.0)
    assert made.actions(2.0) == [Unload(a, "asked", 0.0)]


def test_each_wish_of_an_operator_is_answered() -> None:
    """Also one that comes right after another was refused: whoever follows it on the command line waits for its end."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    a.inflight = 1
    for now in (100.0, 100.5):
        made.quota("box", Quota())
        made.want(b, now, operator=True)
        assert made.actions(now) == []
        made.quota("box", Quota(loaded=0))
        assert [type(action) for action in made.actions(now)] == [Refuse]
        assert made.actions(now) == []
