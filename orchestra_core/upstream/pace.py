"""Whether an answer that keeps coming comes too slowly to be there in time.

A backend that has become many times slower sends tokens, so no limit on silence ever ends its answers; a client with
a deadline loses them all the same. Such an answer is given up as long as another endpoint could still be in time.
"""

import msgspec

from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint

# Slower than it usually is: a busy backend that batches may well take twice as long for each answer.
_SLOW = 3.0
# Answers vary in length; a client's own cap is often far above what it gets.
_LONG = 2.0
_EVIDENCE = 4.0


class Pace(msgspec.Struct, frozen=True, gc=False):
    """`usual` seconds a token, `tokens` expected of the whole answer, the deadline in monotonic seconds."""

    usual: float
    tokens: float
    deadline: float

    def lost(self, seen: int, first_at: float, now: float) -> str:
        """Why to give the answer up after so many tokens since its first; empty while there is hope, or no other.

        Hopeless is: three times as slow as usual, not done by the deadline at this pace, and done at the usual one
        even if it is begun anew.
        """
        elapsed = now - first_at
        if not seen or elapsed < _EVIDENCE * self.usual:
            return ""
        each = elapsed / seen
        if each < _SLOW * self.usual or now + (self.tokens - seen) * each <= self.deadline:
            return ""
        if now + self.tokens * self.usual > self.deadline:
            return ""
        return f"{each:.3g} s a token, where {self.usual:.3g} s are usual, is too slow for its deadline"


def pace_of(call: Call, endpoint: Endpoint) -> Pace | None:
    """What the answer of this call needs; None without a deadline or before anything is known to compare with."""
    if call.deadline is None or not endpoint.rate:
        return None
    usual = endpoint.outputs.get(call.task) if call.task is not None else None
    tokens = None if usual is None else _LONG * usual
    if call.max_tokens is not None:
        tokens = call.max_tokens if tokens is None else min(tokens, call.max_tokens)
    return None if tokens is None else Pace(1 / endpoint.rate, tokens, call.deadline)
