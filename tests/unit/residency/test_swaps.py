"""Models that do not fit together: who waits longest gets room within a bound, and nobody swaps for ever."""

import pytest

from orchestra_core.domain.catalog import Residency
from orchestra_core.domain.memory import Rule
from orchestra_core.residency.scheduler import Load, Policy, Refuse, Unload
from tests.fakes.residency_pool import bring, scheduler
from tests.fakes.residency_world import Box, Model, World, endpoint


def test_who_has_waited_long_makes_a_busy_model_drain() -> None:
    """Not before ten seconds; what runs may finish, and the model comes back for who waits then."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    a.inflight = 1
    made.want(b, 100.0)
    assert made.actions(110.0) == []
    assert made.actions(110.1) == [Unload(a, "room", 30.0, "box/b")]
    made.want(a, 112.0)
    assert made.actions(112.0) == []
    made.unloaded(a, 120.0)
    assert made.actions(120.0) == [Load(b, ("box/a",))]


def test_a_model_that_was_busy_to_the_end_of_the_patience_goes_on_draining() -> None:
    """Nobody new is sent to it, so what is left has an end."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    a.inflight = 1
    made.want(b, 100.0)
    made.actions(111.0)
    made.kept(a, 141.0, busy=True)
    assert made.actions(141.0) == [Unload(a, "room", 30.0, "box/b")]
    made.unloaded(a, 150.0)
    assert made.actions(150.0) == [Load(b, ("box/a",))]


def test_a_model_that_has_just_come_is_made_to_go_only_by_who_has_waited_twice_as_long() -> None:
    """An idle one then goes at once, a busy one when it has been there as long as its load took."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    made.want(b, 0.0)
    made.actions(0.0)
    made.loaded(b, None, 0.0)
    made.unwant(b, 0.0)
    b.took = 15.0
    made.want(a, 0.0)
    assert made.actions(20.0) == []
    assert made.actions(20.1) == [Unload(b, "room", 0.0, "box/a")]
    made.kept(b, 20.1)
    b.ready_since, b.inflight = 12.0, 1
    assert made.actions(26.9) == []
    assert made.actions(27.0) == [Unload(b, "room", 30.0, "box/a")]


def test_one_user_of_two_models_does_not_wait_for_nobody() -> None:
    """An idle model that has just come goes at once when nobody else is expected; with steady demand it is held."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 100.0)
    a.demand = 0.01
    assert made.plan(b, 101.0).evicts == ("box/a",)
    a.inflight = 1
    assert made.plan(b, 101.0).waits_for == ("box/a",)
    a.inflight, a.demand = 0, 0.1
    assert made.plan(b, 101.0).waits_for == ("box/a",)


def test_the_cheapest_busy_model_goes_and_idle_ones_before() -> None:
    """Where as much is expected of them."""
    a, b, c, d = (endpoint(name, 3) for name in "abcd")
    made = scheduler(a, b, c, d)
    for found in (a, b, c):
        bring(made, found, 0.0)
    a.inflight = b.inflight = 1
    a.demand, b.demand, c.demand = 0.3, 0.1, 0.1
    made.want(d, 100.0)
    assert made.plan(d, 111.0).evicts == ("box/c",)
    c.inflight, c.demand = 1, 0.2
    assert made.actions(111.0) == [Unload(b, "room", 30.0, "box/d")]


def test_what_everybody_uses_stays_while_what_nobody_uses_can_be_waited_for() -> None:
    """It is idle for a moment; the other is too young to go, until somebody has waited for long."""
    a, b, c = (endpoint(name, 5) for name in "abc")
    made = scheduler(a, b, c)
    bring(made, a, 0.0)
    bring(made, b, 95.0)
    a.demand, b.demand = 1.0, 0.1
    made.want(c, 100.0)
    assert made.plan(c, 100.0).waits_for == ("box/b",)
    assert made.actions(119.0) == []
    assert made.actions(120.1) == [Unload(b, "room", 0.0, "box/c")]


