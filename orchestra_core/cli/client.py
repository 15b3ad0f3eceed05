"""How commands reach the engine: found by the rules of the contract, spoken to over HTTP."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from orchestra_core.cli.failure import Code, Failure
from orchestra_core.cli.options import Session
from orchestra_core.cli.target import Target, find_target

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
CONNECT_SECONDS = 5.0
# A load or a long answer takes as long as it takes; the engine's own deadline ends it.
READ_SECONDS = 600.0


class EngineClient:
    """Requests to one engine. Every method raises Failure with the engine's own words, or that it is away."""

    def __init__(self, target: Target, api_key: str | None = None, patience: float = READ_SECONDS) -> None:
        self.target = target
        self._patience = patience
        # The Unix socket knows who asks, so the key stays here.
        headers = {"authorization": f"Bearer {_sendable(api_key)}"} if api_key and not target.socket else {}
        loopback = target.socket is not None or urlsplit(target.url).hostname in _LOOPBACK
        self._http = httpx.Client(
            base_url=target.url,
            transport=httpx.HTTPTransport(uds=target.socket, verify=False) if target.socket else None,
            timeout=httpx.Timeout(patience, connect=CONNECT_SECONDS),
            headers=headers,
            trust_env=not loopback,
            # Certificates take 25 ms to load (measured); plain HTTP and sockets have no use for them.
            verify=target.url.startswith("https:"),
        )

    def __enter__(self) -> "EngineClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, *, also: int | None = None) -> dict[str, Any]:
        """The JSON object at `path`; the status `also` is an answer too, not an error."""
        return self._decode(self._send("GET", path), also)

    def raw(self, path: str) -> bytes:
        """The bytes at `path`, for a typed decoder."""
        answer = self._send("GET", path)
        if answer.is_error:
            raise _refused(answer.status_code, answer.content)
        return answer.content

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        return self._decode(self._send("POST", path, body))

    def delete(self, path: str) -> dict[str, Any]:
        return self._decode(self._send("DELETE", path))

    def events(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        waits: Callable[[str], None] | None = None,
    ) -> Iterator[tuple[str, bytes]]:
        """(event, data) of a server-sent stream, until it ends. Close the iterator to hang up.

        `waits` is told what the engine says while the answer is waited for.
        """
        sent = _content(body)
        if waits is not None:
            sent["headers"]["x-orchestra-progress"] = "1"
        try:
            with self._http.stream(method, path, **sent) as answer:
                if answer.is_error:
                    raise _refused(answer.status_code, answer.read())
                yield from _sse(answer.iter_lines(), waits)
        except httpx.HTTPError as error:
            raise self._away(error) from error

    def _send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> httpx.Response:
        try:
            return self._http.request(method, path, **_content(body))
        except httpx.HTTPError as error:
            raise self._away(error) from error

    def _decode(self, answer: httpx.Response, also: int | None = None) -> dict[str, Any]:
        if answer.is_error and answer.status_code != also:
            raise _refused(answer.status_code, answer.content)
        try:
            return msgspec.json.decode(answer.content, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise Failure(f"{self.target.label} answered something that is not this engine's API") from error

    def _away(self, error: httpx.HTTPError) -> Failure:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Failure(
                f"no engine answers at {self.target.label}. Start one with `ai-orchestra serve` "
                "(or `ai-orchestra` for the console), or name it with --url.",
                Code.UNREACHABLE,
            )
        if isinstance(error, httpx.ReadTimeout):
            return Failure(f"{self.target.label} did not answer within {self._patience:.0f} s")
        return Failure(f"the connection to {self.target.label} broke off: {error}", Code.UNREACHABLE)


def connect(session: Session, patience: float = READ_SECONDS) -> EngineClient:
    """The engine this command talks to, which may take so many seconds for an answer; nothing is sent yet."""
    target = find_target(session.url, session.socket, session.environ, session.config)
    return EngineClient(target, session.api_key, patience)


def _sendable(api_key: str) -> str:
    if not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
        raise Failure("the API key has characters that no key has; it looks like ork-…", Code.USAGE)
    return api_key


def model_path(model: str, action: str) -> str:
    return named_path("models", model, action)


def named_path(what: str, name: str, action: str) -> str:
    """The path of a verb on something by name; names may contain anything, slashes included."""
    return f"/api/v1/{what}/{quote(name, safe='')}/{action}"


def _content(body: Mapping[str, object] | None) -> dict[str, Any]:
    if body is None:
        return {}
    return {"content": msgspec.json.encode(body), "headers": {"content-type": "application/json"}}


def _refused(status: int, content: bytes) -> Failure:
    try:
        error = msgspec.json.decode(content)["error"]
        return Failure(f"{error['message']} (HTTP {status}, {error['code']})", reason=str(error["code"]))
    except (msgspec.DecodeError, KeyError, TypeError):
        return Failure(f"HTTP {status}: {content[:200].decode(errors='replace')}")


def _sse(lines: Iterator[str], comment: Callable[[str], None] | None = None) -> Iterator[tuple[str, bytes]]:
    event, data = "message", []
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith(":") and comment is not None:
            comment(line[1:].strip())
        elif not line and data:
            yield event, "\n".join(data).encode()
            event, data = "message", []
