"""What would have changed a decision is exact: apply it and decide again, and it has; a bit less, and it has not."""

from collections.abc import Callable
from math import exp, nextafter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from orchestra_core.domain.call import Level, Profile, Requirements, Task
from orchestra_core.domain.catalog import Circuit, Endpoint, Reliability, Speed
from orchestra_core.domain.decision import Decision, Rejection
from orchestra_core.domain.price import Price
from orchestra_core.routing.filters import RANK
from orchestra_core.routing.selector import decide
from orchestra_core.routing.whatif import Change, whatif
from tests.unit.routing.fleet import endpoint, fleets, profile, profiles

FEW = settings(max_examples=60, deadline=None)
NOW = 1000.0


@st.composite
def rivals(draw: st.DrawFn) -> list[Endpoint]:
    """Endpoints that can all serve a chat, so that there is something to choose."""
    return [draw(_rival(number)) for number in range(draw(st.integers(2, 4)))]


@st.composite
def _rival(draw: st.DrawFn, number: int) -> Endpoint:
    price = draw(st.none() | st.floats(0.0, 30.0))
    return endpoint(
        f"box{number}/m",
        quality=draw(st.floats(0.0, 1.0)),
        tier=draw(st.sampled_from([Level.HIGH, Level.HIGH, Level.LOW])),
        context=200_000,
        price=None if price is None else Price(price, price),
        prefill_rate=draw(st.floats(100.0, 50_000.0)),
        decode_rate=draw(st.floats(1.0, 300.0)),
        weight=draw(st.floats(0.1, 10.0)),
        live={
            "external": draw(st.just(0.0) | st.floats(0.0, 50.0)),
            "inflight": draw(st.integers(0, 3)),
            "work": draw(st.floats(0.0, 30.0)),
            "speed": Speed(
                draw(st.floats(-1.0, 1.0)), draw(st.floats(-1.0, 1.0)), draw(st.floats(0.0, 2.0)), 9
            ),
            "reliability": Reliability(draw(st.floats(0.0, 20.0)), draw(st.floats(1.0, 500.0)), 990.0),
        },
    )


asks = st.builds(
    profile,
    task=st.sampled_from(list(Task)),
    input_tokens=st.integers(1, 20_000),
    output_cap=st.none() | st.integers(1, 4000),
    requirements=st.builds(
        Requirements, speed=st.sampled_from([None, *Level]), quality=st.sampled_from([None, *Level])
    ),
    deadline=st.none() | st.floats(1000.1, 1100.0),
)
Apply = Callable[[Endpoint, Profile, Change, float], None]


def _quality(place: Endpoint, asked: Profile, _: Change, value: float) -> None:
    place.spec = replace(place.spec, qualities={asked.task: value})


def _weight(place: Endpoint, _: Profile, __: Change, value: float) -> None:
    place.spec = replace(place.spec, weight=value)


def _external(place: Endpoint, _: Profile, __: Change, value: float) -> None:
    place.external = value


def _seconds(place: Endpoint, _: Profile, change: Change, value: float) -> None:
    assert isinstance(change.now, float)
    # The way there is part of the time to the first token, so this makes the whole so much shorter.
    place.spec = replace(place.spec, rtt=place.spec.rtt - (change.now - value) / exp(place.speed.ttft))


APPLY: dict[str, Apply] = {
    "quality": _quality,
    "weight": _weight,
    "external": _external,
    "seconds": _seconds,
}


def _chosen(asked: Profile, fleet: list[Endpoint]) -> str:
    return decide(asked, fleet, NOW, "d").ranked[0].endpoint


