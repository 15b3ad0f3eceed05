"""[Execution]: sends a call to an endpoint and stays with it until its stream has closed."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Final

import msgspec

from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.sink import Serving, Sink
from orchestra_core.http1.outgoing import Outbox
from orchestra_core.resilience.drill import Strike
from orchestra_core.trust.redaction import redact
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.attempt import Attempt
from orchestra_core.upstream.codec import CODECS, Codec
from orchestra_core.upstream.dialing import Dialer
from orchestra_core.upstream.injection import Injection, marked, play
from orchestra_core.upstream.pace import pace_of
from orchestra_core.upstream.silence import Silence
from orchestra_core.upstream.timeouts import Timeouts
from orchestra_core.upstream.transport import Connection, Pool

_SUCCESS: Final = Verdict.SUCCESS
_DROPPED: Final = Verdict.DROPPED
_STALE: Final = "sent a second time: the kept connection had been closed"


class Execution:
    """Sends calls to backends.

    `locate` gives the address of an endpoint, `defaults` the fields merged under a call's own.
    Timeouts are watched by one timer for all attempts: a timer per request would cost more than the check.
    """

    def __init__(
        self,
        locate: Callable[[Endpoint], Address],
        defaults: Callable[[Endpoint], Mapping[str, object]],
        *,
        timeouts: Timeouts | None = None,
        dialer: Dialer | None = None,
        now: Callable[[], float] | None = None,
        keep: bool = True,
        retry_non_idempotent: bool = True,
    ) -> None:
        """`keep`: what a stream brings is kept, so that it can be continued elsewhere. `retry_non_idempotent`:
        a request whose kept connection turned out to be closed is sent again, though it may have been executed.
        """
        self._locate = locate
        self._defaults = defaults
        self._timeouts = timeouts or Timeouts()
        self._resolution = self._timeouts.resolution
        self._loop = asyncio.get_running_loop()
        self._now = now or self._loop.time
        self._dialer = dialer or Dialer(self._loop, self._timeouts.connect)
        self._keep = keep
        self._retry = retry_non_idempotent
        self._pools: dict[Address, Pool] = {}
        self._outbox = Outbox(self._loop.call_soon)
        # By endpoint: hashing an address for every request costs more than asking whether it changed.
        self._last: dict[str, Pool] = {}
        self._active: set[Attempt] = set()
        # By endpoint, empty but for drills: that is all an attempt pays for them.
        self.drills: dict[str, Injection] = {}
        self.silence: Silence | None = None
        self._timer = self._loop.call_later(self._resolution, self._look)

    def configure(self, timeouts: Timeouts, *, keep: bool, retry_non_idempotent: bool) -> None:
        """New values, for what runs too; what has begun keeps whether it can be continued.

        What still runs on a backend that has left keeps the timeouts it had there.
        """
        running = {attempt.endpoint_id.partition("/")[0] for attempt in self._active}
        kept = {name: own for name, own in self._timeouts.own.items() if name in running}
        self._timeouts = msgspec.structs.replace(timeouts, own=kept | timeouts.own)
        self._keep, self._retry = keep, retry_non_idempotent
        self._resolution = self._timeouts.resolution
        for endpoint, pool in self._last.items():
            pool.limit = self._timeouts.of(endpoint).connect

    async def __call__(
        self,
        call: Call,
        endpoint: Endpoint,
        sink: Sink,
        serving: Serving,
        first_token_limit: float | None = None,
        answer_limit: float | None = None,
    ) -> Outcome:
        codec = CODECS[endpoint.spec.kind]
        defaults = self._defaults(endpoint)
        if defaults:
            call = msgspec.structs.replace(call, fields=_merged(defaults, call.fields))
        if call.so_far is not None:
            call = codec.going_on(call)
        streams = (call.stream or codec.always_stream) and codec.streams(call)
        try:
            target, body = _rendered(codec, call, endpoint, streams)
        except InvalidRequest as error:
            return Outcome(Verdict.UNSUPPORTED, endpoint.id, error.status, error.message)
        address, name = self._locate(endpoint), endpoint.id
        pool = self._last.get(name)
        if pool is None or pool.address is not address:
            pool = self._moved(endpoint, address)
        head = pool.head(target, len(body))
        limit = first_token_limit if streams else answer_limit
        attempt = Attempt(call, name, codec, sink, serving, self._loop, self._now, limit, self._keep, streams)
        if limit is not None:
            self._look_within(limit)
            attempt.pace = pace_of(call, endpoint)
        if self.drills and (struck := self._struck(call, endpoint)) is not None:
            return await self._drilled(*struck, attempt, endpoint, pool, head, body)
        connection = pool.reuse()
        if connection is None:
            return await self._anew(attempt, endpoint, pool, head, body, "")
        outcome = await self._exchange(attempt, connection, head, body)
        if outcome.verdict is _SUCCESS:
            return outcome
        if outcome.verdict is not _DROPPED or not self._retry:
            return _told(outcome, address, "")
        # A kept connection the backend closed just now says nothing about the backend: once, on a fresh
        # one, the same bytes again (RFC 9112 section 9.3.1; no byte of an answer had arrived).
        again = Attempt(call, name, codec, sink, serving, self._loop, self._now, limit, self._keep, streams)
        again.pace = attempt.pace
        return await self._anew(again, endpoint, pool, head, body, _STALE)

    async def _anew(
        self, attempt: Attempt, endpoint: Endpoint, pool: Pool, head: bytes, body: bytes, stale: str
    ) -> Outcome:
        """On a connection of its own; `stale`: why it was sent before, if it was."""
        try:
            connection = await pool.connect()
        except (OSError, TimeoutError) as error:
            return self._unreachable(endpoint, pool, error)
        return _told(await self._exchange(attempt, connection, head, body), pool.address, stale)

    async def _exchange(self, attempt: Attempt, connection: Connection, head: bytes, body: bytes) -> Outcome:
        attempt.bind(connection)
        self._active.add(attempt)
        try:
            connection.send(head, body, attempt)
            return await attempt.done
        except asyncio.CancelledError as gone:
            # Who accounts for it learns what had arrived: tokens that were produced have been paid for.
            gone.args = (attempt.left(),)
            raise
        finally:
            self._active.discard(attempt)
            attempt.abort()

    def _struck(self, call: Call, endpoint: Endpoint) -> tuple[Injection, Strike] | None:
        drill = self.drills.get(endpoint.id)
        strike = None if drill is None else drill.strike(call)
        return None if drill is None or strike is None else (drill, strike)

    async def _drilled(
        self,
        drill: Injection,
        strike: Strike,
        attempt: Attempt,
        endpoint: Endpoint,
        pool: Pool,
        head: bytes,
        body: bytes,
    ) -> Outcome:
        """One attempt with a fault injected; what it becomes is timed, told and judged like that of any other."""
        self._active.add(attempt)
        try:
            outcome = await play(strike, drill.over, attempt, pool, head, body)
        except (OSError, TimeoutError) as error:
            outcome = self._unreachable(endpoint, pool, error)
        finally:
            self._active.discard(attempt)
            attempt.abort()
        drill.ended(outcome)
        return marked(strike, _told(outcome, pool.address, ""))

    def _moved(self, endpoint: Endpoint, address: Address) -> Pool:
        pool = self._last[endpoint.id] = self._pool(address)
        pool.limit = self._timeouts.of(endpoint.id).connect
        return pool

    def _pool(self, address: Address) -> Pool:
        pool = self._pools.get(address)
        if pool is None:
            pool = self._pools[address] = Pool(address, self._loop, self._dialer, self._now, self._outbox)
        return pool

    def forget(self, endpoints: Set[str]) -> None:
        """Drops the pools of addresses that none of these endpoints has any more; call it every second or so."""
        self._last = {name: pool for name, pool in self._last.items() if name in endpoints}
        used = set(self._last.values())
        for address, pool in tuple(self._pools.items()):
            if pool not in used:
                pool.close()
                del self._pools[address]

    def _unreachable(self, endpoint: Endpoint, pool: Pool, error: OSError | TimeoutError) -> Outcome:
        why = (
            f"no connection within {pool.connect_seconds:g} s"
            if isinstance(error, TimeoutError) and not error.args
            else str(error)
        )
        return Outcome(Verdict.UNREACHABLE, endpoint.id, 0, f"cannot connect to {pool.address.label}: {why}")

    # -- time ------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Looks at every attempt under way; the timer calls it, tests with time of their own may."""
        now = self._now()
        for attempt in tuple(self._active):
            attempt.watch(now, self._timeouts.of(attempt.endpoint_id))
        if self.silence is not None:
            self.silence.look(self._active, now)
        for pool in self._pools.values():
            pool.trim()

    @property
    def active(self) -> Iterable[Attempt]:
        """Those that have been sent and have not ended."""
        return self._active

    @property
    def busy(self) -> int:
        """Attempts that have been sent and have not ended."""
        return len(self._active)

    @property
    def looks_in(self) -> float:
        """Seconds of the loop until the timer looks again."""
        return self._timer.when() - self._loop.time()

    def _look(self) -> None:
        """The timer first: without it no attempt would ever be ended again."""
        self._timer = self._loop.call_later(self._resolution, self._look)
        self.watch()

    def _look_within(self, seconds: float) -> None:
        """An attempt with a limit of its own that is short: the one timer comes earlier once."""
        if seconds < 5 * self._resolution:
            at = self._loop.time() + seconds + 0.001
            if at < self._timer.when():
                self._timer.cancel()
                self._timer = self._loop.call_at(at, self._look)

    def interrupt(self, why: str) -> None:
        """Ends every answer that has begun, as one that was cut; what has not begun is left alone."""
        for attempt in tuple(self._active):
            if attempt.committed:
                attempt.interrupt(why)

    def close(self) -> None:
        self._timer.cancel()
        for pool in self._pools.values():
            pool.close()


