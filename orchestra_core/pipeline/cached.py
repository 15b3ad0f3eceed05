"""[Response cache]: gives an answer a second time where that is as good as asking again; wraps the whole pipeline.

Who asks what is being asked already waits for that answer (caching/flights.py), which it gets when it is whole, also
as a stream: until then it can still go on by itself, should the first fail. A client that waits for a stream is told
meanwhile that it is not forgotten.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

import msgspec
from msgspec.structs import replace

from orchestra_core.caching.counts import Counts
from orchestra_core.caching.flights import Flight, Flights
from orchestra_core.caching.key import is_rich, may_be_kept, name_of
from orchestra_core.caching.rule import refusal
from orchestra_core.caching.stored import Stored, pack, unpack
from orchestra_core.clock import Clock
from orchestra_core.domain.caching import NO_WISH, Wish
from orchestra_core.domain.call import Call, Kind, Task
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.errors import NotCached
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.reply import Delta, Embeddings
from orchestra_core.domain.result import Result
from orchestra_core.domain.sink import Serving, Sink
from orchestra_core.pipeline.patience import Patience, Waiting
from orchestra_core.pipeline.recording import Fold, Recorder
from orchestra_core.pipeline.service import Service
from orchestra_core.routing.analyzer import analyze
from orchestra_core.trust.hosts import is_loopback

_HIT, _SHARED, _MISS = "hit", "shared", "miss"
_NOT_KEPT = "no answer to this is kept, and only-if-cached asks for no other"
_AGAIN = "Given again from the cache."


class Shelf(Protocol):
    """Where answers are kept. Neither ever raises or takes long: what cannot be done is as if it were not there."""

    async def get(self, name: bytes) -> tuple[bytes, float] | None:
        """What is kept under a name, and how many seconds it has been."""

    def put(self, name: bytes, data: bytes) -> None: ...


class Given(Protocol):
    """[Response Handler]: told of every request that was answered without being sent."""

    def __call__(self, result: Result, tier: str) -> None: ...


class Limits(msgspec.Struct, frozen=True):
    """`entry` bytes of one answer; `wait` seconds for who asks the same before another of them is sent."""

    enabled: bool = True
    entry: int = 256 * 1024
    wait: float = 10.0


class Reading(Protocol):
    """How answers are put together and taken apart (upstream/folding.py)."""

    def fold(self, call: Call) -> Fold: ...

    def increments(self, kind: Kind, stored: Stored) -> Sequence[Delta] | None: ...


def _nobody() -> None:
    """Nobody waits for it."""


class Cached:
    """`scope` is a hash of the configuration that decides about answers; `refresh` sees to it and to the limits."""

    def __init__(
        self,
        service: Service,
        shelf: Shelf,
        *,
        clock: Clock,
        reading: Reading,
        given: Given,
        find: Callable[[str], Endpoint | None],
        patience: Patience,
        counts: Counts,
        refresh: Callable[[], None] = _nobody,
    ) -> None:
        self._service = service
        self.shelf = shelf
        self._clock = clock
        self._reading = reading
        self._given = given
        self._find = find
        self._patience = patience
        self._counts = counts
        self._refresh = refresh
        self.limits = Limits()
        self.scope = b""
        self._flights: Flights[Stored] = Flights()

    async def __call__(self, call: Call, sink: Sink) -> Result:
        """As the service, but raises NotCached where nothing else would have done. For calls that are repeatable or
        say something of the cache; the others go to the service itself, and pay nothing for this.
        """
        self._refresh()
        wish = call.cache or NO_WISH
        name = None
        if self.limits.enabled and may_be_kept(call):
            name = name_of(call, tenant(call.key), self.scope)
        if name is None:
            if wish.only:
                raise NotCached(_NOT_KEPT)
            return await self._service(call, sink)
        found, flight = None, None
        if not wish.fresh:
            try:
                found, flight = await self._find_or_share(name, call, sink, wish)
            except asyncio.CancelledError:
                return self._service.left(call, self._undecided(call), sink)
        if found is not None:
            return found
        if wish.only:
            self._counts.misses += 1
            raise NotCached(_NOT_KEPT)
        return await self._send(call, sink, name, flight, keep=wish.keep)

    async def _find_or_share(
        self, name: bytes, call: Call, sink: Sink, wish: Wish
    ) -> tuple[Result | None, Flight[Stored] | None]:
        """The end of it, or the flight that it is sent in."""
        found = await self._look(name, call, sink, wish)
        if found is not None or wish.only or not wish.keep:
            return found, None
        flight = self._flights.get(name)
        if flight is None:
            return None, self._flights.begin(name)
        shared, flight = await self._wait(flight, call, sink)
        return None if shared is None else self._give(shared, call, sink, _SHARED, None), flight

    # -- what is kept ----------------------------------------------------------------------------------

    async def _look(self, name: bytes, call: Call, sink: Sink, wish: Wish) -> Result | None:
        found = await self.shelf.get(name)
        if found is None or (wish.max_age is not None and found[1] > wish.max_age):
            return None
        stored = unpack(found[0])
        return None if stored is None else self._give(stored, call, sink, _HIT, int(found[1]))

    def _give(self, stored: Stored, call: Call, sink: Sink, how: str, age: int | None) -> Result | None:
        """Answers with it, and accounts for that; None where it cannot be said in the client's form."""
        as_it_came = stored.body and not sink.streaming and sink.relays == stored.format
        deltas = None if as_it_came or stored.vectors else self._reading.increments(call.kind, stored)
        if deltas is None and not as_it_came and not stored.vectors:
            return None
        sink.open(_serving(stored, how, age))
        if as_it_came:
            sink.relay(stored.body)
        elif stored.vectors:
            sink.embeddings(Embeddings(stored.vectors, stored.usage))
        else:
            sink.deltas(deltas or ())
        self._counts.gave(how, stored.cost)
        return self._settle(stored, call, how, age)

    def _settle(self, stored: Stored, call: Call, how: str, age: int | None) -> Result:
        where = f"{stored.backend}/{stored.model}"
        outcome = Outcome(
            Verdict.SUCCESS,
            where,
            usage=stored.usage,
            first_token=0.0,
            finish=stored.finish,
            committed=True,
        )
        decision = self._undecided(call, stored)
        seconds = self._clock.monotonic() - call.received
        result = Result(call, decision, (), outcome, seconds, 0.0, how, age, stored.cost)
        self._given(result, stored.tier)
        return result

    # -- what is asked by several ----------------------------------------------------------------------

    async def _wait(
        self, flight: Flight[Stored], call: Call, sink: Sink
    ) -> tuple[Stored | None, Flight[Stored] | None]:
        """The answer of whoever asked it first; without one it is sent, in the flight if others wait for it now."""
        landed: asyncio.Future[Stored | None] = asyncio.get_running_loop().create_future()
        ticket = flight.board(partial(_wake, landed))
        if not flight.timed:
            flight.timed = True
            landed.get_loop().call_later(self.limits.wait, self._hurry, flight)
        self._patience.add(Waiting(call, sink, "shared", lambda _: "the same is being answered already"))
        try:
            async with asyncio.timeout(self._limit(call)):
                return await landed, flight
        except TimeoutError:
            return (None, None) if flight.leave(ticket) else (landed.result(), flight)
        except asyncio.CancelledError:
            if not flight.leave(ticket):
                flight.fail()
            raise
        finally:
            self._patience.discard(sink)

    def _limit(self, call: Call) -> float | None:
        """Of the time to a deadline of its own half is for waiting: the rest must do for an answer."""
        return None if call.deadline is None else max(0.0, call.deadline - self._clock.monotonic()) / 2

    def _hurry(self, flight: Flight[Stored]) -> None:
        """One timer for all that wait for the same: each of them with its own would go at once."""
        flight.timed = flight.waiting > 0
        if flight.timed:
            flight.late()
            asyncio.get_running_loop().call_later(self.limits.wait, self._hurry, flight)

    # -- what is asked anew ----------------------------------------------------------------------------

    async def _send(
        self, call: Call, sink: Sink, name: bytes, flight: Flight[Stored] | None, *, keep: bool
    ) -> Result:
        self._counts.misses += 1
        given_up = _nobody if flight is None else flight.dissolve
        recorder = Recorder(sink, self.limits.entry, lambda: self._reading.fold(call), given_up)
        result = None
        try:
            result = await self._service(call, recorder)
        finally:
            if flight is not None and (result is None or not result.outcome.ok):
                flight.fail()
        if keep and result.outcome.ok:
            # When the client has its answer: nothing of this is its business.
            asyncio.get_running_loop().call_soon(self._advance, self._keep(name, flight, recorder, result))
        return replace(result, cache=_MISS)

    def _advance(self, steps: Iterator[None]) -> None:
        """The next step, and those after it when others have had their turn."""
        for _ in steps:
            asyncio.get_running_loop().call_soon(self._advance, steps)
            return

    def _keep(
        self, name: bytes, flight: Flight[Stored] | None, recorder: Recorder, result: Result
    ) -> Iterator[None]:
        try:
            if self._refusal(recorder, result):
                return
            for part in recorder.parts():
                recorder.fold.feed(part)
                yield
            stored = recorder.answer(self._head(recorder, result))
            data = b"" if stored is None else pack(stored)
            if stored is None or not 0 < len(data) <= self.limits.entry:
                return
            self.shelf.put(name, data)
            self._counts.kept += 1
            if flight is not None:
                flight.land(stored)
        finally:
            if flight is not None:
                flight.dissolve()

    def _refusal(self, recorder: Recorder, result: Result) -> str:
        degraded = result.decision.degraded or any(one.degraded for one in result.tried[-1:])
        if recorder.too_large or recorder.serving is None:
            return "large"
        return refusal(
            result.call,
            result.outcome,
            degraded=degraded or recorder.serving.degraded,
            continued=recorder.continued,
            several=is_rich(result.call),
        )

    def _head(self, recorder: Recorder, result: Result) -> Stored:
        serving, decision, outcome = recorder.serving, result.decision, result.outcome
        assert serving is not None
        endpoint = self._find(outcome.endpoint)
        return Stored(
            model=serving.model,
            backend=serving.backend,
            tier="" if endpoint is None else endpoint.spec.tier.value,
            decision=serving.decision_id,
            task=decision.task.value,
            inferred=decision.inferred,
            input_tokens=decision.input_tokens,
            usage=outcome.usage,
            finish=outcome.finish,
            cost=result.cost,
        )

    def _undecided(self, call: Call, stored: Stored | None = None) -> Decision:
        """What stands for the decision of a request about which nothing was decided."""
        if stored is None:
            profile = analyze(call)
            task, inferred, tokens, name = profile.task, profile.inferred, profile.input_tokens, call.id
        else:
            task, inferred, tokens, name = (
                Task(stored.task),
                stored.inferred,
                stored.input_tokens,
                stored.decision,
            )
        at = self._clock.monotonic()
        return Decision(name, task, inferred, tokens, call.requirements, (), (), None, at)


def tenant(key: str) -> str:
    """Whose answers: those of a key are nobody else's; who needs no key to ask from this machine is one."""
    return "" if key == "unix" or key.startswith("unix:") or is_loopback(key) else key


def _serving(stored: Stored, how: str, age: int | None) -> Serving:
    return Serving(
        stored.model, stored.backend, stored.decision, 0, degraded=False, reason=_AGAIN, cache=how, age=age
    )


def _wake(landed: asyncio.Future[Stored | None], answer: Stored | None) -> None:
    if not landed.done():
        landed.set_result(answer)
