"""Which endpoints are out, with which reason, and what gives way when nothing is left."""

from typing import Any

import pytest
from hypothesis import given, settings

from orchestra_core.domain.call import Kind, Level, Profile, Requirements
from orchestra_core.domain.catalog import Circuit, Endpoint, Residency
from orchestra_core.domain.price import Price
from orchestra_core.routing.selector import decide
from tests.unit.routing.fleet import CHATS, endpoint, fleets, profile, profiles

# A fleet is many draws; more examples find nothing more and take seconds.
FEW = settings(max_examples=50, deadline=None)

REASONS = [
    pytest.param({"needs": frozenset({"vision"})}, {}, {}, "capability", "lacks vision", id="capability"),
    pytest.param({"kind": Kind.EMBEDDING}, {}, {}, "capability", "lacks embedding", id="kind"),
    pytest.param({"model": "qwen"}, {}, {}, "model", "qwen", id="model"),
    pytest.param({"input_tokens": 9000}, {}, {}, "context", "8192", id="input-too-long"),
    pytest.param({"output_cap": 8100}, {}, {}, "context", "8100 out", id="no-room-for-the-answer"),
    pytest.param({}, {}, {"circuit": Circuit.OPEN}, "breaker_open", "breaker", id="breaker"),
    pytest.param({}, {}, {"reachable": False}, "unreachable", "does not answer", id="unreachable"),
    pytest.param({}, {}, {"draining": True}, "draining", "drained", id="draining"),
    pytest.param({}, {}, {"residency": Residency.UNLOADING}, "draining", "drained", id="unloading"),
    pytest.param({}, {}, {"residency": Residency.ABSENT}, "not_resident", "not loaded", id="absent"),
    pytest.param(
        {},
        {"loadable": True},
        {"residency": Residency.ABSENT, "barred": ("too_large", "needs 9.1 GiB")},
        "memory",
        "9.1 GiB",
        id="no-memory",
    ),
    pytest.param(
        {},
        {"loadable": True},
        {"residency": Residency.ABSENT, "barred": ("setback", "its last load failed"), "cooling_until": 5.0},
        "memory",
        "its last load failed",
        id="no-load-now",
    ),
]


@pytest.mark.parametrize(("asked", "facts", "live", "reason", "detail"), REASONS)
def test_reasons_that_are_never_relaxed(
    asked: dict[str, Any], facts: dict[str, Any], live: dict[str, Any], reason: str, detail: str
) -> None:
    """Each obstacle has its code and says the numbers, and nothing is ranked instead."""
    decision = decide(profile(**asked), [endpoint(live=live, **facts)], 0.0, "d")
    (rejection,) = decision.rejected
    assert (decision.ranked, decision.relaxed, rejection.reason) == ((), None, reason)
    assert detail in rejection.detail


@pytest.mark.parametrize(
    "live",
    [
        {"circuit": Circuit.HALF_OPEN},
        {"residency": Residency.LOADING},
        {"residency": Residency.RESERVED},
        {"residency": Residency.READY, "barred": ("too_large", "")},
    ],
    ids=["half-open", "loading", "reserved", "loaded-though-barred"],
)
def test_states_that_can_still_serve(live: dict[str, Any]) -> None:
    """A half-open breaker may admit a probe, and a load under way ends."""
    assert decide(profile(), [endpoint(live=live)], 0.0, "d").ranked


def test_an_absent_model_that_can_be_loaded_is_feasible() -> None:
    """Not being loaded is a delay where the backend loads."""
    found = endpoint(loadable=True, live={"residency": Residency.ABSENT})
    assert decide(profile(), [found], 0.0, "d").ranked


@pytest.mark.parametrize(("wanted", "served"), [("m", "m:latest"), ("m:latest", "m"), ("m:7b", "m:7b")])
def test_latest_may_be_left_out_of_a_name(wanted: str, served: str) -> None:
    """A pinned name matches as Ollama's own clients would."""
    assert decide(profile(model=wanted), [endpoint(f"box/{served}")], 0.0, "d").ranked


