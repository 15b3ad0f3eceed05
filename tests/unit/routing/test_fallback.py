"""The order in which endpoints are tried after the best."""

from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.decision import Candidate
from orchestra_core.routing.fallback import order
from orchestra_core.routing.selector import decide
from tests.unit.routing.fleet import endpoint, profile


def ranked(*names: str) -> tuple[Candidate, ...]:
    """Candidates in this order."""
    fleet = [endpoint(name, quality=1.0 - n / 10) for n, name in enumerate(names)]
    return decide(profile(), fleet, 0.0, "d").ranked


def names(candidates: tuple[Candidate, ...]) -> list[str]:
    return [candidate.endpoint for candidate in candidates]


def test_without_configuration_another_backend_comes_before_the_same() -> None:
    """A backend mostly fails as a whole."""
    found = order(ranked("a/x", "a/y", "b/z", "c/x"), ())
    assert names(found) == ["a/x", "b/z", "c/x", "a/y"]


def test_configured_models_come_first_in_their_order() -> None:
    """After the best, which stays first, and within one model by rank."""
    found = order(ranked("a/x", "b/y", "c/z", "d/y", "e/v"), ("z", "y"))
    assert names(found) == ["a/x", "c/z", "b/y", "d/y", "e/v"]


def test_a_model_configured_twice_has_its_first_place() -> None:
    """A repeated name is harmless."""
    found = order(ranked("a/x", "b/y", "c/z"), ("z", "y", "z"))
    assert names(found) == ["a/x", "c/z", "b/y"]


def test_two_or_fewer_keep_their_order() -> None:
    """There is nothing to choose."""
    for found in (ranked(), ranked("a/x"), ranked("a/x", "a/y")):
        assert order(found, ("y",)) == found


@given(
    st.lists(st.sampled_from("xyz"), max_size=5),
    st.lists(st.sampled_from(["a/x", "a/y", "b/x", "c/z"]), unique=True),
)
def test_every_candidate_is_tried_exactly_once(fallbacks: list[str], found: list[str]) -> None:
    """Ordering loses nothing and repeats nothing, even if names are configured twice or unknown."""
    candidates = ranked(*found)
    result = order(candidates, fallbacks)
    assert sorted(names(result)) == sorted(found)
    assert result[:1] == candidates[:1]
