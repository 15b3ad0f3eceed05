"""How often and when something that could not be delivered is tried again."""

ATTEMPTS = 8
_BASE_SECONDS = 1.0
_LONGEST_SECONDS = 60.0
# Any other status below 500 says that the request itself is refused: it would be refused again.
_AGAIN = frozenset({408, 425, 429})


def is_delivered(status: int) -> bool:
    return 200 <= status < 300


def is_worth_retrying(status: int) -> bool:
    """Redirects are not followed: an alert is sent where an operator said, and nowhere else."""
    return status in _AGAIN or status >= 500


def pause(attempt: int, chance: float, retry_after: float | None = None) -> float | None:
    """Seconds until the next try after `attempt` (from 1) has failed; None: it is given up.

    Doubling from 1 s to 60 s, of which between half and all is waited: `chance` is uniform in 0..1. What the other side
    asks for is waited for, up to a minute.
    """
    if attempt >= ATTEMPTS:
        return None
    longest = min(_BASE_SECONDS * 2.0 ** (attempt - 1), _LONGEST_SECONDS)
    own = longest * (0.5 + 0.5 * chance)
    return own if retry_after is None else max(own, min(retry_after, _LONGEST_SECONDS))
