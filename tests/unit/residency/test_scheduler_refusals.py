"""Loads that are refused, each in words that say why and what would help."""

from orchestra_core.domain.catalog import BackendKind, Residency
from orchestra_core.domain.memory import Need
from orchestra_core.residency.scheduler import Load, Refuse, Scheduler
from tests.fakes.residency_pool import POOL, bring, scheduler, see
from tests.fakes.residency_world import GIB, endpoint


def test_what_can_never_fit_is_refused_with_the_numbers() -> None:
    """The refusal names need and memory."""
    a = endpoint("a", 12)
    a.need = Need(12 * GIB, weights=10 * GIB, cache=GIB // 2, working=GIB // 4, factor=1.1)
    made = scheduler(a)
    plan = made.want(a, 0.0)
    assert (plan.fits, plan.code) == (False, "too_large")
    assert plan.reason == (
        "needs 12.0 GiB (weights 10.0, cache 0.5, working 0.2; x1.10), and host has 10.0 GiB in all"
    )
    assert made.actions(0.0) == []


def test_what_does_not_fit_beside_others_is_refused_with_the_numbers() -> None:
    """Foreign use and what is kept free are named, and what evicting everything idle would free."""
    a, b = endpoint("a", 6), endpoint("b", 2)
    made = scheduler(a, b, used=0)
    bring(made, b, 0.0)
    see(made, 60.0, 6)
    plan = made.want(a, 60.0)
    assert (plan.fits, plan.code, plan.retry_after) == (False, "no_room", 5.0)
    assert plan.reason == (
        "needs 6.0 GiB, host has 3.0 GiB free of 10.0: 2.0 reserved, 4.0 used by others, 1.0 kept free; "
        "evicting everything idle frees 2.0 GiB"
    )
    numbers = (
        plan.total_bytes,
        plan.free_bytes,
        plan.reserved_bytes,
        plan.foreign_bytes,
        plan.headroom_bytes,
    )
    assert numbers == (10 * GIB, 3 * GIB, 2 * GIB, 4 * GIB, GIB)


def test_who_waits_is_told_when_there_will_be_no_room() -> None:
    """Others get half a minute to give back what they have taken."""
    b, c = endpoint("b", 6), endpoint("c", 1)
    made = scheduler(b, c, used=0)
    made.want(c, 0.0)
    made.actions(0.0)
    made.want(b, 0.0)
    see(made, 1.0, 8)
    made.loaded(c, None, 1.0)
    assert made.actions(1.0) == []
    assert made.actions(30.9) == []
    (refusal,) = made.actions(31.0)
    assert isinstance(refusal, Refuse)
    assert (refusal.endpoint, refusal.plan.code) == (b, "no_room")


def test_a_failed_load_is_left_alone_for_a_while() -> None:
    """Refused with the time; an operator may try at once."""
    a = endpoint("a", 4)
    made = scheduler(a)
    made.want(a, 0.0)
    made.actions(0.0)
    made.failed(a, 10.0)
    made.unwant(a, 10.0)
    assert a.residency is Residency.ABSENT
    plan = made.want(a, 12.0)
    assert (plan.fits, plan.code, plan.retry_after) == (False, "setback", 3.0)
    assert made.actions(12.0) == []
    assert made.want(a, 12.0, operator=True).fits
    assert made.actions(12.0) == [Load(a)]


def test_who_still_waits_for_a_failed_load_is_told() -> None:
    """Nobody is left behind a pause."""
    a = endpoint("a", 4)
    made = scheduler(a)
    made.want(a, 0.0)
    made.actions(0.0)
    made.failed(a, 10.0)
    (refusal,) = made.actions(10.0)
    assert isinstance(refusal, Refuse)
    assert refusal.plan.code == "setback"
    assert made.actions(10.5) == []
    assert len(made.actions(11.0)) == 1


def test_a_model_that_ran_out_of_memory_three_times_is_too_large() -> None:
    """Until its need is predicted to be another."""
    a = endpoint("a", 4)
    made = scheduler(a)
    for now in (0.0, 100.0, 200.0):
        made.want(a, now)
        made.actions(now)
        made.failed(a, now, out_of_memory=True)
        made.unwant(a, now)
    plan = made.want(a, 300.0)
    assert (plan.code, "three times" in plan.reason) == ("too_large", True)
    a.need = Need(5 * GIB)
    assert made.want(a, 300.0).fits


def test_a_model_that_keeps_dying_soon_after_its_load_is_not_loaded_at_once() -> None:
    """It is twice, since somebody may have killed it, and if it had been there for a while."""
    a = endpoint("a", 4)
    made = scheduler(a)
    bring(made, a, 0.0)
    made.lost(a, 10.0)
    bring(made, a, 11.0)
    made.lost(a, 12.0)
    bring(made, a, 13.0)
    made.lost(a, 21.0)
    assert made.plan(a, 25.9).code == "setback"
    bring(made, a, 26.0)
    made.lost(a, 30.0)
    assert made.plan(a, 39.9).code == "setback"
    bring(made, a, 40.0)
    made.lost(a, 90.0)
    assert made.want(a, 90.0).fits


def test_memory_nobody_knows_is_not_loaded_into() -> None:
    """The refusal names the setting; Ollama keeps within its memory by itself, and an operator may."""
    a = endpoint("a", 4)
    b = endpoint("b", 4, kind=BackendKind.OLLAMA, backend="other")
    made = Scheduler()
    made.join(a, None)
    made.join(b, None)
    plan = made.want(a, 0.0)
    assert (plan.fits, plan.code) == (False, "unknown_memory")
    assert 'memory = "24GB"' in plan.reason
    assert made.want(a, 0.0, operator=True).fits is None
    assert made.want(b, 0.0).fits is None
    assert made.actions(0.0) == [Load(a), Load(b)]


def test_a_need_nobody_knows_is_not_loaded() -> None:
    """But by an operator, as far as anything is known: then its weights."""
    a = endpoint("a", None, size=3)
    made = scheduler(a)
    plan = made.want(a, 0.0)
    assert (plan.fits, plan.code) == (False, "unknown_need")
    assert made.want(a, 0.0, operator=True).fits is None
    assert made.actions(0.0) == [Load(a)]
    assert made.view(0.0)[0].reserved == 3 * GIB


def test_a_pool_not_measured_yet_is_not_loaded_into() -> None:
    """It will be in a moment."""
    a = endpoint("a", 1)
    made = Scheduler()
    made.join(a, POOL)
    plan = made.want(a, 0.0)
    assert (plan.code, plan.retry_after) == ("unknown_memory", 1.0)
    assert made.view(0.0) == ()


def test_what_cannot_be_loaded_from_here_is_refused() -> None:
    """Its backend decides."""
    a = endpoint("a", 1, loadable=False)
    assert scheduler(a).want(a, 0.0).code == "not_supported"


def test_a_plan_says_how_long_the_load_will_take_and_why_it_thinks_so() -> None:
    """The last load, or what is usual; and who waits."""
    a = endpoint("a", 4, load_seconds=7)
    made = scheduler(a)
    plan = made.plan(a, 0.0)
    assert (plan.expected_seconds, plan.expected_basis, plan.waiting) == (7.0, "prior", 0)
    made.want(a, 0.0)
    a.took = 3.25
    plan = made.plan(a, 0.0)
    assert (plan.expected_seconds, plan.expected_basis, plan.waiting) == (3.2, "measured", 1)
    assert (plan.needs_bytes, plan.need, plan.pool) == (4 * GIB, a.need, POOL)
