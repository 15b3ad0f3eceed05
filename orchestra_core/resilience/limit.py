"""How many calls an endpoint is given at a time: its slots, less when it says that this is too much."""

from typing import Final

_DECREASE: Final = 0.9


class Limit:
    """Additive increase, multiplicative decrease (Netflix concurrency-limits; reliability.md section 3).

    `value` never exceeds `slots` and never falls below 1. It falls to nine tenths when the endpoint pushes back
    (429, its queue is full, a time-out), and rises by one for every `value` successes.
    """

    __slots__ = ("_cut_at", "_successes", "slots", "value")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.value = float(slots)
        self._successes = 0
        self._cut_at = float("-inf")

    def pushed_back(self, now: float, sent_at: float) -> None:
        """`sent_at`: when that call was sent. What was sent before the last cut tells nothing of the limit now."""
        if sent_at < self._cut_at:
            return
        self.value = max(1.0, self.value * _DECREASE)
        self._successes = 0
        self._cut_at = now

    def succeeded(self) -> bool:
        """Whether the limit rose by it."""
        if self.value >= self.slots:
            return False
        self._successes += 1
        if self._successes < self.value:
            return False
        self._successes = 0
        self.value = min(float(self.slots), self.value + 1.0)
        return True

    def resize(self, slots: int) -> None:
        """Another number of slots; what was free of any cut stays so."""
        self.value = float(slots) if self.value >= self.slots else min(self.value, float(slots))
        self.slots = slots
