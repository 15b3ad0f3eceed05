"""What becomes of answers that are none: refusals, what is no stream, and what our own reading broke on."""

import logging
from collections.abc import Sequence

from orchestra_core.domain.fault import Fault
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.text import safe_text
from orchestra_core.upstream.codec import Codec

log = logging.getLogger(__name__)

COMPRESSED = Fault(Verdict.FAILED, 502, "the backend sent a compressed answer, although asked not to")


def no_stream(headers: Sequence[tuple[bytes, bytes]]) -> Fault | None:
    """Why what follows such a head cannot be read as a stream."""
    content_type = next((value for name, value in headers if name == b"content-type"), b"")
    if b"text/event-stream" in content_type or b"ndjson" in content_type:
        return None
    return Fault(Verdict.FAILED, 200, f"expected a stream, got {content_type[:80].decode('latin-1')!r}")


def refusal(codec: Codec, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
    """A status that is no success, in the words of its body if they can be read."""
    names = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    return codec.read_error(status, names, b"" if "content-encoding" in names else body)


def unexpected(error: Exception, endpoint_id: str) -> Fault:
    """An error of ours, to be called where it was caught: it is logged, and the request fails at this endpoint only."""
    log.exception("unhandled error while reading an answer of %s", safe_text(endpoint_id))
    return Fault(Verdict.FAILED, 502, f"the answer could not be read: {type(error).__name__}")
