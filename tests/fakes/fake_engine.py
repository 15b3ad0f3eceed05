"""A small engine that is not one: a scripted fleet, and an HTTP server that tells of it on a Unix socket.

Run `python -m tests.fakes.fake_engine SOCKET` to look at the console without an engine. Everything it says is
marked as simulated.
"""

import asyncio
import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import (
    BackendView,
    BreakerView,
    MemoryView,
    ModelView,
    Snapshot,
    Throughput,
    Totals,
)

GIB = 1024**3
BASE = datetime(2026, 3, 2, 12, 58, 0, tzinfo=UTC)
STORY = (
    "A circuit breaker keeps calls away from an endpoint that keeps failing. It is closed while calls "
    "succeed, opens after a run of failures, and lets a single probe through after a pause.\n\n"
    "```python\nif breaker.admit(now) is None:\n    return next_endpoint()\n```\n\n"
    "If the probe succeeds the breaker closes again; if not, it stays open for longer."
)

_BACKENDS = (
    ("local", "managed", "up", 4, 16 * GIB, "", "embedded", 0.0006),
    ("box1", "ollama", "up", 8, 24 * GIB, "", "0.12.3", 0.0021),
    ("box2", "ollama", "up", 8, 24 * GIB, "", "0.12.3", 0.0034),
    ("gpu-a", "vllm", "up", 64, 80 * GIB, "", "0.11.0", 0.0011),
    ("cloud", "openai", "up", 32, None, "", "", 0.0420),
    ("lab", "llamacpp", "down", 4, None, "connection refused (10.0.4.7:8080)", "b6700", None),
)
_MODELS = (
    ("local", "gemma3-270m-q4-k-m", "ready", 0.29, 32768, 0.27, "Q4_K_M", "low", 141.0, 4),
    ("box1", "llama3.2:3b", "ready", 2.0, 131072, 3.2, "Q4_K_M", "medium", 64.2, 4),
    ("box1", "qwen2.5-coder:7b", "ready", 4.7, 32768, 7.6, "Q4_K_M", "medium", 38.6, 4),
    ("box1", "mistral-nemo:12b", "absent", 7.1, 131072, 12.2, "Q4_0", "medium", None, 2),
    ("box2", "llama3.2:3b", "ready", 2.0, 131072, 3.2, "Q4_K_M", "medium", 58.9, 4),
    ("box2", "qwen2.5:14b", "loading", 9.0, 32768, 14.8, "Q4_K_M", "high", None, 2),
    ("box2", "nomic-embed-text", "ready", 0.27, 8192, 0.14, "F16", "low", None, 8),
    ("gpu-a", "llama-3.3-70b-instruct-fp8", "ready", 70.0, 131072, 70.6, "FP8", "high", 31.8, 64),
    ("cloud", "gpt-5-mini", "ready", None, 400000, None, None, "high", 96.4, 32),
    ("lab", "phi-4:14b", "absent", 9.1, 16384, 14.7, "Q4_K_M", "medium", None, 4),
)