def test_a_low_quality_wish_excludes_nothing() -> None:
    """Low is the floor every tier stands on."""
    fleet = [endpoint(f"{tier}/m", tier=tier) for tier in Level]
    assert len(decide(profile(requirements=Requirements(quality=Level.LOW)), fleet, 0.0, "d").ranked) == 3


def test_the_quality_floor_excludes_lower_tiers() -> None:
    """Tiers below the wanted one are rejected while one that meets it is there."""
    fleet = [endpoint(f"{tier}/m", tier=tier) for tier in Level]
    decision = decide(profile(requirements=Requirements(quality=Level.MEDIUM)), fleet, 0.0, "d")
    assert {c.backend for c in decision.ranked} == {"medium", "high"}
    assert [(r.endpoint, r.reason, r.detail) for r in decision.rejected] == [
        ("low/m", "quality", "its tier is low, wanted is medium")
    ]
    assert not decision.degraded


def test_the_longest_answer_allowed_must_be_affordable() -> None:
    """With a cap on tokens the limit is kept even if the answer takes all of them."""
    dear = endpoint("dear/m", price=Price(0.0, 10.0))
    cheap = endpoint("cheap/m", price=Price(0.0, 1.0))
    unknown = endpoint("unknown/m", price=None)
    limited = Requirements(max_cost=0.005)
    decision = decide(profile(requirements=limited, output_cap=1000), [dear, cheap, unknown], 0.0, "d")
    assert [c.backend for c in decision.ranked] == ["cheap"]
    assert {r.endpoint: r.reason for r in decision.rejected} == {"dear/m": "cost", "unknown/m": "cost"}


POOR = {"tier": Level.LOW}
DEAR = {"price": Price(0.0, 1000.0)}


@pytest.mark.parametrize(
    ("fleet", "relaxed", "ranked"),
    [
        pytest.param([POOR], "quality", 1, id="only-poor"),
        pytest.param([DEAR], None, 0, id="only-dear"),
        pytest.param([POOR | DEAR], None, 0, id="only-poor-and-dear"),
        pytest.param([POOR, DEAR], "quality", 1, id="quality-gives-way"),
        pytest.param([POOR | DEAR, DEAR], None, 0, id="money-never-gives-way"),
        pytest.param([POOR, DEAR, {}], None, 1, id="nothing-needs-to"),
    ],
)
def test_what_gives_way_and_in_which_order(
    fleet: list[dict[str, Any]], relaxed: str | None, ranked: int
) -> None:
    """Quality may, marked and not without need; the limit of cost never does."""
    wishes = Requirements(quality=Level.MEDIUM, max_cost=0.01)
    endpoints = [endpoint(f"box{n}/m", **facts) for n, facts in enumerate(fleet)]
    decision = decide(profile(requirements=wishes), endpoints, 0.0, "d")
    assert (decision.relaxed, len(decision.ranked), decision.degraded) == (
        relaxed,
        ranked,
        relaxed is not None,
    )
    assert len(decision.rejected) == len(fleet) - ranked


@given(profiles, fleets())
@FEW
def test_capability_and_context_are_never_relaxed(asked: Profile, fleet: list[Endpoint]) -> None:
    """Whatever was relaxed, a ranked endpoint can do the call, has room for it and is in working order."""
    by_id = {found.id: found for found in fleet}
    for candidate in decide(asked, fleet, 0.0, "d").ranked:
        found = by_id[candidate.endpoint]
        assert asked.needs | {asked.kind.value} <= found.spec.capabilities
        assert asked.input_tokens + (asked.output_cap or 0) <= found.spec.context
        assert found.circuit is not Circuit.OPEN
        assert found.reachable
        assert not found.draining


def test_embedding_models_do_not_chat() -> None:
    """A chat never goes to a model that only embeds."""
    fleet = [endpoint("a/embed", capabilities=frozenset({"embedding"})), endpoint("b/m", capabilities=CHATS)]
    assert [c.backend for c in decide(profile(), fleet, 0.0, "d").ranked] == ["b"]
