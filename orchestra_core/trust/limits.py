"""How often: one theoretical arrival time per name (GCRA), so that a limit costs one number and one comparison.

A name may spend one minute's worth at once, then as it trickles back: within any time t no more than
`per_minute` + `per_minute` x t / 60 is admitted. Bounded: when full, the names nearest to a full balance are
forgotten and the arrival time of the worst of them is what unknown names start with, so that nobody gains by
being forgotten.
"""

import msgspec

MINUTE = 60.0
CAPACITY = 8192


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Where a name stands. `wait` above 0: refused, come again in so many seconds; `reset`: full again then."""

    limit: int
    remaining: int
    reset: float
    wait: float


class Buckets:
    """Balances by name. `per_minute` is at least 1 and `now` monotonic seconds."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._arrivals: dict[str, float] = {}
        self._floor = 0.0

    def __len__(self) -> int:
        return len(self._arrivals)

    def take(self, name: str, per_minute: int, now: float) -> Standing:
        """Takes one, unless there is none left: then nothing is taken."""
        arrival = max(self._arrivals.get(name, self._floor), now) + MINUTE / per_minute
        wait = arrival - (now + MINUTE)
        # A thousandth of a second: sums of floating numbers must not refuse what is due now.
        if wait > 0.001:
            return _standing(per_minute, arrival - MINUTE / per_minute, now, wait)
        self._store(name, arrival, now)
        return _standing(per_minute, arrival, now, 0.0)

    def spend(self, name: str, per_minute: int, amount: int, now: float) -> None:
        """Takes what was used, also beyond what is left: the balance may be negative afterwards."""
        arrival = max(self._arrivals.get(name, self._floor), now) + amount * MINUTE / per_minute
        self._store(name, arrival, now)

    def look(self, name: str, per_minute: int, now: float) -> Standing:
        """Takes nothing; refuses while the balance is negative."""
        arrival = self._arrivals.get(name, self._floor)
        return _standing(per_minute, arrival, now, max(0.0, arrival - (now + MINUTE)))

    def _store(self, name: str, arrival: float, now: float) -> None:
        if len(self._arrivals) >= self._capacity and name not in self._arrivals:
            self._forget(now)
        self._arrivals[name] = arrival

    def _forget(self, now: float) -> None:
        kept = {name: arrival for name, arrival in self._arrivals.items() if arrival > now}
        spare = len(kept) - 3 * self._capacity // 4
        if spare > 0:
            nearest = sorted(kept, key=kept.__getitem__)[:spare]
            self._floor = max(self._floor, kept[nearest[-1]])
            for name in nearest:
                del kept[name]
        self._arrivals = kept


def _standing(per_minute: int, arrival: float, now: float, wait: float) -> Standing:
    ahead = max(0.0, arrival - now)
    left = int((MINUTE - ahead) * per_minute / MINUTE + 1e-6)
    return Standing(per_minute, max(0, left), ahead, wait)