class World:
    """A fleet whose numbers move with the tick; `tick` is seconds since its beginning."""

    def __init__(self, tick: int = 290, *, empty: bool = False, pid: int = 4242) -> None:
        self.tick = tick
        self.empty = empty
        self.pid = pid
        self.sequence = 0
        self.residency = {f"{b}/{m}": state for b, m, state, *_ in _MODELS}
        self.since: dict[str, int] = {
            key: tick - 18 for key, state in self.residency.items() if state == "loading"
        }
        self.busy: dict[str, int] = {
            "box1/llama3.2:3b": 3,
            "gpu-a/llama-3.3-70b-instruct-fp8": 21,
            "cloud/gpt-5-mini": 4,
        }
        self.events: list[Event] = [
            self._event(-280, "engine.started", "engine", "simulated fleet of 6 backends"),
            self._event(-190, "backend.down", "lab", "connection refused", "error"),
            self._event(-95, "model.ready", "box1/qwen2.5-coder:7b", "ready in 6.1 s"),
            self._event(
                -41, "request.failover", "box2/llama3.2:3b", "timed out, answered by box1", "warning"
            ),
            self._event(-40, "breaker.open", "box2/nomic-embed-text", "5 timeouts in 30 s", "error"),
            self._event(-18, "model.loading", "box2/qwen2.5:14b", "needs 9.0G, evicts nothing"),
        ]

    def stamp(self, tick: float) -> str:
        return (BASE + timedelta(seconds=tick)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def advance(self, seconds: int = 1) -> list[Event]:
        """Lets time pass; returns what happened."""
        self.tick += seconds
        happened = []
        for key, begun in list(self.since.items()):
            state = self.residency[key]
            if state == "loading" and self.tick - begun >= 30:
                self.residency[key] = "ready"
                happened.append(self._event(0, "model.ready", key, f"ready in {self.tick - begun} s"))
                del self.since[key]
            elif state == "unloading" and self.tick - begun >= 2:
                self.residency[key] = "absent"
                happened.append(self._event(0, "model.absent", key, "unloaded"))
                del self.since[key]
        self.events += happened
        return happened

    def operate(self, verb: str, model: str, backend: str) -> str | None:
        """Begins a load or unload; None when there is no such endpoint."""
        key = f"{backend}/{model}"
        if key not in self.residency:
            return None
        self.residency[key] = "loading" if verb == "load" else "unloading"
        self.since[key] = self.tick - (20 if verb == "load" else 0)
        self.events.append(self._event(0, f"model.{self.residency[key]}", key, f"{verb} by the console"))
        return key

    def snapshot(self) -> Snapshot:
        self.sequence += 1
        seconds = [_rate(self.tick - 299 + index) for index in range(300)]
        failures = tuple(2 if 250 <= self.tick - 299 + i <= 254 else 0 for i in range(300))
        models = () if self.empty else tuple(self._model(*row) for row in _MODELS)
        backends = () if self.empty else tuple(self._backend(models, *row) for row in _BACKENDS)
        ours = sum(view.memory_bytes or 0 for view in models if view.backend == "local")
        return Snapshot(
            sequence=self.sequence,
            now=self.stamp(self.tick),
            version="0.1.0",
            status="degraded",
            started=self.stamp(0),
            uptime=9900.0 + self.tick,
            pid=self.pid,
            simulated=not self.empty,
            address="127.0.0.1:8080",
            host=MemoryView(total=16 * GIB, used=int(11.4 * GIB) + ours, ours=ours),
            engine_memory=86 * 1024**2,
            totals=Totals() if self.empty else self._totals(),
            throughput=Throughput()
            if self.empty
            else Throughput(tuple(seconds), failures, tuple(int(each * 61) for each in seconds)),
            backends=backends,
            models=models,
            breakers=() if self.empty else tuple(self._breaker(view) for view in models),
            events=tuple(self.events[-50:]) if not self.empty else (),
            notices=(
                "No backend is configured and none was found: start Ollama, or run ai-orchestra config init.",
            )
            if self.empty
            else (),
        )

    def _model(
        self,
        backend: str,
        name: str,
        _state: str,
        gigs: float | None,
        context: int,
        billions: float | None,
        quant: str | None,
        tier: str,
        speed: float | None,
        slots: int,
    ) -> ModelView:
        key = f"{backend}/{name}"
        state = self.residency[key]
        size = None if gigs is None else int(gigs * GIB)
        loaded = state in ("ready", "unloading", "draining")
        done = min((self.tick - self.since.get(key, self.tick)) / 30, 1)
        tripped = key == "box2/nomic-embed-text"
        calls = 40 + (sum(map(ord, key)) * 37) % 4000
        return ModelView(
            id=key,
            model=name,
            backend=backend,
            residency=state,
            status="unavailable" if backend == "lab" else "running" if loaded else "available",
            circuit="open" if tripped else "closed",
            tier=tier,
            context=context,
            capabilities=("embedding",) if "embed" in name else ("chat", "completion", "tools"),
            tasks=("embedding",)
            if "embed" in name
            else ("code_generation", "text_generation", "conversation"),
            slots=slots,
            inflight=self.busy.get(key, 0) if loaded else 0,
            waiting=2 if backend == "gpu-a" else 0,
            calls=calls if loaded else 0,
            failed=31 if tripped else 0,
            loadable=backend != "cloud",
            size_bytes=size,
            parameters=None if billions is None else int(billions * 1e9),
            quantization=quant,
            memory_bytes=int(size * (1.15 if gigs and gigs < 50 else 1.0)) if size and loaded else None,
            price_input=0.25 if backend == "cloud" else 0.0,
            price_output=2.0 if backend == "cloud" else 0.0,
            tokens_per_second=speed if loaded else None,
            first_token_seconds=0.05 + 4 / speed if speed and loaded else None,
            speed_observations=calls if speed else 0,
            last_used=self.stamp(self.tick - len(name) * 3) if loaded else None,
            progress=f"loading {done:.0%}, {done * 9:.1f} of 9.0G" if state == "loading" else "",
        )

    def _backend(
        self,
        models: tuple[ModelView, ...],
        name: str,
        kind: str,
        health: str,
        slots: int,
        memory: int | None,
        error: str,
        version: str,
        latency: float | None,
    ) -> BackendView:
        own = [view for view in models if view.backend == name]
        ours = sum(view.memory_bytes or 0 for view in own)
        return BackendView(
            name=name,
            kind=kind,
            address=f"unix:/run/sim/{name}.sock",
            health=health,
            simulated=True,
            inflight=sum(view.inflight for view in own),
            slots=slots,
            models=len(own),
            ready=sum(view.residency == "ready" for view in own),
            error=error,
            version=version,
            last_probe=self.stamp(self.tick - 3),
            latency=latency,
            memory=MemoryView(total=memory, used=int(ours + 0.06 * memory), ours=ours, source="backend")
            if memory and name != "local"
            else None,
        )

    def _breaker(self, view: ModelView) -> BreakerView:
        if view.circuit == "closed":
            recent = "+" * 20 if view.calls else ""
            return BreakerView(view.id, "closed", float(self.tick + 600), 0, recent=recent)
        left = 30 - (self.tick - 250) % 30
        return BreakerView(
            view.id, "open", 30.0 - left + 10, 5, 2, float(left), "5 timeouts in 30 s", "+++++++++x+++xxxxx"
        )

    def _totals(self) -> Totals:
        return Totals(
            requests=18_412 + self.tick * 12,
            successful=18_300 + self.tick * 12,
            failed=64,
            cancelled=48,
            inflight=28,
            waiting=2,
            tokens_in=4_182_330,
            tokens_out=1_904_512 + self.tick * 700,
            cost=3.42,
            failovers=17,
            requests_per_minute=742.0,
            average_seconds=1.31,
            p50=0.82,
            p95=3.94,
            p99=7.61,
            ttft_p50=0.18,
            ttft_p95=0.74,
            most_used="llama3.2:3b",
        )

    def _event(self, ago: int, kind: str, subject: str, message: str, level: str = "info") -> Event:
        return Event(self.stamp(self.tick + ago), kind, subject, message, level)


def _rate(second: int) -> int:
    return max(
        round(11 + 5 * math.sin(second / 23) + 3 * math.sin(second / 7) + 2 * math.sin(second * 1.7)), 0
    )


class FakeEngine:
    """Serves a World over HTTP/1.1 on a Unix socket; `period` is real seconds per tick."""

    def __init__(self, path: str, world: World | None = None, period: float = 1.0) -> None:
        self.path = path
        self.world = world or World()
        self.period = period
        self.asked: list[str] = []
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
            interval = float(parse_qs(parts.query).get("interval", ["1"])[0])
            await self._events(writer, interval)
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
        if path == "/api/v1/snapshot":
            return 200, self.world.snapshot()
        if path == "/api/v1/shutdown":
            return 202, {}
        parts = path.split("/")
        if method == "POST" and len(parts) == 6 and parts[3] == "models":
            backend = msgspec.json.decode(body).get("backend", "") if body else ""
            if self.world.operate(parts[5], unquote(parts[4]), backend):
                plan = {"evicts": [], "needs_bytes": 3 * GIB, "expected_seconds": 10}
                return 202, {"operation": "op-1", "action": parts[5], "model": unquote(parts[4]),
                             "backend": backend, "plan": plan}  # fmt: skip
        error = {"type": "invalid_request_error", "code": "not_found", "message": f"no {unquote(path)} here"}
        return 404, {"error": error}

    async def _events(self, writer: asyncio.StreamWriter, interval: float) -> None:
        _begin(writer)
        while not self.stopped.is_set():
            _send(writer, "snapshot", self.world.snapshot())
            await writer.drain()
            await asyncio.sleep(interval * self.period)
            for event in self.world.advance(max(round(interval), 1)):
                _send(writer, "event", event)

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
        await asyncio.sleep(0.2 * self.period)
        words = (STORY if "long" not in str(body["prompt"]) else STORY * 20).split(" ")
        for word in words:
            _send(writer, "token", {"text": word + " "})
            await writer.drain()
            await asyncio.sleep(0.025 * self.period)
        metrics = {"tokens_generated": len(words), "tokens_prompt": 12, "response_time_ms": 1900}
        _send(writer, "done", {"response": "", "model_used": model, "backend": "box1", "metrics": metrics})
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _begin(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")


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