@pytest.mark.parametrize("what", APPLY)
@given(asked=asks, fleet=rivals())
@FEW
def test_a_changed_fact_flips_the_choice_and_a_bit_less_does_not(
    what: str, asked: Profile, fleet: list[Endpoint]
) -> None:
    """The endpoint itself is changed and the selector asked again, just beyond the value named and just short of it."""
    decision = decide(asked, fleet, NOW, "d")
    changes = [c for c in whatif(decision) if c.what == what and isinstance(c.now, float)]
    for change in changes:
        assert isinstance(change.now, float)
        assert isinstance(change.needed, float)
        step = change.needed - change.now
        if abs(step) < 1e-6 * abs(change.now):
            continue  # lost in rounding
        place = next(e for e in fleet if e.id == change.endpoint)
        spec, external = place.spec, place.external

        APPLY[what](place, asked, change, change.needed + 1e-6 * step)
        with_it = _chosen(asked, fleet)
        place.spec, place.external = spec, external
        APPLY[what](place, asked, change, change.needed - 1e-3 * step)
        with_less = _chosen(asked, fleet)
        place.spec, place.external = spec, external

        assert with_it == change.endpoint
        assert with_less == decision.ranked[0].endpoint


@given(asks, rivals())
@FEW
def test_a_cheaper_rival_wins_from_the_cost_named_on(asked: Profile, fleet: list[Endpoint]) -> None:
    """One price for both directions that makes the cost named: beyond it the rival is chosen, short of it not."""
    decision = decide(asked, fleet, NOW, "d")
    for change in whatif(decision):
        if change.what != "cost" or change.now is None:
            continue
        assert isinstance(change.now, float)
        assert isinstance(change.needed, float)
        rival = next(c for c in decision.ranked if c.endpoint == change.endpoint)
        place = next(e for e in fleet if e.id == change.endpoint)
        spec, step = place.spec, change.needed - change.now
        if abs(step) < 1e-6 * abs(change.now):
            continue
        for part, expected in ((1e-6, change.endpoint), (-1e-3, decision.ranked[0].endpoint)):
            price = (change.needed + part * step) * 1e6 / (asked.input_tokens + rival.output_tokens)
            place.spec = replace(spec, price=Price(price, price))
            assert _chosen(asked, fleet) == expected
        place.spec = spec


@pytest.mark.parametrize("what", ["speed", "quality"])
@given(asked=asks, fleet=rivals())
@FEW
def test_another_wish_leads_where_it_is_said_to(what: str, asked: Profile, fleet: list[Endpoint]) -> None:
    """With the level named the selector chooses who is named; with one that is not, whom it chose before."""
    decision = decide(asked, fleet, NOW, "d")
    said = {c.needed: c.endpoint for c in whatif(decision) if c.what == what and isinstance(c.now, str)}
    floored = decision.relaxed or any(no.reason == "quality" for no in decision.rejected)
    levels: tuple[Level | None, ...] = (None, *Level)
    if what == "quality":
        levels = () if floored else (None, Level.LOW)
    for level in levels:
        other = replace(asked, requirements=replace(asked.requirements, **{what: level}))
        best, *rest = decide(other, fleet, NOW, "d").ranked
        tied = bool(rest) and best.utility == rest[0].utility
        if best.endpoint != decision.ranked[0].endpoint and not tied:
            assert said.pop(level or "unset") == best.endpoint
    assert said == {}


def _reason(asked: Profile, fleet: list[Endpoint], name: str, now: float = NOW) -> str | None:
    """Why an endpoint is out, if it is."""
    rejected = decide(asked, fleet, now, "d").rejected
    return next((no.reason for no in rejected if no.endpoint == name), None)


@given(profiles, fleets())
@FEW
def test_what_a_filter_needs_is_what_lets_an_endpoint_pass_it(asked: Profile, fleet: list[Endpoint]) -> None:
    """At the number named the endpoint is not held back for that reason any more; next to it it still is."""
    for change in whatif(decide(asked, fleet, NOW, "d")):
        wishes, needed = asked.requirements, change.needed
        if change.what == "cost" and change.now is None and isinstance(needed, float):
            passing = replace(asked, requirements=replace(wishes, max_cost=needed))
            short = replace(asked, requirements=replace(wishes, max_cost=nextafter(needed, -1)))
            assert _reason(passing, fleet, change.endpoint) != "cost"
            assert _reason(short, fleet, change.endpoint) == "cost"
        if change.what == "context":
            place = next(e for e in fleet if e.id == change.endpoint)
            spec = place.spec
            place.spec = replace(spec, context=needed)
            assert _reason(asked, fleet, change.endpoint) != "context"
            place.spec = replace(spec, context=int(needed) - 1)  # type: ignore[arg-type]  # a number, of context
            assert _reason(asked, fleet, change.endpoint) == "context"
            place.spec = spec
        if change.what == "quality" and change.now is None:
            level = Level(str(needed))
            passing = replace(asked, requirements=replace(wishes, quality=level))
            assert _reason(passing, fleet, change.endpoint) != "quality"
            assert RANK[level] < RANK[wishes.quality or Level.LOW]


