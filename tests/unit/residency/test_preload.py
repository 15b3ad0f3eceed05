"""What is loaded before anybody asks for it, and what is not."""

import random

import pytest

from orchestra_core.domain.catalog import Circuit, Endpoint, Residency
from orchestra_core.domain.memory import Pressure
from orchestra_core.domain.result import Plan
from orchestra_core.residency.demand import Demand
from orchestra_core.residency.precision import LEAST, OFF_SECONDS
from orchestra_core.residency.preload import LONGEST_SECONDS, Preload
from tests.fakes.foreseen_box import Box
from tests.unit.routing.fleet import endpoint


def every(box: Box, seconds: int, model: str, times: int, filling: tuple[str, ...] = ()) -> list[bool]:
    """A model is asked for by the clock, the `filling` ones in the first half. Whether it was there each time."""
    found = []
    for _ in range(times):
        for step in range(seconds):
            if step < seconds / 2 and filling and step % 20 == 10:
                box.ask(filling[step // 20 % len(filling)])
            box.second()
        found.append(box.ask(model))
    return found


def test_a_model_used_every_five_minutes_is_there_before_its_time() -> None:
    """After three times it is loaded ahead each time, although others were loaded in its place in between."""
    filling = {"b": 5.0, "c": 5.0}
    box = Box({"job": 20.0, **filling}, 2)
    assert all(every(box, 300, "job", 10, ("b", "c"))[4:])
    # Before its time: not as soon as it has gone, which would only turn them round and round.
    assert sum(model == "job" for _, model in box.ahead) <= 10
    without = Box({"job": 20.0, **filling}, 2, foresight=False)
    assert not any(every(without, 300, "job", 10, ("b", "c")))


def test_a_model_that_has_to_go_when_idle_comes_back_shortly_before_its_time() -> None:
    """With a TTL of a minute it is away for most of the five, and there when asked for."""
    box = Box({"job": 20.0}, 2, ttl=60.0)
    assert all(every(box, 300, "job", 9)[4:])
    away = 0
    for _ in range(300):
        box.second()
        away += not box.ready("job")
    assert away > 150


def test_a_rare_model_is_not_loaded_ahead() -> None:
    """What is used twice in a day at odd times stays where it is, also where there is room."""
    box = Box({"rare": 20.0, "daily": 5.0}, 2)
    for pause in (20_000, 31_000):
        box.ask("rare")
        box.run(300)
        box.unload("rare")
        box.run(pause)
    assert [model for _, model in box.ahead] == []


def test_a_model_that_follows_another_is_loaded_while_that_is_used() -> None:
    """An agent that goes from planner to coder finds the coder there, at whatever times it comes."""
    box = Box({"plan": 5.0, "code": 15.0}, 2, ttl=100.0)
    chance = random.Random(5)
    found, idle = [], []
    for _ in range(20):
        box.ask("plan", "agent")
        box.run(30)
        found.append(box.ask("code", "agent"))
        so_far = len(box.ahead)
        box.run(chance.randint(200, 800))
        idle += box.ahead[so_far:]
    assert sum(found[8:]) >= 10
    # It is the planner that tells, hardly ever the time that has passed.
    assert sum(model == "code" for _, model in idle) <= 3, idle


def test_nothing_is_loaded_ahead_under_pressure() -> None:
    """From the first watermark on there are no guesses; when it is over, there are."""
    box = Box({"job": 20.0}, 1, ttl=60.0)
    box.pressure = Pressure.WARNING
    assert not any(every(box, 300, "job", 8))
    assert box.ahead == []
    box.pressure = Pressure.CALM
    assert every(box, 300, "job", 1) == [True]


def test_nothing_is_loaded_ahead_where_that_is_switched_off() -> None:
    """Demand is counted all the same, for those who choose victims by it."""
    box = Box({"job": 20.0}, 1, ttl=60.0, foresight=False)
    assert not any(every(box, 300, "job", 8))
    assert box.ahead == []
    assert box.endpoints["job"].demand > 0.0


def test_what_an_operator_unloads_stays_away_until_it_is_asked_for() -> None:
    """A model in constant use is unloaded by hand: nobody loads it behind his back."""
    box = Box({"a": 20.0}, 2)
    every(box, 30, "a", 20)
    box.run(5)
    box.unload("a")
    box.run(200)
    assert not box.ready("a")
    assert box.ahead == []
    box.ask("a")
    box.run(30)
    assert box.ready("a")


def test_a_model_that_is_foretold_badly_is_left_alone_for_an_hour() -> None:
    """Five loads for nothing switch it off; what they held is told in GiB-seconds; an hour later it may again."""
    box = Box({"a": 10.0}, 1, ttl=60.0)
    precision = box.forecasting.preload.precision
    subject = box.endpoints["a"]
    for number in range(LEAST):
        assert precision.allows("a", box.now)
        precision.begin(subject, 30.0, box.now)
        subject.residency = Residency.LOADING
        precision.look(box.now)
        assert precision.loading
        subject.residency = Residency.READY
        precision.look(box.now)
        assert not precision.loading
        box.clock.advance(30.0)
        precision.look(box.now)
        subject.residency = Residency.ABSENT
        assert precision.view(box.now)[0].preloads == number + 1
    (told,) = precision.view(box.now)
    assert (told.model, told.hits, told.wasted) == ("a", 0, pytest.approx(LEAST * 30.0))
    assert told.disabled_until == box.now + OFF_SECONDS
    every(box, 300, "a", 8)
    assert box.ahead == []
    box.clock.advance(OFF_SECONDS)
    assert precision.view(box.now)[0].disabled_until is None
    every(box, 300, "a", 4)
    assert box.ahead != []
    (told,) = precision.view(box.now)
    assert told.hits >= 1
    assert told.disabled_until is None
    assert told.wasted == pytest.approx(LEAST * 30.0)


class Chooser:
    """One model that is certainly needed, and what the scheduler and the rest of the fleet say to loading it."""

    def __init__(self, *endpoints: Endpoint, likely: tuple[str, ...] = ("a",)) -> None:
        self.demand = Demand()
        for model in likely:
            for number in range(100):
                self.demand.arrived(model, 1, number * 10.0)
        self.models: dict[str, list[Endpoint]] = {}
        for one in endpoints:
            self.models.setdefault(one.spec.model, []).append(one)
        self.plan = Plan(fits=True)
        self.preload = Preload(self.demand)

    def __call__(self, now: float = 1000.0) -> Endpoint | None:
        self.preload.weigh(self.models.items(), now)
        return self.preload.choose(self.models, lambda _: self.plan, lambda _: Pressure.CALM, now)


def absent(name: str = "box/a", **live: object) -> Endpoint:
    return endpoint(
        name, live={"residency": Residency.ABSENT, **live}, loadable=live.get("took", True) is not False
    )


def test_a_likely_model_goes_where_it_fits() -> None:
    """The plain case that the others depart from; while it is being loaded there is no second one."""
    subject, other = absent(), absent("box/b")
    choose = Chooser(subject, other, likely=("a", "b"))
    first = choose()
    assert first is subject
    first.residency = Residency.LOADING
    assert choose() is None
    first.residency = Residency.READY
    choose.preload.precision.look(1001.0)
    assert choose(1001.0) is other


@pytest.mark.parametrize(
    "live",
    [
        {"reachable": False},
        {"draining": True},
        {"circuit": Circuit.OPEN},
        {"barred": ("setback", "it failed")},
        {"residency": Residency.READY},
        {"residency": Residency.UNLOADING},
    ],
)
def test_only_what_is_absent_and_may_be_loaded_is(live: dict[str, object]) -> None:
    """Nothing is tried that is not there, is to be left alone, or failed just now."""
    assert Chooser(absent(**live))() is None
    assert Chooser(endpoint("box/a", live={"residency": Residency.ABSENT}, loadable=False))() is None


@pytest.mark.parametrize(
    "plan",
    [
        Plan(fits=False, code="no_room"),
        Plan(fits=None),
        Plan(fits=True, code="pressure"),
        Plan(fits=True, waits_for=("box/b",)),
    ],
)
def test_a_plan_that_is_not_clear_is_not_followed(plan: Plan) -> None:
    """No room, unknown memory, or something to wait for: no guess; it is asked again only after a while."""
    choose = Chooser(absent())
    choose.plan = plan
    assert choose() is None
    choose.plan = Plan(fits=True)
    assert choose(1005.0) is None
    assert choose(1011.0) is not None


def test_others_go_for_it_only_when_they_are_needed_less() -> None:
    """A likely model displaces an unlikely one, not one as likely as itself, nor one that has become busy."""
    victim = endpoint("box/b", loadable=True)
    for likely, busy, chosen in ((("a",), 0, True), (("a", "b"), 0, False), (("a",), 1, False)):
        choose = Chooser(absent(), victim, likely=likely)
        choose.plan = Plan(fits=True, evicts=("box/b",))
        victim.inflight = busy
        assert (choose() is not None) is chosen


def test_nobody_goes_for_what_would_have_to_give_the_room_back() -> None:
    """A victim loads in a moment and is asked for all the time: the request for it would end the guess."""
    victim = endpoint("box/b", loadable=True, live={"took": 1.0})
    for likely, chosen in ((("a",), True), (("a", "b"), False)):
        choose = Chooser(absent(took=20.0), victim, likely=likely)
        choose.plan = Plan(fits=True, evicts=("box/b",))
        assert (choose() is not None) is chosen


def test_what_was_unloaded_by_hand_may_come_back_after_the_next_request() -> None:
    """A request that came before says nothing of what is wanted now."""
    subject = absent()
    choose = Chooser(subject)
    choose.preload.unwanted(subject, 995.0)
    assert choose(1000.0) is None
    choose.demand.arrived("a", 1, 1001.0)
    assert choose(1002.0) is subject


def test_the_most_valuable_comes_first_and_of_its_copies_the_quickest() -> None:
    """Of two models as likely the one that takes longer to load; on the machine that loads it in less time."""
    small = absent("box/a", took=2.0)
    slow, quick = absent("box/b", took=60.0), absent("other/b", took=20.0)
    assert Chooser(small, slow, quick, likely=("a", "b"))() is quick


def test_a_second_copy_is_loaded_only_for_load_that_one_cannot_carry() -> None:
    """Two slots carry 1.4 calls at once; above that there may be another copy, and above 2.8 a third."""
    ready, spare = endpoint("box/a", loadable=True), absent("other/a")
    for load, wanted in ((0, False), (1, False), (2, True)):
        choose = Chooser(ready, spare)
        for second in range(300):
            choose.demand.busy("a", load, 700.0 + second)
        assert (choose() is not None) is wanted
    ready.reachable = False
    assert Chooser(ready, spare)() is spare


def test_a_load_that_was_never_begun_is_withdrawn_and_says_nothing_of_the_forecast() -> None:
    """The scheduler had no room after all: it is told so after a while, and no one counts it."""
    subject = absent()
    choose = Chooser(subject)
    assert choose() is subject
    precision = choose.preload.precision
    assert precision.look(1029.0) == []
    assert precision.look(1030.0) == [subject]
    assert precision.view(1030.0) == ()
    assert not precision.loading


def test_a_guess_that_a_request_has_overtaken_is_not_withdrawn() -> None:
    """The request waits for that load: to withdraw it would be to leave the request waiting for ever."""
    subject = absent()
    choose = Chooser(subject)
    assert choose() is subject
    subject.inflight = 1
    assert choose.preload.precision.look(1001.0) == []
    assert choose.preload.precision.view(1001.0) == ()
    assert not choose.preload.precision.loading


def test_a_guess_given_up_for_a_request_is_not_counted_and_one_evicted_unused_is_a_miss() -> None:
    """Whether it would have been used cannot be known of the first; the second was there for nothing."""
    subject = absent()
    subject.memory_bytes = 2 * 1024**3
    choose = Chooser(subject)
    precision = choose.preload.precision
    for ready in (False, True):
        choose(1000.0)
        subject.residency = Residency.LOADING
        precision.look(1000.0)
        if ready:
            subject.residency = Residency.READY
            precision.look(1001.0)
        subject.residency = Residency.DRAINING
        precision.look(1011.0)
        subject.residency = Residency.ABSENT
        assert len(precision.view(1011.0)) == ready
    (told,) = precision.view(1011.0)
    assert (told.preloads, told.hits, told.wasted) == (1, 0, pytest.approx(20.0))


def test_a_request_that_waits_for_the_load_has_proved_it_right() -> None:
    """It need not be there yet: part of the wait was spared."""
    subject = absent()
    choose = Chooser(subject)
    choose()
    subject.residency = Residency.LOADING
    choose.preload.precision.look(1001.0)
    subject.inflight = 1
    choose.preload.precision.look(1002.0)
    (told,) = choose.preload.precision.view(1002.0)
    assert (told.preloads, told.hits) == (1, 1)
    assert LONGEST_SECONDS == 600.0
