"""Foresight in the running engine: what it counts, what it hands out, and what it starts with."""

import pytest

from orchestra_core.background.demand import Forecasting, Loads
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.errors import OrchestraError
from orchestra_core.domain.history import History, Hour
from orchestra_core.domain.memory import Pressure
from orchestra_core.domain.result import Plan
from tests.fakes.clock import ManualClock
from tests.fakes.foreseen_box import Box
from tests.unit.routing.fleet import endpoint


class Fleet:
    """Endpoints whose numbers the test changes, looked at once a second; `fits`: whether there is room to load."""

    def __init__(self, *endpoints: Endpoint, fits: bool = False) -> None:
        self.clock = ManualClock()
        self.models: dict[str, tuple[Endpoint, ...]] = {}
        self.said: list[tuple[str, str, str, str]] = []
        self.asked: list[tuple[str, str]] = []
        for one in endpoints:
            self.models[one.spec.model] = (*self.models.get(one.spec.model, ()), one)
        self.forecasting = Forecasting(
            clock=self.clock,
            models=lambda: self.models,
            passed=lambda: (),
            loads=Loads(
                plan=lambda _: Plan(fits=fits),
                pressure=lambda _: Pressure.CALM,
                preload=lambda one: self.asked.append(("load", one.id)),
                withdraw=lambda one: self.asked.append(("withdraw", one.id)),
            ),
            enabled=lambda: True,
            say=lambda *what: self.said.append(what),
        )

    def tick(self, seconds: float = 1.0) -> None:
        self.clock.advance(seconds)
        self.forecasting.tick()

    def rate(self, model: str = "a") -> float:
        return self.forecasting.demand.rate(model, self.clock.monotonic())


def test_a_request_is_counted_once_when_it_comes() -> None:
    """While it waits for a load, is served, and when it has ended: it is one arrival."""
    one = endpoint("box/a")
    fleet = Fleet(one)
    fleet.tick()
    assert fleet.rate() == 0.0
    one.waiting = 1
    fleet.tick()
    once = fleet.rate()
    assert once > 0.0
    one.waiting, one.inflight = 0, 1
    fleet.tick()
    one.inflight, one.calls = 0, 1
    fleet.tick()
    assert 0.9 * once < fleet.rate() < once
    one.calls = 3
    fleet.tick()
    assert fleet.rate() > 2.5 * once


def test_what_is_cancelled_does_not_count_again_when_it_comes_again() -> None:
    """Ten attempts that are given up and made anew are one arrival, not ten."""
    one = endpoint("box/a")
    fleet = Fleet(one)
    for _ in range(10):
        one.inflight = 1
        fleet.tick()
        one.inflight = 0
        fleet.tick()
    assert fleet.rate() < 1.01 * (1 / 300 + 1 / 3600) / 2


def test_endpoints_that_come_and_go_are_no_arrivals() -> None:
    """A backend that joins has served calls before, and one that leaves takes its counts along."""
    one, two = endpoint("box/a"), endpoint("other/a", live={"calls": 500})
    fleet = Fleet(one)
    fleet.tick()
    fleet.models = {"a": (one, two)}
    fleet.tick()
    fleet.models = {"a": (one,)}
    fleet.tick()
    assert fleet.rate() == 0.0
    one.calls = 1
    fleet.tick()
    assert fleet.rate() > 0.0


def test_demand_falls_on_those_that_have_the_model() -> None:
    """Two that are needed share it, the third is expected to serve nothing; without any it may fall on each of them."""
    up, loading, away = (
        endpoint("one/a"),
        endpoint("two/a", live={"residency": Residency.LOADING}),
        endpoint("three/a", live={"residency": Residency.ABSENT}),
    )
    away.demand = 1.0  # as it was while it was there
    fleet = Fleet(up, loading, away)
    up.inflight, up.waiting = up.spec.slots, 60 * up.spec.slots
    fleet.tick()
    whole = fleet.rate()
    up.inflight = up.waiting = 0
    assert (up.demand, loading.demand, away.demand) == (
        pytest.approx(whole / 2),
        pytest.approx(whole / 2),
        0.0,
    )
    up.residency = loading.residency = Residency.ABSENT
    fleet.tick()
    assert up.demand == loading.demand == away.demand == pytest.approx(fleet.rate() / 3)
    fleet.tick(7200)
    assert up.demand < 0.1 * whole


def test_a_copy_that_nobody_would_miss_is_worth_little() -> None:
    """The busiest keeps the demand as long as it can serve all of it; when it cannot, the copies share it."""
    busy, spare = endpoint("one/a"), endpoint("two/a")
    fleet = Fleet(spare, busy)
    busy.inflight, busy.calls = 1, 20
    fleet.tick()
    assert busy.demand == pytest.approx(fleet.rate())
    assert 0.0 < spare.demand < 0.1 * busy.demand
    busy.waiting = 200 * busy.spec.slots
    fleet.tick()
    assert spare.demand == busy.demand == pytest.approx(fleet.rate() / 2)


def test_of_very_many_models_each_has_its_turn() -> None:
    """A thousand are counted every second and forecast within four, so that no tick takes long."""
    many = [endpoint(f"box/m{number}", live={"calls": 5}) for number in range(1000)]
    fleet = Fleet(*many)
    fleet.tick()
    assert sum(one.demand > 0.0 for one in many) == 250
    for _ in range(3):
        fleet.tick()
    assert all(one.demand > 0.0 for one in many)
    assert fleet.rate("m999") == pytest.approx(fleet.rate("m0"))


def test_a_guess_that_the_scheduler_does_not_follow_is_withdrawn() -> None:
    """There was no room after all: half a minute later it is taken back, and others have their chance."""
    one = endpoint("box/a", loadable=True, live={"residency": Residency.ABSENT, "calls": 200})
    fleet = Fleet(one, fits=True)
    fleet.tick()
    assert fleet.asked == [("load", "box/a")]
    fleet.tick(29.0)
    assert fleet.asked == [("load", "box/a")]
    fleet.tick()
    assert fleet.asked[1] == ("withdraw", "box/a")


async def test_after_a_restart_the_models_used_most_are_loaded_first() -> None:
    """There is room for two of four: those two come that were used most, before anybody has asked for any."""
    box = Box({"often": 10.0, "most": 10.0, "seldom": 10.0, "never": 10.0}, 2)
    hour = int(box.clock.wall() // 3600) - 1
    history = History((Hour("often", hour, 40), Hour("most", hour, 90), Hour("seldom", hour, 20)))
    await box.forecasting.warm_up(lambda: history)
    box.run(40)
    assert [model for _, model in box.ahead] == ["most", "often"]
    assert box.ready("most")
    assert box.ready("often")
    assert ("model.foreseen", "box/most") in box.said
    assert box.ask("most")
    box.second()
    (told,) = box.forecasting.view()
    assert (told.model, told.hits) == ("most", 1)


async def test_without_a_readable_history_it_starts_knowing_nothing() -> None:
    """The reason is told, and what was seen meanwhile stays."""
    one = endpoint("box/a", live={"calls": 1})
    fleet = Fleet(one)
    fleet.tick()

    def broken() -> History:
        raise OrchestraError("the file is damaged")

    before = fleet.rate()
    await fleet.forecasting.warm_up(broken)
    assert fleet.rate() == before > 0.0
    ((kind, _, words, level),) = fleet.said
    assert (kind, level) == ("engine.history", "warning")
    assert "the file is damaged" in words
