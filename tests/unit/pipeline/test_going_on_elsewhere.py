"""An answer that was cut goes on with the same model from exactly what the client has, or is interrupted."""

import pytest

from orchestra_core.domain.catalog import Residency
from orchestra_core.domain.outcome import Outcome, Partial, Verdict
from orchestra_core.domain.reply import Usage
from tests.fakes.execution import ScriptedExecution, TakingSink
from tests.fakes.pipeline import MODEL, World

BEGUN = Partial("Once upon", 2)
CUT = Outcome(Verdict.INTERRUPTED, "", 200, "cut", Usage(0, 2, estimated=True), committed=True, partial=BEGUN)
FIELDS = {"messages": [{"role": "user", "content": "Tell a tale"}]}


def backends(world: World) -> list[str]:
    return [attempt.partition("/")[0] for attempt in world.execution.attempts]


def refuse(world: World, backend: str) -> None:
    """Nothing can be sent to it: its model cannot be loaded."""
    world.change(backend, loadable=True).residency = Residency.ABSENT
    world.load_error = "no room"


async def test_a_refused_continuation_never_goes_on_with_another_model() -> None:
    """The only other endpoint of the model takes nothing: interrupted, with what had come."""
    models = {"a": (MODEL,), "b": (MODEL,), "c": ("phi4:14b",)}
    world = World(ScriptedExecution(a=[CUT]), ("a", "b", "c"), models=models)
    refuse(world, "b")
    world.change("a", weight=1000.0)
    world.change("c", "phi4:14b", prefill=False)
    result = await world.ask(TakingSink(streaming=True), stream=True, fields=FIELDS)

    assert backends(world) == ["a"]
    assert world.loads == [f"b/{MODEL}"]
    assert (result.outcome.verdict, result.outcome.committed) == (Verdict.INTERRUPTED, True)
    assert result.outcome.usage.completion == 2


async def test_a_refused_continuation_goes_on_with_the_same_model_where_it_can() -> None:
    """Past the endpoint that takes nothing, to the next one of that model."""
    models = {"a": (MODEL,), "b": (MODEL,), "c": ("phi4:14b",), "d": (MODEL,)}
    world = World(ScriptedExecution(a=[CUT]), ("a", "b", "c", "d"), models=models)
    refuse(world, "b")
    world.change("a", weight=1000.0)
    world.change("c", "phi4:14b", weight=10.0)
    world.change("d", weight=0.001)
    result = await world.ask(TakingSink(streaming=True), stream=True, fields=FIELDS)

    assert result.outcome.ok
    assert backends(world) == ["a", "d"]
    assert world.execution.calls[1].so_far == BEGUN


@pytest.mark.parametrize("why", ["spoilt", "took too long", "the engine stops"])
async def test_what_was_cut_for_good_is_not_begun_again_from_its_first_part(why: str) -> None:
    """The second attempt went on with the answer and leaves no partial: the client has more than the first part."""
    spoilt = Outcome(Verdict.INTERRUPTED, "", 200, why, Usage(0, 3, estimated=True), committed=True)
    world = World(ScriptedExecution(a=[CUT], b=[spoilt]), ("a", "b", "c"))
    world.prefer("a", "b", "c")
    result = await world.ask(TakingSink(streaming=True), stream=True, fields=FIELDS)

    assert backends(world) == ["a", "b"]
    assert (result.outcome.verdict, result.outcome.message) == (Verdict.INTERRUPTED, why)


@pytest.mark.parametrize("verdict", [Verdict.UNREACHABLE, Verdict.DROPPED, Verdict.FAILED, Verdict.TIMEOUT])
async def test_an_attempt_that_never_went_on_leaves_what_the_client_has(verdict: Verdict) -> None:
    """A third endpoint goes on from the same place."""
    world = World(ScriptedExecution(a=[CUT], b=[verdict]), ("a", "b", "c"))
    world.prefer("a", "b", "c")
    result = await world.ask(TakingSink(streaming=True), stream=True, fields=FIELDS)

    assert result.outcome.ok
    assert backends(world) == ["a", "b", "c"]
    assert [call.so_far for call in world.execution.calls] == [None, BEGUN, BEGUN]
