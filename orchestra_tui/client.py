"""The engine as the console sees it: the only network I/O of the console, over a Unix socket or a URL."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol
from urllib.parse import quote

import httpx
import msgspec

from orchestra_core import __version__
from orchestra_core.domain.events import Event
from orchestra_core.domain.result import Plan
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.usage import Report

DELAYS = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0)
SILENCE = 15.0
MAX_FRAME = 16 * 1024 * 1024


class EngineError(Exception):
    """What the engine answered instead, or why it could not be asked; the message is for people."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Lost(msgspec.Struct, frozen=True):
    """The stream is down; the next try is in `delay` seconds. `absent`: nothing listens at the address."""

    attempt: int
    delay: float
    reason: str
    absent: bool = False


class Operation(msgspec.Struct, frozen=True):
    """An accepted load or unload; without a number it is what would be done."""

    operation: str = ""
    action: str = ""
    model: str = ""
    backend: str = ""
    plan: Plan = Plan()


class Started(msgspec.Struct, frozen=True):
    request_id: str = ""
    model: str = ""
    backend: str = ""
    decision_id: str = ""
    reasoning: str = ""


class Token(msgspec.Struct, frozen=True):
    text: str = ""


class AnswerMetrics(msgspec.Struct, frozen=True):
    tokens_generated: int | None = None
    tokens_prompt: int | None = None
    time_to_first_token_ms: float | None = None
    response_time_ms: float | None = None
    cost: float | None = None


class Done(msgspec.Struct, frozen=True):
    """The end of a streamed answer."""

    model_used: str = ""
    backend: str = ""
    reasoning: str = ""
    degraded: bool = False
    metrics: AnswerMetrics = AnswerMetrics()


class Failed(msgspec.Struct, frozen=True):
    message: str
    code: str = ""


Update = Snapshot | Event | Lost
Piece = Started | Token | Done | Failed


class Engine(Protocol):
    """What the application needs of an engine; the tests have a scripted one."""

    target: str

    def watch(self, interval: float) -> AsyncIterator[Update]: ...
    async def fetch(self) -> Snapshot: ...
    async def plan(self, verb: str, model: str, backend: str) -> Operation: ...
    async def operate(self, verb: str, model: str, backend: str, drain: float | None = None) -> Operation: ...
    async def alert(self, verb: str, name: str, seconds: float | None = None) -> None: ...
    async def usage(self, by: str, since: str) -> Report: ...
    def route(self, prompt: str, model: str | None) -> AsyncGenerator[Piece, None]: ...
    async def shutdown(self) -> None: ...
    def retry_now(self) -> None: ...
    async def close(self) -> None: ...


