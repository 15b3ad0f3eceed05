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
from orchestra_core.domain.errors import (
    ConfigError,
    InvalidRequest,
    NotFound,
    OperationFailed,
    OrchestraError,
    Unavailable,
)
from orchestra_core.domain.principal import Scope
from orchestra_core.server.gate import Gate
from orchestra_core.storage import keys as table
from orchestra_core.storage.failures import StoreError
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.store import Connection
from orchestra_core.trust.hosts import is_loopback
from orchestra_core.trust.keys import ID_BYTES, SECRET_BYTES, WARNED_SECONDS, ApiKey, digest_of, mint

T = TypeVar("T")
_PATIENCE_SECONDS = 10.0
_NOTE_SECONDS = 60.0
_EXPIRING = ("keys.expiring", "expires")
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
        say: Callable[[str, str, str, str], None],
    ) -> None:
        """`changed` is told when a key was made, revoked or altered; not of when one was used. `say` tells of one that
        expires.
        """
        self._gate = gate
        self._ledger = ledger
        self._clock = clock
        self._supervisor = supervisor
        self._declared = tuple(declared)
        self._changed = changed
        self._say = say
        self._told: set[str] = set()
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
        now = self._clock.wall()
        return [view(key, now) for key in self._gate.keys]

    async def create(
        self,
        name: str,
        scopes: tuple[Scope, ...],
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        expires: float | None = None,
    ) -> dict[str, object]:
        now = self._clock.wall()
        key, token = new_key(name, scopes, requests_per_minute, tokens_per_minute, now, expires)
        await self._supervisor.finish(self._insert(key), "creating a key")
        return {**view(key, now), "token": token}

    async def _insert(self, key: ApiKey) -> None:
        await self._run(partial(table.insert, key=key))
        await self._reread()

    async def revoke(self, key_id: str) -> dict[str, object]:
        if any(key.id == key_id for key in self._declared):
            raise OperationFailed(
                f"the key {key_id} is declared in the configuration: take it out there and reload"
            )
        await self._supervisor.finish(self._revoke(key_id), "revoking a key")
        return next(view(key, self._clock.wall()) for key in self._stored if key.id == key_id)

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

    def tell_expiring(self) -> None:
        """Says once of each key that it will expire within a week, and once that it has."""
        now = self._clock.wall()
        for key in self._gate.keys:
            if not key.expires_within(WARNED_SECONDS, now):
                continue
            kind, verb = ("keys.expired", "expired") if key.expires_within(0.0, now) else _EXPIRING
            message = f"the key {key.id} ({key.name}) {verb} at {_time(key.expires)}"
            if message not in self._told:
                self._told.add(message)
                self._say(kind, key.id, message, "warning")

    async def keep_noting(self) -> None:
        """Once a minute, for ever."""
        while True:
            self.tell_expiring()
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
    expires: float | None = None,
) -> tuple[ApiKey, str]:
    """A key and its token. `now` and `expires` are Unix seconds; InvalidRequest where that has passed."""
    if expires is not None and expires <= now:
        raise InvalidRequest("`expires` has passed already", param="expires")
    key_id, token = mint(secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
    limits = (requests_per_minute, tokens_per_minute)
    key = ApiKey(key_id, name, digest_of(token), scopes, *limits, created=now, expires=expires)
    return key, token


def view(key: ApiKey, now: float) -> dict[str, object]:
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
        "expires": _time(key.expires),
        "expired": key.expires_within(0.0, now),
        "source": "configuration" if key.declared else "database",
    }


def _rights(keys: Iterable[ApiKey]) -> list[ApiKey]:
    return [msgspec.structs.replace(key, last_used=None) for key in keys]


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)
