"""Memory that several models share: what is promised to whom, what others use, and what is left.

A load may reserve what keeps the sum of all reservations, foreign use and headroom within the total
(routing.md 4.8). A reservation ends only when the memory was measured to be back: until then it is a zombie. What
of a zombie never comes back is counted as foreign use from the moment it stops being one, so nothing is promised
twice at any time.
"""

from collections import deque
from collections.abc import Mapping

import msgspec

from orchestra_core.domain.memory import Pressure, Reading
from orchestra_core.residency.watermarks import Watermarks

GIB = 1024**3
FOREIGN_SECONDS = 60.0
ZOMBIE_SECONDS = 60.0
# A backend may say that a model is gone some seconds after its memory came back: the fall is looked for that far back.
_LOOKBACK_SECONDS = 10.0
_BACK = 0.75


class Room(msgspec.Struct, frozen=True, gc=False):
    """One pool at one moment, in bytes. `reserved` is everything promised, `growing` what of it may not be in `used`
    yet, `returning` what models that have ended still hold.
    """

    total: int
    used: int | None
    foreign: int
    headroom: int
    reserved: int
    growing: int
    returning: int
    pressure: Pressure

    @property
    def unpromised(self) -> int:
        """What the rule leaves for one more reservation; negative when it is broken."""
        return self.total - self.reserved - self.foreign - self.headroom

    @property
    def unused(self) -> int:
        """What measured use leaves; the same as `unpromised` where nobody measures."""
        if self.used is None:
            return self.unpromised
        return self.total - self.used - self.growing - self.headroom

    @property
    def free(self) -> int:
        """What a load may reserve now."""
        return max(0, min(self.unpromised, self.unused))


class Holding:
    """What one model has: `bytes` promised, and `measured` of it. `growing` while it is loaded, `unseen` until a
    reading was taken with all of it there.
    """

    __slots__ = ("bytes", "growing", "measured", "unseen")

    def __init__(self, size: int) -> None:
        self.bytes = size
        self.measured: int | None = None
        self.growing = True
        self.unseen = True

    @property
    def known(self) -> int:
        """What of the measured use is taken to be this model's."""
        return self.bytes if self.growing or self.measured is None else self.measured


class Zombie:
    """Ended at `since`, when `before` bytes of the pool were in use: back when that has fallen by most of `held`."""

    __slots__ = ("before", "bytes", "held", "since")

    def __init__(self, size: int, held: int, before: int, since: float) -> None:
        self.bytes = size
        self.held = held
        self.before = before
        self.since = since

    def is_back(self, used: int) -> bool:
        return self.before - used >= _BACK * self.held


class Pool:
    """`headroom` bytes are kept free; None: by the rule where use is measured, none where it is only configured."""

    def __init__(self, name: str, watermarks: Watermarks | None = None, headroom: int | None = None) -> None:
        self.name = name
        self.watermarks = Watermarks() if watermarks is None else watermarks
        self.total: int | None = None
        self.used: int | None = None
        self._headroom = headroom
        self._holdings: dict[str, Holding] = {}
        self._zombies: list[tuple[str, Zombie]] = []
        self._foreign: deque[tuple[float, int]] = (
            deque()
        )  # falling: the first is the largest of the last minute
        self._recent: deque[list[float]] = deque()  # time and use, to find when a model's memory came back

    def read(self, reading: Reading, known: Mapping[str, int], now: float) -> Pressure:
        """Takes a measurement; `known` is what models are measured to occupy, in the same moment."""
        self.total, self.used = reading.total, reading.used
        for key, holding in self._holdings.items():
            holding.unseen = holding.growing
            if not holding.growing:
                holding.measured = known.get(key, holding.measured)
        if self.used is None:
            self._zombies.clear()
            self._foreign.clear()
            return self.watermarks.update(0.0, now)
        self._recent.append([now, self.used])
        while self._recent[0][0] < now - _LOOKBACK_SECONDS:
            self._recent.popleft()
        self._bury(self.used, now)
        self._sample(now)
        return self.watermarks.update(self.used / max(1, self.total), now)

    def reserve(self, key: str, size: int) -> None:
        """Promises `size` bytes; whether they are there was decided before. What was promised before is replaced."""
        self._holdings[key] = Holding(size)

    def settle(self, key: str, measured: int | None, bound: int | None = None) -> None:
        """The model is there: it keeps what it was promised, or `bound`, but never less than it occupies."""
        holding = self._holdings[key]
        if measured is not None:
            holding.measured = measured
        holding.bytes = max(holding.bytes if bound is None else bound, holding.measured or 0)
        holding.growing = False

    def release(self, key: str, now: float) -> None:
        """The model has ended: what it held is free when it was measured to be back."""
        holding = self._holdings.pop(key, None)
        if holding is None or self.used is None:
            return
        before = int(max((used for _, used in self._recent), default=self.used))
        self._zombies.append((key, Zombie(holding.bytes, holding.known, before, now)))
        self._bury(self.used, now)
        self._sample(now)

    def forget(self, key: str) -> None:
        """It was never here: another pool has it."""
        self._holdings.pop(key, None)

    def held(self, key: str) -> Holding | None:
        return self._holdings.get(key)

    def room(self, now: float) -> Room:
        reserved = growing = 0
        for holding in self._holdings.values():
            reserved += holding.bytes
            growing += holding.bytes if holding.unseen else 0
        returning = sum(zombie.bytes for _, zombie in self._zombies)
        return Room(
            total=self.total or 0,
            used=self.used,
            foreign=self._foreign_use(now),
            headroom=self.headroom,
            reserved=reserved + returning,
            growing=growing,
            returning=returning,
            pressure=self.watermarks.pressure,
        )

    @property
    def headroom(self) -> int:
        if self._headroom is not None:
            return self._headroom
        if self.used is None or self.total is None:
            return 0
        return max(self.total * 8 // 100, min(GIB, self.total // 8))

    def _foreign_use(self, now: float) -> int:
        while len(self._foreign) > 1 and self._foreign[0][0] < now - FOREIGN_SECONDS:
            self._foreign.popleft()
        return self._foreign[0][1] if self._foreign else 0

    def _sample(self, now: float) -> None:
        """Use that is not ours; what is still growing or returning counts as ours in full."""
        assert self.used is not None
        ours = sum(holding.known for holding in self._holdings.values())
        foreign = max(0, self.used - ours - sum(zombie.held for _, zombie in self._zombies))
        while self._foreign and self._foreign[-1][1] <= foreign:
            self._foreign.pop()
        self._foreign.append((now, foreign))

    def _bury(self, used: int, now: float) -> None:
        """Ends zombies whose memory is back, and those that are too old: they are foreign use from now on."""
        for entry in list(self._zombies):
            zombie = entry[1]
            if zombie.is_back(used):
                self._zombies.remove(entry)
                self._credit(zombie)
            elif now - zombie.since >= ZOMBIE_SECONDS:
                self._zombies.remove(entry)

    def _credit(self, gone: Zombie) -> None:
        """The fall that freed one zombie is not counted for another."""
        for _, other in self._zombies:
            other.before -= max(0, gone.held - max(0, gone.before - other.before))
        for moment in self._recent:
            moment[1] -= max(0.0, gone.held - max(0.0, gone.before - moment[1]))
