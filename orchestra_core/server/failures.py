"""The error a client sees for an outcome that is not a success."""

from orchestra_core.domain.errors import (
    ContextTooLong,
    InvalidRequest,
    OrchestraError,
    Unavailable,
    UpstreamFailed,
    UpstreamTimeout,
)
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.text import safe_text

RETRY_SECONDS = 1.0


def failure(outcome: Outcome) -> OrchestraError:
    """Says which endpoint failed and why, in words the client can act on."""
    verdict = outcome.verdict
    why = f"{outcome.endpoint}: {safe_text(outcome.message)[:500]}"
    if verdict is Verdict.CONTEXT_OVERFLOW:
        return ContextTooLong(why, param="messages")
    if verdict is Verdict.CONTENT_FILTER:
        return InvalidRequest(why, code="content_filter")
    if verdict is Verdict.REJECTED:
        return InvalidRequest(why, code="rejected_by_backend")
    if verdict in (Verdict.BUSY, Verdict.LOADING):
        return Unavailable(why, code="busy", retry_after=outcome.retry_after or RETRY_SECONDS)
    if verdict is Verdict.TIMEOUT:
        return UpstreamTimeout(why)
    if verdict is Verdict.MISCONFIGURED:
        return UpstreamFailed(
            f"{why} (the operator must check the key of this backend)", code="backend_refused"
        )
    if verdict is Verdict.INTERRUPTED:
        return UpstreamFailed(f"{why}; the answer is incomplete", code="interrupted")
    return UpstreamFailed(why)
