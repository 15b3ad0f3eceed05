"""An OpenAI-compatible backend that answers canned bytes: the same, cheap other end for every gateway.

Run as `python -m benchmarks.stub`; prints its port. The prompt says how to answer a streaming request:
`#chunks=64 gap=4#` is 64 events, 4 ms apart (0: one per turn of the event loop). Prompts pass every gateway
unchanged, so no gateway needs to know.
"""

import argparse
import asyncio
import re
import sys
from functools import cache
from typing import cast

import httptools
import uvloop

MODEL = "stub-model"
DEFAULT_CHUNKS = 16
_SHAPE = re.compile(rb"#chunks=(\d+) gap=(\d+)#")
_STREAM = re.compile(rb'"stream"\s*:\s*true')
_WORDS = b"the quick brown fox jumps over the lazy dog and keeps running through the forest "


def _whole(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (
        status,
        len(body),
    )
    return head + body


ANSWER = _whole(
    b"200 OK",
    b'{"id":"chatcmpl-stub","object":"chat.completion","created":1700000000,"model":"stub-model","choices":'
    b'[{"index":0,"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":62,"completion_tokens":16,"total_tokens":78}}' % _WORDS.strip(),
)
MODELS = _whole(
    b"200 OK",
    b'{"object":"list","data":[{"id":"stub-model","object":"model","created":1700000000,"owned_by":"stub",'
    b'"max_model_len":32768}]}',
)
HEALTHY = _whole(b"200 OK", b'{"status":"ok"}')
MISSING = _whole(b"404 Not Found", b'{"error":{"message":"not found","type":"invalid_request_error"}}')
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_GETS = {b"/v1/models": MODELS, b"/models": MODELS, b"/health": HEALTHY, b"/": HEALTHY}


def _event(choices: bytes, more: bytes = b"") -> bytes:
    event = (
        b'data: {"id":"chatcmpl-stub","object":"chat.completion.chunk","created":1700000000,'
        b'"model":"stub-model","choices":[%s]%s}\n\n' % (choices, more)
    )
    return b"%x\r\n%s\r\n" % (len(event), event)


def _delta(delta: bytes, finish: bytes = b"null") -> bytes:
    return _event(b'{"index":0,"delta":%s,"finish_reason":%s}' % (delta, finish))


@cache
def stream(chunks: int) -> tuple[bytes, ...]:
    """The writes of one streamed answer; all but the last are one event in one HTTP chunk each."""
    words = _WORDS.split()
    texts = [_delta(b'{"content":"%s "}' % words[number % len(words)]) for number in range(chunks - 1)]
    usage = b',"usage":{"prompt_tokens":62,"completion_tokens":%d,"total_tokens":%d}' % (chunks, 62 + chunks)
    end = _delta(b"{}", b'"stop"') + _event(b"", usage) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
    return (_delta(b'{"role":"assistant","content":"the "}'), *texts, end)


class Stub(asyncio.Protocol):
    """One connection; answers one request after the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body = b""
        self._transport: asyncio.Transport
        self._timer: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url, self._body = url, b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._parser.get_method() != b"POST":
            self._transport.write(_GETS.get(self._url, MISSING))
        elif not self._url.endswith(b"/chat/completions"):
            self._transport.write(MISSING)
        elif _STREAM.search(self._body):
            self._stream()
        else:
            self._transport.write(ANSWER)

    def _stream(self) -> None:
        shape = _SHAPE.search(self._body)
        chunks, gap = (int(shape[1]), int(shape[2])) if shape else (DEFAULT_CHUNKS, 0)
        writes = stream(chunks)
        self._transport.write(STREAM_HEAD + writes[0])
        self._next(writes, 1, gap / 1000)

    def _next(self, writes: tuple[bytes, ...], number: int, gap: float) -> None:
        if number == len(writes):
            self._timer = None
        elif gap:
            self._timer = self._loop.call_later(gap, self._send, writes, number, gap)
        else:
            self._timer = self._loop.call_soon(self._send, writes, number, gap)

    def _send(self, writes: tuple[bytes, ...], number: int, gap: float) -> None:
        self._transport.write(writes[number])
        self._next(writes, number + 1, gap)


async def serve(port: int) -> None:
    """Until killed; the port is printed on one line once it is open."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stub(loop), "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    try:
        uvloop.run(serve(arguments.port))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
