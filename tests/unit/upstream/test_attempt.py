"""One attempt over one connection: bytes from a backend in, an outcome and a client's bytes out; no sockets."""

import asyncio

import pytest

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.reply import Usage
from orchestra_core.domain.sink import Serving
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.attempt import Attempt
from orchestra_core.upstream.codec import LLAMACPP, OLLAMA, OPENAI, Codec
from orchestra_core.upstream.transport import Connection, Pool
from tests.fakes.execution import TakingSink
from tests.fakes.transport import FakeTransport

SERVING = Serving("m", "b", "d", 1, False)
EVENTS = (
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
    b"data: [DONE]\n\n"
)
LINES = (
    b'{"model":"m","message":{"role":"assistant","content":"Hel"},"done":false}\n'
    b'{"model":"m","message":{"role":"assistant","content":"lo"},"done":false}\n'
    b'{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",'
    b'"prompt_eval_count":3,"eval_count":2}\n'
)
BODY = (
    b'{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2}}'
)


def answer(
    body: bytes, kind: bytes = b"text/event-stream", status: bytes = b"200 OK", extra: bytes = b""
) -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b\r\n" % (
        status,
        kind,
        len(body),
        extra,
    )
    return head + body


class RelayingSink(TakingSink):
    """A client that takes OpenAI's bytes as they are."""

    relays = "openai"


class Wire:
    """An attempt under way on a connection whose backend is the test."""

    def __init__(
        self,
        codec: Codec = OPENAI,
        *,
        stream: bool = True,
        sink: TakingSink | None = None,
        kind: Kind = Kind.CHAT,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.sink = sink or RelayingSink(streaming=stream)
        self.pool = Pool(Address("127.0.0.1", 1, prefix="/v1"), loop)
        self.connection = Connection(self.pool)
        self.transport = FakeTransport()
        self.connection.connection_made(self.transport)
        call = Call(id="r", kind=kind, fields={}, received=0.0, stream=stream, wants_usage=True)
        self.attempt = Attempt(call, "b/m", codec, self.sink, SERVING, loop)
        self.attempt.bind(self.connection)
        self.connection.send(self.pool.head("/chat/completions", 2), b"{}", self.attempt)

    def says(self, data: bytes) -> "Wire":
        self.connection.data_received(data)
        return self

    def leaves(self) -> "Wire":
        self.connection.connection_lost(None)
        return self

    @property
    def outcome(self) -> Outcome:
        assert self.attempt.done.done(), "the attempt has not ended"
        return self.attempt.done.result()


async def test_a_request_is_sent_with_our_own_headers_only() -> None:
    """The backend gets a fixed list of headers: nothing of the client's slips through."""
    sent = Wire().transport.written

    assert sent.startswith(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:1\r\naccept-encoding: identity\r\n"
    )
    assert sent.endswith(b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}")


@pytest.mark.parametrize("size", [1, 5, 50, 100_000])
async def test_a_stream_is_relayed_and_the_connection_kept(size: int) -> None:
    """Whatever the pieces, the client gets the events, the outcome the usage, and the connection lives on."""
    wire = Wire()
    data = answer(EVENTS)
    for start in range(0, len(data), size):
        wire.says(data[start : start + size])

    assert (wire.outcome.verdict, wire.outcome.usage, wire.outcome.finish) == (
        Verdict.SUCCESS,
        Usage(3, 2),
        "stop",
    )
    assert wire.sink.text.encode() == EVENTS
    assert wire.pool.reuse() is wire.connection


@pytest.mark.parametrize("cut", range(len(answer(EVENTS))))
async def test_a_cut_stream_is_never_a_success(cut: int) -> None:
    """Cut at any byte: a failure that may move on before the first token, an interruption after it."""
    wire = Wire().says(answer(EVENTS)[:cut]).leaves()
    done = b"data: [DONE]\n\n" in answer(EVENTS)[:cut]

    assert wire.outcome.ok is done
    assert EVENTS.startswith(wire.sink.text.encode())
    assert not wire.sink.text or wire.sink.text.endswith("\n\n")
    if not done:
        assert wire.outcome.try_elsewhere is not wire.sink.committed
        assert (wire.outcome.verdict is Verdict.INTERRUPTED) is wire.sink.committed


@pytest.mark.parametrize("cut", range(len(answer(LINES, b"application/x-ndjson"))))
async def test_a_cut_translated_stream_is_never_a_success(cut: int) -> None:
    """The same over NDJSON, where only the line with `done` ends an answer."""
    data = answer(LINES, b"application/x-ndjson")
    wire = Wire(OLLAMA).says(data[:cut]).leaves()

    assert not wire.outcome.ok or b'"done":true' in data[:cut]
    assert "Hello".startswith(wire.sink.text)


async def test_a_client_that_did_not_ask_for_a_stream_can_still_move_on() -> None:
    """llama.cpp is asked to stream; when that stream breaks, the client has seen nothing of it."""
    wire = Wire(LLAMACPP, stream=False).says(answer(EVENTS)[:-120]).leaves()

    assert wire.outcome.try_elsewhere
    assert (wire.sink.text, wire.sink.committed) == ("", False)
    whole = Wire(LLAMACPP, stream=False).says(answer(EVENTS))
    assert (whole.sink.text, whole.outcome.usage) == ("Hello", Usage(3, 2))
    assert whole.outcome.first_token is not None


async def test_a_whole_body_is_passed_on_untouched() -> None:
    """Same format on both sides: the client's bytes are the backend's, only usage is read."""
    wire = Wire(stream=False).says(answer(BODY, b"application/json"))

    assert (wire.sink.text.encode(), wire.outcome.usage) == (BODY, Usage(3, 2))
    assert wire.outcome.first_token is None


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (answer(b"<html>", b"text/html"), Verdict.FAILED),
        (answer(b'data: {"error":{"message":"boom"}}\n\n'), Verdict.FAILED),
        (answer(b'{"error":{"message":"Loading model"}}', b"application/json", b"503 X"), Verdict.LOADING),
        (answer(b"{}", b"application/json", b"429 X", b"retry-after: 7\r\n"), Verdict.LIMITED),
        (answer(b"{}", b"application/json", b"400 X"), Verdict.REJECTED),
        (answer(b"x" * 70_000, b"text/plain", b"500 X"), Verdict.FAILED),
        (b"SSH-2.0-OpenSSH\r\n", Verdict.FAILED),
        (answer(EVENTS, extra=b"x: " + b"y" * 40_000 + b"\r\n"), Verdict.FAILED),
    ],
)
async def test_what_is_not_an_answer_is_classified(data: bytes, verdict: Verdict) -> None:
    """Junk, errors and errors in disguise each have their verdict, and nothing of them reaches the client."""
    wire = Wire().says(data)

    assert wire.outcome.verdict is verdict
    assert wire.sink.text == ""
    if verdict is Verdict.LIMITED:
        assert wire.outcome.retry_after == 7


