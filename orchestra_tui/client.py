"""The engine as the console sees it: the only network I/O of the console, over a Unix socket or a URL."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, TypeVar

import httpx
import msgspec

from orchestra_core import __version__
from orchestra_core.domain.difference import Following, Unfit
from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.engine import UNANSWERED, EngineError, Foreign, Update
from orchestra_tui.frames import Frames
from orchestra_tui.pieces import Done, Failed, Piece, Started, Token
from orchestra_tui.present.connection import Lost

T = TypeVar("T")

DELAYS = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0)
SILENCE = 15.0
# An engine whose differences do not fit so often is asked for whole snapshots.
_MISFITS = 3
_AFTER = (httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError)


class EngineClient:
    """An engine at a Unix socket, or at `url` where one is given.

    `read_only` binds it: the engine refuses everything that would change something.
    """

    def __init__(
        self,
        socket: str,
        url: str | None = None,
        delays: tuple[float, ...] = DELAYS,
        *,
        api_key: str | None = None,
        read_only: bool = False,
    ) -> None:
        self.target = url or socket
        self._delays = delays
        self._wake = asyncio.Event()
        self._misfits = 0
        # Certificates take 20 ms to read: only where there is TLS.
        verify = bool(url and url.lower().startswith("https:"))
        transport = httpx.AsyncHTTPTransport(uds=None if url else socket, verify=verify)
        headers = {"user-agent": f"ai-orchestra-console/{__version__}"}
        if url and api_key:
            headers["authorization"] = f"Bearer {api_key}"
        if read_only:
            headers["x-orchestra-read-only"] = "1"
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
            reason, absent, foreign = "the engine closed the stream", False, ""
            try:
                async for update in self._stream(interval):
                    attempt = 0
                    yield update
            except Unfit as error:
                self._misfits += 1
                if self._misfits <= _MISFITS:
                    # Opened anew, the stream begins with a whole one.
                    continue
                reason = str(error)
            except (httpx.HTTPError, OSError) as error:
                reason, absent = _why(error), _absent(error)
            except Foreign as error:
                reason, foreign = error.message, error.version
            except (EngineError, msgspec.MsgspecError) as error:
                reason = str(error)
            attempt += 1
            delay = self._delays[min(attempt, len(self._delays)) - 1]
            self._misfits = 0
            yield Lost(attempt, delay, reason, absent, foreign)
            await self._pause(delay)

    def retry_now(self) -> None:
        """Ends the present waiting time."""
        self._wake.set()

    async def fetch(self) -> Snapshot:
        """The state at this moment. Raises EngineError."""
        return _snapshot(await self._ask("GET", "/api/v1/snapshot"))

    async def get(self, path: str, answer: type[T]) -> T:
        return _read(await self._ask("GET", path), answer)

    async def post(self, path: str, wish: Mapping[str, object], answer: type[T]) -> T:
        return _read(await self._ask("POST", path, wish), answer)

    async def route(self, wish: Mapping[str, object]) -> AsyncGenerator[Piece, None]:
        body = {**wish, "stream": True}
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

    async def close(self) -> None:
        await self._http.aclose()
        self._wake.set()

    async def _stream(self, interval: float) -> AsyncIterator[Update]:
        frames, following = Frames(), Following()
        timeout = httpx.Timeout(10.0, connect=3.0, read=SILENCE + 3 * interval)
        params = {"snapshots": "1", "interval": f"{interval:g}"}
        if self._misfits < _MISFITS:
            params["differences"] = "1"
        async with self._http.stream("GET", "/api/v1/events", params=params, timeout=timeout) as response:
            if response.status_code == 400 and "differences" in params:
                # So says an engine that is older than they are.
                self._misfits = _MISFITS - 1
                raise Unfit("the engine knows no differences")
            await _check(response)
            async for data in response.aiter_bytes():
                for name, payload in frames.feed(data):
                    update = _update(name, payload, following)
                    if update is not None:
                        yield update

    async def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> bytes:
        try:
            response = await self._http.request(method, path, json=body if method == "POST" else None)
        except (httpx.HTTPError, OSError) as error:
            raise EngineError(_why(error), UNANSWERED if isinstance(error, _AFTER) else "") from error
        await _check(response)
        return response.content

    async def _pause(self, delay: float) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), delay)


_SNAPSHOT = msgspec.json.Decoder(Snapshot)
_EVENT = msgspec.json.Decoder(Event)
_PIECES: dict[str, msgspec.json.Decoder[Any]] = {
    "start": msgspec.json.Decoder(Started),
    "token": msgspec.json.Decoder(Token),
    "done": msgspec.json.Decoder(Done),
}


class _Versioned(msgspec.Struct):
    version: str = "unknown"


def _snapshot(payload: bytes) -> Snapshot:
    try:
        return _SNAPSHOT.decode(payload)
    except msgspec.MsgspecError as error:
        version = "unknown"
        with contextlib.suppress(msgspec.MsgspecError):
            version = msgspec.json.decode(payload, type=_Versioned).version
        raise Foreign(f"its snapshot cannot be read: {error}", version) from error


def _update(name: str, payload: bytes, following: Following) -> Snapshot | Event | None:
    """What a frame of the stream tells. Raises Unfit."""
    if name == "snapshot":
        return following.whole(_snapshot(payload))
    if name == "difference":
        return following.changed(msgspec.json.decode(payload))
    # A kind that is not known yet is told by the next snapshot as well.
    with contextlib.suppress(msgspec.MsgspecError):
        return _EVENT.decode(payload) if name == "event" else None
    return None


def _read(content: bytes, answer: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=answer)
    except msgspec.MsgspecError as error:
        raise EngineError(f"the engine's answer cannot be read: {error}") from error


def _piece(name: str, payload: bytes) -> Piece | None:
    if name == "error":
        return Failed(*_error(payload))
    decoder = _PIECES.get(name)
    return None if decoder is None else decoder.decode(payload)


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
