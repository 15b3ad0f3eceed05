"""A recording read back: its moments in order, any of them at once, and what of it could not be read."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.recording import lines
from orchestra_core.recording.blocks import CUT, MAGIC, Block, inflate, split
from orchestra_core.recording.difference import apply
from orchestra_core.recording.lines import VERSION, Header

Fields = dict[str, Any]
# Every so many states one is kept.
_STRIDE = 10
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)


class NotARecording(Exception):
    """There is nothing in it that could be shown; the message says why."""


class Moment(msgspec.Struct, frozen=True):
    """The engine at one moment (Unix seconds); `events` are those since the moment before, without `missed` more."""

    at: float
    snapshot: Snapshot
    events: tuple[Event, ...] = ()
    missed: int = 0


class Summed(msgspec.Struct, frozen=True):
    """What the engine was asked about usage, and its answer."""

    asked: dict[str, str]
    told: dict[str, Any]


class Beside(msgspec.Struct, frozen=True):
    """How traffic had gone, by window and by model or backend, and who had used what; as the engine tells it."""

    series: dict[str, dict[str, dict[str, Any]]] = {}
    usage: tuple[Summed, ...] = ()


class Part(msgspec.Struct, frozen=True):
    """One block that can be read: whose it is, the times of its moments, its events by the place of theirs, and what it
    holds beside them (JSON; empty: nothing)."""

    header: Header
    block: Block
    times: tuple[float, ...]
    events: tuple[tuple[int, Event], ...]
    beside: bytes = b""


class Recording:
    """`flaws` are sentences about what could not be read. `times` are Unix seconds, rising unless clocks were set."""

    def __init__(self, parts: list[Part], flaws: tuple[str, ...]) -> None:
        self.flaws = flaws
        self._parts = sorted(parts, key=lambda part: part.times[0])
        self._starts: list[int] = []
        self.times: list[float] = []
        self._events: list[tuple[int, Event]] = []
        for part in self._parts:
            first = len(self.times)
            self._starts.append(first)
            self.times += part.times
            self._events += [(first + place, event) for place, event in part.events]
        self._open: tuple[int, _Opened] | None = None

    @property
    def headers(self) -> tuple[Header, ...]:
        return tuple(part.header for part in self._parts)

    def __len__(self) -> int:
        return len(self.times)

    def moment(self, place: int) -> Moment:
        """The moment at a place from 0; quick where it is near the last that was asked for."""
        number = bisect_right(self._starts, place) - 1
        if self._open is None or self._open[0] != number:
            self._open = (number, _Opened(self._parts[number]))
        return self._open[1].moment(place - self._starts[number])

    def ready(self, place: int) -> Callable[[], None]:
        """Unpacks what `moment` needs at a place, for a thread: nothing of it counts before what is returned is called.

        From the beginning of a part of 200 busy models it takes 60 ms.
        """
        number = bisect_right(self._starts, place) - 1
        opened = _Opened(self._parts[number])
        opened.moment(place - self._starts[number])

        def count() -> None:
            self._open = (number, opened)

        return count

    def events(self, place: int) -> tuple[Event, ...]:
        """What had happened until the moment at a place, oldest first."""
        end = bisect_right(self._events, place, key=lambda each: each[0])
        return tuple(event for _, event in self._events[:end])

    def beside(self, place: int) -> Beside:
        """What the engine would have answered about a minute before the moment at a place, two at most."""
        number = bisect_right(self._starts, place) - 1
        parts = self._parts[max(number - 1, 0) : number + 1]
        found = next((part.beside for part in reversed(parts) if part.beside), b"{}")
        try:
            return msgspec.json.decode(found, type=Beside)
        except msgspec.MsgspecError:
            return Beside()  # of a version that writes it otherwise

    def place(self, at: float) -> int:
        """That of the last moment not after `at`; the first where there is none."""
        return max((place for place, time in enumerate(self.times) if time <= at), default=0)

    def moments(self) -> Iterator[Moment]:
        """All of them, in order."""
        for part in self._parts:
            opened = _Opened(part)
            for place in range(len(part.times)):
                yield opened.moment(place)


class _Opened:
    """One part, unpacked, for going forward and back in it.

    States are built from the one before, so some are kept: a step back in a part of 200 busy models takes 10 ms instead
    of the 60 from its beginning.
    """

    def __init__(self, part: Part) -> None:
        # As text: what a line says becomes part of a state, and changes with it.
        self._text = inflate(part.block.data)[0][1 : len(part.times) + 1]
        self._kept: dict[int, bytes] = {}
        self._place = -1
        self._state: Fields | None = None
        self._shown: tuple[int, Moment] | None = None

    def moment(self, place: int) -> Moment:
        if self._shown is None or self._shown[0] != place:
            self._shown = (place, _moment(self._at(place), self._told(place)))
        return self._shown[1]

    def _told(self, place: int) -> Fields:
        told = lines.read(self._text[place])
        # Every line was read before, when the part was indexed.
        assert told is not None
        return told

    def _at(self, place: int) -> Fields:
        if self._state is None or not self._place <= place < self._place + _STRIDE:
            start = max((known for known in self._kept if known <= place), default=-1)
            if place < self._place or start > self._place:
                self._place = start
                self._state = msgspec.msgpack.decode(self._kept[start]) if start >= 0 else None
        state = self._state
        for number in range(self._place + 1, place + 1):
            state = _next(state, self._told(number))
            if number % _STRIDE == 0:
                self._kept[number] = msgspec.msgpack.encode(state)
        assert state is not None
        self._place, self._state = place, state
        return state


def read(data: bytes) -> Recording:
    """Everything of a recording that can be read. Raises NotARecording where that is nothing."""
    if not data.startswith(MAGIC[:4]):
        raise NotARecording("it does not begin as a recording does")
    parts, flaws = [], []
    for block, text in split(data):
        header = _header(text)
        if header is None:
            flaws.append("a part was left out: its beginning is damaged")
            continue
        if header.recording != VERSION:
            flaws.append(
                f"a part was left out: it is in format {header.recording} of version {header.version}; "
                f"this program reads format {VERSION}"
            )
            continue
        times, events, flaw = _index(text[1:])
        if times:
            parts.append(Part(header, block, times, events, _beside(text[1])))
        if flaw or block.flaw:
            flaws.append(_spoken(flaw or block.flaw, times))
    if not parts:
        raise NotARecording(flaws[0] if flaws else "there is nothing in it")
    return Recording(parts, tuple(flaws))


def _header(text: list[bytes]) -> Header | None:
    fields = lines.read(text[0]) if text else None
    return None if fields is None else lines.header(fields)


def _beside(line: bytes) -> bytes:
    """Of the first line of a part."""
    told = lines.read(line) or {}
    return msgspec.json.encode(told["beside"]) if "beside" in told else b""


def _index(text: list[bytes]) -> tuple[tuple[float, ...], tuple[tuple[int, Event], ...], str]:
    """The times of the moments that can be read in a row, their events, and why there are no more."""
    times: list[float] = []
    events: list[tuple[int, Event]] = []
    state: Fields | None = None
    flaw = ""
    for line in text:
        told = lines.read(line)
        if told is None:
            flaw = "damaged"
            break
        try:
            state = _next(state, told)
            if not times:
                _moment(state, told)
            happened = _happened(state, told)
            at = float(told["at"])
        except _UNREADABLE as error:
            flaw = f"not understood ({error})"
            break
        events += [(len(times), event) for event in happened]
        times.append(at)
    return tuple(times), tuple(events), flaw


def _next(state: Fields | None, told: Fields) -> Fields:
    if state is None or "full" in told:
        full: Fields = told["full"]
        return full
    apply(state, told)
    return state


def _moment(state: Fields, told: Fields) -> Moment:
    return Moment(
        float(told["at"]),
        msgspec.convert(state, Snapshot),
        _happened(state, told),
        int(told.get("missed", 0)),
    )


def _happened(state: Fields, told: Fields) -> tuple[Event, ...]:
    """The events since the moment before."""
    fresh = told.get("fresh")
    events = told.get("events", []) if fresh is None else state["events"][len(state["events"]) - fresh :]
    return msgspec.convert(events, tuple[Event, ...]) if events else ()


def _spoken(flaw: str, times: tuple[float, ...]) -> str:
    if not times:
        return f"a part is {flaw} and was left out"
    after = "1 moment" if len(times) == 1 else f"{len(times)} moments"
    if flaw == CUT:
        return f"a part ends abruptly after {after}: the engine was killed, or the file was cut off"
    return f"a part is {flaw} after {after}"
