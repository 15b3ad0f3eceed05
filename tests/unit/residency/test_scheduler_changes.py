"""What an operator, a new configuration and a wrong size change about what may be loaded."""

from orchestra_core.domain.catalog import Residency
from orchestra_core.domain.memory import Pressure, Reading
from orchestra_core.residency.scheduler import Policy, Unload
from tests.fakes.residency_pool import POOL, scheduler
from tests.fakes.residency_world import GIB, endpoint


def test_a_model_smaller_than_was_reserved_gives_back_its_reservation() -> None:
    """Where only reservations count, as in a pool that is only configured, evicting it makes that much room."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    a.residency, a.memory_bytes = Residency.READY, 4 * GIB
    made = scheduler(a, b)
    assert made.plan(b, 100.0).evicts == ("box/a",)


def test_an_operator_need_not_wait_for_an_idle_model_that_has_just_come() -> None:
    """For a request it keeps its place for a while; who orders has seen what goes."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    a.residency = Residency.READY
    made = scheduler(a, b)
    a.ready_since = 99.0
    assert made.plan(b, 100.0).waits_for == ("box/a",)
    assert made.plan(b, 100.0, operator=True).evicts == ("box/a",)
    made.want(b, 100.0, operator=True)
    assert made.actions(100.0) == [Unload(a, "room", 0.0, "box/b")]


def test_what_a_model_may_have_that_is_alone() -> None:
    """All but headroom and foreign use, whatever is loaded now; unknown before the pool was read."""
    a = endpoint("a", 4)
    made = scheduler(a, total=10, used=2)
    assert made.most(POOL, 0.0) == int(10 * GIB) - made.plan(a, 0.0).headroom_bytes - 2 * GIB
    assert made.most("elsewhere", 0.0) is None


def test_new_marks_take_effect_at_the_next_reading() -> None:
    """A lower mark is crossed by what was fine before, and a larger headroom leaves less to reserve."""
    a = endpoint("a", 4)
    made = scheduler(a, total=10, used=5)
    assert made.plan(a, 0.0).fits
    made.configure(Policy(warning=0.3, evict=0.35, critical=0.4, headroom=3 * GIB))
    assert made.read(POOL, Reading(10 * GIB, 5 * GIB), 1.0) is Pressure.CRITICAL
    assert made.plan(a, 1.0).headroom_bytes == 3 * GIB
    assert made.plan(a, 1.0).fits is False
