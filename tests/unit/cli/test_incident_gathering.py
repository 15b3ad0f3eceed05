"""The pieces of an incident, from whoever can still tell them."""

from typing import Any

from orchestra_core.cli.failure import Failure
from orchestra_core.cli.incident.gathering import Gathering


class Teller:
    """A source that tells of decisions until it ends, as an engine that is killed does."""

    def __init__(self, name: str, ends_before: str, knows_not: str = "") -> None:
        self._name = name
        self._ends_before = ends_before
        self._knows_not = knows_not

    def decision(self, request_id: str) -> dict[str, Any]:
        if request_id in self._knows_not:
            raise Failure(f"{self._name} knows no {request_id}", reason="not_found")
        if request_id == self._ends_before:
            raise Failure(f"{self._name} has ended")
        return {"by": self._name, "request": {"id": request_id}, "prompt": "secret"}

    def failures(self) -> list[str]:
        return ["c"]

    def recording(self) -> bytes:
        return b""

    def requests(self) -> dict[str, Any]:
        return {}

    def alerts(self) -> dict[str, Any]:
        return {}

    def audit(self) -> list[dict[str, Any]]:
        return []


def told(*sources: Teller) -> tuple[list[tuple[str, str]], list[str]]:
    """Who told of which request, and what is missing."""
    gathering = Gathering(sources)
    found = gathering.decisions([{"id": name} for name in "abc"])
    assert all(one["prompt"] is None for one in found)
    return [(one["by"], one["request"]["id"]) for one in found], gathering.missing


def test_where_one_source_ends_the_next_goes_on() -> None:
    """Each decision is told once, those of failures first, and nothing is called missing that is there."""
    assert told(Teller("engine", "b"), Teller("ledger", "")) == (
        [("engine", "c"), ("engine", "a"), ("ledger", "b")],
        [],
    )


def test_what_nobody_tells_is_named() -> None:
    """From where on, and why, once for the same reason."""
    found, missing = told(Teller("engine", "a"), Teller("engine", "a"))
    assert found == [("engine", "c")]
    assert missing == ["the decisions of 2 requests, of a first: engine has ended"]


def test_one_decision_that_is_not_known_stops_none_of_the_others() -> None:
    """It may not be in the ledger yet, or not any more; whoever knows it is asked."""
    assert told(Teller("engine", "", knows_not="ca"), Teller("ledger", "", knows_not="a")) == (
        [("engine", "b"), ("ledger", "c")],
        ["the decisions of 1 requests, of a first: not_found"],
    )