@given(profiles, fleets())
@FEW
def test_the_stored_decision_says_the_same(asked: Profile, fleet: list[Endpoint]) -> None:
    """Encoded and decoded as it is kept, a decision has the same numbers to the last bit, and the same answers."""
    decision = decide(asked, fleet, NOW, "d")
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(decision), type=Decision)
    assert kept == decision
    assert whatif(kept) == whatif(decision)


def told(*fleet: Endpoint, **asked: Any) -> dict[tuple[str, str], str]:
    return {(c.endpoint, c.what): c.sentence for c in whatif(decide(profile(**asked), list(fleet), NOW, "d"))}


def test_the_sentences_are_for_people() -> None:
    """Three digits, rounded so that what is said is enough, and what it was instead."""
    said = told(
        endpoint("a/m", decode_rate=60.0),
        endpoint("b/m", decode_rate=30.0, price=Price(0.0, 1.0)),
    )
    assert said["b/m", "seconds"] == "5.2 s faster: 5.001 s instead of 10.201 s"
    assert said["b/m", "quality"] == "quality 0.612 instead of 0.5"
    # No price makes up for being so much slower.
    assert ("b/m", "cost") not in said


def test_a_rejection_names_the_wish_or_the_command() -> None:
    """What can be asked for, or done, to let an endpoint pass."""
    said = told(
        endpoint("a/m", tier=Level.HIGH),
        endpoint("b/m", tier=Level.LOW),
        endpoint("c/m", live={"circuit": Circuit.OPEN}),
        endpoint("d/m", live={"draining": True}),
        requirements=Requirements(quality=Level.HIGH),
    )
    assert said["b/m", "quality"] == "quality=low would have let it pass"
    assert said["c/m", "breaker_open"].endswith("ai-orchestra breaker reset c/m")
    assert said["d/m", "draining"].endswith("ai-orchestra resume d")


def test_an_overloaded_rival_is_told_as_that() -> None:
    """No term would have helped it."""
    said = told(endpoint("a/m", quality=1.0, live={"inflight": 2, "waiting": 9}), endpoint("b/m"))
    assert "too many calls" in said["a/m", "overloaded"]
    assert set(said) == {("a/m", "overloaded")}


def test_models_that_stand_in_are_ranked_by_configuration() -> None:
    """Their terms decided nothing, so nothing is said of them."""
    decision = decide(profile(), [endpoint("a/m"), endpoint("b/m", quality=0.1)], NOW, "d")
    assert whatif(decision) != ()
    assert whatif(replace(decision, asked="x")) == ()


def test_a_reason_of_another_version_is_repeated() -> None:
    """A code that is not known here, and a number that was not kept, are told in the words that were stored."""
    decision = decide(profile(), [], NOW, "d")
    for reason in ("haunted", "context"):
        (change,) = whatif(replace(decision, rejected=(Rejection("a/m", reason, "a ghost lives there"),)))
        assert (change.what, change.needed, change.sentence) == (reason, None, "a ghost lives there")


def test_large_sums_are_spelled_out() -> None:
    """What may be spent, and what would have had to be: as a limit is written, and never rounded below it."""
    dear = endpoint("b/m", price=Price(0.0, 5e9))
    wishes = Requirements(max_cost=2_000_000.5)
    decision = decide(profile(requirements=wishes, output_cap=1000), [endpoint("a/m"), dear], 0.0, "d")
    assert decision.rejected[0].detail == "up to 5000000, and at most 2000000.5 may be spent"
    assert [change.sentence for change in whatif(decision)] == ["max_cost=5000000 would have let it pass"]
