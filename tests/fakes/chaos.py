"""A model server that misbehaves by a script, on a real socket in the test's own event loop.

`script` says how the next calls are answered, one script each; without one a call is answered well. A script is a
sequence of steps (`chaos_steps`), each begun when the one before has ended. `wait("name")` holds a script until the
test opens that gate, and `reached` holds the test until a script stands there: so no test sleeps, and every order of
events is the test's choice. It speaks OpenAI's SSE, Ollama's NDJSON and llama.cpp's /health on the same port.

Everything asked is kept: `calls` are the inference requests, with the tokens each was sent and when its peer left.
"""

import asyncio
import contextlib
import json
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from tests.fakes.turns import until

Step = Callable[["Talk"], Awaitable[None]]
CALLS = ("/v1/chat/completions", "/v1/completions", "/api/chat", "/api/generate")


class Seen:
    """One request as it arrived. `gone` is set when its peer closed before the script had ended."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.tokens: list[str] = []
        self.gone = asyncio.Event()
        self.gone_at = 0.0
        self.ended = asyncio.Event()
        self.chunked = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def streamed(self) -> bool:
        """Ollama streams unless told not to."""
        return bool(self.json.get("stream", self.ollama))

    @property
    def is_probe(self) -> bool:
        """Whether the engine asks for one token, to know whether it generates."""
        asked = self.json
        return 1 in (asked.get("max_tokens"), asked.get("options", {}).get("num_predict"))

    @property
    def is_order(self) -> bool:
        """Whether Ollama is told to load a model or to let it go: a question without words."""
        return self.path == "/api/generate" and "prompt" not in self.json

    @property
    def ollama(self) -> bool:
        return self.path.startswith("/api/")


class Talk(asyncio.Protocol):
    """One connection: requests one after another, each answered by its script."""

    transport: asyncio.Transport
    seen: Seen

    def __init__(self, backend: "ChaosBackend") -> None:
        self.backend = backend
        self.calls = 0
        self._buffer = b""
        self._task: asyncio.Task[None] | None = None
        self._ours = False
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.transport.set_write_buffer_limits(high=0)
        self.backend.talks.add(self)
        if self.backend.greeting is not None:
            self.seen = Seen("", "", {}, b"")
            self._run(self.backend.greeting)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is None:
            self._next()

    def eof_received(self) -> None:
        self._left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left()
        self._writable.set()
        self.backend.talks.discard(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def write(self, data: bytes) -> None:
        """Returns when the system has taken it all."""
        self.transport.write(data)
        await self._writable.wait()

    async def body(self, data: bytes) -> None:
        """A piece of the body, framed as the head announced."""
        await self.write(b"%x\r\n%b\r\n" % (len(data), data) if self.seen.chunked else data)

    def reset(self) -> None:
        """RST: what a crash of the machine or of a proxy looks like."""
        self._ours = True
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def close(self) -> None:
        self._ours = True
        self.transport.close()

    def _next(self) -> None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        method, target, _ = first.split(" ")
        self._buffer = rest[length:]
        self.seen = Seen(method, target.partition("?")[0], headers, rest[:length])
        self._run(self.backend.take(self.seen, self))

    def _run(self, steps: Sequence[Step]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._perform(steps))

    async def _perform(self, steps: Sequence[Step]) -> None:
        for step in steps:
            await step(self)
        self.seen.ended.set()
        self._task = None
        if self._buffer and not self.transport.is_closing():
            self._next()

    def _left(self) -> None:
        if self._task is None:
            return
        self._task.cancel()
        if not self._ours and not self.seen.gone.is_set():
            self.seen.gone_at = asyncio.get_running_loop().time()
            self.seen.gone.set()


class ChaosBackend:
    """One such server. Use as an async context manager; `kind` is what the engine is told that it is.

    `well` is the script of a call without one of its own, `probed` that of the engine's own calls for one token.
    `greeting` is played on every new connection, before anything is read; `control` instead of good answers to
    probes and lists of models; `loading` makes it a llama-server that has not loaded its model yet. An Ollama
    server holds the models in `resident`, all of them at first; `ordered` is played before it loads one or lets
    one go. `host` is the name it is configured by, `listens` the address it is at.
    """

    def __init__(
        self,
        name: str,
        kind: str = "openai",
        models: Sequence[str] = ("m",),
        *,
        host: str = "127.0.0.1",
        listens: str = "127.0.0.1",
    ) -> None:
        self.name = name
        self.host = host
        self.listens = listens
        self.kind = kind
        self.models = list(models)
        self.resident = set(models)
        self.ordered: Sequence[Step] = ()
        self.orders: list[Seen] = []
        self.calls: list[Seen] = []
        self.asked: list[Seen] = []
        self.talks: set[Talk] = set()
        self.connections_for_calls = 0
        self.emitted = 0
        self.loading = False
        self.greeting: Sequence[Step] | None = None
        self.control: Sequence[Step] | None = None
        self.well: Sequence[Step] = ()
        self.probes = 0
        self.probed: Sequence[Step] = ()
        self.port = 0
        self._scripts: deque[Sequence[Step]] = deque()
        self._gates: dict[str, asyncio.Event] = {}
        self._reached: dict[str, asyncio.Event] = {}
        self._arrived = asyncio.Event()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    # -- the script --------------------------------------------------------------------------------------

    def script(self, *steps: Step, times: int = 1) -> None:
        """How the next `times` calls are answered that no script was given for yet."""
        self._scripts.extend([steps] * times)

    def forget(self) -> None:
        """The calls there were, and the scripts that no call has taken."""
        self.calls.clear()
        self._scripts.clear()

    def gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    def open(self, *names: str) -> None:
        for name in names:
            self.gate(name).set()

    async def stand(self, name: str) -> None:
        """Of a script: waits at the gate."""
        self._reached.setdefault(name, asyncio.Event()).set()
        await self.gate(name).wait()

    async def reached(self, name: str) -> None:
        """Of a test: returns when a script stands at the gate."""
        await self._reached.setdefault(name, asyncio.Event()).wait()

    async def called(self, times: int = 1) -> Seen:
        """The call of this number, counted from 1, once it has arrived."""
        while len(self.calls) < times:
            self._arrived.clear()
            await self._arrived.wait()
        return self.calls[times - 1]

    async def polled(self, times: int) -> None:
        """Returns when this many requests of any sort have arrived."""
        while len(self.asked) < times:
            self._arrived.clear()
            await self._arrived.wait()

    def take(self, seen: Seen, talk: Talk) -> Sequence[Step]:
        """The script of a request that has arrived."""
        self.asked.append(seen)
        self._arrived.set()
        if (seen.method, seen.path) not in [("POST", path) for path in CALLS]:
            return self.control or [_control(self, seen)]
        if seen.is_order:
            self.orders.append(seen)
            return [*self.ordered, _obeyed(self, seen)]
        if seen.is_probe:
            self.probes += 1
            return self.probed or self.well
        self.calls.append(seen)
        self.connections_for_calls += talk.calls == 0
        talk.calls += 1
        return self._scripts.popleft() if self._scripts else self.well

    # -- the socket --------------------------------------------------------------------------------------

    async def accept(self) -> None:
        """Listens, on the port it had before if it had one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Talk(self), self.listens, self.port, backlog=256, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """New connections are refused by the system; those there are go on."""
        assert self._server is not None
        self._server.close()
        self._server = None

    async def die(self) -> None:
        """All at once: what the kill of a process looks like from outside."""
        await self.refuse()
        for talk in tuple(self.talks):
            talk.reset()

    async def __aenter__(self) -> "ChaosBackend":
        await self.accept()
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._server is not None:
            self._server.close()
        for talk in tuple(self.talks):
            talk.reset()
        await until(lambda: not self.talks)


