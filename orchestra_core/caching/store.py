"""What is kept in memory: bounded by bytes and by age, and what was asked for twice outlasts what was asked for once.

Theory of operation. Most answers are never asked for again, so those that were have a part of the room of their own
(segmented LRU; Karedla, Love, Wherry: Caching Strategies to Improve Disk System Performance, 1994): a new answer
is on probation, its first hit protects it, and a flood of single requests pushes out only what is on probation. Who
has been protected longest without a hit goes back on probation when the protected part is full. Everything is
O(1); what is too old is found by its place in the order of arrival.
"""

from collections import OrderedDict

# Of the room for those that were asked for more than once.
_PROTECTED = 0.8
# What Python takes for an entry besides its bytes: 330 were measured, and dictionaries that grow take twice their room.
OVERHEAD = 600


class Store:
    """Names to bytes. `now` is monotonic seconds; `limit` bytes with all overhead, `max_age` seconds."""

    def __init__(self, limit: int, max_age: float) -> None:
        self.limit = limit
        self.max_age = max_age
        self.dropped = 0
        self.expired = 0
        self.size = 0
        self._protected_size = 0
        # By time of arrival; the others by time of the last look.
        self._entries: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self._probation: OrderedDict[bytes, None] = OrderedDict()
        self._protected: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: bytes, now: float) -> tuple[bytes, float] | None:
        """What is kept under a name and how many seconds it has been."""
        found = self._entries.get(name)
        if found is None:
            return None
        data, since = found
        if now - since >= self.max_age:
            self._remove(name)
            self.expired += 1
            return None
        self._protect(name, len(data))
        return data, max(0.0, now - since)

    def put(self, name: bytes, data: bytes, now: float) -> bool:
        """Whether it is kept: what is larger than all the room is not."""
        self._remove(name)
        size = len(data) + OVERHEAD
        if size > self.limit:
            return False
        self._expire(now)
        self._entries[name] = (data, now)
        self._probation[name] = None
        self.size += size
        self._make_room(name)
        return True

    def configure(self, limit: int, max_age: float) -> None:
        """What does not fit any more is dropped at once; what is too old, when it is looked for."""
        self.limit, self.max_age = limit, max_age
        self._make_room()

    def clear(self) -> int:
        """How many there were."""
        number = len(self._entries)
        for part in (self._entries, self._probation, self._protected):
            part.clear()
        self.size = self._protected_size = 0
        return number

    def _protect(self, name: bytes, size: int) -> None:
        if name in self._protected:
            self._protected.move_to_end(name)
            return
        del self._probation[name]
        self._protected[name] = None
        self._protected_size += size + OVERHEAD
        while self._protected_size > self.limit * _PROTECTED and len(self._protected) > 1:
            oldest, _ = self._protected.popitem(last=False)
            self._protected_size -= len(self._entries[oldest][0]) + OVERHEAD
            self._probation[oldest] = None

    def _make_room(self, new: bytes | None = None) -> None:
        """For the new one; it is the last on probation, and goes only with all others."""
        while self.size > self.limit:
            oldest = next(iter(self._probation), None)
            self._remove(next(iter(self._protected)) if oldest in (None, new) else oldest)
            self.dropped += 1

    def _expire(self, now: float) -> None:
        while self._entries:
            name = next(iter(self._entries))
            if now - self._entries[name][1] < self.max_age:
                return
            self._remove(name)
            self.expired += 1

    def _remove(self, name: bytes) -> None:
        found = self._entries.pop(name, None)
        if found is None:
            return
        size = len(found[0]) + OVERHEAD
        self.size -= size
        if name in self._protected:
            del self._protected[name]
            self._protected_size -= size
        else:
            del self._probation[name]
