"""A recording read back: its moments in order, any of them at once, and what of it could not be read."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import msgspec

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.recording import lines
from orchestra_core.recording.blocks import MAGIC, Block, inflate, split
from orchestra_core.recording.difference import apply
from orchestra_core.recording.lines import VERSION, Header

Fields = dict[str, Any]
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)


class NotARecording(Exception):
    """There is nothing in it that could be shown; the message says why."""


class Moment(msgspec.Struct, frozen=True):
    """The engine at one moment (Unix seconds); `events` are those since the moment before, without `missed` more."""

    at: float
    snapshot: Snapshot
    events: tuple[Event, ...] = ()
    missed: int = 0


class Part(msgspec.Struct, frozen=True):
    """One block that can be read: whose it is and the times of its moments."""

    header: Header
    block: Block
    times: tuple[float, ...]


class Recording:
    """`flaws` are sentences about what could not be read. `times` are Unix seconds, rising unless clocks were set."""

    def __init__(self, parts: list[Part], flaws: tuple[str, ...]) -> None:
        self.flaws = flaws
        self._parts = sorted(parts, key=lambda part: part.times[0])
        self._starts: list[int] = []
        self.times: list[float] = []
        for part in self._parts:
            self._starts.append(len(self.times))
            self.times += part.times
        self._place = -1
        self._open: Iterator[tuple[Fields, Fields]] = iter(())
        self._shown: Moment | None = None

    @property
    def headers(self) -> tuple[Header, ...]:
        return tuple(part.header for part in self._parts)

    def __len__(self) -> int:
        return len(self.times)

    def moment(self, place: int) -> Moment:
        """The moment at a place from 0; quick where it is the one after the last asked for."""
        if self._shown is not None and place == self._place:
            return self._shown
        if place != self._place + 1 or place in self._starts:
            number = bisect_right(self._starts, place) - 1
            self._open = _states(self._parts[number].block)
            for _ in range(place - self._starts[number]):
                next(self._open)
        state, told = next(self._open)
        self._place, self._shown = place, _moment(state, told)
        return self._shown

    def place(self, at: float) -> int:
        """That of the last moment not after `at`; the first where there is none."""
        return max((place for place, time in enumerate(self.times) if time <= at), default=0)

    def moments(self) -> Iterator[Moment]:
        """All of them, in order."""
        for part in self._parts:
            for state, told in _states(part.block, len(part.times)):
                yield _moment(state, told)


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
            raise_or = (
                f"format {header.recording} of version {header.version}; this program reads format {VERSION}"
            )
            flaws.append(f"a part was left out: it is in {raise_or}")
            continue
        times, flaw = _index(text[1:])
        if times:
            parts.append(Part(header, block, times))
        if flaw or block.flaw:
            flaws.append(_spoken(flaw or block.flaw, times))
    if not parts:
        raise NotARecording(flaws[0] if flaws else "there is nothing in it")
    return Recording(parts, tuple(flaws))


def _header(text: list[bytes]) -> Header | None:
    fields = lines.read(text[0]) if text else None
    return None if fields is None else lines.header(fields)


def _index(text: list[bytes]) -> tuple[tuple[float, ...], str]:
    """The times of the moments that can be read in a row, and why there are no more."""
    times: list[float] = []
    state: Fields | None = None
    for line in text:
        told = lines.read(line)
        if told is None:
            return tuple(times), "damaged"
        try:
            state = _next(state, told)
            if not times:
                _moment(state, told)
            times.append(float(told["at"]))
        except _UNREADABLE as error:
            return tuple(times), f"not understood ({error})"
    return tuple(times), ""


def _next(state: Fields | None, told: Fields) -> Fields:
    if state is None or "full" in told:
        full: Fields = told["full"]
        return full
    apply(state, told)
    return state


def _states(block: Block, most: int | None = None) -> Iterator[tuple[Fields, Fields]]:
    """The state after each line, which is changed by the next, and the line."""
    state: Fields | None = None
    for line in inflate(block.data)[0][1:][:most]:
        told = lines.read(line)
        if told is None:
            return
        state = _next(state, told)
        yield state, told


def _moment(state: Fields, told: Fields) -> Moment:
    fresh, missed = told.get("fresh"), told.get("missed", 0)
    events = told.get("events", []) if fresh is None else state["events"][len(state["events"]) - fresh :]
    return Moment(
        float(told["at"]),
        msgspec.convert(state, Snapshot),
        msgspec.convert(events, tuple[Event, ...]),
        int(missed),
    )


def _spoken(flaw: str, times: tuple[float, ...]) -> str:
    return f"a part is {flaw} after {len(times)} moments" if times else f"a part is {flaw} and was left out"
