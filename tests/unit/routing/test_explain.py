"""The explanation says exactly what the decision did."""

import json

import msgspec
from hypothesis import given, settings

from orchestra_core.domain.call import Level, Profile, Requirements
from orchestra_core.domain.catalog import Circuit, Endpoint, Speed
from orchestra_core.domain.decision import Decision, total
from orchestra_core.routing.explain import explain, sentence
from orchestra_core.routing.selector import decide
from tests.unit.routing.fleet import endpoint, fleets, profile, profiles

# A fleet is many draws; more examples find nothing more and take seconds.
FEW = settings(max_examples=50, deadline=None)


@given(profiles, fleets())
@FEW
def test_an_explanation_survives_json_and_adds_up(asked: Profile, fleet: list[Endpoint]) -> None:
    """After JSON, the points of each candidate still add up to its utility; the best is the choice."""
    decision = decide(asked, fleet, 1000.0, "d1")
    told = json.loads(msgspec.json.encode(explain(decision)))
    for candidate in told["candidates"]:
        assert candidate["utility"] == total(term["points"] for term in candidate["terms"])
    assert told["selected"] == (told["candidates"][0]["endpoint"] if decision.ranked else None)
    assert len(told["rejected"]) == len(decision.rejected)


@given(profiles, fleets())
@FEW
def test_a_decision_survives_being_stored(asked: Profile, fleet: list[Endpoint]) -> None:
    """Encoded and decoded, a decision is the same and explains itself the same."""
    decision = decide(asked, fleet, 1000.0, "d1")
    stored = msgspec.json.decode(msgspec.json.encode(decision), type=Decision)
    assert stored == decision
    assert explain(stored) == explain(decision)


def told(*fleet: Endpoint, **asked: object) -> str:
    return sentence(decide(profile(**asked), fleet, 1000.0, "d"))


def test_the_sentence_names_the_largest_differences() -> None:
    """What is ahead of the next best, with points, the larger difference first."""
    better = endpoint("a/phi4", quality=0.8, decode_rate=60.0)
    other = endpoint("b/llama", quality=0.4, decode_rate=30.0)
    said = told(better, other)
    assert said.startswith("phi4 on a: better at this (+2.40) and sooner done (+")
    assert said.endswith(" than llama on b.")


def test_the_sentence_of_a_tie() -> None:
    """Equal endpoints are told apart by their last use."""
    used = endpoint("a/m", live={"last_used": 9.0})
    assert told(used, endpoint("b/m")) == "m on b, as good as m on a and used less recently."


def test_the_sentence_of_an_only_candidate_counts_the_others() -> None:
    """Why there was no choice."""
    said = told(endpoint("a/m"), endpoint("b/m", live={"circuit": Circuit.OPEN}), endpoint("c/m", context=10))
    assert said == (
        "m on a is the only endpoint that can serve this call: "
        "1 failed too often lately, 1 have too short a context."
    )


def test_the_sentence_when_nothing_can_serve() -> None:
    """Nothing to choose, and why."""
    assert told() == "No endpoint can serve this call."
    assert told(endpoint(live={"draining": True})) == "No endpoint can serve this call: 1 are being drained."


def test_the_sentence_tells_of_overload_and_of_relaxing() -> None:
    """Exceptions to the arithmetic are said first."""
    crowded = endpoint("a/m", quality=1.0, live={"inflight": 2, "waiting": 9})
    assert told(crowded, endpoint("b/m")) == "m on b, because m on a is overloaded."
    assert "(the wanted quality had to give way)" in told(
        endpoint(tier=Level.LOW), requirements=Requirements(quality=Level.HIGH)
    )


def test_predictions_say_whether_they_were_learned() -> None:
    """Prior or measured, with the number of observations."""
    learned = endpoint("a/m", live={"speed": Speed(observations=7)})
    decision = decide(profile(), [learned, endpoint("b/m")], 1000.0, "d")
    sources = {c["backend"]: c["predicted"]["source"] for c in explain(decision)["candidates"]}
    assert sources == {"a": "measured n=7", "b": "prior"}
