"""A small engine that is not one: an HTTP server that tells of a scripted world on a Unix socket.

Run `python -m tests.fakes.fake_engine SOCKET` to look at the console without an engine. Everything it says is
marked as simulated.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from orchestra_core.domain.difference import Telling
from tests.fakes.usage_reports import usage_report
from tests.fakes.world import GIB, World

__all__ = ["STORY", "FakeEngine", "World"]

STORY = (
    "A circuit breaker keeps calls away from an endpoint that keeps failing. It is closed while calls "
    "succeed, opens after a run of failures, and lets a single probe through after a pause.\n\n"
    "```python\nif breaker.admit(now) is None:\n    return next_endpoint()\n```\n\n"
    "If the probe succeeds the breaker closes again; if not, it stays open for longer."
)


class FakeEngine:
    """Serves a World over HTTP/1.1 on a Unix socket; `period` is real seconds per tick.

    `streams` are the queries of its streams; of their differences so many as `lost` says never arrive, and without
    `differences` it is an engine that knows none.
    """

    def __init__(self, path: str, world: World | None = None, period: float = 1.0) -> None:
        self.path = path
        self.world = world or World()
        self.period = period
        self.asked: list[str] = []
        self.streams: list[dict[str, list[str]]] = []
        self.differences = True
        self.lost = 0
        self.wished: list[dict[str, object]] = []
        self.stopped = asyncio.Event()
        self.cancelled = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        """Closes the listener and cuts every connection."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.close()
        self.stopped.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.cancelled.set()
        finally:
            self._open.discard(writer)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        length = next(
            (
                int(row.split(b":")[1])
                for row in head.split(b"\r\n")
                if row.lower().startswith(b"content-length")
            ),
            0,
        )
        body = await reader.readexactly(length) if length else b""
        parts = urlsplit(target)
        self.asked.append(f"{method} {parts.path}")
        if parts.path == "/api/v1/events":
            query = parse_qs(parts.query)
            self.streams.append(query)
            if "differences" in query and not self.differences:
                _refuse(writer, "unknown parameter 'differences'")
                return True
            interval = float(query.get("interval", ["1"])[0])
            await self._events(writer, interval, Telling() if "differences" in query else None)
            return False
        if parts.path == "/api/v1/route":
            await self._route(writer, msgspec.json.decode(body))
            return False
        status, answer = self._answer(method, parts.path, body)
        payload = msgspec.json.encode(answer)
        head_out = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(payload)}"
        writer.write(head_out.encode() + b"\r\n\r\n" + payload)
        await writer.drain()
        if parts.path == "/api/v1/shutdown":
            await self.stop()
        return True

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if path in ("/api/v1/snapshot", "/api/v1/usage"):
            return 200, usage_report("model") if path.endswith("usage") else self.world.snapshot()
        if path == "/api/v1/shutdown":
            return 202, {}
        parts = path.split("/")
        if method == "POST" and len(parts) == 6 and parts[3] == "alerts":
            self.wished.append(msgspec.json.decode(body))
            self.world.say_to_alert(parts[5], unquote(parts[4]))
            return 200, {}
        if method == "POST" and len(parts) == 6 and parts[3] == "models":
            wish = msgspec.json.decode(body) if body else {}
            self.wished.append(wish)
            backend = wish.get("backend", "")
            plan = {"evicts": [], "needs_bytes": 3 * GIB, "expected_seconds": 10, "fits": True}
            if wish.get("dry_run"):
                return 200, {"action": parts[5], "model": unquote(parts[4]), "backend": backend, "plan": plan,
                             "dry_run": True}  # fmt: skip
            if self.world.operate(parts[5], unquote(parts[4]), backend):
                return 202, {"operation": "op-1", "action": parts[5], "model": unquote(parts[4]),
                             "backend": backend, "plan": plan}  # fmt: skip
        error = {"type": "invalid_request_error", "code": "not_found", "message": f"no {unquote(path)} here"}
        return 404, {"error": error}

    async def _events(self, writer: asyncio.StreamWriter, interval: float, telling: Telling | None) -> None:
        _begin(writer)
        while not self.stopped.is_set():
            told = self.world.snapshot() if telling is None else telling.tell(self.world.snapshot())
            if isinstance(told, dict) and "after" in told and self.lost:
                self.lost -= 1
                told = telling.tell(self.world.snapshot()) if telling is not None else told
            _send(writer, "difference" if isinstance(told, dict) and "after" in told else "snapshot", told)
            await writer.drain()
            await self._pace(interval)
            for event in self.world.advance(max(round(interval), 1)):
                _send(writer, "event", event)

    async def _pace(self, ticks: float) -> None:
        """What happens here happens at a pace, which ends with the engine: not waiting for anything else."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ticks * self.period):
                await self.stopped.wait()

    async def _route(self, writer: asyncio.StreamWriter, body: dict[str, object]) -> None:
        _begin(writer)
        model = str(body.get("model") or "llama3.2:3b")
        reasoning = "llama3.2:3b on box1: 0.9 s predicted, the shortest of 4; quality medium is enough"
        start = {
            "request_id": "r1",
            "model": model,
            "backend": "box1",
            "decision_id": "d1",
            "reasoning": reasoning,
        }
        _send(writer, "start", start)
        await self._pace(0.2)
        words = (STORY if "long" not in str(body["prompt"]) else STORY * 20).split(" ")
        for word in words:
            _send(writer, "token", {"text": word + " "})
            await writer.drain()
            await self._pace(0.025)
        metrics = {"tokens_generated": len(words), "tokens_prompt": 12, "response_time_ms": 1900}
        _send(writer, "done", {"response": "", "model_used": model, "backend": "box1", "metrics": metrics})
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _begin(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")


def _refuse(writer: asyncio.StreamWriter, message: str) -> None:
    error = {"type": "invalid_request_error", "code": "invalid_request", "message": message}
    body = msgspec.json.encode({"error": error})
    writer.write(b"HTTP/1.1 400 X\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


def _send(writer: asyncio.StreamWriter, name: str, value: object) -> None:
    if writer.is_closing():
        raise ConnectionResetError
    frame = b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"
    writer.write(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")


async def run(path: str, world: World, say: Callable[[str], None] = print) -> None:
    """Serves until it is told to stop."""
    engine = FakeEngine(path, world)
    await engine.start()
    say(f"simulated engine listens on {path}")
    await engine.stopped.wait()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], World(empty="--empty" in sys.argv)))
