"""`python -m benchmarks.console.serving SOCKET SIZE`: serves a made-up fleet as an engine serves a real one.

SIZE is JSON. What is asked for beside the state is answered from `answers.py`; what is not there with 404.
"""

import asyncio
import sys
from urllib.parse import parse_qs, urlsplit

import msgspec

from benchmarks.console.answers import answer
from benchmarks.console.fleet import Fleet, Size
from orchestra_core.domain.difference import Telling

_BEGUN = 4000
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
TOKENS = 400
TOKENS_A_SECOND = 40


class Serving:
    """Its clock is the event loop's, so that the console sees time pass."""

    def __init__(self, size: Size) -> None:
        self._fleet = Fleet(size)
        self._begun = asyncio.get_running_loop().time() - _BEGUN

    @property
    def second(self) -> int:
        return int(asyncio.get_running_loop().time() - self._begun)

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                length = next(
                    (int(row[15:]) for row in head.lower().split(b"\r\n") if row[:15] == b"content-length:"),
                    0,
                )
                await reader.readexactly(length)
                await self._serve(writer, method, target)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _serve(self, writer: asyncio.StreamWriter, method: str, target: str) -> None:
        url = urlsplit(target)
        asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.path == "/api/v1/events" and "snapshots" in asked:
            telling = Telling() if "differences" in asked else None
            await self._feed(writer, float(asked.get("interval", "1")), telling)
        elif url.path == "/api/v1/route":
            await self._stream(writer)
        elif url.path == "/api/v1/snapshot":
            await _whole(writer, 200, msgspec.json.encode(self._fleet.at(self.second)))
        else:
            found = answer(method, url.path, asked, self._fleet, self.second)
            missing = {"error": {"type": "not_found", "code": "not_found", "message": "no such path"}}
            await _whole(
                writer,
                200 if found is not None else 404,
                msgspec.json.encode(missing if found is None else found),
            )

    async def _feed(self, writer: asyncio.StreamWriter, interval: float, telling: Telling | None) -> None:
        loop = asyncio.get_running_loop()
        writer.write(_STREAM)
        told, due = self.second, loop.time()
        while True:
            now = self.second
            for second in range(told + 1, now + 1):
                for event in self._fleet.events(second):
                    await _chunk(writer, b"event", msgspec.json.encode(event))
            told = now
            state = self._fleet.at(now)
            said = state if telling is None else telling.tell(state)
            name = b"difference" if isinstance(said, dict) else b"snapshot"
            await _chunk(writer, name, msgspec.json.encode(said))
            due = max(due + interval, loop.time() - interval)
            await asyncio.sleep(due - loop.time())

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        writer.write(_STREAM)
        words = self._fleet.size.answer
        start = {
            "request_id": "r1",
            "model": "llama-3.1:8b-q4",
            "backend": "be-00",
            "decision_id": "d1",
            "task_type": "",
        }
        await _chunk(writer, b"start", msgspec.json.encode(start))
        for index in range(TOKENS):
            await _chunk(writer, b"token", msgspec.json.encode({"text": words[index % len(words)]}))
            await asyncio.sleep(1 / TOKENS_A_SECOND)
        done = {"model_used": "llama-3.1:8b-q4", "backend": "be-00", "selection_reasoning": "the shortest"}
        await _chunk(writer, b"done", msgspec.json.encode(done))
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _whole(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    head = f"HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _chunk(writer: asyncio.StreamWriter, name: bytes, payload: bytes) -> None:
    block = b"event: " + name + b"\ndata: " + payload + b"\n\n"
    writer.write(b"%x\r\n%b\r\n" % (len(block), block))
    await writer.drain()


async def main() -> None:
    size = msgspec.json.decode(sys.argv[2], type=Size) if len(sys.argv) > 2 else Size()
    server = await asyncio.start_unix_server(Serving(size).client, sys.argv[1])
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