def _control(backend: ChaosBackend, seen: Seen) -> Step:
    """What a well server of any kind says of itself, where it is asked."""
    names = backend.models
    listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}
    details = {"parameter_size": "1B", "quantization_level": "Q4_K_M"}
    answers: dict[str, object] = {
        "/v1/models": listed,
        "/health": {"status": "ok"},
        "/props": {
            "total_slots": 4,
            "default_generation_settings": {"n_ctx": 4096},
            "chat_template_caps": {"supports_tool_calls": True},
        },
        "/api/version": {"version": "0.12.0"},
        "/api/tags": {"models": [{"name": name, "model": name, "details": details} for name in names]},
        "/api/ps": {"models": [{"name": name, "model": name} for name in names if name in backend.resident]},
        "/api/show": {"capabilities": ["completion"], "model_info": {}},
    }
    status, answer = (200, answers[seen.path]) if seen.path in answers else (404, {"error": "no such path"})
    if seen.path == "/v1/embeddings":
        status = 501
    if backend.loading and backend.kind == "llamacpp":
        status, answer = (
            503,
            {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        )

    async def step(talk: Talk) -> None:
        await talk.write(_json(status, answer))

    return step


def _obeyed(backend: ChaosBackend, order: Seen) -> Step:
    """The model is loaded or gone, if there is such a model, and Ollama says so."""

    async def step(talk: Talk) -> None:
        model = order.json["model"]
        if model not in backend.models:
            await talk.write(_json(404, {"error": f"model '{model}' not found"}))
            return
        held = backend.resident - {model}
        backend.resident = held if order.json.get("keep_alive") == 0 else held | {model}
        await talk.write(_json(200, {"model": model, "done": True}))

    return step


def _json(status: int, value: object) -> bytes:
    content = json.dumps(value).encode()
    head = (
        f"HTTP/1.1 {status} Chaos\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@contextlib.contextmanager
def blackhole(port: int) -> Iterator[None]:
    """The port neither accepts nor refuses: its backlog is full, so the system drops every further SYN."""
    with contextlib.ExitStack() as kept:
        listening = kept.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(0)
        for _ in range(4):
            filling = kept.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(listening.getsockname())
        yield
