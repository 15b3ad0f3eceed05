"""What the router is told: which models may not be loaded and why, and what loading the others costs."""

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.memory import Need, Quota, Reading, Rule
from orchestra_core.domain.snapshot import PoolView
from orchestra_core.residency.scheduler import PERMANENT, Policy, Scheduler
from tests.fakes.residency_pool import POOL, bring, scheduler, see
from tests.fakes.residency_world import GIB, endpoint


def test_a_model_that_fits_costs_nobody_anything() -> None:
    """Nor does one that is there."""
    a, b = endpoint("a", 4), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    a.external, a.barred = 3.0, ("no_room", "as it was")
    made.publish(0.0)
    assert [(e.barred, e.external) for e in (a, b)] == [(None, 0.0), (None, 0.0)]


def test_a_load_costs_what_its_victims_will_take_to_come_back() -> None:
    """As likely as they are needed within a minute."""
    a, b, c, d = endpoint("a", 5), endpoint("b", 5), endpoint("c", 4), endpoint("d", 9)
    made = scheduler(a, b, c, d)
    for found in (a, b):
        bring(made, found, 0.0)
    a.demand, b.demand = 0.01, 0.02
    made.publish(100.0)
    first, second = ((1 - exp(-60 * demand)) * 5.0 for demand in (0.01, 0.02))
    assert c.external == pytest.approx(first)
    assert d.external == pytest.approx(first + second)
    b.inflight = 1
    a.inflight = 1
    made.publish(100.0)
    assert c.barred is None
    assert c.external == pytest.approx(first)


def test_what_may_not_be_loaded_is_barred_with_the_words_of_its_plan() -> None:
    """And free again when that has passed."""
    large, unknown, much = endpoint("large", 12), endpoint("unknown", None), endpoint("much", 8)
    made = scheduler(large, unknown, much, used=0)
    see(made, 1.0, 5)
    plans = [made.plan(found, 1.0) for found in (large, unknown, much)]
    made.publish(1.0)
    assert [found.barred for found in (large, unknown, much)] == [(p.code, p.reason) for p in plans]
    assert [plan.code for plan in plans] == ["too_large", "unknown_need", "no_room"]
    see(made, 62.0, 0)
    unknown.need = Need(GIB)
    made.publish(62.0)
    assert [found.barred for found in (unknown, much)] == [None, None]


def test_models_with_rules_of_their_own_are_barred_by_them() -> None:
    """Quotas, groups, and failures."""
    a, b, c, d = (endpoint(name, 1) for name in "abcd")
    far = endpoint("far", 1, backend="far")
    made = scheduler(a, b, c, d, far)
    made.join(a, POOL, Rule(group="g", pinned=True))
    made.join(b, POOL, Rule(group="g"))
    made.join(c, POOL, Rule(memory=GIB // 2))
    made.quota("far", Quota(loaded=0))
    bring(made, a, 0.0)
    made.want(d, 0.0)
    made.actions(0.0)
    made.failed(d, 0.0)
    made.publish(1.0)
    assert [found.barred and found.barred[0] for found in (a, b, c, d, far)] == [
        None,
        "group",
        "quota",
        "setback",
        "quota",
    ]


def test_a_quota_that_is_taken_bars_the_others_on_its_backend() -> None:
    """By models that stay; by others it costs their end."""
    a, b, c = endpoint("a", 1), endpoint("b", 1), endpoint("c", 1, backend="far")
    made = scheduler(a, b, c)
    made.quota("box", Quota(loaded=1))
    bring(made, a, 0.0)
    a.demand = 0.01
    made.publish(100.0)
    assert (b.barred, c.external) == (None, 0.0)
    assert b.external == pytest.approx((1 - exp(-0.6)) * 5.0)
    made.join(a, POOL, Rule(pinned=True))
    made.publish(100.0)
    assert b.barred == ("no_room", made.plan(b, 100.0).reason)
    assert c.barred is None


def test_where_memory_is_not_known_only_ollama_may_load() -> None:
    """The others name the setting that helps."""
    a, b = endpoint("a", 1), endpoint("b", 1, kind=BackendKind.OLLAMA, backend="ollama")
    made = Scheduler()
    made.join(a, None)
    made.join(b, None)
    made.publish(0.0)
    assert a.barred is not None
    assert (a.barred[0], b.barred) == ("unknown_memory", None)


@given(
    present=st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.sampled_from([0.0, 0.1])), max_size=5),
    absent=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    used=st.one_of(st.none(), st.integers(0, 20)),
    now=st.sampled_from([10.0, 100.0]),
)
def test_what_is_published_is_what_would_be_planned(
    present: list[tuple[int, bool, float]], absent: list[int], used: int | None, now: float
) -> None:
    """For any pool: the same refusals, and at least the cost of the planned victims."""
    made = Scheduler(Policy())
    there = [endpoint(f"p{number}", size) for number, (size, _, _) in enumerate(present)]
    others = [endpoint(f"a{number}", size) for number, size in enumerate(absent)]
    for found in (*there, *others):
        made.join(found, POOL)
    made.read(POOL, Reading(24 * GIB), 0.0)
    for found, (_, busy, demand) in zip(there, present, strict=True):
        if made.want(found, 0.0).evicts == () and made.actions(0.0):
            made.loaded(found, None, 0.0)
        made.unwant(found, 0.0)
        found.inflight, found.demand, found.took = int(busy), demand, 5.0
    made.read(POOL, Reading(24 * GIB, None if used is None else used * GIB), now)
    made.publish(now)
    by_id = {found.id: found for found in there}
    for found in others:
        plan = made.plan(found, now)
        assert found.barred == ((plan.code, plan.reason) if plan.code in PERMANENT else None)
        victims = [by_id[key] for key in (*plan.evicts, *plan.waits_for)]
        cost = sum((1 - exp(-60 * victim.demand)) * 5.0 for victim in victims)
        assert found.external >= cost - 1e-9
        assert len(there) > 1 or found.external == pytest.approx(cost)


def test_people_see_the_pools() -> None:
    """Everything that a plan reckons with, by name."""
    a, b = endpoint("a", 2), endpoint("b", 1, backend="other")
    made = scheduler(a, b, used=0)
    bring(made, a, 0.0)
    see(made, 1.0, 4.5)
    made.lost(a, 1.0)
    made.read("gpu", Reading(8 * GIB), 1.0)
    gpu, host = made.view(1.0)
    assert gpu == PoolView("gpu", 8 * GIB, 8 * GIB, 0, source="configured")
    assert host == PoolView(
        name="host",
        total=10 * GIB,
        free=int(4.5 * GIB),
        reserved=2 * GIB,
        used=int(4.5 * GIB),
        foreign=int(2.5 * GIB),
        headroom=GIB,
        returning=2 * GIB,
        backends=("box", "other"),
    )
