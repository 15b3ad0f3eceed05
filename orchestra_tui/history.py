"""The last minutes: every snapshot and event that came, so that a display can be stopped and stepped through.

A snapshot of 200 models on 50 backends is some 200 kB as text and 28 kB as it is kept here (MessagePack, compressed);
what has changed a second later is 5 kB, or next to nothing where nobody wants anything. Ten minutes of the large and
busy fleet are 5 MB; where there is more than there is room for, the oldest go before their time.
"""

import zlib
from collections import deque

import msgspec

from orchestra_core.domain.difference import advance, difference
from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot

SECONDS = 600.0
MOST = 1200
BYTES = 16 * 1024 * 1024
EVENTS = 2000
# One in so many is kept whole: the others are seen again by going on from there.
STRIDE = 10
_LEVEL = 1  # three times the work for a tenth less is not worth it on the loop

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Snapshot)


class Moment(msgspec.Struct, frozen=True):
    """What was at one place."""

    place: int
    snapshot: Snapshot


class _Part:
    """Snapshots in a row: the first whole, the others as what has changed."""

    def __init__(self, first: int, snapshot: Snapshot) -> None:
        self.first = first
        self.size = 0
        self._data: list[bytes] = []
        self._keep(snapshot)

    def __len__(self) -> int:
        return len(self._data)

    def add(self, before: Snapshot, snapshot: Snapshot) -> None:
        self._keep(difference(before, snapshot))

    def snapshot(self, index: int) -> Snapshot:
        state = _DECODER.decode(zlib.decompress(self._data[0]))
        for data in self._data[1 : index + 1]:
            state = advance(state, msgspec.msgpack.decode(zlib.decompress(data)))
        return state

    def _keep(self, told: object) -> None:
        data = zlib.compress(_ENCODER.encode(told), _LEVEL)
        self._data.append(data)
        self.size += len(data)


class History:
    """A ring of snapshots on a monotonic clock in seconds, bounded by number, age and bytes.

    The newest one always stays, whatever its size. Places are numbers that rise by one; a place keeps its number when
    older ones are dropped.
    """

    def __init__(self, seconds: float = SECONDS, most: int = MOST, limit: int = BYTES) -> None:
        self._seconds = seconds
        self._most = most
        self._limit = limit
        self._parts: deque[_Part] = deque()
        self._times: deque[float] = deque()
        self._last: Snapshot | None = None
        self._events: deque[tuple[float, Event]] = deque(maxlen=EVENTS)
        self._first = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._times)

    @property
    def oldest(self) -> int:
        return self._first

    @property
    def newest(self) -> int:
        """Below `oldest` where there is nothing."""
        return self._first + len(self._times) - 1

    def add(self, at: float, snapshot: Snapshot) -> None:
        """Keeps a snapshot that came at `at`."""
        before, self._last = self._last, snapshot
        part = self._parts[-1] if self._parts else None
        self._times.append(at)
        if part is None or before is None or len(part) >= STRIDE:
            self._begin(snapshot)
        else:
            self.bytes -= part.size
            part.add(before, snapshot)
            self.bytes += part.size
            if self.bytes > self._limit and len(self._parts) == 1:
                # Only without the others of its part has it room.
                self._begin(snapshot)
        self._forget(at)

    def happened(self, at: float, event: Event) -> None:
        self._events.append((at, event))

    def moment(self, place: int) -> Moment | None:
        """The moment at a place, or at the nearest end; None where there is nothing."""
        if not self._times:
            return None
        place = min(max(place, self.oldest), self.newest)
        part = next(each for each in reversed(self._parts) if each.first <= place)
        return Moment(place, part.snapshot(place - part.first))

    def events(self, place: int) -> tuple[Event, ...]:
        """What had happened until then, oldest first."""
        if not self._times:
            return ()
        place = min(max(place, self.oldest), self.newest)
        end = self._times[place - self._first]
        return tuple(event for at, event in self._events if at <= end)

    def _begin(self, snapshot: Snapshot) -> None:
        self._parts.append(_Part(self.newest, snapshot))
        self.bytes += self._parts[-1].size

    def _forget(self, now: float) -> None:
        """What is beyond the bounds is not there any more; its bytes go with the last of its part."""
        while len(self._times) > 1 and (
            len(self._times) > self._most or now - self._times[0] > self._seconds
        ):
            self._drop()
        while len(self._parts) > 1 and (self.bytes > self._limit or self._parts[1].first <= self._first):
            self.bytes -= self._parts.popleft().size
            while self._first < self._parts[0].first:
                self._drop()

    def _drop(self) -> None:
        self._times.popleft()
        self._first += 1
