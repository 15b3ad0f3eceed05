"""What of a whole answer would be lost in increments is asked for in one piece, and reaches the client as it is."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from orchestra_core.domain.call import Kind
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.outcome import Verdict
from orchestra_core.upstream.codec import CODECS, LLAMACPP
from tests.fakes.execution import TakingSink
from tests.fakes.memory_backend import Bench, endpoint, question
from tests.fakes.memory_client import MemoryClient, after

ALWAYS = [BackendKind.LLAMACPP, BackendKind.MANAGED]
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
BODY = (
    b'{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop","logprobs":{"content":[]}},'
    b'{"index":1,"message":{"content":"b"},"finish_reason":"length","logprobs":{"content":[]}}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2}}'
)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.close()


def raw(text: bytes) -> msgspec.Raw:
    return msgspec.Raw(text)


@pytest.mark.parametrize(
    ("kind", "name", "value", "joins"),
    [
        (Kind.CHAT, "temperature", raw(b"0"), True),
        (Kind.CHAT, "n", raw(b"1"), True),
        (Kind.CHAT, "n", raw(b"null"), True),
        (Kind.CHAT, "n", raw(b"2"), False),
        (Kind.CHAT, "n", 2, False),
        (Kind.CHAT, "logprobs", raw(b"false"), True),
        (Kind.CHAT, "logprobs", raw(b"true"), False),
        (Kind.CHAT, "top_logprobs", raw(b"3"), False),
        (Kind.CHAT, "n_probs", raw(b"2"), False),
        (Kind.COMPLETION, "best_of", raw(b"3"), False),
        (Kind.COMPLETION, "logprobs", raw(b"2"), False),
        (Kind.COMPLETION, "prompt", raw(b'"one"'), True),
        (Kind.COMPLETION, "prompt", raw(b'["one","two"]'), False),
        (Kind.COMPLETION, "prompt", raw(b"[1,2]"), False),
    ],
)
def test_only_one_plain_text_is_streamed_unasked(kind: Kind, name: str, value: object, joins: bool) -> None:
    """Several choices, prompts and probabilities cannot be put together again from increments."""
    assert LLAMACPP.streams(question(kind, stream=False, **{name: value})) is joins
    assert LLAMACPP.streams(question(kind, stream=True, **{name: value})), "as the client asked"
    assert not CODECS[BackendKind.OPENAI].streams(question(kind, stream=False, **{name: value}))


@pytest.mark.parametrize("kind", ALWAYS)
async def test_several_choices_come_through_untouched(bench: Bench, kind: BackendKind) -> None:
    """The backend is asked for one whole answer, and the client gets its bytes."""
    call = question(stream=False, n=raw(b"2"), logprobs=raw(b"true"))
    client = MemoryClient(call)
    task = await bench.send(call, client.sink, endpoint(kind))
    assert "stream" not in bench.line.body
    bench.line.says(WHOLE % (len(BODY), BODY))
    assert (await after(task, client)).usage.completion == 2
    assert client.body == BODY


@pytest.mark.parametrize("kind", [Kind.CHAT, Kind.COMPLETION])
async def test_no_end_is_invented_for_a_stream_that_told_none(bench: Bench, kind: Kind) -> None:
    """A stream with an end marker and nothing else: an empty answer whose reason to end is not known."""
    call = question(kind, stream=False)
    client = MemoryClient(call)
    task = await bench.send(call, client.sink)
    bench.line.begins()
    bench.line.sends(b"data: [DONE]\n\n")
    bench.line.ends()
    assert (await after(task, client)).ok
    (choice,) = msgspec.json.decode(client.body)["choices"]
    assert choice["finish_reason"] is None


async def test_what_ollama_cannot_be_asked_is_no_error_of_the_attempt(bench: Bench) -> None:
    """Nothing is sent, the outcome says why, and another endpoint may be asked."""
    call = question(stream=False, n=raw(b"2"))
    task = await bench.send(call, TakingSink(), endpoint(BackendKind.OLLAMA))
    outcome = await asyncio.wait_for(task, 5)
    assert (outcome.verdict, outcome.status) == (Verdict.UNSUPPORTED, 400)
    assert "one choice only" in outcome.message
    assert (outcome.try_elsewhere, outcome.trips) == (True, False)
    assert bench.dialer.lines == []
