"""The error a client sees for an outcome that is not a success."""

from orchestra_core.domain.errors import (
    Cancelled,
    ContextTooLong,
    InvalidRequest,
    OrchestraError,
    OverBudget,
    TooManyRequests,
    Unavailable,
    UpstreamFailed,
    UpstreamTimeout,
)
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.text import safe_text

RETRY_SECONDS = 1.0
_WAITING = (Unavailable, TooManyRequests)


_BUSY = (Unavailable, "busy", "")
_FAILED = (UpstreamFailed, "upstream_failed", "")
_ERRORS: dict[Verdict, tuple[type[OrchestraError], str, str]] = {
    Verdict.CONTEXT_OVERFLOW: (ContextTooLong, "context_length_exceeded", ""),
    Verdict.CONTENT_FILTER: (InvalidRequest, "content_filter", ""),
    Verdict.REJECTED: (InvalidRequest, "rejected_by_backend", ""),
    Verdict.UNSUPPORTED: (InvalidRequest, "unsupported_by_backend", ""),
    Verdict.BUSY: _BUSY,
    Verdict.LOADING: _BUSY,
    Verdict.LIMITED: (TooManyRequests, "rate_limited", ""),
    Verdict.POISON: (UpstreamFailed, "poison_request", ""),
    Verdict.TIMEOUT: (UpstreamTimeout, "upstream_timeout", ""),
    Verdict.MISCONFIGURED: (
        UpstreamFailed,
        "backend_refused",
        " (the operator must check the key of this backend)",
    ),
    Verdict.INTERRUPTED: (UpstreamFailed, "interrupted", "; the answer is incomplete"),
}


def failure(outcome: Outcome) -> OrchestraError:
    """Says which endpoint failed and why, in words the client can act on."""
    if outcome.verdict is Verdict.OVER_BUDGET:
        return OverBudget(outcome.message, retry_after=outcome.retry_after)
    if outcome.verdict is Verdict.CANCELLED:
        return Cancelled(safe_text(outcome.message)[:500], should_retry=False)
    kind, code, advice = _ERRORS.get(outcome.verdict, _FAILED)
    why = f"{outcome.endpoint}: {safe_text(outcome.message)[:500]}{advice}"
    wait = (outcome.retry_after or RETRY_SECONDS) if kind in _WAITING else None
    return kind(
        why,
        code=code,
        param="messages" if kind is ContextTooLong else None,
        retry_after=wait,
        should_retry=False if outcome.exhausted else None,
    )
