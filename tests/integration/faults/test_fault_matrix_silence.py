"""The fault matrix, rows of silence: no first byte, no next event, bytes that never make an event."""

from collections.abc import Callable, Sequence

import pytest

from orchestra_core.domain.catalog import failure_probability
from tests.fakes.chaos import Step
from tests.fakes.chaos_steps import body, drip, end, event, finish, hang, head, raw, token, wait
from tests.fakes.turns import settle
from tests.integration.faults.conftest import WHOLE_OR_CUT, Stage

Leap = Callable[[float], None]
KINDS = pytest.mark.parametrize("kind", ["openai", "ollama"])
# The defaults of reliability.md section 3.
FIRST_TOKEN, BETWEEN_TOKENS, UNSTREAMED = 120, 60, 600


@KINDS
async def test_silence_before_the_first_byte_moves_on(stage: Stage, leap: Leap, kind: str) -> None:
    """After the first-token limit the next backend is asked, and the silent one feels that it was given up."""
    engine, first, second = await stage.pair(kind)
    first.script(hang())
    async with engine.client() as client:
        client.chat(stream=True)
        call = await first.called()
        leap(FIRST_TOKEN - 5)
        await first.reached("never")
        assert not second.calls
        leap(6)
        answer = await client.answer()
        assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2)
        await call.gone.wait()
    assert engine.breaker("first").failures == 1
    assert len(first.calls) == 1


@pytest.mark.parametrize("begun", [(), (head(200, "application/json", length=500), raw(b'{"id": "x", '))])
async def test_an_answer_in_one_piece_has_its_own_limit(
    stage: Stage, leap: Leap, begun: Sequence[Step]
) -> None:
    """Nothing can be seen of it before it is done, so it may take the time of the whole call: then 504."""
    engine, first, second = await stage.pair()
    first.script(*begun, hang())
    async with engine.client() as client:
        client.chat()
        await first.reached("never")
        await settle()
        leap(UNSTREAMED - 5)
        await settle()
        assert not first.calls[0].gone.is_set()
        leap(6)
        answer = await client.answer()
    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    await first.calls[0].gone.wait()
    assert not second.calls


async def test_headers_are_not_a_first_token(stage: Stage, leap: Leap) -> None:
    """A backend that sends its head, comments and a role, but no token, is as silent as one that sends nothing."""
    engine, first, _ = await stage.pair()
    role = event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
    first.script(head(), body(b": hi\n\n"), role, hang())
    async with engine.client() as client:
        client.chat(stream=True)
        await first.reached("never")
        await settle()
        leap(FIRST_TOKEN + 1)
        answer = await client.answer()
    assert (answer.backend, answer.done) == ("second", True)


async def test_nobody_left_to_ask_is_a_timeout(stage: Stage, leap: Leap) -> None:
    """One silent backend and no other: 504 that names it, and the work there ends."""
    lone = await stage.backend("first")
    engine = await stage.engine(lone)
    lone.script(hang(), times=5)
    async with engine.client() as client:
        client.chat(stream=True)
        call = await lone.called()
        leap(FIRST_TOKEN + 1)
        answer = await client.answer()
    assert answer.status == 504
    assert answer.error["code"] == "upstream_timeout"
    assert "no first token within 120 s" in answer.error["message"]
    assert (len(lone.calls), call.gone.is_set()) == (1, True)


@KINDS
async def test_silence_in_the_middle_of_a_stream_ends_it_with_an_error(
    stage: Stage, leap: Leap, kind: str
) -> None:
    """After the limit between tokens: what came stays, an error event, no `[DONE]`, nobody else is asked."""
    engine, first, second = await stage.pair(kind, WHOLE_OR_CUT)
    first.script(head(), token(), token(), hang())
    async with engine.client() as client:
        client.chat(stream=True)
        await client.until("first-2")
        leap(BETWEEN_TOKENS - 5)
        await first.reached("never")
        assert not first.calls[0].gone.is_set()
        leap(6)
        answer = await client.answer()
        await first.calls[0].gone.wait()
    assert (answer.content, answer.done) == ("first-1 first-2 ", False)
    assert answer.error["code"] == "interrupted"
    assert "no token for 60 s" in answer.error["message"]
    assert not second.calls
    assert engine.breaker("first").failures == 1


@KINDS
async def test_a_drip_of_bytes_is_no_life(stage: Stage, leap: Leap, kind: str) -> None:
    """A byte every five seconds, never a whole event: the limit is between events, so this is a stall."""
    engine, first, _ = await stage.pair(kind, WHOLE_OR_CUT)
    first.script(head(), token(), *drip(b'data: {"choices"', "b"), hang())
    async with engine.client() as client:
        client.chat(stream=True)
        await client.until("first-1")
        for number in range(11):
            await first.reached(f"b{number}")
            leap(5)
            first.open(f"b{number}")
        await first.reached("b11")
        assert not first.calls[0].gone.is_set()
        leap(6)
        answer = await client.answer()
    assert (answer.content, answer.done) == ("first-1 ", False)
    assert answer.error["code"] == "interrupted"


