"""What is known of the need for a model, from how often, how regularly and after what it was used."""

import random
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.history import History, Hour, Use
from orchestra_core.residency import demand as demand_module
from orchestra_core.residency.demand import Demand
from orchestra_core.residency.followups import SESSION_SECONDS, SESSIONS, SUCCESSORS, FollowUps
from orchestra_core.residency.gaps import KEPT, Gaps
from orchestra_core.residency.warmup import remember


def steady(every: float, times: int, model: str = "a") -> tuple[Demand, float]:
    """A model used so often at equal distances, and when that was last."""
    demand = Demand()
    for number in range(times):
        demand.arrived(model, 1, number * every)
    return demand, (times - 1) * every


def test_the_rate_of_a_steady_model_is_found_and_fades_with_silence() -> None:
    """Once in 20 s for hours is 0.05 per second within a tenth; after an hour without it is a tenth, then nothing."""
    demand, now = steady(20.0, 1000)
    assert demand.rate("a", now) == pytest.approx(0.05, rel=0.1)
    rates = [demand.rate("a", now + silent) for silent in (0, 60, 300, 900, 3600, 40_000)]
    assert rates == sorted(rates, reverse=True)
    assert rates[4] < 0.2 * rates[0]
    assert rates[5] < 1e-4 * rates[0]
    assert demand.rate("never", now) == 0.0


def test_a_burst_is_forgotten_sooner_than_a_habit() -> None:
    """Two models with as many requests: of the one used for an hour more is left after ten minutes of silence."""
    demand = Demand()
    for number in range(60):
        demand.arrived("habit", 1, number * 60.0)
    demand.arrived("burst", 20, 3540.0)
    demand.arrived("habit", 1, 3540.0)
    assert demand.rate("burst", 3540.0) > demand.rate("habit", 3540.0)
    assert demand.rate("burst", 7200.0) < demand.rate("habit", 7200.0)


def test_a_clockwork_is_expected_when_its_time_is_near_and_not_before() -> None:
    """Of a job that runs every hour nothing is expected after half an hour, and much shortly before its time."""
    demand, now = steady(3600.0, 6)
    assert demand.probability("a", 60.0, now + 1800) < 0.05
    assert demand.probability("a", 300.0, now + 3500) > 0.6
    assert demand.expected("a", now + 3570) > 10 * demand.rate("a", now + 3570)


def test_one_gap_is_chance_and_two_begin_to_be_a_habit() -> None:
    """The second time that a silence has the same length it is taken as even odds."""
    gaps = Gaps()
    gaps.add(300.0)
    assert gaps.chance(250.0, 100.0) == pytest.approx(1 / 3)
    gaps.add(300.0)
    assert gaps.chance(250.0, 100.0) == pytest.approx(0.5)
    assert gaps.chance(400.0, 100.0) == 0.0


@given(
    st.lists(st.floats(0.0, 1e7), max_size=200), st.floats(0.0, 1e6), st.floats(0.0, 1e4), st.floats(1.0, 1e4)
)
def test_a_longer_horizon_is_never_less_probable(
    seen: list[float], idle: float, horizon: float, more: float
) -> None:
    """Whatever gaps there were, chances are between 0 and 1 and rise with the horizon."""
    gaps = Gaps()
    for gap in seen:
        gaps.add(gap)
    sooner, later = gaps.chance(idle, horizon), gaps.chance(idle, horizon + more)
    assert 0.0 <= sooner <= later + 1e-9
    assert later < 1.0


def test_what_followed_is_expected_where_somebody_is_at_the_first() -> None:
    """After some rounds planner, coder: who is at the planner, however often, comes to the coder."""
    follow_ups = FollowUps()
    for number in range(5):
        for question in range(3):
            follow_ups.used("agent", "planner", number * 400.0 + question * 10)
        follow_ups.used("agent", "coder", number * 400.0 + 40)
    follow_ups.used("somebody", "planner", 2000.0)
    assert follow_ups.chance("coder", 60.0, 2005.0) > 0.5
    assert follow_ups.chance("another", 60.0, 2005.0) == 0.0
    # Who has long been silent has gone.
    follow_ups.expire(2000.0 + SESSION_SECONDS + 1)
    assert follow_ups.chance("coder", 60.0, 2000.0 + SESSION_SECONDS + 1) == 0.0


