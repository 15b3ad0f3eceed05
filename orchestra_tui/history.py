"""The last minutes: every snapshot and event that came, so that a display can be stopped and stepped through.

A snapshot of 200 models on 50 backends is some 200 kB as text and 28 kB as it is kept here (MessagePack, compressed;
1 ms to keep, 1 ms to see again); one of five backends 4 kB. Ten minutes of the large fleet are 16 MB at most: then the
oldest make room before their time.
"""

import zlib
from bisect import bisect_right
from collections import deque
from typing import Protocol

import msgspec

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot

SECONDS = 600.0
MOST = 1200
BYTES = 16 * 1024 * 1024
EVENTS = 2000
_LEVEL = 1  # three times the work for a tenth less is not worth it on the loop

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Snapshot)


class Moment(msgspec.Struct, frozen=True):
    """What was at one place of a timeline. `behind` is seconds before the newest place."""

    place: int
    snapshot: Snapshot
    behind: float


class Timeline(Protocol):
    """What can be stepped through: the ring of the last minutes, or a recording read from a file.

    Places are numbers that rise by one; a place keeps its number when older ones are dropped.
    """

    @property
    def oldest(self) -> int: ...

    @property
    def newest(self) -> int:
        """Below `oldest` where there is nothing."""
        ...

    def moment(self, place: int) -> Moment | None:
        """The moment at a place, or at the nearest end of the timeline; None where there is nothing."""
        ...

    def events(self, place: int) -> tuple[Event, ...]:
        """What had happened until then, oldest first."""
        ...


class _Kept(msgspec.Struct, frozen=True):
    at: float
    data: bytes


class History:
    """A ring of snapshots on a monotonic clock in seconds, bounded by number, age and bytes.

    The newest one always stays, whatever its size.
    """

    def __init__(
        self, seconds: float = SECONDS, most: int = MOST, limit: int = BYTES, events: int = EVENTS
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._limit = limit
        self._kept: deque[_Kept] = deque()
        self._events: deque[tuple[float, Event]] = deque(maxlen=events)
        self._first = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def oldest(self) -> int:
        return self._first

    @property
    def newest(self) -> int:
        return self._first + len(self._kept) - 1

    def add(self, at: float, snapshot: Snapshot) -> None:
        """Keeps a snapshot that came at `at`."""
        kept = _Kept(at, zlib.compress(_ENCODER.encode(snapshot), _LEVEL))
        self._kept.append(kept)
        self.bytes += len(kept.data)
        while len(self._kept) > 1 and self._too_much(at):
            self.bytes -= len(self._kept.popleft().data)
            self._first += 1

    def happened(self, at: float, event: Event) -> None:
        self._events.append((at, event))

    def moment(self, place: int) -> Moment | None:
        if not self._kept:
            return None
        place = min(max(place, self.oldest), self.newest)
        kept = self._kept[place - self._first]
        return Moment(place, _DECODER.decode(zlib.decompress(kept.data)), self._kept[-1].at - kept.at)

    def events(self, place: int) -> tuple[Event, ...]:
        if not self._kept:
            return ()
        place = min(max(place, self.oldest), self.newest)
        end = self._kept[place - self._first].at
        return tuple(event for at, event in self._events if at <= end)

    def place_before(self, seconds: float) -> int:
        """The last place that is at least so many seconds before the newest."""
        if not self._kept:
            return self._first
        times = [kept.at for kept in self._kept]
        return self._first + max(bisect_right(times, times[-1] - seconds) - 1, 0)

    def _too_much(self, now: float) -> bool:
        return (
            len(self._kept) > self._most or self.bytes > self._limit or now - self._kept[0].at > self._seconds
        )
