"""The fault matrix, rows of clients: they leave in every window, close half, or read too slowly."""

import asyncio
from collections.abc import Callable

import pytest

from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import end, endless, finish, hang, head, refusal, token, wait
from tests.fakes.engine_here import EngineHere
from tests.fakes.lateness import lateness
from tests.fakes.plain_client import PlainClient
from tests.fakes.turns import settle, until
from tests.integration.faults.conftest import Stage

Leap = Callable[[float], None]
STREAMED = pytest.mark.parametrize("stream", [False, True])
KINDS = pytest.mark.parametrize("kind", ["openai", "ollama", "llamacpp"])
LEAVING = pytest.mark.parametrize(
    "leave",
    [PlainClient.leave, PlainClient.reset, PlainClient.half_close],
    ids=["close", "reset", "half-close"],
)
# P5 of reliability.md section 2, in seconds.
PROMISED = 0.1


async def left(
    engine: EngineHere, backend: ChaosBackend, client: PlainClient, leave: Callable[..., None]
) -> None:
    """The client leaves: the backend feels it in time, and nothing is held any more."""
    loop = asyncio.get_running_loop()
    cancelled = engine.totals().cancelled
    call, began = backend.calls[-1], loop.time()
    with lateness() as late:
        leave(client)
        await call.gone.wait()
    assert call.gone_at - began - late.seconds <= PROMISED
    await engine.idle()
    endpoint = engine.endpoint(backend.name)
    assert endpoint.work == 0
    assert engine.breaker(backend.name).failures == 0
    assert engine.totals().cancelled == cancelled + 1


@KINDS
@STREAMED
@LEAVING
async def test_leaving_before_the_first_byte_is_felt_at_once(
    stage: Stage, kind: str, stream: bool, leave: Callable[..., None]
) -> None:
    """The backend had read the request and not answered yet."""
    engine, first, second = await stage.pair(kind)
    first.script(hang())
    async with engine.client() as client:
        client.chat(stream=stream)
        await first.reached("never")
        await left(engine, first, client, leave)
    assert not second.calls


@STREAMED
@LEAVING
async def test_leaving_between_the_head_and_the_first_token_is_felt_at_once(
    stage: Stage, stream: bool, leave: Callable[..., None]
) -> None:
    """The backend had begun its answer; nothing of it had been passed on."""
    engine, first, second = await stage.pair("llamacpp")
    first.script(head(), hang())
    async with engine.client() as client:
        client.chat(stream=stream)
        await first.reached("never")
        await left(engine, first, client, leave)
    assert not second.calls


@KINDS
@LEAVING
async def test_leaving_in_the_middle_of_a_stream_is_felt_at_once(
    stage: Stage, kind: str, leave: Callable[..., None]
) -> None:
    """Three tokens were made: that is what the ledger says, and that the client left."""
    engine, first, second = await stage.pair(kind)
    first.script(head(), token(), token(), token(), hang())
    async with engine.client() as client:
        client.chat(stream=True)
        await client.until("first-3")
        await left(engine, first, client, leave)
    assert not second.calls
    (row,) = await engine.rows()
    assert (row.verdict, row.backend, row.tokens_out, row.tokens_estimated) == ("cancelled", "first", 3, True)


async def test_leaving_an_answer_collected_for_it_is_felt_at_once(stage: Stage) -> None:
    """A llama.cpp stream for a client that wanted none: work the client never saw ends as well, and is counted."""
    engine, first, _ = await stage.pair("llamacpp")
    first.script(head(), token(), token(), hang())
    async with engine.client() as client:
        client.chat()
        await first.reached("never")
        await settle()
        await left(engine, first, client, PlainClient.leave)
    (row,) = await engine.rows()
    assert (row.verdict, row.tokens_out) == ("cancelled", 2)