def test_those_who_leave_count_against_what_follows() -> None:
    """Where four of five stop after the first model, the second one is not expected."""
    follow_ups = FollowUps()
    for number in range(30):
        follow_ups.used(f"s{number}", "first", number * 2000.0)
        if number % 5 == 0:
            follow_ups.used(f"s{number}", "second", number * 2000.0 + 20)
        follow_ups.expire(number * 2000.0 + 1999)
    follow_ups.used("next", "first", 60_000.0)
    assert 0.0 < follow_ups.chance("second", 600.0, 60_000.0) < 0.25


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_used_the_state_stays_within_its_bounds(seed: int) -> None:
    """Sessions, successors of each, and totals that are the sums of their counts."""
    chance = random.Random(seed)
    follow_ups = FollowUps()
    for now in range(4000):
        session = chance.choice((chance.randrange(2 * SESSIONS), chance.randrange(3)))
        follow_ups.used(f"s{session}", f"m{chance.choice((chance.randrange(40), 0))}", float(now))
        follow_ups.expire(float(now))
        assert len(follow_ups._sessions) <= SESSIONS
    for after in follow_ups._after.values():
        assert len(after.counts) <= SUCCESSORS
        assert after.total == pytest.approx(sum(after.counts.values()))
    for model in range(40):
        assert 0.0 <= follow_ups.chance(f"m{model}", 100.0, 4000.0) <= 1.0


@given(st.lists(st.floats(KEPT / 2, 500.0), min_size=KEPT, max_size=3 * KEPT))
def test_only_the_latest_gaps_count(seen: list[float]) -> None:
    """The chance at any time is what the last 64 say, each as it was."""
    gaps = Gaps()
    for gap in seen:
        gaps.add(gap)
    for idle in (0.0, 100.0, 300.0):
        still = [gap for gap in seen[-KEPT:] if gap > 0.95 * idle]
        ending = sum(gap <= idle + 60 for gap in still)
        assert gaps.chance(idle, 60.0) == pytest.approx(ending / (len(still) + 2))


def test_more_models_than_there_is_place_for_forget_the_oldest() -> None:
    """A name that comes only once does not stay for ever, nor what followed it."""
    demand = Demand()
    for number in range(demand_module.MODELS + 50):
        demand.arrived(f"m{number}", 1, float(number))
        demand.used([("me", f"m{number}")], float(number))
    assert len(demand._models) == demand_module.MODELS
    assert demand.rate("m0", 0.0) == 0.0
    assert demand.rate("m50", 50.0) > 0.0
    assert "m0" not in demand._follow_ups._after
    # Who was never counted is not remembered either.
    demand.used([("me", "unknown")], 3000.0)
    assert "unknown" not in {one.model for one in demand._follow_ups._sessions.values()}


def test_the_load_is_the_mean_number_of_calls_at_once() -> None:
    """Three at a time for some minutes are three; a minute after the last a good third of that is left."""
    demand = Demand()
    demand.arrived("a", 3, 0.0)
    for second in range(600):
        demand.busy("a", 3, float(second))
    assert demand.load("a", 599.0) == pytest.approx(3.0, rel=0.01)
    assert demand.load("a", 659.0) == pytest.approx(3.0 * exp(-1), rel=0.01)


def test_earlier_requests_are_as_if_they_had_been_seen() -> None:
    """From the history come rates, gaps and follow-ups, and a model used long ago starts with its usual rate."""
    wall, now = 1_800_000_000.0, 50.0
    jobs = [Use(wall - 3600 + number * 600, "cron", "job") for number in range(6)]
    round_ = [
        Use(wall - 900 + at, "agent", m) for at, m in ((0, "plan"), (30, "code"), (60, "plan"), (90, "code"))
    ]
    hours = [Hour("job", int(wall // 3600) - 1, 6), Hour("old", int(wall // 3600) - 71, 720)]
    hours += [Hour("nightly", int(wall // 3600) - 24 * day, 360) for day in (1, 2)]
    uses = tuple(sorted([*jobs, *round_], key=lambda use: use.at))
    demand = remember(History(tuple(hours), uses), wall, now)
    assert demand.probability("job", 120.0, now - 20.0) > 0.6
    # Four hours of three days were in use; "nightly" is used at this hour of the day.
    assert demand.rate("old", now) == pytest.approx(720 / 4 / 3600)
    assert demand.rate("nightly", now) == pytest.approx(720 / 3 / 3600)
    fresh = Demand()
    fresh.arrived("plan", 1, now + 1)
    fresh.used([("agent", "plan")], now + 1)
    before = fresh.probability("code", 60.0, now + 2)
    fresh.absorb(demand, now + 1)
    assert before == 0.0
    assert fresh.probability("code", 60.0, now + 2) > 0.35
    assert fresh.rate("old", now + 1) == pytest.approx(720 / 4 / 3600, rel=0.01)


def test_no_history_is_no_knowledge() -> None:
    """An empty ledger makes an empty forecast."""
    assert remember(History(), 1.0, 1.0).rate("a", 1.0) == 0.0
