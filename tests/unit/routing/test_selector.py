"""The ranking of endpoints: the arithmetic is exact, and each fact moves the choice the way it should."""

from math import erfc, exp, log, log2, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_core.domain.call import Level, Profile, Requirements, Task
from orchestra_core.domain.catalog import Endpoint, Reliability, Residency, Speed, failure_probability
from orchestra_core.domain.decision import TERMS, Candidate, total
from orchestra_core.domain.price import Price
from orchestra_core.routing.filters import USUAL_OUTPUT
from orchestra_core.routing.preferences import Weights, preset
from orchestra_core.routing.selector import decide
from tests.unit.routing.fleet import endpoint, fleets, profile, profiles

NOW = 1000.0

# A fleet is many draws; more examples find nothing more and take seconds.
FEW = settings(max_examples=50, deadline=None)


def ranking(asked: Profile, *endpoints: Endpoint) -> list[str]:
    return [candidate.backend for candidate in decide(asked, endpoints, NOW, "d").ranked]


def only(asked: Profile, found: Endpoint) -> Candidate:
    (candidate,) = decide(asked, [found], NOW, "d").ranked
    return candidate


# -- arithmetic


@given(profiles, fleets())
@FEW
def test_utility_is_exactly_the_sum_of_its_terms(asked: Profile, fleet: list[Endpoint]) -> None:
    """Adding the points of the terms from left to right gives the utility, to the last bit."""
    for candidate in decide(asked, fleet, NOW, "d").ranked:
        assert candidate.utility == total(term.points for term in candidate.terms)
        assert [term.name for term in candidate.terms] == list(TERMS)
        assert all(term.points == term.weight * term.value for term in candidate.terms)


@given(profiles, fleets())
@FEW
def test_every_endpoint_is_ranked_or_rejected_once(asked: Profile, fleet: list[Endpoint]) -> None:
    """No endpoint is lost and none appears twice."""
    decision = decide(asked, fleet, NOW, "d")
    seen = [c.endpoint for c in decision.ranked] + [r.endpoint for r in decision.rejected]
    assert sorted(e.id for e in fleet) == sorted(seen)


@given(profiles, fleets(), st.randoms(use_true_random=False))
@FEW
def test_the_order_of_the_endpoints_given_does_not_matter(
    asked: Profile, fleet: list[Endpoint], rng: object
) -> None:
    """The same endpoints in another order give the same ranking."""
    before = decide(asked, fleet, NOW, "d").ranked
    shuffled = sorted(fleet, key=lambda _: rng.random())
    assert before == decide(asked, shuffled, NOW, "d").ranked


@given(profiles, fleets())
@FEW
def test_ranked_is_by_utility_within_calm_and_overloaded(asked: Profile, fleet: list[Endpoint]) -> None:
    """Candidates that are not overloaded come first; within both kinds utility never rises."""
    ranked = decide(asked, fleet, NOW, "d").ranked
    keys = [(c.overloaded, -c.utility) for c in ranked]
    assert keys == sorted(keys)


def test_predictions_follow_the_formula() -> None:
    """Times, terms and utility of a busy, learned endpoint are those of the documented formula."""
    found = endpoint(
        price=Price(1.0, 2.0),
        prefill_rate=200.0,
        decode_rate=20.0,
        rtt=0.1,
        slowdown=0.1,
        weight=2.0,
    )
    found.inflight = 1
    found.external = 2.5
    found.speed = Speed(0.5, -0.25, 0.3, 7)
    found.reliability = Reliability(1.0, 9.0, NOW)
    found.outputs = {Task.ANALYSIS: 50.0}
    candidate = only(profile(task=Task.ANALYSIS), found)

    tpot = 1.1 / 20.0
    prefill = 0.1 + 100 * 1.1 / 200.0 + tpot
    first = exp(0.5) * prefill
    seconds = first + exp(-0.25) * tpot * 49.0
    cost = (100 * 1.0 + 50 * 2.0) / 1e6
    late = 0.5 * erfc(log(60.0 / seconds) / sqrt(2 * 0.3 + 0.02))
    values = (
        0.5,
        log2(1 + seconds / 5.0),
        late,
        cost / 0.01,
        failure_probability(found.reliability, NOW),
        0.5,
        1.0,
    )
    assert candidate.values == pytest.approx(values)
    assert candidate.weights == (6.0, -1.0, -2.0, -1.0, -4.0, -1.0, 0.5)
    assert (candidate.tpot, candidate.prefill) == pytest.approx((tpot, prefill))
    assert (candidate.first_token, candidate.seconds, candidate.work) == pytest.approx(
        (first, seconds, seconds)
    )
    assert (candidate.wait, candidate.cost, candidate.observations) == (0.0, cost, 7)


