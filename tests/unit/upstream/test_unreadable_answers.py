"""Bytes nobody can read, and errors of our own: every attempt ends, and the timer that ends others runs on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from orchestra_core.domain.call import Kind
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.reply import Delta
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.execution import Execution
from orchestra_core.upstream.kept import Kept
from orchestra_core.upstream.timeouts import Timeouts
from tests.fakes.execution import TakingSink
from tests.fakes.memory_backend import Bench, endpoint, question, token
from tests.fakes.memory_client import MemoryClient

WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
BODIES = {
    "content": b'{"choices":[{"index":0,"message":{"content":"\xff"},"finish_reason":"stop"}]}',
    "finish": b'{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"\xff"}]}',
    "embedding": b'{"data":[{"index":0,"embedding":[0.5]}],"usage":{"\xff":"prompt_tokens"}}',
}
NO_UTF8 = b'data: {"choices":[{"index":0,"delta":{"content":"\xff"},"finish_reason":null}]}\n\n'
NO_CALL = b'data: {"choices":[{"index":0,"delta":{"tool_calls":"none"},"finish_reason":null}]}\n\n'


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.close()


@pytest.mark.parametrize("known", [False, True], ids=["first", "with a head that is known"])
@pytest.mark.parametrize("relays", ["openai", ""], ids=["relayed", "translated"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_whole_answer_that_is_no_utf8_ends(
    bench: Bench, body: bytes, relays: str, known: bool
) -> None:
    """It fails or is passed on as it is, at once: nobody waits for the limit of ten minutes."""
    kind = Kind.EMBEDDING if b"embedding" in body else Kind.CHAT
    for _ in range(2 if known else 1):
        call = question(kind, stream=False)
        sink = BrokenSink("", streaming=False)
        sink.relays = relays
        task = await bench.send(call, sink, endpoint(BackendKind.OPENAI))
        bench.line.says(WHOLE % (len(body), body))
        outcome = await asyncio.wait_for(task, 5)
        assert outcome.ok or outcome.try_elsewhere
        assert outcome.ok or outcome.verdict is Verdict.FAILED
    assert bench.execution.busy == 0


async def test_what_was_relayed_and_cannot_be_read_is_not_gone_on_with(bench: Bench) -> None:
    """Events are passed on unread after the first token; the limit on silence still ends the answer."""
    call = question()
    client = MemoryClient(call)
    task = await bench.send(call, client.sink)
    bench.line.begins()
    bench.line.sends(token("Hel"), NO_UTF8)
    await bench.after(61)
    assert task.done()
    outcome = task.result()
    assert (outcome.verdict, outcome.partial) == (Verdict.INTERRUPTED, None)


@pytest.mark.parametrize("error", [ValueError("no"), RecursionError("deep")])
def test_what_is_kept_and_cannot_be_read_is_nothing(error: Exception) -> None:
    """Whatever its reader says to it."""

    def read(_data: bytes) -> Sequence[Delta]:
        raise error

    kept = Kept(read)
    kept.add(b"x")
    assert kept.partial(None) is None


async def test_a_tool_call_that_is_none_fails_the_attempt(bench: Bench) -> None:
    """The client that waits for a whole answer is told, and another endpoint may be asked."""
    call = question(stream=False)
    client = MemoryClient(call)
    task = await bench.send(call, client.sink)
    bench.line.begins()
    bench.line.sends(NO_CALL, b"data: [DONE]\n\n")
    bench.line.ends()
    outcome = await asyncio.wait_for(task, 5)
    assert (outcome.verdict, outcome.try_elsewhere) == (Verdict.FAILED, True)


class BrokenSink(TakingSink):
    """A surface with a defect: it breaks at the place that is named."""

    relays = "openai"

    def __init__(self, where: str, *, streaming: bool) -> None:
        super().__init__(streaming=streaming)
        self._where = where

    def alive(self, note: str) -> None:
        if self._where == "alive":
            raise LookupError("a defect")

    def relay(self, data: bytes) -> None:
        if self._where == "relay":
            raise LookupError("a defect")


async def test_a_defect_of_ours_ends_one_attempt_and_is_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """A whole answer: its connection will not call again, so the attempt ends as failed."""
    task = await bench.send(
        question(stream=False), BrokenSink("relay", streaming=False), endpoint(BackendKind.OPENAI)
    )
    body = BODIES["content"].replace(b"\xff", b"a")
    with caplog.at_level(logging.ERROR):
        bench.line.says(WHOLE % (len(body), body))
    outcome = await asyncio.wait_for(task, 5)
    assert outcome.verdict is not Verdict.SUCCESS
    assert "LookupError" in caplog.text


async def test_an_attempt_that_breaks_while_it_is_watched_leaves_the_others_watched() -> None:
    """Every other attempt keeps its limits."""
    bench = Bench(Timeouts(first_token=30.0))
    broken = await bench.send(question(), BrokenSink("alive", streaming=True))
    other = await bench.send(question(), BrokenSink("", streaming=True), endpoint(backend="c"))
    await bench.after(16)
    assert broken.result().verdict is Verdict.FAILED
    assert not other.done()
    await bench.after(15)
    assert other.result().verdict is Verdict.TIMEOUT
    await bench.close()


async def test_the_timer_looks_again_whatever_happened_when_it_looked() -> None:
    """Without it no request would have any limit ever again."""
    looks: list[int] = []
    again = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)

    def now() -> float:
        looks.append(1)
        if len(looks) > 1:
            again.set()
            return 0.0
        raise LookupError("a defect")

    execution = Execution(
        lambda _: Address("127.0.0.1", 1), lambda _: {}, timeouts=Timeouts(keep_alive=0.05), now=now
    )
    await asyncio.wait_for(again.wait(), 5)
    execution.close()
