"""A recording as an engine: it tells what the engine told then, at the pace of then, and changes nothing."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.engine import EngineError, Update
from orchestra_tui.pieces import Failed, Piece
from orchestra_tui.present.replay import (
    ONLY_FAILURES,
    REFUSED,
    SPEEDS,
    TRAFFIC_WINDOW,
    Span,
    ended,
    failures,
    requests,
    traffic,
)

T = TypeVar("T")
# A display that gets nothing for longer takes its engine for lost.
_BEAT_SECONDS = 1.0
# No eye follows more.
_SHORTEST_SECONDS = 0.25
# Of a time in which nothing was recorded nobody wants to wait for the end.
_GAP_SECONDS, _SHOWN_GAP_SECONDS = 5.0, 2.0


class Shot(Protocol):
    @property
    def snapshot(self) -> Snapshot: ...


class Summed(Protocol):
    @property
    def asked(self) -> Mapping[str, str]: ...

    @property
    def told(self) -> Mapping[str, Any]: ...


class Beside(Protocol):
    @property
    def series(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]: ...

    @property
    def usage(self) -> Sequence[Summed]: ...


class Tape(Protocol):
    """A recording that was read: the moments at places from 0, `times` in Unix seconds, `flaws` in sentences."""

    @property
    def times(self) -> Sequence[float]: ...

    @property
    def flaws(self) -> tuple[str, ...]: ...

    def moment(self, place: int) -> Shot: ...

    def ready(self, place: int) -> Callable[[], None]:
        """What takes long of going to a place, in a thread; what is returned makes it count."""
        ...

    def events(self, place: int) -> tuple[Event, ...]: ...

    def place(self, at: float) -> int: ...

    def beside(self, place: int) -> Beside:
        """Answers of the engine about traffic and usage, from not long before the moment at a place."""
        ...


class Player:
    """`target` names the recording. `documents` are answers that are in an incident beside it, by their subject:
    `requests` and `audit` as the engine lists them, `decisions` by the id of the request.
    """

    def __init__(self, tape: Tape, target: str, documents: Mapping[str, Any] | None = None) -> None:
        self.tape = tape
        self.target = target
        self.place = 0
        self.paused = False
        self.speed = 1.0
        self._documents = documents or {}
        self._heading: int | None = None
        self._next: tuple[int, float] | None = None
        self._moved = asyncio.Event()
        self._closed = False

    # -- where it stands

    @property
    def last(self) -> int:
        return len(self.tape.times) - 1

    @property
    def over(self) -> bool:
        return self.place == self.last

    @property
    def span(self) -> Span:
        times = self.tape.times
        return Span(times[0], times[-1], times[self.place])

    @property
    def snapshot(self) -> Snapshot:
        return self.tape.moment(self.place).snapshot

    @property
    def heading(self) -> int:
        """The place that it is on its way to, else the one where it is."""
        return self.place if self._heading is None else self._heading

    def head(self, place: int) -> bool:
        """To the moment at a place, or the nearest there is; whether that is another one. What is there is unpacked
        first, and the display goes on meanwhile."""
        before, self._heading = self.heading, min(max(place, 0), self.last)
        self._moved.set()
        return self._heading != before

    def toggle(self) -> None:
        """Pauses, or goes on; at the end anew from the beginning."""
        if self.over and not self.paused:
            self.place = 0
        else:
            self.paused = not self.paused
        self._moved.set()

    def change_speed(self, by: int) -> bool:
        """One step faster or slower; False where there is none."""
        place = SPEEDS.index(self.speed) + by
        if not 0 <= place < len(SPEEDS):
            return False
        self.speed = SPEEDS[place]
        self._moved.set()
        return True

    # -- the engine of then

    async def watch(self, interval: float) -> AsyncIterator[Update]:  # noqa: ARG002  the protocol's
        """The moments at their pace; while it stands still the same one again and again. `interval` is not ours."""
        while not self._closed:
            await self._arrive()
            yield self.snapshot
            await self._beat()

    async def _arrive(self) -> None:
        while (place := self._heading) is not None:
            count = await asyncio.to_thread(self.tape.ready, place)
            count()
            self.place, self._next = place, None
            if self._heading == place:
                self._heading = None

    async def _beat(self) -> None:
        """Returns when there is another moment to show, or the same one to show again."""
        now = asyncio.get_running_loop().time
        if self._next is None:
            place, delay = self._following()
            self._next = (place, now() + delay)
        place, due = self._next
        try:
            async with asyncio.timeout(max(min(due - now(), _BEAT_SECONDS), 0.0)):
                await self._moved.wait()
        except TimeoutError:
            if now() >= due and not self._moved.is_set():
                self.place, self._next = place, None
        else:
            self._moved.clear()
            self._next = None

    def _following(self) -> tuple[int, float]:
        """The place that is shown next, and in how many seconds."""
        if self.paused or self.over:
            return self.place, _BEAT_SECONDS
        times, place, delay = self.tape.times, self.place, 0.0
        while place < self.last and delay < _SHORTEST_SECONDS:
            # Where the clock was set back there is nothing to wait for.
            passed = max(times[place + 1] - times[place], 0.0)
            delay += (passed if passed <= _GAP_SECONDS else _SHOWN_GAP_SECONDS) / self.speed
            place += 1
        return place, delay

    async def fetch(self) -> Snapshot:
        return self.snapshot

    async def get(self, path: str, answer: type[T]) -> T:
        """What an incident has of it, else what the snapshot of then tells. Raises EngineError for all other things."""
        parts = urlsplit(path)
        told = self._told(parts.path.removeprefix("/api/v1/"), dict(parse_qsl(parts.query)))
        try:
            return msgspec.convert(told, answer)
        except msgspec.ValidationError as error:
            raise EngineError(f"the recording's answer cannot be read: {error}") from error

    def _told(self, subject: str, asked: Mapping[str, str]) -> object:
        name, _, rest = subject.partition("/")
        if name == "requests":
            return self._requests(unquote(rest), asked)
        if subject == "audit" and "audit" in self._documents:
            return {"entries": ended(self._documents["audit"], self.span.here), "next": None}
        if subject == "series":
            return self._series(asked)
        if subject == "usage":
            return self._usage(asked)
        if subject == "snapshot":
            return msgspec.to_builtins(self.snapshot)
        if subject == "budgets":
            return {"budgets": msgspec.to_builtins(self.snapshot.budgets)}
        raise EngineError(f"not in this recording: {name}", "not_recorded")

    def _series(self, asked: Mapping[str, str]) -> object:
        """Of the last minutes to the second, as the snapshot of then tells; of longer ones as of a minute before."""
        window, by = asked.get("window", ""), asked.get("by")
        if window == TRAFFIC_WINDOW:
            return msgspec.to_builtins(traffic(self.snapshot, by))
        found = self.tape.beside(self.place).series.get(window, {}).get(by or "model")
        if found is None:
            raise EngineError(
                f"{REFUSED}: here it holds {TRAFFIC_WINDOW} of traffic, no more", "not_recorded"
            )
        return found

    def _usage(self, asked: Mapping[str, str]) -> object:
        known = self.tape.beside(self.place).usage
        found = next((one.told for one in known if one.asked == asked), None)
        if found is None:
            held = "usage of today and of 7 days, no more" if known else "no usage"
            raise EngineError(f"{REFUSED}: here it holds {held}", "not_recorded")
        return found

    def _requests(self, request_id: str, asked: Mapping[str, str]) -> object:
        if asked.get("running"):
            raise EngineError(f"{REFUSED}: what ran at a moment is not in it", "not_recorded")
        if request_id:
            found = self._documents.get("decisions", {}).get(request_id)
            if found is None:
                raise EngineError(f"{REFUSED}: of request {request_id} it holds no decision", "not_found")
            return found
        document = self._documents.get("requests")
        if document is None:
            rows = failures(self.tape.events(self.place))
            return {"timestamp": self.snapshot.now, "only": ONLY_FAILURES, **requests(rows, asked)}
        return {"timestamp": self.snapshot.now, **document, **requests(document["requests"], asked)}

    async def post(self, path: str, wish: Mapping[str, object], answer: type[T]) -> T:  # noqa: ARG002  the protocol's
        raise EngineError(f"{REFUSED}: nothing can be changed", "replayed")

    async def route(self, wish: Mapping[str, object]) -> AsyncGenerator[Piece, None]:  # noqa: ARG002  the protocol's
        yield Failed(f"{REFUSED}: there is no engine to ask", "replayed")

    def retry_now(self) -> None:
        self._moved.set()

    async def close(self) -> None:
        self._closed = True
        self._moved.set()