@LEAVING
async def test_leaving_the_queue_frees_the_place(stage: Stage, leave: Callable[..., None]) -> None:
    """One slot, taken: who waits and leaves never reaches the backend, and the next in line is served."""
    lone = await stage.backend("first")
    engine = await stage.engine(lone, slots=1)
    lone.script(head(), token(), wait("go"), finish(), end())
    async with engine.client() as serving, engine.client() as leaver, engine.client() as waiter:
        serving.chat(stream=True)
        await serving.until("first-1")
        leaver.chat(text="leaver")
        await until(lambda: engine.busy()[1] == 1)
        waiter.chat(text="waiter")
        await until(lambda: engine.busy()[1] == 2)
        leave(leaver)
        await until(lambda: engine.busy()[1] == 1)
        lone.open("go")
        assert (await waiter.answer()).status == 200
        assert (await serving.answer()).done
    assert ["leaver" in call.body.decode() for call in lone.calls] == [False, False]
    assert engine.busy() == (0, 0)


async def test_leaving_while_the_only_model_loads_is_no_call(stage: Stage, leap: Leap) -> None:
    """The backend was loading; when it is ready nobody wants the answer, and it is not asked for one."""
    lone = await stage.backend("first", "llamacpp")
    engine = await stage.engine(lone)
    lone.loading = True
    lone.script(*refusal(503, "Loading model", code=503))
    async with engine.client() as client:
        client.chat()
        await lone.called()
        await settle()
        client.leave()
        await engine.idle()
    lone.loading = False
    leap(5)
    await settle()
    assert len(lone.calls) == 1


async def test_a_request_that_never_ends_reaches_nobody(stage: Stage) -> None:
    """The client leaves in the middle of its own body."""
    engine, first, _ = await stage.pair()
    async with engine.client() as client:
        client.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b'content-length: 500\r\n\r\n{"model": "m", '
        )
        await settle()
        client.leave()
    await settle()
    assert not first.calls
    assert engine.totals().requests == 0


async def test_a_slow_client_slows_its_backend(stage: Stage) -> None:
    """An endless answer to a client that does not read: the backend is held back, not the engine's memory filled."""
    engine, first, _ = await stage.pair()
    first.script(head(), endless())
    async with PlainClient(engine.port, receive=4096) as client:
        client.chat(stream=True)
        await client.until("xxx")
        client.read_no_more()
        held = await stands_still(first)
        assert held < 12_000, "twelve megabytes are more than all buffers on the way"
        await client.until("x" * 1000)
        client.leave()
        await first.calls[0].gone.wait()
    await engine.idle()


async def stands_still(backend: ChaosBackend) -> int:
    """The tokens it could send until nobody took any more."""
    while True:
        before = backend.emitted
        await settle(300)
        if backend.emitted == before:
            return before


async def test_a_client_that_reads_nothing_for_a_minute_is_given_up(stage: Stage, leap: Leap) -> None:
    """No progress for sixty seconds: the connection is cut, and the backend feels it; it is not the backend's fault."""
    engine, first, _ = await stage.pair()
    first.script(head(), endless())
    async with PlainClient(engine.port, receive=4096) as client:
        client.chat(stream=True)
        await client.until("xxx")
        client.read_no_more()
        await stands_still(first)
        for _ in range(13):
            leap(5)
            await settle()
        while not first.calls[0].gone.is_set():  # the kernel took something late: the minute began anew
            leap(5)
            await settle()
    await engine.idle()
    assert engine.breaker("first").failures == 0


async def test_other_clients_do_not_feel_a_slow_one(stage: Stage) -> None:
    """Beside one that reads nothing, the next is answered as ever."""
    engine, first, _ = await stage.pair()
    first.script(head(), endless())
    async with PlainClient(engine.port, receive=4096) as slow:
        slow.chat(stream=True)
        await slow.until("xxx")
        slow.read_no_more()
        await stands_still(first)
        assert (await engine.chat(stream=True)).done
        slow.leave()
    await engine.idle()
