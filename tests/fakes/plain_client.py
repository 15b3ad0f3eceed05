"""A client of one connection, for tests that decide when it reads, stops reading or leaves."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

from tests.fakes.engine_process import sse


class Answer:
    """One answer as received. `whole` tells whether it ended as HTTP says, not by a cut."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes, *, whole: bool) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.whole = whole

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error object, of an answer that is one or of the event that ends a stream."""
        if self.streamed:
            return dict(json.loads(self.events[-1][1])["error"])
        return dict(self.json["error"])

    @property
    def streamed(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def events(self) -> Sequence[tuple[str, str]]:
        """(name, data) of each event; comments are none."""
        return list(sse(iter(self.text.splitlines())))

    @property
    def done(self) -> bool:
        """Whether the stream ended cleanly."""
        return bool(self.events) and self.events[-1] == ("message", "[DONE]")

    @property
    def content(self) -> str:
        """What the model said, streamed or not."""
        if not self.streamed:
            return str(self.json["choices"][0]["message"]["content"])
        chunks = [
            json.loads(data) for name, data in self.events if name == "message" and data.startswith("{")
        ]
        choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
        return "".join(choice.get("delta", {}).get("content") or "" for choice in choices)

    @property
    def attempts(self) -> int:
        return int(self.headers["x-orchestra-attempts"])

    @property
    def backend(self) -> str:
        return self.headers["x-orchestra-backend"]


class PlainClient:
    """Use as an async context manager. `receive` is the size of its kernel's receive buffer, in bytes."""

    def __init__(self, port: int, *, receive: int | None = None) -> None:
        self._port = port
        self._receive = receive
        self._received = b""

    async def __aenter__(self) -> "PlainClient":
        sock = socket.socket()
        sock.setblocking(False)
        if self._receive is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self._port))
        except BaseException:
            sock.close()
            raise
        limit = 65536 if self._receive is None else self._receive
        self._reader, self._writer = await asyncio.open_connection(sock=sock, limit=limit)
        return self

    async def __aexit__(self, *failure: object) -> None:
        self.leave()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def send(self, path: str, fields: object, **headers: str) -> None:
        """The whole request; nothing is read."""
        content = json.dumps(fields).encode()
        lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, f"content-length: {len(content)}", "", ""])
        self._writer.write(head.encode() + content)

    def chat(self, model: str = "m", text: str = "Hi", **fields: object) -> None:
        """A chat completion over OpenAI's surface."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        self.send("/v1/chat/completions", body)

    async def until(self, words: str) -> bytes:
        """Everything received so far, once these words are in it."""
        while words.encode() not in self._received:
            data = await self._reader.read(65536)
            assert data, f"the connection ended before {words!r}: {self._received!r}"
            self._received += data
        return self._received

    async def answer(self) -> Answer:
        """The rest of the answer, to its end or to that of the connection."""
        while b"\r\n\r\n" not in self._received and await self._more():
            continue
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1]) if first else 0
        if headers.get("transfer-encoding") == "chunked":
            body, whole = await self._chunks()
        else:
            length = int(headers.get("content-length", "0"))
            while len(self._received) < length and await self._more():
                continue
            body, self._received = self._received[:length], self._received[length:]
            whole = len(body) == length and bool(head)
        return Answer(status, headers, body, whole=whole)

    async def _chunks(self) -> tuple[bytes, bool]:
        body = b""
        while True:
            size, found, rest = self._received.partition(b"\r\n")
            if found and len(rest) >= int(size, 16) + 2:
                length = int(size, 16)
                self._received = rest[length + 2 :]
                if not length:
                    return body, True
                body += rest[:length]
            elif not await self._more():
                return body, False

    async def _more(self) -> bool:
        try:
            data = await self._reader.read(65536)
        except OSError:
            data = b""
        self._received += data
        return bool(data)

    def leave(self) -> None:
        self._writer.close()

    def half_close(self) -> None:
        self._writer.write_eof()

    def reset(self) -> None:
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        self._writer.write(data)

    def read_no_more(self) -> None:
        """Until something is read again, at least."""
        self._writer.transport.pause_reading()
