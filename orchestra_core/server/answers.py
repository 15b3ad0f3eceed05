"""The headers every answer carries, and sending an error in a surface's dialect."""

from functools import lru_cache
from typing import Final
from urllib.parse import quote

from orchestra_core.domain.errors import MethodNotAllowed, OrchestraError
from orchestra_core.domain.sink import Serving
from orchestra_core.server.exchange import Exchange
from orchestra_core.wire.openai.answers import render_error

# A 503 always says when to come again (api.md), also where nobody knows.
_RETRY_SECONDS: Final = 5.0


@lru_cache(1024)
def header_safe(name: str) -> str:
    """Names come from backends: anything but plain ASCII is percent-encoded, so no header can be split."""
    return name if name.isascii() and name.isprintable() else quote(name, safe="/:@+-._")


@lru_cache(1024)
def _names(model: str, backend: str) -> str:
    """The same for most answers."""
    return f"x-orchestra-model: {header_safe(model)}\r\nx-orchestra-backend: {header_safe(backend)}\r\n"


def served_by(request_id: str, serving: Serving) -> str:
    """The header lines that tell who answered."""
    more = ""
    if serving.degraded:
        more = f"x-orchestra-degraded: true\r\nx-orchestra-asked: {header_safe(serving.asked)}\r\n"
    if serving.cache:
        more += f"x-orchestra-cache: {serving.cache}\r\n"
        if serving.age is not None:
            more += f"age: {serving.age}\r\n"
    return (
        f"x-request-id: {request_id}\r\n{_names(serving.model, serving.backend)}"
        f"x-orchestra-attempts: {serving.attempt}\r\n"
        f"x-orchestra-decision-id: {serving.decision_id}\r\n{more}"
    )


def comment(text: str) -> bytes:
    """A line of an event stream that is no event: clients skip it (WHATWG HTML, 9.2)."""
    return b": %b\n\n" % header_safe(text).encode("ascii")


def keep_alive(exchange: Exchange, request_id: str, note: str) -> None:
    """Tells a client that waits for a stream that it is not forgotten; the head goes out with the first one."""
    if not exchange.started:
        exchange.start(200, [("x-request-id", request_id)])
    exchange.write(comment(f"keep-alive, {note}" if note else "keep-alive"))


def send_error(exchange: Exchange, error: OrchestraError, request_id: str, attempts: int = 0) -> None:
    headers = [("x-request-id", request_id), ("x-orchestra-attempts", str(attempts))]
    wait = _RETRY_SECONDS if error.retry_after is None and error.status == 503 else error.retry_after
    if wait is not None:
        headers.append(("retry-after", str(max(1, round(wait)))))
    if error.should_retry is not None:
        headers.append(("x-should-retry", "true" if error.should_retry else "false"))
    if error.status == 401:
        headers.append(("www-authenticate", "Bearer"))
    if isinstance(error, MethodNotAllowed):
        headers.append(("allow", ", ".join(error.allow)))
    exchange.send(error.status, render_error(error, request_id), headers)


def require_json(content_type: str | None) -> bool:
    """Bodies must be JSON; it also keeps a web page from posting without a preflight (CSRF)."""
    if content_type == "application/json":
        return True
    return content_type is not None and content_type.split(";", 1)[0].strip().lower() == "application/json"
