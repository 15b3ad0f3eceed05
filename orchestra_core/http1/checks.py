"""Checks httptools leaves to us: it is a lexer and accepts what RFC 9112 forbids (measured with 0.9.0)."""

import re
from collections.abc import Mapping

import msgspec

_HOST = re.compile(rb"^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$")
_SINGLETONS = frozenset(
    {
        b"host",
        b"authorization",
        b"x-api-key",
        b"content-type",
        b"expect",
        b"content-length",
        b"idempotency-key",
        b"transfer-encoding",
    }
)
# Fields with rules of their own; most requests have none of them.
_RULED = frozenset({b"transfer-encoding", b"upgrade", b"expect", b"content-encoding"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Refusal(msgspec.Struct, frozen=True):
    """Why a request is answered with an error before any handler sees it; the connection then closes."""

    status: int
    code: str
    message: str


class Limits(msgspec.Struct, frozen=True):
    """Sizes in bytes, times in seconds. Sources: RFC 9112 section 3, nginx, Envoy and HAProxy defaults."""

    request_line: int = 8192
    head: int = 32768
    fields: int = 100
    body: int = 32 * 1024 * 1024
    pipelined: int = 16
    head_seconds: float = 10.0
    body_seconds: float = 300.0
    idle_seconds: float = 75.0
    stalled_seconds: float = 60.0
    linger_seconds: float = 2.0


def check_head(method: str, target: bytes, version: str, headers: Mapping[bytes, bytes]) -> Refusal | None:
    """The first rule of RFC 9110/9112 this head breaks, or None. Names in `headers` are lower-case."""
    if version not in ("1.1", "1.0"):
        return Refusal(505, "http_version", f"HTTP/{version} is not supported; use HTTP/1.1")
    if method not in METHODS:
        status = 405 if method == "CONNECT" else 501
        return Refusal(status, "method_unknown", f"method {method[:16]} is not supported")
    if not target.startswith(b"/") or target.startswith(b"//") or b"#" in target:
        return Refusal(400, "invalid_target", "the request target must be an absolute path")
    return _check_framing(version, headers) or _check_host(version, headers.get(b"host"))


def check_field(name: bytes, seen: Mapping[bytes, bytes]) -> Refusal | None:
    """Whether a header may stand beside those already `seen`."""
    if b"_" in name:
        return Refusal(400, "invalid_header", "header names with '_' are refused: they alias others")
    if name in seen and name in _SINGLETONS:
        return Refusal(400, "duplicate_header", f"header {name.decode('latin-1')} may appear once")
    return None


def _check_framing(version: str, values: Mapping[bytes, bytes]) -> Refusal | None:
    if _RULED.isdisjoint(values):
        return None
    return _check_coding(version, values) or _check_expectations(values)


def _check_coding(version: str, values: Mapping[bytes, bytes]) -> Refusal | None:
    coding = values.get(b"transfer-encoding")
    if coding is not None and version == "1.0":
        return Refusal(400, "invalid_framing", "Transfer-Encoding is not allowed in HTTP/1.0")
    if coding is not None and coding.strip().lower() != b"chunked":
        return Refusal(501, "transfer_encoding", "only chunked transfer encoding is supported")
    if b"upgrade" in values and (coding is not None or b"content-length" in values):
        # The parser would report an empty body and skip the real one: a smuggling hole (measured).
        return Refusal(400, "upgrade", "protocol upgrades are not supported")
    return None


def _check_expectations(values: Mapping[bytes, bytes]) -> Refusal | None:
    if values.get(b"expect", b"100-continue").lower() != b"100-continue":
        return Refusal(417, "expectation_failed", "only 100-continue can be expected")
    if values.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        return Refusal(415, "content_encoding", "compressed request bodies are not accepted")
    return None


def _check_host(version: str, host: bytes | None) -> Refusal | None:
    if host is None:
        return None if version == "1.0" else Refusal(400, "missing_host", "HTTP/1.1 requires a Host header")
    return (
        None if _HOST.match(host) else Refusal(400, "invalid_host", "the Host header is not a host and port")
    )
