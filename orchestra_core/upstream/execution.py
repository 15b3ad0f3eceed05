"""[Execution]: sends a call to an endpoint and stays with it until its stream has closed."""

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.sink import Serving, Sink
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.attempt import Attempt
from orchestra_core.upstream.codec import CODECS
from orchestra_core.upstream.transport import Connection, Pool


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds. First token 120 s: a small machine reads a long prompt slowly; between tokens 60 s."""

    first_token: float = 120.0
    between_tokens: float = 60.0
    total: float = 3600.0


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
    ) -> None:
        self._locate = locate
        self._defaults = defaults
        self._timeouts = timeouts or Timeouts()
        self._loop = asyncio.get_running_loop()
        self._pools: dict[Address, Pool] = {}
        # By endpoint: hashing an address for every request costs more than asking whether it changed.
        self._last: dict[str, Pool] = {}
        self._active: set[Attempt] = set()
        self._watch()

    async def __call__(
        self,
        call: Call,
        endpoint: Endpoint,
        sink: Sink,
        serving: Serving,
        first_token_limit: float | None = None,  # noqa: ARG002  honoured by the next change
    ) -> Outcome:
        codec = CODECS[endpoint.spec.kind]
        defaults = self._defaults(endpoint)
        if defaults:
            call = msgspec.structs.replace(call, fields=_merged(defaults, call.fields))
        target, body = codec.render_request(call, endpoint.spec.model, stream=codec.streams(call))
        address = self._locate(endpoint)
        pool = self._last.get(endpoint.id)
        if pool is None or pool.address is not address:
            pool = self._last[endpoint.id] = self._pool(address)
        head = pool.head(target, len(body))
        connection = pool.reuse()
        while True:
            attempt = Attempt(call, endpoint.id, codec, sink, serving, self._loop)
            fresh = connection is None
            if connection is None:
                try:
                    connection = await pool.connect()
                except (OSError, TimeoutError) as error:
                    return self._unreachable(endpoint, pool, error)
            outcome = await self._exchange(attempt, connection, head, body)
            # A kept connection the backend closed just now says nothing about the backend: once, on a fresh
            # one, the same bytes again (RFC 9112 section 9.3.1; no byte of an answer had arrived).
            if fresh or outcome.verdict is not Verdict.DROPPED or connection.answered:
                return outcome if outcome.ok else _without_secrets(outcome, address)
            connection = None

    async def _exchange(self, attempt: Attempt, connection: Connection, head: bytes, body: bytes) -> Outcome:
        attempt.bind(connection)
        self._active.add(attempt)
        try:
            connection.send(head, body, attempt)
            return await attempt.done
        finally:
            self._active.discard(attempt)
            attempt.abort()

    def _pool(self, address: Address) -> Pool:
        pool = self._pools.get(address)
        if pool is None:
            pool = self._pools[address] = Pool(address, self._loop)
        return pool

    def _unreachable(self, endpoint: Endpoint, pool: Pool, error: OSError | TimeoutError) -> Outcome:
        why = (
            f"no connection within {pool.connect_seconds:g} s"
            if isinstance(error, TimeoutError)
            else str(error)
        )
        return Outcome(Verdict.UNREACHABLE, endpoint.id, 0, f"cannot connect to {pool.address.label}: {why}")

    def _watch(self) -> None:
        now = self._loop.time()
        limits = self._timeouts
        for attempt in tuple(self._active):
            if now - attempt.started_at > limits.total:
                attempt.expire(Verdict.TIMEOUT, f"the answer took longer than {limits.total:g} s")
            elif attempt.committed and now - attempt.heard_at > limits.between_tokens:
                attempt.expire(Verdict.TIMEOUT, f"no token for {limits.between_tokens:g} s")
            elif not attempt.committed and now - attempt.heard_at > limits.first_token:
                attempt.expire(Verdict.TIMEOUT, f"no first token within {limits.first_token:g} s")
        for pool in self._pools.values():
            pool.trim()
        self._timer = self._loop.call_later(0.5, self._watch)

    def close(self) -> None:
        self._timer.cancel()
        for pool in self._pools.values():
            pool.close()


def _merged(defaults: Mapping[str, object], fields: Mapping[str, object]) -> dict[str, object]:
    """The client's fields win, but its stop sequences stand beside those that the model cannot do without."""
    merged = {**defaults, **fields}
    if "stop" in defaults and "stop" in fields:
        merged["stop"] = [*_stops(defaults["stop"]), *_stops(fields["stop"])]
    return merged


def _stops(value: object) -> list[object]:
    plain = msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
    return plain if isinstance(plain, list) else [] if plain is None else [plain]


def _without_secrets(outcome: Outcome, address: Address) -> Outcome:
    """Backends repeat the key they were sent in their refusals; it must not reach clients, logs or the ledger."""
    message = outcome.message
    for _, value in address.headers:
        for secret in (value, value.removeprefix("Bearer ")):
            message = message.replace(secret, "***") if secret else message
    return outcome if message == outcome.message else msgspec.structs.replace(outcome, message=message)
