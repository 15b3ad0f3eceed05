"""The one classification of how an attempt ended; breaker, retry, health, metrics and ledger all read it.

What counts as whose fault follows reliability practice: a client that leaves and a bad request never count
against an endpoint; 429 cools down without tripping; 401/403 is the operator's configuration; 5xx, silence
and cut streams count as failures.
"""

from enum import StrEnum

import msgspec

from orchestra_core.domain.reply import Usage


class Verdict(StrEnum):
    SUCCESS = "success"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    CONTEXT_OVERFLOW = "context_overflow"
    CONTENT_FILTER = "content_filter"
    MISCONFIGURED = "misconfigured"
    MISSING = "missing"
    BUSY = "busy"
    LOADING = "loading"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


_ELSEWHERE = frozenset(
    {
        Verdict.MISCONFIGURED,
        Verdict.MISSING,
        Verdict.BUSY,
        Verdict.LOADING,
        Verdict.UNREACHABLE,
        Verdict.TIMEOUT,
        Verdict.FAILED,
        Verdict.CONTEXT_OVERFLOW,
    }
)
_TRIPS = frozenset({Verdict.UNREACHABLE, Verdict.TIMEOUT, Verdict.FAILED, Verdict.INTERRUPTED})
NO_USAGE = Usage(estimated=True)


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The end of one attempt. Times are seconds since the attempt was sent; `retry_after` is seconds."""

    verdict: Verdict
    endpoint: str
    status: int = 200
    message: str = ""
    usage: Usage = NO_USAGE
    first_token: float | None = None
    seconds: float = 0.0
    retry_after: float | None = None
    finish: str | None = None
    committed: bool = False

    @property
    def ok(self) -> bool:
        return self.verdict is Verdict.SUCCESS

    @property
    def try_elsewhere(self) -> bool:
        """Whether another endpoint may be tried: only while the client has seen no byte of the answer."""
        return not self.committed and self.verdict in _ELSEWHERE

    @property
    def trips(self) -> bool:
        """Whether the circuit breaker counts this as a failure of the endpoint."""
        return self.verdict in _TRIPS
