"""An engine that answers from a script, over a real loopback socket, for tests of its clients."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import msgspec

from orchestra_core.domain.snapshot import MemoryView, ModelView, Snapshot, Throughput, Totals

Whole = tuple[int, object]
Answer = Whole | list[tuple[str, object]] | Callable[[Any], Whole]


class ScriptedEngine:
    """Answers by (method, path): a status and a JSON value, made of the body where that matters, or a list of
    server-sent events."""

    def __init__(self, answers: dict[tuple[str, str], Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, Any]] = []
        self.url = ""
        self.go_on = threading.Event()
        self.go_on.set()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Within the block answers are begun and not ended."""
        self.go_on.clear()
        try:
            yield
        finally:
            self.go_on.set()


@contextmanager
def scripted(answers: dict[tuple[str, str], Answer]) -> Iterator[ScriptedEngine]:
    """The engine, listening until the block ends."""
    engine = ScriptedEngine(answers)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(engine))
    server.daemon_threads = True
    engine.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield engine
    finally:
        server.shutdown()
        thread.join(timeout=5)
        server.server_close()


def _handler(engine: ScriptedEngine) -> type[BaseHTTPRequestHandler]:
    class Scripted(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def log_message(self, *_: object) -> None:
            return

        def _answer(self, method: str) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            engine.asked.append((method, self.path, body))
            path = urlsplit(self.path).path
            answer = engine.answers.get((method, path), (404, error("not_found", "no such path")))
            if callable(answer):
                answer = answer(body)
            status, content = (
                (200, events(answer)) if isinstance(answer, list) else (answer[0], encode(answer[1]))
            )
            self.send_response(status)
            self.send_header(
                "content-type", "text/event-stream" if isinstance(answer, list) else "application/json"
            )
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()
            engine.go_on.wait(30)

    return Scripted


def encode(value: object) -> bytes:
    return value if isinstance(value, bytes) else msgspec.json.encode(value)


def events(pairs: list[tuple[str, object]]) -> bytes:
    """One named ":" is a comment."""
    return b"".join(
        b": %b\n\n" % str(value).encode()
        if name == ":"
        else b"event: " + name.encode() + b"\ndata: " + encode(value) + b"\n\n"
        for name, value in pairs
    )


def error(code: str, message: str) -> dict[str, object]:
    return {"error": {"type": "x", "code": code, "message": message, "param": None, "request_id": "r"}}


def snapshot(*models: ModelView, now: str = "2026-01-01T00:00:00.000Z") -> Snapshot:
    """A whole snapshot of a small engine with these models."""
    return Snapshot(
        sequence=1,
        now=now,
        version="0.1.0",
        status="healthy",
        started=now,
        uptime=1.0,
        pid=1,
        simulated=False,
        address="http://127.0.0.1:1",
        host=MemoryView(total=100, used=10),
        engine_memory=1,
        totals=Totals(),
        throughput=Throughput(),
        models=models,
    )


def model(
    residency: str,
    *,
    backend: str = "local",
    name: str = "m:1",
    progress: str = "",
    seconds: float | None = None,
) -> ModelView:
    return ModelView(
        id=f"{backend}/{name}",
        model=name,
        backend=backend,
        residency=residency,
        status="running" if residency == "ready" else "available",
        circuit="closed",
        tier="low",
        context=2048,
        capabilities=("chat",),
        tasks=("conversation",),
        slots=1,
        inflight=0,
        waiting=0,
        calls=7,
        failed=1,
        loadable=True,
        tokens_per_second=41.5,
        memory_bytes=300_000_000 if residency == "ready" else None,
        progress=progress,
        changing_seconds=seconds,
    )
