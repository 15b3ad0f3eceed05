"""Memory that several models share: what is promised to whom, what others use, and what is left.

A load may reserve what keeps the sum of all reservations, foreign use and headroom within the total
(routing.md 4.8). A reservation ends only when the memory was measured to be back: until then it is a zombie. What
of a zombie never comes back is counted as foreign use from the moment it stops being one, so nothing is promised
twice at any time.
"""

from collections.abc import Mapping

from orchestra_core.domain.memory import HOST, Pressure, Reading
from orchestra_core.residency.past import Past
from orchestra_core.residency.room import GIB, Room
from orchestra_core.residency.watermarks import Watermarks

ZOMBIE_SECONDS = 60.0
# The share of what a model held that must have come back.
_BACK = 0.75
# Others use a pool if they have so much of it.
_SHARED = 0.05
# An operating system lives on the host and ends processes when there is nothing left; on a GPU a load fails. Ollama
# keeps 457 MiB of each GPU. With 8 % there too, 6.3 % of requests were cold in `make bench-memory` instead of 4.0 %.
_DEVICE_HEADROOM = GIB // 2


class Holding:
    """What one model has: `bytes` promised, and `measured` of it.

    `growing` while it is loaded, `unseen` until a reading was taken with all of it there; `base` is what of the pool
    was in use before the load.
    """

    __slots__ = ("base", "bytes", "growing", "measured", "since", "unseen")

    def __init__(self, size: int, base: int | None, since: float) -> None:
        self.bytes = size
        self.base = base
        self.since = since
        self.measured: int | None = None
        self.growing = True
        self.unseen = True

    @property
    def known(self) -> int:
        """What of the measured use is taken to be this model's."""
        return self.bytes if self.growing or self.measured is None else self.measured


class Zombie:
    """Ended at `since`, when `before` bytes of the pool were in use.

    It is back when that has fallen by most of what it `held`; a load that failed also when use is not much above
    what it was before (`base`), since nobody knows how much of it was there.
    """

    __slots__ = ("base", "before", "bytes", "held", "since")

    def __init__(self, holding: Holding, before: int, since: float) -> None:
        self.bytes = holding.bytes
        self.held = holding.known
        self.before = before
        self.base = holding.base if holding.growing else None
        self.since = since

    def is_back(self, used: int, *, anew: bool) -> bool:
        """`anew`: measured since it has ended. What was measured before a load says nothing of what came with it."""
        if anew and self.base is not None and used - self.base <= (1 - _BACK) * self.held:
            return True
        return self.before - used >= _BACK * self.held


