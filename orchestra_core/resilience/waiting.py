"""The order in which those who wait for one model are served.

1. who has waited for ten seconds, in order of arrival: nobody starves behind others' priority or turns
2. the higher priority
3. the keys in turn (round robin), so that a key with many requests does not hold up one with few
4. arrival
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

AGE_SECONDS: Final = 10.0


class Waiter:
    """A place in the queue. `accepts` are the endpoints it would go to; `granted` the one whose slot it got.

    `wake` is called once: when a slot has become the waiter's, or when it lost its place (`refused` says why).
    """

    __slots__ = ("accepts", "granted", "key", "priority", "refused", "since", "wake", "work")

    def __init__(
        self,
        accepts: set[str],
        since: float,
        *,
        key: str = "",
        priority: int = 0,
        work: float = 0.0,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.accepts = accepts
        self.since = since
        self.key = key
        self.priority = priority
        self.work = work
        self.wake = wake
        self.granted = ""
        self.refused = ""


class Line:
    """Who waits, in the order above (`arrived` in that of arrival). Knows nothing of slots."""

    __slots__ = ("_levels", "arrived", "work")

    def __init__(self) -> None:
        self.arrived: dict[Waiter, None] = {}
        self._levels: dict[int, OrderedDict[str, dict[Waiter, None]]] = {}
        self.work = 0.0

    def __len__(self) -> int:
        return len(self.arrived)

    def __iter__(self) -> Iterator[Waiter]:
        return iter(self.arrived)

    def __contains__(self, waiter: Waiter) -> bool:
        return waiter in self.arrived

    @property
    def keys(self) -> int:
        return len({key for level in self._levels.values() for key in level})

    def add(self, waiter: Waiter) -> None:
        self.arrived[waiter] = None
        level = self._levels.setdefault(waiter.priority, OrderedDict())
        level.setdefault(waiter.key, {})[waiter] = None
        self.work += waiter.work

    def remove(self, waiter: Waiter) -> None:
        """Empty levels are dropped, so that the highest is always somebody's."""
        del self.arrived[waiter]
        level = self._levels[waiter.priority]
        of_key = level[waiter.key]
        del of_key[waiter]
        if not of_key:
            del level[waiter.key]
        if not level:
            del self._levels[waiter.priority]
        self.work = self.work - waiter.work if self.arrived else 0.0

    def first(self, endpoint: str, now: float) -> Waiter | None:
        """Who is next for a slot of this endpoint."""
        for waiter in self.arrived:
            if now - waiter.since < AGE_SECONDS:
                break
            if endpoint in waiter.accepts:
                return waiter
        for priority in sorted(self._levels, reverse=True):
            for of_key in self._levels[priority].values():
                for waiter in of_key:
                    if endpoint in waiter.accepts:
                        return waiter
        return None

    def served(self, waiter: Waiter) -> None:
        """It leaves with a slot: the next turn is another key's."""
        level = self._levels[waiter.priority]
        level.move_to_end(waiter.key)
        self.remove(waiter)

    def ahead(self, priority: int, key: str) -> int:
        """How many would be served before one who came now."""
        count = 0
        for level, keys in self._levels.items():
            if level > priority:
                count += sum(map(len, keys.values()))
            elif level == priority:
                own = len(keys.get(key, ()))
                count += own + sum(min(len(of_key), own + 1) for name, of_key in keys.items() if name != key)
        return count

    def position(self, waiter: Waiter, now: float) -> int:
        """Its place, from 1, if all accepted the same endpoints; 0 when it no longer waits."""
        if waiter not in self.arrived:
            return 0
        if now - waiter.since >= AGE_SECONDS:
            return list(self.arrived).index(waiter) + 1
        place = sum(
            sum(map(len, keys.values())) for level, keys in self._levels.items() if level > waiter.priority
        )
        keys = self._levels[waiter.priority]
        own = list(keys[waiter.key]).index(waiter)
        turn = own + 1
        for name, of_key in keys.items():
            if name == waiter.key:
                turn = own
            else:
                place += min(len(of_key), turn)
        return place + own + 1

    def to_give_way(self, priority: int, key: str) -> Waiter | None:
        """Who loses a place in a full queue to a newcomer: the last one of the key that has most of them.

        Of the lowest priority there is; among equals only when that key still has as many as the newcomer's.
        """
        level = min(self._levels)
        if level > priority:
            return None
        keys = self._levels[level]
        heaviest = max(keys, key=lambda name: len(keys[name]))
        if level == priority and (heaviest == key or len(keys[heaviest]) <= len(keys.get(key, ())) + 1):
            return None
        return next(reversed(keys[heaviest]))
