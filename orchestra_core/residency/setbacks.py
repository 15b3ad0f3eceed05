"""Models that could not be loaded are left alone for a while, the longer the more often it failed."""

from collections.abc import Iterator

import msgspec

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 60.0
# So many sudden ends of a loaded model in a row, not for want of memory, are not held against it.
_SPARED = 2


class Setback(msgspec.Struct, frozen=True):
    """Failures in a row up to `until` (monotonic seconds), when the next try may be made.

    `exhausted` counts those in a row that ran out of memory with the same `needed` bytes. `died`: the last load had
    succeeded, and the model ended soon after.
    """

    failures: int
    until: float
    exhausted: int = 0
    needed: int = 0
    died: bool = False


class Setbacks:
    """One per endpoint that failed since it last succeeded."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, Setback] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def failed(
        self, endpoint: str, now: float, *, out_of_memory: bool = False, needed: int = 0, died: bool = False
    ) -> Setback:
        before = self._known.get(endpoint, Setback(0, now))
        failures = before.failures + 1
        # Somebody may have killed it: whoever asks next has it again, unless that goes on.
        spared = _SPARED if died and not out_of_memory else 0
        pause = FIRST_SECONDS * 2.0 ** min(failures - 1 - spared, 10) if failures > spared else 0.0
        pause = min(LONGEST_SECONDS, pause)
        exhausted = 0
        if out_of_memory:
            exhausted = before.exhausted + 1 if before.needed == needed else 1
        setback = Setback(failures, now + pause, exhausted, needed, died)
        self._known[endpoint] = setback
        return setback

    def loaded(self, endpoint: str) -> None:
        """That clears what was, unless it is known to end soon after."""
        if endpoint in self._known and not self._known[endpoint].died:
            del self._known[endpoint]

    def forget(self, endpoint: str) -> None:
        self._known.pop(endpoint, None)

    def of(self, endpoint: str) -> Setback | None:
        return self._known.get(endpoint)

    def remaining(self, endpoint: str, now: float) -> float:
        """Seconds until the next try may be made, 0 when it may be made now."""
        setback = self._known.get(endpoint)
        return 0.0 if setback is None else max(0.0, setback.until - now)