# -- load


def test_work_ahead_is_waited_for_only_without_a_free_slot() -> None:
    """With every slot taken the wait is the work dispatched, shared between the slots."""
    found = endpoint(slots=2, live={"inflight": 1, "work": 30.0})
    assert only(profile(), found).wait == 0.0
    found.inflight = 2
    assert only(profile(), found).wait == 15.0


def test_a_burst_spreads_over_equal_endpoints() -> None:
    """Calls placed before any of them finishes do not herd: predicted work counts at once."""
    fleet = [endpoint(f"box{n}/llama", slots=1) for n in range(3)]
    for _ in range(9):
        best = decide(profile(), fleet, NOW, "d").ranked[0]
        chosen = next(e for e in fleet if e.id == best.endpoint)
        chosen.work += best.work
        if chosen.inflight < 1:
            chosen.inflight += 1
        else:
            chosen.waiting += 1
    assert [e.inflight + e.waiting for e in fleet] == [3, 3, 3]


def test_equal_endpoints_are_taken_least_recently_used_first_then_by_name() -> None:
    """A tie is broken by the last use, and then by the identifier."""
    one, two, three = (endpoint(f"box{n}/llama") for n in (1, 2, 3))
    one.last_used = 5.0
    assert ranking(profile(), one, three, two) == ["box2", "box3", "box1"]


def test_an_overloaded_endpoint_comes_last_however_good() -> None:
    """More than 1.5 calls a slot, while others are calm, outweighs any utility."""
    good = endpoint("good/llama", quality=1.0, tier=Level.HIGH, live={"inflight": 2, "waiting": 2})
    poor = endpoint("poor/llama", quality=0.1, decode_rate=1.0)
    assert ranking(profile(), good, poor) == ["poor", "good"]
    assert decide(profile(), [good, poor], NOW, "d").ranked[1].overloaded
    good.waiting = 1
    assert ranking(profile(), good, poor) == ["good", "poor"]


def test_when_all_are_equally_crowded_none_is_set_back() -> None:
    """The guard compares: with the same load everywhere utility decides."""
    live = {"inflight": 2, "waiting": 6}
    good = endpoint("good/llama", quality=0.9, live=live)
    poor = endpoint("poor/llama", quality=0.2, live=live)
    decision = decide(profile(), [poor, good], NOW, "d")
    assert [c.backend for c in decision.ranked] == ["good", "poor"]
    assert not any(c.overloaded for c in decision.ranked)


# -- what moves the choice


def test_a_model_that_must_be_loaded_costs_its_loading() -> None:
    """Absent waits the whole load, loading half of it, ready none."""
    found = endpoint(load_seconds=8.0, loadable=True)
    waits = []
    for residency in (Residency.ABSENT, Residency.LOADING, Residency.READY):
        found.residency = residency
        waits.append(only(profile(), found).wait)
    assert waits == [8.0, 4.0, 0.0]


def test_a_load_is_expected_to_take_as_long_as_the_last_one() -> None:
    """What a load took wins over what it was taken to take before there was one."""
    found = endpoint(load_seconds=8.0, loadable=True, live={"residency": Residency.ABSENT, "took": 2.5})
    assert only(profile(), found).wait == 2.5


def test_learned_slowness_moves_traffic_away() -> None:
    """Two endpoints alike in facts: the one that proved four times slower comes second."""
    slow = endpoint("a/llama", live={"speed": Speed(log(4), log(4), 0.1, 50)})
    fast = endpoint("b/llama", live={"speed": Speed(0.0, 0.0, 0.1, 50)})
    assert ranking(profile(), slow, fast) == ["b", "a"]


