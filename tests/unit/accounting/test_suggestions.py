"""Suggestions rest on rows: each rule speaks where its numbers say so, and not where they do not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.accounting.suggestions import Evidence, Suggestion, suggestions
from orchestra_core.accounting.usage import UsageRow

GOOD = {"requests": 100, "successes": 100}


def row(*names: str, **sums: Any) -> UsageRow:
    return UsageRow(names, **(GOOD | sums))


def said(rule: str, **evidence: Any) -> list[Suggestion]:
    return [one for one in suggestions(Evidence(**evidence)) if one.rule == rule]


def test_a_better_tier_than_asked_for() -> None:
    """The sentence of the issue, with its number."""
    tiers = (
        row("low", "high", "X", "text_generation", requests=412, cost=3.5),
        row("low", "low", "y", "text_generation"),
        row("", "high", "X", "text_generation"),
        row("high", "medium", "z", "analysis"),
        row("low", "medium", "z", "analysis", requests=19),
    )
    (one,) = said("over_served", tiers=tiers)
    assert one.sentence == "X answered 412 text_generation requests at tier high that asked for low"
    assert one.numbers == {"requests": 412, "tokens_out": 0, "cost": 3.5}
    assert "--task text_generation --quality low" in one.act


def test_an_unknown_cost_is_no_number() -> None:
    """What nobody knows is left out of what a suggestion rests on."""
    (one,) = said("over_served", tiers=(row("low", "high", "X", "t", cost_unknown=100),))
    assert "cost" not in one.numbers


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        ({"backend": 20}, True),
        ({"timeout": 15, "capacity": 5}, True),
        ({"backend": 4}, False),
        ({"request": 60}, False),
        ({"cancelled": 60}, False),
    ],
)
def test_an_endpoint_that_fails_far_more_often(failures: dict[str, int], told: bool) -> None:
    """Against all others together, and only what is the endpoint's fault."""
    endpoints = (row("a", "m", failures=failures), row("b", "m", requests=400, failures={"backend": 4}))
    found = said("error_prone", endpoints=endpoints)
    assert [one.about for one in found] == (["a/m"] if told else [])
    if told:
        assert found[0].numbers == {
            "requests": 100,
            "failed": 20,
            "error_rate": 0.2,
            "others_error_rate": 0.01,
        }
        assert "a/m failed 20.0% of 100 requests, all others 1.0% of 400" in found[0].sentence


def test_one_endpoint_alone_is_compared_with_nobody() -> None:
    """Without others there is no rate to stand out from."""
    assert said("error_prone", endpoints=(row("a", "m", failures={"backend": 50}),)) == []


def paid(**local: Any) -> list[Suggestion]:
    asked = local.pop("asked", "")
    tiers = (
        row(asked, "high", "cloudy", "analysis", cost=2.0, requests=80),
        row("", "medium", "home", "analysis", **local),
    )
    endpoints = (row("cloud", "cloudy"), row("box", "home"))
    return said("paid_for_what_is_free", tiers=tiers, endpoints=endpoints, local=frozenset({"box"}))


def test_a_model_paid_for_what_a_local_one_does_too() -> None:
    """With what was paid, and how well the local one did."""
    (one,) = paid(successes=99, failures={"backend": 1})
    assert one.sentence == (
        "cloudy was paid 2 for 80 analysis requests; home, which costs nothing, did 99 of 100 such requests well"
    )
    assert one.numbers["local_model"] == "home"


def test_no_local_model_that_does_less_well_is_suggested() -> None:
    """Failing more often, costing something, asked too seldom, or of a lower tier than was asked for."""
    assert paid(failures={"backend": 10}) == []
    assert paid(cost=0.1) == []
    assert paid(cost_unknown=1) == []
    assert paid(requests=19) == []
    assert paid(asked="high") == []
    assert len(paid(asked="medium")) == 1


def test_what_has_no_price_is_named_with_the_setting() -> None:
    """The setting that makes it known."""
    (one,) = said("unpriced", endpoints=(row("cloud", "gpt-x", cost_unknown=7), row("box", "m")))
    assert one.numbers["requests"] == 7
    assert one.act == 'set cost_per_million_input and cost_per_million_output in [models."gpt-x"]'


def test_waiting_is_told_apart_from_loading() -> None:
    """Time in the queue contains the loading: what is left of it is waiting for a slot."""
    loads = row("box", "m", total_ms=1000.0, queued_ms=400.0, loading_ms=390.0)
    waits = row("box", "n", total_ms=1000.0, queued_ms=400.0, loading_ms=10.0)
    seldom = row("box", "o", total_ms=1000.0, queued_ms=900.0, loading_ms=900.0, requests=19)
    found = suggestions(Evidence(endpoints=(loads, waits, seldom)))
    assert [(one.rule, one.about) for one in found] == [("loads_often", "box/m"), ("crowded", "box/n")]
    assert found[0].act == 'keep it loaded: pinned = true in [models."m"]'
    assert found[0].sentence.startswith("39% of the time that 100 requests to m took")


def test_requests_that_nobody_served_suggest_nothing() -> None:
    """They have no model that advice could be about."""
    nobody = row("", "", cost_unknown=9, total_ms=10.0, queued_ms=10.0, failures={"capacity": 100})
    assert (
        suggestions(Evidence(endpoints=(nobody, row("a", "m")), tiers=(row("low", "high", "", "t"),))) == []
    )


names = st.sampled_from(["", "a", "b", "c"])
counts = st.integers(0, 500)
rows = st.builds(
    lambda tier, served, model, task, good, bad, cost: row(
        tier, served, model, task, requests=good + bad, successes=good, failures={"backend": bad}, cost=cost
    ),
    st.sampled_from(["", "low", "high"]),
    st.sampled_from(["", "low", "high"]),
    names,
    names,
    counts,
    counts,
    st.floats(0.0, 9.0),
)


@given(st.lists(rows, max_size=30))
def test_the_weightiest_come_first_and_not_too_many(tiers: list[UsageRow]) -> None:
    """However many rows there are, at most a dozen, in order, each with its number."""
    endpoints = tuple(row(*one.names[2:], requests=one.requests, failures=one.failures) for one in tiers)
    found = suggestions(Evidence(tuple(tiers), endpoints, frozenset({"a"})))
    weights = [one.numbers["requests"] for one in found]
    assert weights == sorted(weights, reverse=True)  # type: ignore[type-var]  # all numbers
    assert len(found) <= 12
    assert all(one.sentence and one.act and one.about for one in found)
