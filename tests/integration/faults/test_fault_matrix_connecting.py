"""The fault matrix, rows of connecting: refused, reset, swallowed, and kept connections that were closed."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from tests.fakes.chaos import Step, blackhole
from tests.fakes.chaos_steps import eof, head, raw, reset, wait, well, whole
from tests.fakes.turns import until
from tests.integration.faults.conftest import Stage

STREAMED = pytest.mark.parametrize("stream", [False, True])
KINDS = pytest.mark.parametrize("kind", ["openai", "ollama", "llamacpp"])


@KINDS
@STREAMED
async def test_a_refused_connection_moves_on(stage: Stage, kind: str, stream: bool) -> None:
    """The next backend answers, and the breaker counts one failure."""
    engine, first, _ = await stage.pair(kind)
    await first.refuse()
    answer = await engine.chat(stream=stream)
    assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2)
    assert answer.content.startswith("second-1")
    assert engine.breaker("first").failures == 1


@STREAMED
async def test_a_connection_reset_at_once_moves_on(stage: Stage, stream: bool) -> None:
    """RST in answer to the connection, before a byte of the request was read: the same."""
    engine, first, second = await stage.pair()
    first.greeting = [reset()]
    answer = await engine.chat(stream=stream)
    assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2)
    assert not first.calls
    assert len(second.calls) == 1
    assert engine.breaker("first").failures == 1


@STREAMED
@pytest.mark.parametrize("ending", [reset(), eof()], ids=["rst", "eof"])
async def test_a_connection_lost_after_the_request_was_read_moves_on(
    stage: Stage, stream: bool, ending: object
) -> None:
    """No byte of an answer came: another backend is asked, once, and this one not again."""
    engine, first, second = await stage.pair()
    first.script(ending)
    answer = await engine.chat(stream=stream)
    assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2)
    assert (len(first.calls), len(second.calls)) == (1, 1)
    assert engine.breaker("first").failures == 1


async def test_a_connection_that_is_swallowed_is_given_up_after_a_second(
    stage: Stage, leap: Callable[[float], None]
) -> None:
    """Nobody answers the SYN: after the connect timeout of loopback the next backend is asked."""
    engine, first, _ = await stage.pair()
    await first.refuse()
    with blackhole(first.port):
        async with engine.client() as client:
            client.chat()
            await until(lambda: engine.busy()[0] == 1)
            leap(1.1)
            answer = await client.answer()
    assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2)
    assert "no connection within 1 s" in engine.told("request.failover")[0]


async def test_a_backend_that_is_gone_altogether_is_an_error_that_says_so(stage: Stage) -> None:
    """Nobody left to ask: 502 in words, and not a connection that hangs."""
    lone = await stage.backend("first")
    engine = await stage.engine(lone)
    await lone.refuse()
    answer = await engine.chat()
    assert answer.status == 502
    assert "cannot connect" in answer.error["message"]


@STREAMED
@pytest.mark.parametrize("ending", [reset(), eof()], ids=["rst", "eof"])
async def test_a_kept_connection_closed_before_the_request_is_replaced(
    stage: Stage, stream: bool, ending: object
) -> None:
    """The backend closed it between two requests: a fresh connection, the same backend, and nothing counted."""
    engine, first, second = await stage.pair()
    first.script(*well(), wait("idle over"), ending)
    assert (await engine.chat()).backend == "first"
    await first.reached("idle over")
    first.open("idle over")
    await first.calls[0].ended.wait()
    answer = await engine.chat(stream=stream)
    assert (answer.status, answer.backend, answer.attempts) == (200, "first", 1)
    assert (first.connections_for_calls, len(first.calls), len(second.calls)) == (2, 2, 0)
    assert engine.breaker("first").failures == 0


@STREAMED
@pytest.mark.parametrize("ending", [reset(), eof()], ids=["rst", "eof"])
async def test_a_kept_connection_closed_after_the_request_is_replaced_once(
    stage: Stage, stream: bool, ending: object
) -> None:
    """It read the request on the kept connection and closed without a byte: once again on a fresh one."""
    engine, first, second = await stage.pair()
    first.script(*well())
    first.script(ending)
    assert (await engine.chat()).backend == "first"
    answer = await engine.chat(stream=stream)
    assert (answer.status, answer.backend, answer.attempts) == (200, "first", 1)
    assert (first.connections_for_calls, len(first.calls), len(second.calls)) == (2, 3, 0)
    assert engine.breaker("first").failures == 0


async def test_the_fresh_connection_has_no_second_chance(stage: Stage) -> None:
    """Closed again without a byte: that is a failure of the backend, and the next one is asked."""
    engine, first, second = await stage.pair()
    first.script(*well())
    first.script(eof(), times=2)
    await engine.chat()
    answer = await engine.chat()
    assert (answer.backend, answer.attempts) == ("second", 2)
    assert (len(first.calls), len(second.calls)) == (3, 1)
    assert engine.breaker("first").failures == 1


BEGUN = {
    "a head": [head(), reset()],
    "half a head": [raw(b"HTTP/1.1 200 OK\r\ncontent-ty"), eof()],
    "an interim head": [raw(b"HTTP/1.1 103 Early Hints\r\n\r\n"), eof()],
}


@STREAMED
@pytest.mark.parametrize("begun", BEGUN.values(), ids=BEGUN.keys())
async def test_a_kept_connection_lost_after_its_first_byte_is_a_failure(
    stage: Stage, stream: bool, begun: Sequence[Step]
) -> None:
    """A byte of an answer had come, so the request was being served: it is not sent there again."""
    engine, first, second = await stage.pair()
    first.script(*well())
    first.script(*begun)
    await engine.chat()
    answer = await engine.chat(stream=stream)
    assert (answer.backend, answer.attempts) == ("second", 2)
    assert (len(first.calls), len(second.calls)) == (2, 1)


async def test_bytes_nobody_asked_for_end_a_kept_connection(stage: Stage) -> None:
    """They could be taken for the next answer: the connection is closed, and the next answer is the right one."""
    engine, first, _ = await stage.pair()
    stray = [whole("not for you")]
    first.script(*well(), wait("stray"), *stray, wait("never"))
    await engine.chat()
    call = await first.called()
    first.open("stray")
    async with asyncio.timeout(1.5):  # less than an idle connection is kept
        await call.gone.wait()
    answer = await engine.chat()
    assert (answer.backend, answer.attempts, first.connections_for_calls) == ("first", 1, 2)
    assert "not for you" not in answer.text


async def test_connections_are_kept(stage: Stage) -> None:
    """Twenty requests one after another take one connection."""
    engine, first, _ = await stage.pair()
    for _ in range(20):
        assert (await engine.chat(stream=True)).done
    assert first.connections_for_calls == 1