async def test_comments_are_no_tokens(stage: Stage, leap: Leap) -> None:
    """A server that only says that it is there has stalled all the same, once its answer has begun."""
    engine, first, _ = await stage.pair(more=WHOLE_OR_CUT)
    comments = [step for n in range(12) for step in (wait(f"c{n}"), body(b": still here\n\n"))]
    first.script(head(), token(), *comments, hang())
    async with engine.client() as client:
        client.chat(stream=True)
        await client.until("first-1")
        for number in range(12):
            await first.reached(f"c{number}")
            leap(5)
            first.open(f"c{number}")
        await first.reached("never")
        leap(6)
        answer = await client.answer()
    assert (answer.content, answer.done) == ("first-1 ", False)
    assert answer.error["code"] == "interrupted"


async def test_a_slow_stream_is_let_live(stage: Stage, leap: Leap) -> None:
    """A token every fifty seconds is slow, not dead: all of it arrives."""
    engine, first, _ = await stage.pair()
    script = [head()]
    for number in range(4):
        script += [token(), wait(f"t{number}")]
    first.script(*script, finish(), end())
    async with engine.client() as client:
        client.chat(stream=True)
        for number in range(4):
            await client.until(f"first-{number + 1}")
            leap(50)
            first.open(f"t{number}")
        answer = await client.answer()
    assert (answer.content, answer.done) == ("first-1 first-2 first-3 first-4 ", True)


async def test_a_waiting_client_hears_that_the_engine_lives(stage: Stage, leap: Leap) -> None:
    """Fifteen seconds without a token: a comment, and the answer may still come from elsewhere."""
    engine, first, second = await stage.pair()
    first.script(hang())
    async with engine.client() as client:
        client.chat(stream=True)
        await first.called()
        leap(16)
        await client.until(": keep-alive")
        leap(16)
        leap(FIRST_TOKEN)
        answer = await client.answer()
    assert answer.done
    assert answer.content.startswith("second-1")
    assert len(second.calls) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_the_deadline_ends_the_only_attempt(stage: Stage, leap: Leap, stream: bool) -> None:
    """Nobody else to ask, and limits that are longer: 504 when the client's own time is over, and the work ends."""
    lone = await stage.backend("first")
    engine = await stage.engine(lone)
    lone.script(hang())
    async with engine.client() as client:
        client.send("/api/v1/route", {"prompt": "Hi", "model": "m", "deadline_ms": 5_000, "stream": stream})
        await lone.reached("never")
        leap(4.5)
        await settle()
        assert not lone.calls[0].gone.is_set()
        leap(0.6)
        answer = await client.answer()
    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    assert "the deadline of the request passed" in answer.error["message"]
    await lone.calls[0].gone.wait()
    assert engine.breaker("first").failures == 0


async def test_the_deadline_holds_over_every_attempt(stage: Stage, leap: Leap) -> None:
    """One deadline for all: two silent backends do not get one each."""
    engine, first, second = await stage.pair()
    first.script(hang())
    second.script(hang())
    async with engine.client() as client:
        client.send("/api/v1/route", {"prompt": "Hi", "model": "m", "deadline_ms": 14_000, "stream": True})
        await first.called()
        leap(7.5)
        await second.called()
        leap(7)
        answer = await client.answer()
    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    await second.calls[0].gone.wait()
    assert (len(first.calls), len(second.calls)) == (1, 1)


async def test_a_silent_backend_leaves_time_for_another(stage: Stage, leap: Leap) -> None:
    """Half of the deadline is spent on the first; the other half is enough for the second."""
    engine, first, _ = await stage.pair()
    first.script(hang())
    async with engine.client() as client:
        client.send("/api/v1/route", {"prompt": "Hi", "model": "m", "deadline_ms": 60_000, "stream": True})
        await first.reached("never")
        leap(29)
        await settle()
        assert not first.calls[0].gone.is_set()
        leap(2)
        answer = await client.answer()
    assert answer.events[-1][0] == "done", answer.text
    assert "second-1" in answer.text
    assert first.calls[0].gone.is_set()


async def test_silence_under_all_readers_counts_long_before_a_limit(stage: Stage, leap: Leap) -> None:
    """Two streams that stop at once make their backend suspect within a second; heard again, it is not."""
    engine, first, _ = await stage.pair()
    first.script(head(), token(), wait("on"), token(), hang(), times=2)
    endpoint = engine.endpoint("first")

    def failure() -> float:
        return failure_probability(endpoint.reliability, engine.engine.clock.monotonic())

    async with engine.client() as one, engine.client() as other:
        for client in (one, other):
            client.chat(stream=True)
            await client.until("first-")
        while failure() < 0.4:
            leap(0.3)
            await settle()
        assert (endpoint.failed, endpoint.inflight) == (0, 2)
        first.open("on")
        opened = engine.engine.clock.monotonic()
        while failure() > 0.1:
            leap(0.3)
            await settle()
        # Forgotten it would be after half a minute.
        assert engine.engine.clock.monotonic() - opened < 15