class Frames:
    """Splits a server-sent event stream; lines end in LF only, since JSON text may hold any other break."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """The events completed by `data`. Raises EngineError when one grows beyond all reason."""
        *blocks, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n\n")
        if len(self._rest) > MAX_FRAME:
            raise EngineError("the engine sent an event without an end")
        return [event for event in map(_frame, blocks) if event[1]]


class EngineClient:
    """An engine at a Unix socket, or at `url` where one is given."""

    def __init__(
        self,
        socket: str,
        url: str | None = None,
        delays: tuple[float, ...] = DELAYS,
        *,
        api_key: str | None = None,
    ) -> None:
        self.target = url or socket
        self._delays = delays
        self._wake = asyncio.Event()
        transport = httpx.AsyncHTTPTransport() if url else httpx.AsyncHTTPTransport(uds=socket)
        headers = {"user-agent": f"ai-orchestra-console/{__version__}"}
        if url and api_key:
            headers["authorization"] = f"Bearer {api_key}"
        self._http = httpx.AsyncClient(
            transport=transport,
            base_url=(url or "http://engine").rstrip("/"),
            timeout=httpx.Timeout(10.0, connect=3.0),
            headers=headers,
            trust_env=False,
        )

    async def watch(self, interval: float) -> AsyncIterator[Update]:
        """Snapshots and events until it is closed; a `Lost` for each failure, then a new try after a growing delay."""
        attempt = 0
        while not self._http.is_closed:
            reason, absent = "the engine closed the stream", False
            try:
                async for update in self._stream(interval):
                    attempt = 0
                    yield update
            except (httpx.HTTPError, OSError) as error:
                reason, absent = _why(error), _absent(error)
            except (EngineError, msgspec.MsgspecError) as error:
                reason = str(error)
            attempt += 1
            delay = self._delays[min(attempt, len(self._delays)) - 1]
            yield Lost(attempt, delay, reason, absent)
            await self._pause(delay)

    def retry_now(self) -> None:
        """Ends the present waiting time."""
        self._wake.set()

    async def fetch(self) -> Snapshot:
        """The state at this moment. Raises EngineError."""
        return _SNAPSHOT.decode(await self._ask("GET", "/api/v1/snapshot"))

    async def plan(self, verb: str, model: str, backend: str) -> Operation:
        """What a load or unload would do; nothing is changed. Raises EngineError."""
        return await self._operation(verb, model, {"backend": backend, "dry_run": True})

    async def operate(self, verb: str, model: str, backend: str, drain: float | None = None) -> Operation:
        """Starts a load or unload and returns its plan. Raises EngineError.

        What runs on a model that is unloaded may finish for `drain` seconds; None: it is refused while it is busy.
        """
        wish: dict[str, object] = {"backend": backend}
        return await self._operation(verb, model, wish if drain is None else {**wish, "drain_seconds": drain})

    async def alert(self, verb: str, name: str, seconds: float | None = None) -> None:
        """`ack`, `silence` (for so many seconds) or `unsilence` an alert or rule. Raises EngineError."""
        wish: dict[str, object] = {} if seconds is None else {"seconds": seconds}
        await self._ask("POST", f"/api/v1/alerts/{quote(name, safe='')}/{verb}", wish)

    async def usage(self, by: str, since: str) -> Report:
        """Sums by one column from a day on; all days where `since` is empty. Raises EngineError."""
        query = f"by={quote(by)}" + (f"&since={quote(since)}" if since else "")
        try:
            return _USAGE.decode(await self._ask("GET", f"/api/v1/usage?{query}"))
        except msgspec.MsgspecError as error:
            raise EngineError(f"the engine's answer cannot be read: {error}") from error

    async def _operation(self, verb: str, model: str, wish: dict[str, object]) -> Operation:
        path = f"/api/v1/models/{quote(model, safe='')}/{verb}"
        try:
            return _OPERATION.decode(await self._ask("POST", path, wish))
        except msgspec.MsgspecError as error:
            raise EngineError(f"the engine's answer cannot be read: {error}") from error

    async def route(self, prompt: str, model: str | None) -> AsyncGenerator[Piece, None]:
        """The streamed answer to a prompt; ends after Done or Failed. Closing it cancels the request."""
        body: dict[str, object] = {"prompt": prompt, "stream": True} | ({"model": model} if model else {})
        timeout = httpx.Timeout(10.0, connect=3.0, read=600.0)
        frames = Frames()
        try:
            async with self._http.stream("POST", "/api/v1/route", json=body, timeout=timeout) as response:
                await _check(response)
                async for data in response.aiter_bytes():
                    for name, payload in frames.feed(data):
                        piece = _piece(name, payload)
                        if piece is not None:
                            yield piece
                        if isinstance(piece, Done | Failed):
                            return
        except (httpx.HTTPError, OSError) as error:
            yield Failed(_why(error))
        except (EngineError, msgspec.MsgspecError) as error:
            yield Failed(str(error), getattr(error, "code", ""))
        else:
            yield Failed("the stream ended before the answer did")

    async def shutdown(self) -> None:
        """Asks the engine to stop. Raises EngineError."""
        await self._ask("POST", "/api/v1/shutdown")

    async def close(self) -> None:
        await self._http.aclose()
        self._wake.set()

    async def _stream(self, interval: float) -> AsyncIterator[Update]:
        frames = Frames()
        timeout = httpx.Timeout(10.0, connect=3.0, read=SILENCE + 3 * interval)
        params = {"snapshots": "1", "interval": f"{interval:g}"}
        async with self._http.stream("GET", "/api/v1/events", params=params, timeout=timeout) as response:
            await _check(response)
            async for data in response.aiter_bytes():
                for name, payload in frames.feed(data):
                    if name == "snapshot":
                        yield _SNAPSHOT.decode(payload)
                    elif name == "event":
                        yield _EVENT.decode(payload)

    async def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> bytes:
        try:
            response = await self._http.request(method, path, json=body if method == "POST" else None)
        except (httpx.HTTPError, OSError) as error:
            raise EngineError(_why(error)) from error
        await _check(response)
        return response.content

    async def _pause(self, delay: float) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), delay)


_SNAPSHOT = msgspec.json.Decoder(Snapshot)
_EVENT = msgspec.json.Decoder(Event)
_OPERATION = msgspec.json.Decoder(Operation)
_USAGE = msgspec.json.Decoder(Report)
_PIECES: dict[str, msgspec.json.Decoder[Any]] = {
    "start": msgspec.json.Decoder(Started),
    "token": msgspec.json.Decoder(Token),
    "done": msgspec.json.Decoder(Done),
}


def _piece(name: str, payload: bytes) -> Piece | None:
    if name == "error":
        return Failed(*_error(payload))
    decoder = _PIECES.get(name)
    return None if decoder is None else decoder.decode(payload)


def _frame(block: bytes) -> tuple[str, bytes]:
    name, data = "message", []
    for row in block.split(b"\n"):
        field, _, value = row.partition(b":")
        if field == b"event":
            name = value.strip().decode("utf-8", "replace")
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return name, b"\n".join(data)


async def _check(response: httpx.Response) -> None:
    if response.status_code < 400:
        return
    message, code = _error(await response.aread())
    raise EngineError(message or f"the engine answered {response.status_code}", code)


def _error(body: bytes) -> tuple[str, str]:
    try:
        error = msgspec.json.decode(body)["error"]
        return str(error["message"]), str(error.get("code", ""))
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
        return body[:200].decode("utf-8", "replace"), ""


def _why(error: Exception) -> str:
    if isinstance(error, httpx.ReadTimeout):
        return "the engine is silent"
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout | httpx.WriteTimeout):
        return "the engine does not answer"
    if isinstance(error, httpx.ConnectError):
        return "nothing listens there" if _absent(error) else str(error)
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.CloseError):
        return "the engine closed the connection"
    return str(error) or type(error).__name__


def _absent(error: BaseException | None) -> bool:
    """Whether nobody listens: no such socket, or the connection was refused."""
    while error is not None:
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            return True
        text = str(error)
        if "No such file" in text or "Connection refused" in text or "All connection attempts failed" in text:
            return True
        error = error.__cause__ or error.__context__
    return False