async def test_a_connection_lost_before_any_byte_is_told_from_junk() -> None:
    """Only a backend that said nothing at all may have been killed by the request itself."""
    assert Wire().leaves().outcome.verdict is Verdict.DROPPED
    assert Wire().says(b"HTTP/1.1 20").leaves().outcome.verdict is Verdict.FAILED


async def test_an_interim_answer_is_no_answer() -> None:
    """100 Continue and 103 before the real head are skipped."""
    wire = Wire().says(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + answer(EVENTS))

    assert wire.outcome.ok


async def test_a_slow_client_pauses_the_backend() -> None:
    """Back-pressure reaches the backend's socket, and its end too."""
    flows: list[tuple[object, object]] = []

    class SlowSink(RelayingSink):
        def bind_flow(self, pause: object, resume: object) -> None:
            flows.append((pause, resume))

    wire = Wire(sink=SlowSink(streaming=True))
    pause, resume = flows[0]
    assert callable(pause)
    assert callable(resume)
    pause()
    assert not wire.transport.reading
    resume()
    assert wire.transport.reading


async def test_aborting_closes_the_connection_at_once() -> None:
    """That is how a backend learns that its client left."""
    wire = Wire().says(answer(EVENTS)[:300])
    wire.attempt.abort()

    assert wire.transport.aborted
    assert wire.pool.reuse() is None


async def test_bytes_nobody_asked_for_end_a_kept_connection() -> None:
    """What comes on an idle connection can only belong to no answer of ours."""
    wire = Wire().says(answer(EVENTS))
    wire.says(b"HTTP/1.1 200 OK\r\n\r\n")

    assert wire.transport.aborted
    assert wire.pool.reuse() is None


async def test_a_connection_that_is_to_close_is_not_kept() -> None:
    """`connection: close` is honoured."""
    wire = Wire().says(answer(EVENTS, extra=b"connection: close\r\n"))

    assert wire.outcome.ok
    assert wire.pool.reuse() is None
