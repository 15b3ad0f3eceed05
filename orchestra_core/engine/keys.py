"""The keys of a running engine: those of the configuration and those in the ledger's file, kept in the gate."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import msgspec

from orchestra_core.background.supervisor import Supervisor
from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.errors import ConfigError, NotFound, OperationFailed, OrchestraError, Unavailable
from orchestra_core.domain.principal import Scope
from orchestra_core.server.gate import Gate
from orchestra_core.storage import keys as table
from orchestra_core.storage.failures import StoreError
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.store import Connection
from orchestra_core.trust.hosts import is_loopback
from orchestra_core.trust.keys import ID_BYTES, SECRET_BYTES, ApiKey, digest_of, mint

T = TypeVar("T")
_PATIENCE_SECONDS = 10.0
_NOTE_SECONDS = 60.0
_NO_KEYS = (
    "listening on {host} lets other machines in, so it needs an API key first: `ai-orchestra keys create NAME` makes "
    "one in the database, [[keys]] declares one in the configuration; 127.0.0.1 needs none"
)


class Keys:
    """Implements what the surfaces need of keys (server/ports.py).

    A change once begun goes on to its end, also when whoever asked leaves: a key must not be revoked in the database
    and still open the gate.
    """

    def __init__(
        self,
        gate: Gate,
        ledger: Ledger,
        clock: Clock,
        declared: Iterable[ApiKey],
        supervisor: Supervisor,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is told when a key was made, revoked or altered; not of when one was used."""
        self._gate = gate
        self._ledger = ledger
        self._clock = clock
        self._supervisor = supervisor
        self._declared = tuple(declared)
        self._changed = changed
        self._stored: list[ApiKey] = []

    def load(self) -> None:
        """Blocking, before anything listens: StoreError where the keys cannot be read."""
        self._stored = table.stored_keys(self._ledger.url)
        self._install()

    def require(self, host: str) -> None:
        """Raises ConfigError where listening on `host` lets others in than this machine, and there is no key."""
        if not is_loopback(host) and not any(key.revoked is None for key in self._gate.keys):
            raise ConfigError(_NO_KEYS.format(host=host))

    def declare(self, declared: Iterable[ApiKey]) -> None:
        """Those of a configuration that was read again."""
        self._declared = tuple(declared)
        self._publish()

    def _install(self) -> None:
        self._gate.replace((*self._declared, *self._stored))

    def _publish(self) -> None:
        before = _rights(self._gate.keys)
        self._install()
        if _rights(self._gate.keys) != before:
            self._changed()

    # -- what the surfaces ask -------------------------------------------------------------------------

    def views(self) -> list[dict[str, object]]:
        return [view(key) for key in self._gate.keys]

    async def create(
        self,
        name: str,
        scopes: tuple[Scope, ...],
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
    ) -> dict[str, object]:
        key, token = new_key(name, scopes, requests_per_minute, tokens_per_minute, self._clock.wall())
        await self._supervisor.finish(self._insert(key), "creating a key")
        return {**view(key), "token": token}

    async def _insert(self, key: ApiKey) -> None:
        await self._run(partial(table.insert, key=key))
        await self._reread()

    async def revoke(self, key_id: str) -> dict[str, object]:
        if any(key.id == key_id for key in self._declared):
            raise OperationFailed(
                f"the key {key_id} is declared in the configuration: take it out there and reload"
            )
        await self._supervisor.finish(self._revoke(key_id), "revoking a key")
        return next(view(key) for key in self._stored if key.id == key_id)

    async def _revoke(self, key_id: str) -> None:
        if not await self._run(partial(table.revoke, key_id=key_id, now=self._clock.wall())):
            raise NotFound(f"there is no key {key_id[:64]}", param="id")
        await self._reread()

    async def note_used(self) -> None:
        """Writes down when keys were used last; called now and then, nothing depends on it."""
        used = self._gate.take_used()
        if used:
            offset = self._clock.wall() - self._clock.monotonic()
            at = {key_id: offset + moment for key_id, moment in used.items()}
            await self._run(partial(table.touch, used=at))
            await self._reread()

    async def keep_noting(self) -> None:
        """Once a minute, for ever."""
        while True:
            await asyncio.sleep(_NOTE_SECONDS)
            with contextlib.suppress(OrchestraError):
                await self.note_used()

    async def _reread(self) -> None:
        self._stored = await self._run(table.read)
        self._publish()

    async def _run(self, work: Callable[[Connection], T]) -> T:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await asyncio.wrap_future(self._ledger.run(work))
        except TimeoutError as error:
            raise Unavailable("the database does not answer, so keys cannot be changed now") from error
        except StoreError as error:
            raise Unavailable(f"keys cannot be changed now: {error.message}") from error


def new_key(
    name: str,
    scopes: tuple[Scope, ...],
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    now: float,
) -> tuple[ApiKey, str]:
    """A key and its token. `now` is Unix seconds."""
    key_id, token = mint(secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
    key = ApiKey(key_id, name, digest_of(token), scopes, requests_per_minute, tokens_per_minute, created=now)
    return key, token


def view(key: ApiKey) -> dict[str, object]:
    """A key as it is shown: without its digest."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": [scope.value for scope in key.scopes],
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
        "created": _time(key.created),
        "last_used": _time(key.last_used),
        "revoked": _time(key.revoked),
        "source": "configuration" if key.declared else "database",
    }


def _rights(keys: Iterable[ApiKey]) -> list[ApiKey]:
    return [msgspec.structs.replace(key, last_used=None) for key in keys]


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)
