"""Recorded streams cut and reset at every byte: what the client has is a prefix and never looks complete."""

import asyncio
import errno
import os
from collections.abc import Iterator
from itertools import pairwise

import pytest

from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.attempt import Attempt
from orchestra_core.upstream.codec import CODECS
from orchestra_core.upstream.transport import Connection, Pool
from tests.fakes.memory_backend import SERVING, chunked, question
from tests.fakes.memory_client import MemoryClient
from tests.fakes.transport import FakeTransport
from tests.fakes.turns import one_turn

# As llama.cpp (b6800), Ollama 0.11 and vLLM send them, three tokens each, HTTP framing included.
_LLAMA = (
    b'"created":1795399863,"id":"chatcmpl-Cl4yuNzjQraQwDAs9z9YQ9SQD44si85w","model":"gemma3-270m",'
    b'"system_fingerprint":"b0-unknown","object":"chat.completion.chunk"'
)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n%b\r\n"
_LAST = b"0\r\n\r\n"


def _llama(finish: bytes, delta: bytes) -> bytes:
    choice = b'{"finish_reason":%b,"index":0,"delta":%b}' % (finish, delta)
    return chunked(b'data: {"choices":[%b],%b}\n\n' % (choice, _LLAMA))


def _vllm(delta: bytes, finish: bytes = b"null") -> bytes:
    return b'data: {"id":"cc-1","choices":[{"index":0,"delta":%b,"finish_reason":%b}]}\r\n\r\n' % (
        delta,
        finish,
    )


def _ollama(text: bytes, end: bytes) -> bytes:
    message = b'{"role":"assistant","content":"%b"}' % text
    return chunked(
        b'{"model":"gemma3","created_at":"2026-11-01T10:00:00Z","message":%b,"done":%b}\n' % (message, end)
    )


LLAMACPP = b"".join(
    (
        _HEAD % (b"text/event-stream", b"Keep-Alive: timeout=5, max=100\r\n"),
        _llama(b"null", b'{"role":"assistant","content":null}'),
        _llama(b"null", b'{"content":"A vol"}'),
        _llama(b"null", b'{"content":"c\xc3\xa4no \\"\\n"}'),
        _llama(b"null", b'{"content":" is"}'),
        _llama(b'"stop"', b"{}"),
        chunked(
            b'data: {"choices":[],%b,"usage":{"completion_tokens":3,"prompt_tokens":212,"total_tokens":215},'
            b'"timings":{"cache_n":206}}\n\n' % _LLAMA
        ),
        chunked(b"data: [DONE]\n\n"),
        _LAST,
    )
)
# Lines end in CRLF; one piece holds several events, and events are cut by pieces.
_EVENTS = b"".join(
    (
        b": ping\r\n\r\n",
        _vllm(b'{"role":"assistant","content":""}'),
        _vllm(b'{"content":"A vol"}'),
        _vllm(b'{"content":"c\xc3\xa4no \\"\\n"}'),
        _vllm(b'{"content":" is"}', b'"stop"'),
        b"data: [DONE]\r\n\r\n",
    )
)
_CUT = (0, 130, _EVENTS.index(b"\xa4no"), _EVENTS.index(b'\\n"}') + 40, len(_EVENTS))
VLLM = b"".join(
    (
        _HEAD % (b"text/event-stream; charset=utf-8", b""),
        *(chunked(_EVENTS[start:end]) for start, end in pairwise(_CUT)),
        _LAST,
    )
)
OLLAMA = b"".join(
    (
        _HEAD % (b"application/x-ndjson", b""),
        *(_ollama(text, b"false") for text in (b"A vol", b'c\xc3\xa4no \\"\\n', b" is")),
        _ollama(b"", b'true,"done_reason":"stop","prompt_eval_count":212,"eval_count":3'),
        _LAST,
    )
)
TEXT = 'A volc\u00e4no "\n is'
RECORDED = {BackendKind.LLAMACPP: LLAMACPP, BackendKind.VLLM: VLLM, BackendKind.OLLAMA: OLLAMA}


