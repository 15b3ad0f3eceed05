"""The one classification of how an attempt ended; breaker, retry, health, metrics and ledger all read it.

What counts as whose fault follows reliability practice: a client that leaves and a bad request never count
against an endpoint; 429 (`limited`) cools down without tripping; a full queue (`busy`) and a model that is being
loaded (`loading`) are no failures; 401/403 is the operator's configuration; 5xx, silence and cut streams count as
failures. `unreachable` is a connection that could not be made, `dropped` one that was lost after the request had
been sent and before any byte of an answer: the request itself may be what kills the backend. `poison` is never the
end of an attempt: it is that of a request which was dropped by two backends. `unsupported` is a call that cannot be
said in the format of the backend: nothing was sent, and an endpoint of another kind may well take it. `over_budget`:
nothing was sent either, because a budget left too little for it.
"""

from enum import StrEnum

import msgspec

from orchestra_core.domain.reply import Usage


class Verdict(StrEnum):
    SUCCESS = "success"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    CONTEXT_OVERFLOW = "context_overflow"
    CONTENT_FILTER = "content_filter"
    MISCONFIGURED = "misconfigured"
    MISSING = "missing"
    BUSY = "busy"
    LIMITED = "limited"
    LOADING = "loading"
    UNREACHABLE = "unreachable"
    DROPPED = "dropped"
    TIMEOUT = "timeout"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    POISON = "poison"
    OVER_BUDGET = "over_budget"


_ELSEWHERE = frozenset(
    {
        Verdict.MISCONFIGURED,
        Verdict.MISSING,
        Verdict.BUSY,
        Verdict.LIMITED,
        Verdict.LOADING,
        Verdict.UNREACHABLE,
        Verdict.DROPPED,
        Verdict.TIMEOUT,
        Verdict.FAILED,
        Verdict.CONTEXT_OVERFLOW,
        Verdict.UNSUPPORTED,
    }
)
_TRIPS = frozenset(
    {Verdict.UNREACHABLE, Verdict.DROPPED, Verdict.TIMEOUT, Verdict.FAILED, Verdict.INTERRUPTED}
)
_SUCCESS = Verdict.SUCCESS
NO_USAGE = Usage(estimated=True)


class Partial(msgspec.Struct, frozen=True, gc=False):
    """What had arrived of an answer that was cut: its text so far, and how many tokens that was."""

    text: str
    tokens: int

    def with_rest(self, usage: Usage) -> Usage:
        """Usage of the whole answer, from that of the last attempt, whose prompt held this text."""
        return Usage(
            max(0, usage.prompt - self.tokens),
            usage.completion + self.tokens,
            min(usage.cached, max(0, usage.prompt - self.tokens)),
            estimated=True,
        )


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The end of one attempt. Times are seconds since the attempt was sent; `retry_after` is seconds.

    `partial` is set only when the answer was committed, interrupted, and can be continued elsewhere. `exhausted`:
    every attempt or the retry budget of the engine is spent, so the client had better not try again at once.
    `unsent`: a fault drill kept the request from the backend, which has worked on nothing of it.
    """

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
    partial: Partial | None = None
    exhausted: bool = False
    unsent: bool = False

    @property
    def ok(self) -> bool:
        return self.verdict is _SUCCESS

    @property
    def try_elsewhere(self) -> bool:
        """Whether another endpoint may be tried: only while the client has seen no byte of the answer."""
        return not self.committed and self.verdict in _ELSEWHERE

    @property
    def trips(self) -> bool:
        """Whether the circuit breaker counts this as a failure of the endpoint."""
        return self.verdict in _TRIPS
