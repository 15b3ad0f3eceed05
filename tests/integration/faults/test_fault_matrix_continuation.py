"""The fault matrix where an answer can be gone on with: cut after its first token, continued by another endpoint."""

from collections.abc import Sequence

import pytest

from tests.fakes.chaos import ChaosBackend, Step
from tests.fakes.chaos_steps import end, eof, event, finish, head, refusal, reset, token, wait, well
from tests.fakes.engine_here import EngineHere
from tests.fakes.plain_client import Answer
from tests.integration.faults.conftest import Stage

KINDS = pytest.mark.parametrize("kind", ["llamacpp", "ollama"])
ENDINGS: dict[str, Sequence[Step]] = {
    "eof": [eof()],
    "rst": [reset()],
    "no end marker": [end(marker=False)],
    "error": [event({"error": {"message": "out of memory"}}), end(marker=False)],
}
ENDS = pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())


async def cut(engine: EngineHere, first: ChaosBackend, ending: Sequence[Step], **fields: object) -> Answer:
    """A stream that is cut after two tokens the client has seen."""
    first.script(head(), token(), token(), wait("cut"), *ending)
    async with engine.client() as client:
        client.chat(stream=True, **fields)
        await client.until("first-2")
        first.open("cut")
        return await client.answer()


@KINDS
@ENDS
async def test_a_cut_answer_is_gone_on_with_elsewhere(
    stage: Stage, kind: str, ending: Sequence[Step]
) -> None:
    """The other backend is given the text so far as the assistant's own; the client sees one answer and a note."""
    engine, first, second = await stage.pair(kind)
    answer = await cut(engine, first, ending, max_tokens=50)
    assert answer.content == "first-1 first-2 second-1 second-2 second-3 "
    assert (answer.done, answer.whole, len(first.calls)) == (True, True, 1)
    assert answer.text.count(": continued on second/m\n") == 1
    (call,) = second.calls
    assert call.json["messages"][-1] == {"role": "assistant", "content": "first-1 first-2 "}
    assert call.json.get("max_tokens", call.json.get("options", {}).get("num_predict")) == 48
    assert engine.breaker("first").failures == 1


async def test_both_attempts_are_in_the_ledger(stage: Stage) -> None:
    """One request, two attempts, and the tokens of both."""
    engine, first, _ = await stage.pair("llamacpp")
    answer = await cut(engine, first, [eof()])
    (row,) = await engine.rows()
    assert (row.verdict, row.attempts, row.tokens_out) == ("success", 2, 5)
    attempts = await engine.attempts(answer.headers["x-request-id"])
    assert [(one.verdict, one.tokens_out) for one in attempts] == [("interrupted", 2), ("success", 3)]


async def test_a_third_backend_goes_on_where_the_second_stops(stage: Stage) -> None:
    """Cut twice: each goes on from all that the client has."""
    backends = [await stage.backend(name, "llamacpp") for name in ("first", "second", "third")]
    engine = await stage.engine(*backends)
    backends[1].script(head(), token(), eof())
    backends[2].script(*well(1))
    answer = await cut(engine, backends[0], [eof()])
    if backends[1].calls:
        assert answer.content == "first-1 first-2 second-1 third-1 "
        assert backends[2].calls[0].json["messages"][-1]["content"] == "first-1 first-2 second-1 "
    else:
        assert answer.content == "first-1 first-2 third-1 "
    assert answer.done


async def test_with_nobody_to_go_on_the_cut_is_told(stage: Stage) -> None:
    """The only other backend refuses: an error event ends the stream, and no `[DONE]`."""
    engine, first, second = await stage.pair("llamacpp")
    second.script(*refusal(500, "out of order"), times=9)
    answer = await cut(engine, first, [eof()])
    assert (answer.content, answer.done) == ("first-1 first-2 ", False)
    assert answer.error["code"] == "interrupted"
    assert first.calls[1:] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"response_format": {"type": "json_object"}},
        {"logprobs": True},
    ],
    ids=["tools", "json", "logprobs"],
)
async def test_what_has_a_structure_is_not_gone_on_with(stage: Stage, fields: dict[str, object]) -> None:
    """It would begin anew in the middle: the cut is told instead."""
    engine, first, second = await stage.pair("llamacpp")
    answer = await cut(engine, first, [eof()], **fields)
    assert (answer.content, answer.done) == ("first-1 first-2 ", False)
    assert answer.error["code"] == "interrupted"
    assert not second.calls


async def test_a_backend_that_cannot_go_on_is_not_asked_to(stage: Stage) -> None:
    """OpenAI's own API begins a new answer after an assistant's message: never twice the same words."""
    engine, first, second = await stage.pair("openai")
    answer = await cut(engine, first, [eof()])
    assert (answer.content, answer.done) == ("first-1 first-2 ", False)
    assert not second.calls


async def test_a_cut_behind_the_last_token_goes_on_to_the_end_of_it(stage: Stage) -> None:
    """The finish reason had come, `[DONE]` had not: nothing of the answer is missing or said twice."""
    engine, first, second = await stage.pair("llamacpp")
    second.script(head(), finish(), end())
    answer = await cut(engine, first, [finish(), eof()])
    assert answer.content == "first-1 first-2 "
    assert answer.done or answer.error["code"] == "interrupted"