def test_a_pinned_model_does_not_drain_for_anybody() -> None:
    """Who waits for its room is refused."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    a.inflight = 1
    made.want(b, 0.0)
    made.join(a, "host", Rule(pinned=True))
    assert made.actions(29.0) == []
    assert [type(action) for action in made.actions(100.0)] == [Refuse]


def test_a_younger_request_passes_into_room_that_no_older_one_needs() -> None:
    """No head-of-line blocking: the older waits for a busy model anyway."""
    a, b, c = endpoint("a", 6), endpoint("b", 7), endpoint("c", 2)
    made = scheduler(a, b, c)
    bring(made, a, 0.0)
    a.inflight = 1
    made.want(b, 100.0)
    made.want(c, 101.0)
    assert made.actions(101.0) == [Load(c)]


def test_a_younger_request_does_not_take_room_made_for_an_older_one() -> None:
    """What has gone for it is its own, while the rest is not back yet."""
    a, b, c, d = endpoint("a", 5), endpoint("b", 5), endpoint("c", 9), endpoint("d", 4)
    made = scheduler(a, b, c, d)
    bring(made, a, 0.0)
    bring(made, b, 0.0)
    made.want(c, 100.0)
    assert len(made.actions(100.0)) == 2
    made.want(d, 101.0)
    made.unloaded(a, 101.0)
    assert made.actions(101.0) == []
    made.unloaded(b, 102.0)
    assert made.actions(102.0) == [Load(c, ("box/a", "box/b"))]


def test_room_half_made_for_an_older_request_is_not_taken_though_others_could_be_evicted() -> None:
    """It would wait for those too."""
    a, b, busy, old, young = (
        endpoint(name, size) for name, size in (("a", 4), ("b", 3), ("busy", 3), ("old", 7), ("young", 3))
    )
    made = scheduler(a, b, busy, old, young)
    for found in (a, b, busy):
        bring(made, found, 0.0)
    busy.inflight = 1
    made.want(old, 100.0)
    assert len(made.actions(100.0)) == 2
    made.want(young, 101.0)
    made.unloaded(a, 101.0)
    assert made.actions(101.0) == []
    made.unloaded(b, 102.0)
    assert made.actions(102.0) == [Load(old, ("box/a", "box/b"))]


def test_a_model_that_its_backend_is_loading_by_itself_is_not_made_to_go() -> None:
    """However long somebody waits."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    a.residency = Residency.LOADING
    made.join(a, "host")
    made.want(b, 0.0)
    assert made.actions(25.0) == []
    assert made.plan(b, 25.0).waits_for == ("box/a",)


def test_a_younger_request_does_not_take_what_an_older_one_will_need() -> None:
    """Even if everything else were evicted, both would not fit."""
    a, b, c = endpoint("a", 6), endpoint("b", 9), endpoint("c", 2)
    made = scheduler(a, b, c)
    bring(made, a, 0.0)
    a.inflight = 1
    made.want(b, 100.0)
    made.want(c, 101.0)
    assert made.actions(101.0) == []
    assert made.plan(c, 101.0).fits


def test_the_oldest_is_served_first() -> None:
    """Of two that fit one after the other."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    made.want(b, 1.0)
    made.want(a, 2.0)
    assert made.actions(3.0) == [Load(b)]


def test_a_load_that_nobody_waits_for_any_more_does_not_begin() -> None:
    """One that has begun goes on for the others, and for later."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    made.want(b, 0.0)
    assert made.actions(0.0) == [Load(b)]
    made.want(a, 1.0)
    made.unwant(a, 2.0)
    made.unwant(b, 2.0)
    assert made.actions(2.0) == []
    made.loaded(b, None, 5.0)
    assert made.actions(5.0) == []


def test_the_age_is_that_of_the_oldest_who_still_waits() -> None:
    """Where the shell tells who has left."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    bring(made, a, 0.0)
    a.inflight = 1
    made.want(b, 100.0)
    made.want(b, 108.0)
    made.unwant(b, 109.0, since=100.0)
    assert made.actions(111.0) == []
    assert made.actions(118.1) == [Unload(a, "room", 30.0, "box/b")]


@pytest.mark.parametrize("load_seconds", [1, 15, 45])
def test_two_models_in_demand_all_the_time_take_turns(load_seconds: int) -> None:
    """Everybody is served within a bound, and at most half of the time goes into loading."""
    box = Box("host", 10, measured=False)
    models = [Model(endpoint(name, 6), box, 6, Rule()) for name in "ab"]
    world = World([box], models, Policy(swap_seconds=10.0))
    begun: dict[Model, float] = {}
    longest = loading = 0.0
    for _ in range(900):
        for model in models:
            world.want(model)
            begun.setdefault(model, world.now) if model.loading else begun.pop(model, None)
            loading += model.loading
            if model.loading and world.now - begun[model] >= load_seconds:
                world.end_load(model)
            elif model.ends_by is not None and not model.running:
                world.end_unload(model)
            while model.running > (model.ends_by is None):  # there is always another one, while it is there
                world.finish(model)
            longest = max(longest, world.now - min(model.waiters, default=world.now))
        world.tick()
    assert longest <= 3 * max(load_seconds, 10) + 10
    assert min(model.served for model in models) > 300
    assert loading <= 450 + load_seconds
    assert 2 < world.swaps <= 900 / max(10, load_seconds) / 2 + 1


@pytest.mark.parametrize(
    ("sizes", "size", "begins"),
    [
        ((7, 8), 1.5, True),
        ((7, 8), 2.5, False),
        ((5, 5), 0.5, False),
        ((5, 4.5), 0.5, True),
        ((5, 5, 9), 1, False),
    ],
)
def test_older_ones_that_take_turns_need_no_room_together(
    sizes: tuple[float, ...], size: float, begins: bool
) -> None:
    """A younger one that fits beside each of them keeps nobody waiting; where they fit together, it has to fit beside
    both.
    """
    busy, small = endpoint("busy", 6), endpoint("small", size)
    older = [endpoint(f"old{number}", each) for number, each in enumerate(sizes)]
    made = scheduler(busy, *older, small)
    bring(made, busy, 0.0)
    busy.inflight = 1
    for found in (*older, small):
        made.want(found, 100.0)
    assert made.actions(100.0) == ([Load(small)] if begins else [])