class Stream:
    """An attempt whose backend is a recording, and the real sink of a surface."""

    def __init__(self, kind: BackendKind, surface: str, *, stream: bool = True) -> None:
        loop = asyncio.get_running_loop()
        call: Call = question(stream=stream)
        self.client = MemoryClient(call, surface)
        self.pool = Pool(Address("127.0.0.1", 1), loop)
        self.connection = Connection(self.pool)
        self.connection.connection_made(FakeTransport())
        self.ends: list[Outcome] = []
        self.attempt = Attempt(call, "b/m", CODECS[kind], self.client.sink, SERVING, loop)
        self.attempt.done.add_done_callback(lambda done: self.ends.append(done.result()))
        self.attempt.bind(self.connection)
        self.connection.send(b"", b"", self.attempt)

    def play(self, data: bytes, cut: int, error: Exception | None, size: int = 1 << 20) -> Outcome:
        for start in range(0, cut, size):
            self.connection.data_received(data[start : min(start + size, cut)])
        self.connection.connection_lost(error)
        outcome: Outcome = self.attempt.done.result()
        self.client.end(outcome)
        return outcome


def whole(kind: BackendKind, surface: str) -> bytes:
    stream = Stream(kind, surface)
    data = RECORDED[kind]
    assert stream.play(data, len(data), None).ok
    assert stream.client.text == TEXT
    return stream.client.body


def cuts(kind: BackendKind) -> Iterator[tuple[int, Exception | None]]:
    for cut in range(len(RECORDED[kind])):
        yield cut, ConnectionResetError("reset by peer") if cut % 2 else None


@pytest.mark.parametrize("surface", ["openai", "native"])
@pytest.mark.parametrize("kind", RECORDED)
async def test_what_the_client_has_is_a_prefix_and_never_looks_complete(
    kind: BackendKind, surface: str
) -> None:
    """At every byte, closed or reset: whole events of the full answer, then the error event; counted once."""
    full = whole(kind, surface)
    full_text = (
        full[: full.index(b"event: done")] if surface == "native" else full.removesuffix(b"data: [DONE]\n\n")
    )
    completed = 0
    for cut, error in cuts(kind):
        stream = Stream(kind, surface)
        outcome = stream.play(RECORDED[kind], cut, error)
        await one_turn()
        assert len(stream.ends) == 1
        body = stream.client.body
        if outcome.ok:
            completed += 1
            assert body == full
            continue
        if not stream.client.sink.committed:
            assert outcome.try_elsewhere
            assert outcome.verdict in (Verdict.DROPPED, Verdict.FAILED)
            assert stream.client.transport.written.startswith(b"HTTP/1.1 502 ")
            continue
        assert outcome.verdict is Verdict.INTERRUPTED
        assert not outcome.try_elsewhere
        assert b"[DONE]" not in body
        assert b"event: done" not in body
        events = body.split(b"\n\n")[:-1]
        assert b'"error"' in events.pop()
        assert full_text.startswith(b"".join(event + b"\n\n" for event in events))
        assert TEXT.startswith(stream.client.text)
        if outcome.partial is not None:
            assert outcome.partial.text == stream.client.text
            assert outcome.partial.tokens <= 3
        assert outcome.usage.completion <= 4
    # Only bytes of the HTTP framing may be missing from an answer that counts, and the second half of a CRLF.
    assert completed <= len(b"\n" + b"\r\n" + _LAST)


async def test_a_client_that_asked_for_no_stream_has_nothing_of_a_cut_one() -> None:
    """llama.cpp is asked for a stream in any case. Nobody has seen a token: at every byte the call may move on."""
    for cut, error in cuts(BackendKind.LLAMACPP):
        stream = Stream(BackendKind.LLAMACPP, "openai", stream=False)
        outcome = stream.play(LLAMACPP, cut, error)
        assert outcome.ok or outcome.try_elsewhere
        assert outcome.partial is None
        assert stream.client.transport.written.startswith(
            b"HTTP/1.1 200 " if outcome.ok else b"HTTP/1.1 502 "
        )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize("surface", ["openai", "native"])
@pytest.mark.parametrize("kind", RECORDED)
async def test_pieces_make_no_difference(kind: BackendKind, surface: str, size: int) -> None:
    """However the network cuts a stream, the client gets the same text and the ledger the same counts."""
    stream = Stream(kind, surface)
    data = RECORDED[kind]
    outcome = stream.play(data, len(data), None, size)
    assert outcome.ok
    assert stream.client.text == TEXT
    assert stream.client.body.endswith(b"\n\n")
    if kind is not BackendKind.VLLM:
        assert (outcome.usage.prompt, outcome.usage.completion) == (212, 3)


async def test_a_reset_is_told_in_words() -> None:
    """The system's, without the number of its error."""
    stream = Stream(BackendKind.LLAMACPP, "openai")
    reset = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    outcome = stream.play(LLAMACPP, len(LLAMACPP) // 2, reset)
    assert "the connection was lost: Connection reset by peer" in outcome.message
