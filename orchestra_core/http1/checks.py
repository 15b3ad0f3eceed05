"""Checks httptools leaves to us: it is a lexer and accepts what RFC 9112 forbids (measured with 0.9.0)."""

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

_HOST = re.compile(rb"^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$")
_ABSOLUTE = re.compile(rb"^https?://([^/?#]*)(/[^#]*|\?[^#]*)?$", re.IGNORECASE)
_SINGLETONS = frozenset(
    {
        b"host",
        b"authorization",
        b"x-api-key",
        b"content-type",
        b"content-encoding",
        b"expect",
        b"content-length",
        b"idempotency-key",
        b"transfer-encoding",
    }
)
# Fields with rules of their own; most requests have none of them.
_RULED = frozenset({b"transfer-encoding", b"upgrade", b"expect", b"content-encoding"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LEADING_LINES = 2


class Refusal(msgspec.Struct, frozen=True):
    """Why a request is answered with an error before any handler sees it; the connection then closes."""

    status: int
    code: str
    message: str


class Limits(msgspec.Struct, frozen=True):
    """Sizes in bytes, times in seconds. Sources: RFC 9112 section 3, nginx, Envoy and HAProxy defaults.

    `head` holds the request line too. `bodies` is what all connections together may hold of bodies that are
    larger than `small_body`; smaller ones are bounded by the number of connections. `bodies_per_peer` is the share
    of one address: a quarter.
    """

    request_line: int = 8192
    head: int = 32768
    field: int = 16384
    fields: int = 100
    body: int = 32 * 1024 * 1024
    bodies: int = 256 * 1024 * 1024
    bodies_per_peer: int = 64 * 1024 * 1024
    small_body: int = 16384
    chunks: int = 16384
    chunk_overhead: int = 65536
    pipelined: int = 16
    pipelined_pause: int = 8
    connections: int = 4096
    connections_per_peer: int = 256
    connections_reserved: int = 32
    linger_bytes: int = 262144
    head_seconds: float = 10.0
    body_seconds: float = 300.0
    body_idle_seconds: float = 15.0
    body_grace_seconds: float = 10.0
    body_rate: float = 1024.0
    idle_seconds: float = 75.0
    least_idle_seconds: float = 2.0
    stalled_seconds: float = 60.0
    linger_seconds: float = 2.0


def capacity(limits: Limits, descriptors: int) -> int:
    """How many connections may be open with that many file descriptors: half, the rest is for backends."""
    return max(2, min(limits.connections, (descriptors - 64) // 2))


def idle_factor(memory: float) -> float:
    """How much of the keep-alive time is left at this use of memory (0 to 1): all at 85 %, none at 95 %."""
    return min(1.0, max(0.0, (0.95 - memory) / 0.10))


def check_start(start: bytes, limits: Limits) -> Refusal | bool:
    """Judges the first bytes of a message: False means that more of them are needed, True that they are fine.

    The parser skips any number of empty lines, and of blanks within the request line; RFC 9112 section 2.2 asks
    to tolerate one empty line, some old clients send two.
    """
    at = 0
    while at <= 2 * _LEADING_LINES and start.startswith(b"\r\n", at):
        at += 2
    if at > 2 * _LEADING_LINES:
        return Refusal(400, "malformed_request", "too many empty lines before the request")
    end = start.find(b"\r\n", at)
    if b"  " in start[at:end] if end >= 0 else start.find(b"  ", at) >= 0:
        return Refusal(400, "malformed_request", "the request line has more than single spaces")
    return end >= 0 or len(start) > limits.request_line


def check_head(method: str, target: bytes, version: str, headers: Mapping[bytes, bytes]) -> Refusal | None:
    """The first rule of RFC 9110/9112 this head breaks, or None. Names in `headers` are lower-case."""
    if version not in ("1.1", "1.0"):
        if version == "0.9":
            return Refusal(400, "http_version", "the request line names no HTTP version; use HTTP/1.1")
        return Refusal(505, "http_version", f"HTTP/{version} is not supported; use HTTP/1.1")
    if method not in METHODS:
        status = 405 if method == "CONNECT" else 501
        return Refusal(status, "method_unknown", f"method {method[:16]} is not supported")
    if target.startswith(b"//") or b"#" in target:
        return Refusal(400, "invalid_target", "the request target must be an absolute path")
    return _check_framing(version, headers) or _check_host(version, headers.get(b"host"))


def origin_form(method: str, target: bytes, host: bytes) -> bytes | Refusal:
    """The path of a target that is not one: `*` of OPTIONS, or a URL of the very host the request names.

    RFC 9112 section 3.2.2 lets the URL override the Host field; we are no proxy, so they have to agree.
    """
    if target == b"*" and method == "OPTIONS":
        return target
    url = _ABSOLUTE.match(target)
    if url is None:
        return Refusal(400, "invalid_target", "the request target must be an absolute path")
    if url[1].lower() != host.lower():
        return Refusal(400, "invalid_target", "the request target is at another host; this is not a proxy")
    rest = url[2] or b""
    return rest if rest.startswith(b"/") else b"/" + rest


def check_field(name: bytes, seen: Mapping[bytes, bytes]) -> Refusal | None:
    """Whether a header may stand beside those already `seen`."""
    if b"_" in name:
        return Refusal(400, "invalid_header", "header names with '_' are refused: they alias others")
    if name in seen and name in _SINGLETONS:
        return Refusal(400, "duplicate_header", f"header {name.decode('latin-1')} may appear once")
    return None


def check_overhead(raw: int, decoded: int, limits: Limits) -> Refusal | None:
    """RFC 9112 section 7.1.1 asks to bound chunk extensions; this bounds all that is not content."""
    if raw - decoded <= limits.chunk_overhead + 8 * decoded:
        return None
    return Refusal(400, "chunk_overhead", "the body's chunk framing outweighs its content")


def too_large(limits: Limits) -> Refusal:
    return Refusal(413, "request_too_large", f"bodies over {limits.body} bytes are refused")


def _check_framing(version: str, values: Mapping[bytes, bytes]) -> Refusal | None:
    if _RULED.isdisjoint(values):
        return None
    return _check_coding(version, values) or _check_expectations(version, values)


def _check_coding(version: str, values: Mapping[bytes, bytes]) -> Refusal | None:
    coding = values.get(b"transfer-encoding")
    if coding is not None and version == "1.0":
        return Refusal(400, "invalid_framing", "Transfer-Encoding is not allowed in HTTP/1.0")
    if coding is not None and coding.strip().lower() != b"chunked":
        if coding.rpartition(b",")[2].strip().lower() != b"chunked":
            return Refusal(400, "invalid_framing", "the last transfer encoding must be chunked")
        return Refusal(501, "transfer_encoding", "no transfer encoding but chunked is supported")
    if b"upgrade" in values and (coding is not None or b"content-length" in values):
        # The parser would report an empty body and skip the real one: a smuggling hole (measured).
        return Refusal(400, "upgrade", "a request with a body cannot ask for a protocol upgrade")
    return None


def _check_expectations(version: str, values: Mapping[bytes, bytes]) -> Refusal | None:
    if version != "1.0" and values.get(b"expect", b"100-continue").lower() != b"100-continue":
        return Refusal(417, "expectation_failed", "only 100-continue can be expected")
    if values.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        return Refusal(415, "content_encoding", "compressed request bodies are not accepted")
    return None


def _check_host(version: str, host: bytes | None) -> Refusal | None:
    if host is None:
        return None if version == "1.0" else Refusal(400, "missing_host", "HTTP/1.1 requires a Host header")
    return None if _is_host(host) else Refusal(400, "invalid_host", "the Host header is not a host and port")


@lru_cache(256)
def _is_host(host: bytes) -> bool:
    found = _HOST.match(host)
    return found is not None and (found[1] is None or int(found[1]) <= 65535)
