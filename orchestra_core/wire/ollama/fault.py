"""Faults: Ollama has a status and a sentence but no error codes, so the sentence is read as well."""

from collections.abc import Mapping

import msgspec

from orchestra_core.domain.fault import Fault, WireError
from orchestra_core.domain.outcome import Verdict
from orchestra_core.wire.ollama.shapes import MALFORMED
from orchestra_core.wire.waiting import retry_after

_MESSAGE_LIMIT = 2000


def malformed(payload: bytes) -> WireError:
    """Bytes that are no answer; the message shows how they begin."""
    start = payload[:80].decode("utf-8", "replace")
    return WireError(Fault(Verdict.FAILED, 200, f"not an answer in Ollama's format: {start!r}"))


def in_stream(payload: bytes) -> WireError:
    """An error object where an answer was due: Ollama has sent status 200 by then."""
    return WireError(_fault(200, _error_text(payload) or "an error without an explanation", None))


class _Detail(msgspec.Struct, frozen=True):
    message: str = ""


class _TextError(msgspec.Struct, gc=False):
    error: str = ""


class _ObjectError(msgspec.Struct, gc=False):
    error: _Detail = _Detail()


def _error_text(body: bytes) -> str:
    """Ollama says `{"error": "text"}`; what emulates it may use OpenAI's object. Empty if neither."""
    try:
        return msgspec.json.decode(body, type=_TextError).error[:_MESSAGE_LIMIT]
    except MALFORMED:
        pass
    try:
        return msgspec.json.decode(body, type=_ObjectError).error.message[:_MESSAGE_LIMIT]
    except MALFORMED:
        return ""


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """Classifies an answer whose status is not 2xx; `headers` has lower-case names."""
    text = _error_text(body)
    if not text:
        start = body[:200].decode("utf-8", "replace").strip()
        text = f"HTTP {status}: {start}" if start else f"HTTP {status} without an explanation"
    return _fault(status, text, retry_after(headers))


# From server/routes.go, server/sched.go and llm/server.go of Ollama.
_WORDS = (
    ("maximum pending requests", Verdict.BUSY),
    ("server busy", Verdict.BUSY),
    ("loading model", Verdict.LOADING),
    ("context length", Verdict.CONTEXT_OVERFLOW),
    ("context size", Verdict.CONTEXT_OVERFLOW),
    ("context window", Verdict.CONTEXT_OVERFLOW),
    ("try pulling it first", Verdict.MISSING),
)
_STATUSES = {
    200: Verdict.FAILED,
    401: Verdict.MISCONFIGURED,
    402: Verdict.MISCONFIGURED,
    403: Verdict.MISCONFIGURED,
    405: Verdict.MISCONFIGURED,
    408: Verdict.TIMEOUT,
    429: Verdict.LIMITED,
    502: Verdict.UNREACHABLE,
    504: Verdict.TIMEOUT,
}


def _fault(status: int, text: str, wait: float | None) -> Fault:
    return Fault(_verdict(status, text.lower(), wait), status, text, wait)


def _verdict(status: int, words: str, wait: float | None) -> Verdict:
    found = next((verdict for phrase, verdict in _WORDS if phrase in words), None)
    if found is not None:
        return found
    if status == 404:
        return Verdict.MISSING if "model" in words else Verdict.MISCONFIGURED
    if status == 503 and wait is not None:
        return Verdict.BUSY
    if status in _STATUSES:
        return _STATUSES[status]
    if status >= 500:
        return Verdict.FAILED
    return Verdict.REJECTED if status >= 400 else Verdict.MISCONFIGURED
