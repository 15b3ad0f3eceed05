"""An OpenAI-compatible backend on loopback whose streams stop after their first token until they are let on.

Nothing in it takes time: a test that opens `gate` decides when answers end. Use as an async context manager.
"""

import asyncio
import contextlib
import json

TOKENS = 20
_WHOLE = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "all"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}
_HEAD = "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}\r\n"


class GatedBackend:
    """Serves `models`; `gate` is open from the start. `asked` counts calls, `refuse` answers them with 500."""

    def __init__(self, *models: str) -> None:
        self.models = models or ("gated",)
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuse = False
        self.hang = False
        self.asked = 0
        self.aborted = 0
        self.bodies: list[dict[str, object]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def config(self, name: str = "gated", **more: object) -> str:
        """A `[[backends]]` table for it."""
        lines = {"name": name, "kind": "vllm", "url": self.url, "slots": 64, **more}
        return "\n[[backends]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())

    async def until_asked(self, number: int, seconds: float = 20) -> None:
        """Returns when that many calls have come in."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: self.asked >= number)

    async def __aenter__(self) -> "GatedBackend":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        method, path, _ = head.split("\r\n", 1)[0].split(" ")
        length = next((line for line in head.split("\r\n") if line.startswith("content-length:")), ":0")
        body = await reader.readexactly(int(length.partition(":")[2]))
        if method == "get":
            listed = {"data": [{"id": model, "max_model_len": 8192} for model in self.models]}
            _answer(writer, 200 if path.startswith("/v1/models") else 404, listed)
            return True
        self.asked += 1
        self.bodies.append(json.loads(body))
        async with self._changed:
            self._changed.notify_all()
        if self.hang:
            await asyncio.Event().wait()
        if self.refuse:
            _answer(writer, 500, {"error": {"message": "told to fail"}})
            return True
        if not self.bodies[-1].get("stream"):
            if await self._opened(reader):
                _answer(writer, 200, _WHOLE)
            return False
        await self._stream(reader, writer)
        return False

    async def _opened(self, reader: asyncio.StreamReader) -> bool:
        """Waits for the gate; False when the client left before."""
        gone = asyncio.ensure_future(reader.read(1))
        opened = asyncio.ensure_future(self.gate.wait())
        try:
            await asyncio.wait({gone, opened}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            opened.cancel()
        if not self.gate.is_set():
            self.aborted += 1
        return self.gate.is_set()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        more = "transfer-encoding: chunked\r\nconnection: close\r\n"
        writer.write(_HEAD.format(status="200 OK", kind="text/event-stream", more=more).encode())
        writer.write(_chunk({"choices": [{"index": 0, "delta": {"content": "token 0 "}}]}))
        if not await self._opened(reader):
            return
        for number in range(1, TOKENS):
            writer.write(_chunk({"choices": [{"index": 0, "delta": {"content": f"token {number} "}}]}))
        usage = {"prompt_tokens": 3, "completion_tokens": TOKENS}
        writer.write(_chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        writer.write(_chunk({"choices": [], "usage": usage}))
        writer.write(_sized(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        await writer.drain()


def _answer(writer: asyncio.StreamWriter, status: int, body: object) -> None:
    data = json.dumps(body).encode()
    more = f"content-length: {len(data)}\r\n"
    writer.write(_HEAD.format(status=f"{status} Told", kind="application/json", more=more).encode() + data)


def _chunk(event: object) -> bytes:
    return _sized(b"data: " + json.dumps(event).encode() + b"\n\n")


def _sized(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
