"""Asking one HTTP server for JSON, bounded in time and size; every way it can go wrong is a ControlError."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import httpx
import msgspec

from orchestra_core.domain.text import one_line
from orchestra_core.trust.redaction import redact
from orchestra_core.upstream.address import from_url
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.deaths import OUT_OF_MEMORY, speaks_of_memory
from orchestra_core.wire.ollama import read_error

T = TypeVar("T")
QUICK_SECONDS = 5.0
# A list of thousands of models with their templates stays below this.
BODY_LIMIT = 16 * 1024 * 1024
NAME_LIMIT = 256


class Answer(msgspec.Struct, frozen=True):
    """`seconds` from sending to the last byte; `headers` with lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


class Ignored(msgspec.Struct, frozen=True):
    """An answer of which only the status matters."""


class Remote:
    """One server at `url`; `what` it is called in messages. Redirects are not followed."""

    def __init__(self, what: str, url: str, client: httpx.AsyncClient, headers: Mapping[str, str]) -> None:
        from_url(url, headers)
        self.what = what
        self.url = url.rstrip("/")
        self._client = client
        self._headers = {**headers, "accept": "application/json", "accept-encoding": "identity"}

    async def get(self, path: str, kind: type[T], *, seconds: float = QUICK_SECONDS) -> T:
        return self.decode(await self.ask("GET", path, seconds=seconds), kind)

    async def post(self, path: str, body: object, kind: type[T], *, seconds: float = QUICK_SECONDS) -> T:
        return self.decode(await self.ask("POST", path, body, seconds=seconds), kind)

    async def ask(
        self, method: str, path: str, body: object = None, *, seconds: float = QUICK_SECONDS
    ) -> Answer:
        """The answer, whatever its status; raises ControlError where there is none in time."""
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(method, path, body, seconds)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise ControlError(f"{self.what} at {self.url} did not answer within {seconds:g} s") from error
        except httpx.HTTPError as error:
            raise ControlError(self._unreachable(error)) from error

    async def _exchange(self, method: str, path: str, body: object, seconds: float) -> Answer:
        content = None if body is None else msgspec.json.encode(body)
        headers = self._headers if content is None else {**self._headers, "content-type": "application/json"}
        loop = asyncio.get_running_loop()
        started = loop.time()
        request = self._client.stream(
            method, self.url + path, content=content, headers=headers, timeout=seconds, follow_redirects=False
        )
        async with request as response:
            received = bytearray()
            async for piece in response.aiter_raw():
                received += piece
                if len(received) > BODY_LIMIT:
                    raise ControlError(
                        f"{self.what} at {self.url} answered {path} with more than {BODY_LIMIT >> 20} MiB",
                        answered=response.status_code,
                    )
            names = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, names, bytes(received), loop.time() - started)

    def decode(self, answer: Answer, kind: type[T]) -> T:
        """The body of a 200 as `kind`."""
        if not 200 <= answer.status < 300:
            raise self.refusal(answer)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (ValueError, RecursionError) as error:
            start = redact(one_line(answer.body[:60].decode("utf-8", "replace")))
            message = f"{self.url} does not answer like {self.what}: {start!r} ({one_line(str(error))[:120]})"
            raise ControlError(message, answered=answer.status) from error

    def refusal(self, answer: Answer) -> ControlError:
        """What an answer that is not a 200 means, and what to do about it."""
        who = f"{self.what} at {self.url}"
        if answer.status in (401, 403):
            message = f"{who} refuses the key (HTTP {answer.status}): check this backend's api_key_env"
        elif 300 <= answer.status < 400:
            message = f"{who} redirects elsewhere (HTTP {answer.status}): set url to where it really is"
        else:
            known = [
                value.removeprefix("Bearer ")
                for name, value in self._headers.items()
                if name == "authorization"
            ]
            words = redact(one_line(read_error(answer.status, answer.headers, answer.body).message), known)
            message = f"{who}: {words[:300]}"
            if speaks_of_memory([words]):
                return ControlError(message, answered=answer.status, code=OUT_OF_MEMORY)
        return ControlError(message, answered=answer.status)

    def _unreachable(self, error: BaseException) -> str:
        who = f"{self.what} at {self.url}"
        causes = list(_causes(error))
        if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
            return f"connection refused: is {self.what} running at {self.url}?"
        if any(isinstance(cause, socket.gaierror) for cause in causes):
            return f"the host of {self.url} has no known address: check the name"
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            return f"{who}: TLS failed ({one_line(str(error))[:200]})"
        return f"{who} cannot be reached: {one_line(str(error))[:200] or type(error).__name__}"


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    """An error and what it came from; httpx wraps the cause two or three times."""
    seen = 0
    while error is not None and seen < 10:
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__
        seen += 1


def usable(name: str) -> bool:
    """Whether a model's name can go into a header, a path and a log as it is: printable ASCII only."""
    return 0 < len(name) <= NAME_LIMIT and name.isprintable() and name.isascii()


def positive(value: int | None) -> int | None:
    """A count or size, or None where it was not reported or cannot be one."""
    return value if value is not None and 0 < value < 1 << 60 else None


async def until(check: Callable[[], Awaitable[bool]], *, seconds: float, every: float = 0.2) -> bool:
    """Asks `check` again until it is true; False when `seconds` have passed before that."""
    try:
        async with asyncio.timeout(seconds):
            while not await check():  # noqa: ASYNC110  the event is in another process
                await asyncio.sleep(every)
    except TimeoutError:
        return False
    return True