def _rendered(codec: Codec, call: Call, endpoint: Endpoint, streams: bool) -> tuple[str, bytes]:
    """Path and body; a pin is the context a call has to name (see `ModelInfo`). Raises InvalidRequest."""
    pin = endpoint.pin
    if pin is None:
        return codec.render_request(call, endpoint.spec.model, stream=streams)
    return codec.render_request(call, endpoint.spec.model, stream=streams, context=pin)


def _merged(defaults: Mapping[str, object], fields: Mapping[str, object]) -> dict[str, object]:
    """The client's fields win, but its stop sequences stand beside those that the model cannot do without."""
    merged = {**defaults, **fields}
    if "stop" in defaults and "stop" in fields:
        merged["stop"] = [*_stops(defaults["stop"]), *_stops(fields["stop"])]
    return merged


def _stops(value: object) -> list[object]:
    plain = msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
    return plain if isinstance(plain, list) else [] if plain is None else [plain]


def _told(outcome: Outcome, address: Address, stale: str) -> Outcome:
    """The outcome as others may see it, with what is worth knowing of how it came about."""
    if outcome.ok:
        return msgspec.structs.replace(outcome, message=stale) if stale else outcome
    outcome = _without_secrets(outcome, address)
    return msgspec.structs.replace(outcome, message=f"{outcome.message} ({stale})") if stale else outcome


def _without_secrets(outcome: Outcome, address: Address) -> Outcome:
    """Backends repeat the key they were sent in their refusals; it must not reach clients, logs or the ledger."""
    known = [value.removeprefix("Bearer ") for _, value in address.headers if value]
    message = redact(outcome.message, known)
    return outcome if message == outcome.message else msgspec.structs.replace(outcome, message=message)
