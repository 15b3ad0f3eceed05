"""One request on a connection of its own, and sending many of them when they are due.

Open loop: a request is sent at its moment whatever is still unanswered, and its time counts from that moment, so
that a server that stalls is charged for everything it kept waiting (no coordinated omission).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import httptools
import msgspec


class Reply(msgspec.Struct):
    """What came back. `lost` says how the connection ended where the answer has no end of its own.

    `first` is when (monotonic) the first part of the body came in which `mark` is; `backend` who an engine says it was.
    """

    status: int = 0
    body: bytes = b""
    complete: bool = False
    lost: str = ""
    mark: bytes = b""
    first: float = 0.0
    backend: str = ""


class _Connection(asyncio.Protocol):
    """Sends one request and collects its answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, request: bytes) -> None:
        self._request = request
        self._parser = httptools.HttpResponseParser(self)
        self.reply = Reply()
        self.parts: list[bytes] = []
        self.done: asyncio.Future[None] = loop.create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(f"not HTTP: {error}")

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-orchestra-backend":
            self.reply.backend = value.decode()

    def on_headers_complete(self) -> None:
        self.reply.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if not self.reply.first and self.reply.mark and self.reply.mark in body:
            self.reply.first = time.monotonic()
        self.parts.append(body)

    def on_message_complete(self) -> None:
        self.reply.complete = True
        self._end("")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("reset" if isinstance(exc, ConnectionResetError) else "closed")

    def _end(self, why: str) -> None:
        if not self.done.done():
            self.reply.lost = why
            self.done.set_result(None)


def render(port: int, path: str, body: bytes, headers: str = "") -> bytes:
    """A POST as bytes; `headers` are whole lines."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"{headers}content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def exchange(port: int, request: bytes, reply: Reply | None = None) -> Reply:
    """The answer of one request on a fresh connection, closed when it ends or when this is cancelled."""
    loop = asyncio.get_running_loop()
    connection = _Connection(loop, request)
    if reply is not None:
        connection.reply = reply
    try:
        await loop.create_connection(lambda: connection, "127.0.0.1", port)
        await connection.done
    except OSError as error:
        connection.reply.lost = f"cannot connect: {type(error).__name__}"
    finally:
        connection.reply.body = b"".join(connection.parts)
        if connection.transport is not None:
            connection.transport.abort()
    return connection.reply


async def send_when_due(
    begin: float, moments: Sequence[float], send: Callable[[int, float], Awaitable[None]]
) -> list[float]:
    """Calls `send(number, due)` at `begin` (monotonic) plus each moment, and returns how late each call was."""
    loop, now = asyncio.get_running_loop(), time.monotonic()
    late: list[float] = []
    running: set[asyncio.Task[None]] = set()
    sent = asyncio.Event()

    def fire(number: int, due: float) -> None:
        late.append(time.monotonic() - due)
        # Kept in `running` and awaited below.
        task = asyncio.ensure_future(send(number, due))
        running.add(task)
        task.add_done_callback(running.discard)
        if len(late) == len(moments):
            sent.set()

    for number, moment in enumerate(moments):
        loop.call_later(begin + moment - now, fire, number, begin + moment)
    if moments:
        await sent.wait()
    if running:
        await asyncio.gather(*running)
    return late


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which so large a share lies; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
