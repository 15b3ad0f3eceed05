"""The engine's own HTTP/1.1 over real sockets: connections kept, bodies in chunks, pipelines, slow readers."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator

import psutil
import pytest

from tests.fakes.engine_process import EngineProcess
from tests.fakes.wire import Wire

ASK = json.dumps(
    {"model": "sim-llama3.1:8b", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
)
HEAD = "host: localhost\r\ncontent-type: application/json\r\n"
MIB = 1024 * 1024


@pytest.fixture(params=["tcp", "unix"])
def wire(request: pytest.FixtureRequest, demo: EngineProcess) -> Iterator[Wire]:
    if request.param == "tcp":
        connection = socket.create_connection(("127.0.0.1", demo.port), timeout=10)
    else:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(str(demo.socket))
    opened = Wire(connection)
    yield opened
    opened.close()


def post(path: str, body: str, more: str = "") -> str:
    return f"POST {path} HTTP/1.1\r\n{HEAD}{more}content-length: {len(body)}\r\n\r\n{body}"


def test_a_connection_serves_many_requests(wire: Wire) -> None:
    """Looking, asking, streaming and failing one after another on one connection."""
    stream = ASK[:-1] + ', "stream": true}'
    for text, status in (
        (f"GET /livez HTTP/1.1\r\n{HEAD}\r\n", 200),
        (post("/v1/chat/completions", ASK), 200),
        (post("/v1/chat/completions", stream), 200),
        (post("/v1/chat/completions", "{}"), 400),
        (f"GET /nope HTTP/1.1\r\n{HEAD}\r\n", 404),
        (post("/v1/chat/completions", stream), 200),
        (f"GET /livez HTTP/1.1\r\n{HEAD}\r\n", 200),
    ):
        wire.send(text)
        assert wire.answer()[0] == status


def test_connection_close_is_obeyed(wire: Wire) -> None:
    """The answer says so too, and then the connection ends."""
    wire.send(post("/v1/chat/completions", ASK, "connection: close\r\n"))
    status, headers, _ = wire.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert wire.at_end()


def test_http_1_0_is_answered_and_closed(wire: Wire) -> None:
    """Without chunks, as that version knows none; the end of the stream is the end of the connection."""
    body = ASK[:-1] + ', "stream": true}'
    head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    wire.send(f"POST /v1/chat/completions HTTP/1.0\r\n{head}\r\n{body}")
    status, headers = wire.head()
    assert status == 200
    assert "transfer-encoding" not in headers
    received = b""
    while piece := wire.socket.recv(65536):
        received += piece
    assert received.endswith(b"data: [DONE]\n\n") or not received


@pytest.mark.parametrize(
    "path", ["/health", "/api/v1/models", "/metrics", "/v1/models", "/v1/models/auto", "/nope"]
)
def test_head_is_get_without_the_body(wire: Wire, path: str) -> None:
    """The same status and headers; the next answer begins right after the head."""
    wire.send(f"GET {path} HTTP/1.1\r\n{HEAD}\r\n")
    status, headers, body = wire.answer()
    wire.send(f"HEAD {path} HTTP/1.1\r\n{HEAD}\r\nGET /livez HTTP/1.1\r\n{HEAD}\r\n")
    again, same = wire.head()
    assert (again, same["content-type"]) == (status, headers["content-type"])
    assert abs(int(same["content-length"]) - len(body)) <= 40
    assert wire.answer()[2] == b'{"status":"alive"}'


def test_head_of_the_event_stream_ends(wire: Wire) -> None:
    """A stream without an end has a head with one: the connection goes on."""
    wire.send(f"HEAD /api/v1/events HTTP/1.1\r\n{HEAD}\r\n")
    status, headers = wire.head()
    assert (status, headers["content-type"]) == (200, "text/event-stream")
    wire.send(f"GET /livez HTTP/1.1\r\n{HEAD}\r\n")
    assert wire.answer()[0] == 200


def test_a_body_may_come_in_chunks(wire: Wire) -> None:
    """Cut anywhere, with extensions and trailers, sent byte by byte over many packets."""
    pieces = [ASK[:1], ASK[1:7], ASK[7:]]
    body = "".join(f"{len(piece):x};ext=1\r\n{piece}\r\n" for piece in pieces) + "0\r\nx-trailer: 1\r\n\r\n"
    text = f"POST /v1/chat/completions HTTP/1.1\r\n{HEAD}transfer-encoding: chunked\r\n\r\n{body}"
    for start in range(0, len(text), 7):
        wire.send(text[start : start + 7])
    status, _, answer = wire.answer()
    assert status == 200
    assert json.loads(answer)["usage"]["completion_tokens"] == 4


def test_a_client_may_ask_before_it_sends(wire: Wire) -> None:
    """`Expect: 100-continue` is answered before the body comes."""
    wire.send(
        f"POST /v1/chat/completions HTTP/1.1\r\n{HEAD}expect: 100-continue\r\ncontent-length: {len(ASK)}\r\n\r\n"
    )
    assert wire.head()[0] == 100
    wire.send(ASK)
    assert wire.answer()[0] == 200


def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    """Five sent at once, a slow one first: the answers come in the order of the questions."""
    wire.send(
        post("/v1/chat/completions", ASK, "x-request-id: a\r\n")
        + f"GET /livez HTTP/1.1\r\n{HEAD}x-request-id: b\r\n\r\n"
        + post("/v1/chat/completions", ASK[:-1] + ', "stream": true}', "x-request-id: c\r\n")
        + post("/api/v1/route", "{", "x-request-id: d\r\n")
        + f"HEAD /livez HTTP/1.1\r\n{HEAD}x-request-id: e\r\n\r\n"
    )
    seen = [wire.answer() for _ in range(4)]
    seen.append((*wire.head(), b""))
    assert [headers["x-client-request-id"] for _, headers, _ in seen] == ["a", "b", "c", "d", "e"]
    assert [status for status, _, _ in seen] == [200, 200, 200, 400, 200]


def test_a_flood_of_pipelined_requests_is_refused(wire: Wire) -> None:
    """Beyond a few requests sent ahead the connection is closed; those being served are still answered."""
    one = post("/v1/chat/completions", ASK)
    with contextlib.suppress(OSError):
        wire.send(one * 2000)
    assert wire.head()[0] == 200


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("GARBAGE\r\n\r\n", 400, "malformed_request"),
        ("GET /livez HTTP/1.1\r\n\r\n", 400, "missing_host"),
        (f"GET /livez HTTP/1.1\r\n{HEAD}host: other\r\n\r\n", 400, "duplicate_header"),
        (f"GET http://other/livez HTTP/1.1\r\n{HEAD}\r\n", 400, "invalid_target"),
        (f"POST /livez HTTP/1.1\r\n{HEAD}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400, None),
        (f"POST /livez HTTP/1.1\r\n{HEAD}content-length: 99999999999\r\n\r\n", 413, "request_too_large"),
        (f"GET /{'a' * 9000} HTTP/1.1\r\n{HEAD}\r\n", 414, "uri_too_long"),
        (f"GET /livez HTTP/1.1\r\n{HEAD}" + "x: y\r\n" * 200 + "\r\n", 431, "too_many_headers"),
        (
            f"POST /livez HTTP/1.1\r\n{HEAD}content-encoding: gzip\r\ncontent-length: 0\r\n\r\n",
            415,
            "content_encoding",
        ),
        (f"BREW /livez HTTP/1.1\r\n{HEAD}\r\n", None, None),
    ],
)
def test_what_is_not_http_is_refused_and_the_connection_closed(
    wire: Wire, text: str, status: int | None, code: str | None
) -> None:
    """A 4xx in the shape of every other error, and nothing after it is read."""
    with contextlib.suppress(OSError):
        wire.send(text)
    found, headers, body = wire.answer()
    assert found in ({status} if status else {400, 501})
    error = json.loads(body)["error"]
    assert error["type"] == "invalid_request_error"
    assert {"message", "param", "request_id"} <= error.keys()
    assert code in (None, error["code"])
    assert headers["connection"] == "close"
    assert wire.at_end()


def test_a_head_that_is_too_large_is_refused(wire: Wire) -> None:
    """Whether it comes in one packet or in many."""
    with contextlib.suppress(OSError):
        wire.send(f"GET /livez HTTP/1.1\r\n{HEAD}x: {'y' * 60000}\r\n\r\n")
    status, headers, _ = wire.answer()
    assert (status, headers["connection"]) == (431, "close")


def test_a_head_without_an_end_is_refused(wire: Wire) -> None:
    """It is given up at the limit, not when memory is."""
    with contextlib.suppress(OSError):
        wire.send(f"GET /livez HTTP/1.1\r\n{HEAD}x: ")
        for _ in range(40):
            wire.send("y" * 2000)
    assert wire.answer()[0] == 431


@pytest.mark.parametrize(
    "half", ["POST /v1/chat/completions HTTP/1.1\r\nhost: eng", post("/livez", ASK)[:-9]]
)
def test_a_client_that_leaves_in_the_middle_of_a_request_harms_nobody(
    wire: Wire, demo: EngineProcess, half: str
) -> None:
    """In the head or in the body: the engine goes on."""
    wire.send(half)
    wire.close()
    assert demo.get("/livez").status_code == 200


class Faucet:
    """A backend that streams as fast as it is read, up to `limit` bytes; `sent` tells how much was taken."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self.sent = 0
        self.gone = asyncio.Event()

    async def __aenter__(self) -> "Faucet":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET /v1/models "):
                body = json.dumps({"object": "list", "data": [{"id": "faucet", "object": "model"}]}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
            elif head.startswith(b"POST /v1/chat/completions "):
                await self._pour(writer)
            else:
                writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    async def _pour(self, writer: asyncio.StreamWriter) -> None:
        delta = {"choices": [{"index": 0, "delta": {"content": "x" * 1000}, "finish_reason": None}]}
        event = b"data: " + json.dumps({"object": "chat.completion.chunk", **delta}).encode() + b"\n\n"
        block = event * 64
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        try:
            while self._left > 0:
                writer.write(block)
                await writer.drain()
                self.sent += len(block)
                self._left -= len(block)
            writer.write(
                b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
            )
        finally:
            self.gone.set()


async def standstill(faucet: Faucet, seconds: float = 10) -> int:
    """Waits until nothing has been taken for a third of a second; the bytes taken by then."""
    async with asyncio.timeout(seconds):
        while True:
            before = faucet.sent
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(faucet.gone.wait(), 0.33)
            if before and faucet.sent == before:
                return before


def faucet_config(faucet: Faucet) -> str:
    return (
        '[discovery]\nenabled = false\n[[backends]]\nname = "faucet"\nkind = "openai"\n'
        f'url = "http://127.0.0.1:{faucet.port}"\n'
    )


@pytest.mark.parametrize("surface", ["/v1/chat/completions", "/api/v1/route"])
async def test_a_slow_reader_slows_the_backend_and_fills_no_memory(surface: str) -> None:
    """The backend is held back while the client does not read; then everything arrives, to the last byte."""
    limit = 64 * MIB
    async with Faucet(limit) as faucet:
        engine = await asyncio.to_thread(EngineProcess(faucet_config(faucet)).start)
        try:
            process = psutil.Process(engine.pid)
            before = process.memory_info().rss
            body = {"model": "faucet", "stream": True}
            said = [{"role": "user", "content": "Hi"}]
            text = post(surface, json.dumps({**body, "messages": said}))
            reader, writer = await asyncio.open_connection("127.0.0.1", engine.port, limit=65536)
            writer.write(text.encode())
            taken = await standstill(faucet)
            assert taken < limit / 2, "the client reads nothing, so the backend must have been stopped"
            assert process.memory_info().rss - before < 16 * MIB
            received = 0
            last = b""
            async with asyncio.timeout(40):
                while b"\r\n0\r\n\r\n" not in last:
                    piece = await reader.read(MIB)
                    assert piece, "cut"
                    received += len(piece)
                    last = (last + piece)[-200:]
            assert faucet.sent >= limit
            assert received >= limit * (0.9 if surface.startswith("/v1") else 0.8)
            if surface.startswith("/v1"):  # the native `done` repeats the whole text, which was kept for it
                assert process.memory_info().rss - before < 24 * MIB
            writer.close()
            assert await asyncio.to_thread(engine.stop) == 0
        finally:
            await asyncio.to_thread(engine.close)


async def test_a_slow_reader_that_leaves_lets_the_backend_go() -> None:
    """A held-back stream is ended, not forgotten, when its client goes."""
    async with Faucet(64 * MIB) as faucet:
        engine = await asyncio.to_thread(EngineProcess(faucet_config(faucet)).start)
        try:
            said = [{"role": "user", "content": "Hi"}]
            text = post(
                "/v1/chat/completions", json.dumps({"model": "faucet", "stream": True, "messages": said})
            )
            _, writer = await asyncio.open_connection("127.0.0.1", engine.port, limit=65536)
            writer.write(text.encode())
            await standstill(faucet)
            writer.transport.abort()
            async with asyncio.timeout(20):
                await faucet.gone.wait()
            assert await asyncio.to_thread(engine.stop) == 0
        finally:
            await asyncio.to_thread(engine.close)
