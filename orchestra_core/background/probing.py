"""[Health Check] by use: a suspect endpoint is asked for one token, so that no client has to be the guinea pig.

That a server lists its models says nothing of whether it generates (behaviours.md 15). So an endpoint is probed
when its breaker is about to let a probe through, when its last call failed, and when its backend has come back;
never one that is well, costs money, would have to load its model, is drained, or has no free slot: then real
requests tell. A probe goes the way of every call, through slot and breaker, and counts there like one: a client that
comes meanwhile waits for what it finds. Each backend is asked for one token at a time, however many models it has.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol

from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.catalog import Circuit, Endpoint, Residency
from orchestra_core.domain.outcome import Outcome, Partial
from orchestra_core.domain.reply import Delta, Embeddings
from orchestra_core.domain.sink import Execute, Serving
from orchestra_core.resilience.admission import Permits
from orchestra_core.resilience.breaker import Breaker

SUSPECT_SECONDS = 2.0
# A small machine may read even a short prompt slowly while it is busy with others; judgement.
TOKEN_SECONDS = 10.0
NAME = "health-probe"
# A look is taken every second, so this is when an open breaker's time comes before the next one.
_AHEAD_SECONDS = 1.5
_KINDS = (Kind.CHAT, Kind.COMPLETION, Kind.EMBEDDING)


class Guard(Protocol):
    """What stands before an endpoint."""

    @property
    def breaker(self) -> Breaker: ...

    @property
    def permits(self) -> Permits: ...


class Nowhere:
    """A sink for an answer that nobody reads."""

    relays = ""
    streaming = True
    committed = False

    def alive(self, note: str) -> None: ...

    def open(self, serving: Serving) -> None:  # noqa: ARG002  the protocol names it
        self.committed = True

    def resume(self, serving: Serving, so_far: Partial) -> None: ...

    def relay(self, data: bytes) -> None: ...

    def deltas(self, deltas: Sequence[Delta]) -> None: ...

    def embeddings(self, embeddings: Embeddings) -> None: ...

    def bind_flow(self, pause: Callable[[], None], resume: Callable[[], None]) -> None: ...


def one_token(endpoint: Endpoint, now: float) -> Call | None:
    """The smallest call an endpoint can answer; None if it can answer none."""
    kind = next((kind for kind in _KINDS if kind.value in endpoint.spec.capabilities), None)
    if kind is None:
        return None
    fields: dict[Kind, dict[str, object]] = {
        Kind.CHAT: {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1},
        Kind.COMPLETION: {"prompt": "Hi", "max_tokens": 1},
        Kind.EMBEDDING: {"input": "Hi"},
    }
    return Call(NAME, kind, fields[kind], now, NAME, endpoint.spec.model, stream=kind is not Kind.EMBEDDING)


class Probing:
    """`guard` stands before an endpoint; `changed` is told what a probe made of it. Call `look` every second."""

    def __init__(
        self,
        *,
        clock: Clock,
        endpoints: Callable[[], Sequence[Endpoint]],
        guard: Callable[[Endpoint], Guard],
        execute: Execute,
        start: Callable[[Coroutine[object, object, None], str], object],
        changed: Callable[[Endpoint, Circuit, str], None],
    ) -> None:
        self._clock = clock
        self._endpoints = endpoints
        self._guard = guard
        self._execute = execute
        self._start = start
        self._changed = changed
        self._back: set[str] = set()
        self._last: dict[str, float] = {}
        self._running: set[str] = set()

    def returned(self, backend: str) -> None:
        """The backend answers again after it did not: its open breakers need not wait out their time."""
        self._back.add(backend)

    async def now(self, endpoint: Endpoint, seconds: float) -> Outcome | None:
        """One probe at once, by an operator's wish: whoever opened the breaker, it is half-open for it.

        The outcome, None where another probe or all slots are in the way. What is left to do until the breaker closes
        goes on by itself.
        """
        backend, breaker = endpoint.spec.backend, self._guard(endpoint).breaker
        if backend in self._running:
            return None
        self._running.add(backend)
        try:
            changed = breaker.half_open(self._clock.monotonic())
            if changed is not None:
                self._changed(endpoint, changed, "probed by operator")
            return await self._ask(endpoint, seconds)
        finally:
            self._running.discard(backend)

    def look(self) -> None:
        """Starts the probes that are due."""
        now = self._clock.monotonic()
        for endpoint in self._endpoints():
            if self._is_due(endpoint, now):
                self._running.add(endpoint.spec.backend)
                self._last[endpoint.id] = now
                self._start(self._probe(endpoint), f"probe of {endpoint.id}")
        self._back.clear()

    def _is_due(self, endpoint: Endpoint, now: float) -> bool:
        breaker = self._guard(endpoint).breaker
        state = breaker.state(now)
        if state is Circuit.CLOSED and not breaker.failures:
            return False
        if endpoint.spec.backend in self._running or not _may_be_asked(endpoint):
            return False
        # While there are requests they tell enough.
        asked_at = max(
            self._last.get(endpoint.id, 0.0), endpoint.last_used if state is Circuit.CLOSED else 0.0
        )
        if now - asked_at < SUSPECT_SECONDS:
            return False
        retry_at = breaker.retry_at()
        if retry_at is None:
            return not breaker.held
        return retry_at - now <= _AHEAD_SECONDS or endpoint.spec.backend in self._back

    async def _probe(self, endpoint: Endpoint) -> None:
        try:
            # Two in a row where the first one makes it half-open: no client should be needed to close it.
            while (
                (outcome := await self._ask(endpoint)) is not None
                and outcome.ok
                and self._guard(endpoint).breaker.state(self._clock.monotonic()) is not Circuit.CLOSED
            ):
                continue
        finally:
            self._running.discard(endpoint.spec.backend)

    async def _ask(self, endpoint: Endpoint, seconds: float = TOKEN_SECONDS) -> Outcome | None:
        """What one probe found, None where it was not let through."""
        now = self._clock.monotonic()
        permits = self._guard(endpoint).permits
        call = one_token(endpoint, now)
        if call is None or not permits.try_acquire():
            return None
        try:
            return await self._generates(call, endpoint, now, seconds)
        finally:
            permits.release(self._clock.monotonic())

    async def _generates(self, call: Call, endpoint: Endpoint, now: float, seconds: float) -> Outcome | None:
        breaker = self._guard(endpoint).breaker
        token = breaker.force_probe(now)
        if token is None:
            return None
        endpoint.inflight += 1
        outcome = None
        try:
            serving = Serving(endpoint.spec.model, endpoint.spec.backend, NAME, 1, False)
            outcome = await self._execute(call, endpoint, Nowhere(), serving, seconds, seconds)
        finally:
            endpoint.inflight -= 1
            if outcome is None or not (outcome.ok or outcome.trips):
                breaker.release(token)
        self._judge(endpoint, breaker, token, outcome)
        return outcome

    def _judge(self, endpoint: Endpoint, breaker: Breaker, token: int, outcome: Outcome) -> None:
        if not (outcome.ok or outcome.trips):
            return
        why = "a health probe succeeded" if outcome.ok else f"health probe: {outcome.message}"
        changed = breaker.record(token, outcome.trips, self._clock.monotonic(), why, NAME)
        if changed is not None:
            self._changed(endpoint, changed, why)


def _may_be_asked(endpoint: Endpoint) -> bool:
    spec = endpoint.spec
    free = spec.price is not None and spec.price.unmetered
    idle = endpoint.inflight < spec.slots and not endpoint.waiting
    usable = endpoint.reachable and not endpoint.draining and endpoint.residency is Residency.READY
    return free and idle and usable