class Pool:
    """`headroom` bytes are kept free; None: by the rule where use is measured, none where it is only configured.

    Where nobody measures, what a model held is back `hold` seconds after its end.
    """

    def __init__(
        self,
        name: str,
        watermarks: Watermarks | None = None,
        headroom: int | None = None,
        hold: float = 0.0,
    ) -> None:
        self.name = name
        self.watermarks = Watermarks() if watermarks is None else watermarks
        self.total: int | None = None
        self.used: int | None = None
        self._headroom = headroom
        self._hold = hold
        self._holdings: dict[str, Holding] = {}
        self._zombies: list[Zombie] = []
        self._past = Past()

    def configure(
        self, warning: float, evict: float, critical: float, headroom: int | None, hold: float = 0.0
    ) -> None:
        """New marks, headroom and hold."""
        self.watermarks.move(warning, evict, critical)
        self._headroom = headroom
        self._hold = hold

    def read(self, reading: Reading, known: Mapping[str, int], now: float) -> Pressure:
        """Takes a measurement; `known` is what models are measured to occupy, in the same moment."""
        self.total, self.used = reading.total, reading.used
        for key, holding in self._holdings.items():
            holding.unseen = holding.growing
            if not holding.growing:
                holding.measured = known.get(key, holding.measured)
        if self.used is None:
            self._past = Past()
            return self.watermarks.update(0.0, now)
        self._past.note(self.used, now)
        self._bury(self.used, now, anew=True)
        return self.watermarks.update(self._share(self.used, now), now)

    def _share(self, used: int, now: float) -> float:
        """How full the pool is; not at all where nobody else uses it worth mentioning: what our models take of it was
        planned, and giving it back at once would only be loaded again.
        """
        total = max(1, self.total or 0)
        return used / total if self._past.foreign(now) >= _SHARED * total else 0.0

    def admit(self, key: str, size: int, now: float) -> bool:
        """Promises `size` bytes to a load if the rule allows it; False: it does not fit, and nothing has changed."""
        before = self._holdings.pop(key, None)
        pressed = self.watermarks.pressure is Pressure.CRITICAL
        if self.total is not None and (pressed or size > self.room(now).free):
            if before is not None:
                self._holdings[key] = before
            return False
        self._holdings[key] = Holding(size, self.used, now)
        return True

    def adopt(self, key: str, size: int, now: float) -> None:
        """Notes a model that is there without us, fit or not: so far its memory was counted as foreign use."""
        self._holdings[key] = Holding(size, self.used, now)
        if self.used is not None:
            self._past.disown(size, self._foreign_now(self.used))

    def settle(self, key: str, measured: int | None, bound: int | None = None) -> None:
        """The model is there: it keeps what it was promised, or `bound`, but never less than it occupies."""
        holding = self._holdings[key]
        first = holding.measured is None
        if measured is not None:
            holding.measured = measured
        if first and measured is not None:
            for zombie in self._zombies:
                if zombie.since <= holding.since:  # it rose by this much while those were looked for
                    zombie.before += measured
        holding.bytes = max(holding.bytes if bound is None else bound, holding.measured or 0)
        holding.growing = False

    def release(self, key: str, now: float) -> None:
        """The model has ended: what it held is free when it was measured to be back."""
        holding = self._holdings.pop(key, None)
        if holding is None:
            return
        if self.used is None:
            self._zombies.append(Zombie(holding, 0, now))
            return
        self._zombies.append(Zombie(holding, self._past.peak(self.used), now))
        self._bury(self.used, now, anew=False)

    def forget(self, key: str) -> None:
        """It was never here: another pool has it."""
        self._holdings.pop(key, None)

    def held(self, key: str) -> Holding | None:
        return self._holdings.get(key)

    def room(self, now: float) -> Room:
        if self.used is None:
            self._zombies = [zombie for zombie in self._zombies if now - zombie.since < self._hold]
        reserved = growing = 0
        for holding in self._holdings.values():
            reserved += holding.bytes
            if holding.unseen:
                growing += holding.bytes
        returning = sum(zombie.bytes for zombie in self._zombies)
        return Room(
            total=self.total or 0,
            used=self.used,
            foreign=0 if self.used is None else self._past.foreign(now),
            headroom=self.headroom,
            reserved=reserved + returning,
            growing=growing,
            returning=returning,
            occupied=sum(zombie.held for zombie in self._zombies),
            pressure=self.watermarks.pressure,
        )

    @property
    def headroom(self) -> int:
        if self._headroom is not None:
            return self._headroom
        if self.used is None or self.total is None:
            return 0
        if self.name == HOST:
            return max(self.total * 8 // 100, min(GIB, self.total // 8))
        return min(_DEVICE_HEADROOM, self.total // 8)

    def _foreign_now(self, used: int) -> int:
        """Use that is not ours; what is still growing or returning counts as ours in full."""
        ours = sum(holding.known for holding in self._holdings.values())
        return max(0, used - ours - sum(zombie.held for zombie in self._zombies))

    def _bury(self, used: int, now: float, *, anew: bool) -> None:
        """Ends zombies whose memory is back, and those that are too old: what is left of them is foreign use."""
        for zombie in list(self._zombies):
            if zombie.is_back(used, anew=anew):
                self._zombies.remove(zombie)
                self._credit(zombie, used)
            elif now - zombie.since >= ZOMBIE_SECONDS:
                self._zombies.remove(zombie)
        self._past.sample(self._foreign_now(used), now)

    def _credit(self, gone: Zombie, used: int) -> None:
        """The fall that freed one zombie is not counted for another."""
        fall = min(gone.held, max(0, gone.before - used))

        def left(mark: int) -> int:
            return mark - max(0, fall - max(0, gone.before - mark))

        for other in self._zombies:
            other.before = left(other.before)
            other.base = None if other.base is None else left(other.base)
        for holding in self._holdings.values():
            if holding.growing and holding.base is not None:
                holding.base = left(holding.base)
        self._past.lower(left)