def test_recent_failures_move_traffic_away_and_are_forgotten() -> None:
    """Failures weigh at once, and an hour later the name decides again."""
    failing = endpoint("a/llama", live={"reliability": Reliability(3.0, 0.0, NOW)})
    sound = endpoint("b/llama", live={"reliability": Reliability(0.0, 3.0, NOW)})
    assert ranking(profile(), failing, sound) == ["b", "a"]
    assert failure_probability(failing.reliability, NOW + 3600) == pytest.approx(0.01, abs=0.002)


def test_quality_and_speed_requirements_pull_apart() -> None:
    """The same two endpoints: who wants speed gets the small one, who wants quality the large one."""
    small = endpoint("small/m", quality=0.35, tier=Level.LOW, decode_rate=100.0)
    large = endpoint("large/m", quality=0.80, tier=Level.HIGH, decode_rate=10.0)
    assert ranking(profile(requirements=Requirements(speed=Level.HIGH)), small, large)[0] == "small"
    assert ranking(profile(requirements=Requirements(quality=Level.HIGH)), small, large)[0] == "large"


def test_a_model_made_for_the_task_beats_a_general_one_of_its_size() -> None:
    """Quality is looked up by task."""
    coder = endpoint("coder/m", quality=0.5, qualities={Task.CODE_GENERATION: 0.7, Task.CREATIVE: 0.4})
    general = endpoint("general/m", quality=0.5, qualities={Task.CODE_GENERATION: 0.5, Task.CREATIVE: 0.5})
    assert ranking(profile(task=Task.CODE_GENERATION), coder, general)[0] == "coder"
    assert ranking(profile(task=Task.CREATIVE), coder, general)[0] == "general"


def test_a_task_the_model_is_not_described_for_costs_quality() -> None:
    """Without figures by task, quality is lower outside of the tasks of the model."""
    found = endpoint(quality=0.5, tasks=frozenset({Task.CREATIVE}))
    assert only(profile(task=Task.CREATIVE), found).values[0] == 0.5
    assert only(profile(task=Task.ANALYSIS), found).values[0] == pytest.approx(0.3)


def test_an_unknown_price_is_not_free() -> None:
    """A free endpoint beats its like of unknown price, whose cost stays unknown."""
    unknown = endpoint("a/m", price=None)
    free = endpoint("b/m", price=Price())
    decision = decide(profile(), [unknown, free], NOW, "d")
    assert [(c.backend, c.cost) for c in decision.ranked] == [("b", 0.0), ("a", None)]


def test_eviction_of_others_and_weight_count() -> None:
    """Reloading it would cause others counts against an endpoint, a configured weight for it."""
    evicting = endpoint("a/m", live={"external": 30.0})
    plain = endpoint("b/m")
    preferred = endpoint("c/m", weight=4.0)
    assert ranking(profile(), evicting, plain, preferred) == ["c", "b", "a"]


def test_a_deadline_makes_slow_endpoints_lose() -> None:
    """With seconds left the endpoint that makes it wins over the better one that does not."""
    better = endpoint("better/m", quality=0.9, decode_rate=12.0, live={"speed": Speed(0, 0, 0.1, 9)})
    faster = endpoint("faster/m", quality=0.6, decode_rate=40.0, live={"speed": Speed(0, 0, 0.1, 9)})
    assert ranking(profile(), better, faster)[0] == "better"
    assert ranking(profile(deadline=NOW + 12.0), better, faster)[0] == "faster"


def test_output_is_what_is_usual_until_learned_and_never_above_the_cap() -> None:
    """Expected tokens: the prior of the task, then the average seen, limited by the client."""
    found = endpoint()
    assert only(profile(), found).output_tokens == USUAL_OUTPUT[Task.TEXT_GENERATION]
    found.outputs = {Task.TEXT_GENERATION: 77.0}
    assert only(profile(), found).output_tokens == 77.0
    assert only(profile(output_cap=10), found).output_tokens == 10.0


def test_presets_differ_and_own_weights_are_used() -> None:
    """Every pair of levels has its weights, and given weights take their place."""
    presets = {
        preset(Requirements(speed=s, quality=q)).signed() for s in (None, *Level) for q in (None, *Level)
    }
    assert len(presets) == 9  # None is medium for both
    mine = Weights(quality=0.0, time=0.0, slo=0.0, cost=0.0, failure=0.0, preference=1.0)
    (candidate,) = decide(profile(), [endpoint(weight=8.0)], NOW, "d", mine).ranked
    assert candidate.utility == 3.0
