"""`keys create|list|revoke`: through the engine if one runs, else in the configured database."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click

from orchestra_core.cli.client import EngineClient, connect
from orchestra_core.cli.durations import seconds_in
from orchestra_core.cli.failure import Code, Failure
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.clock import SystemClock, rfc3339
from orchestra_core.config import Config, load
from orchestra_core.domain.principal import Scope
from orchestra_core.trust.keys import EXPIRY, NAME, expiry

T = TypeVar("T")
Shown = dict[str, Any]
_LIMIT = click.IntRange(0, 10**9)


@click.group()
def keys() -> None:
    """Make, list or revoke API keys. Only their SHA-256 is kept."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; each includes those before it. Without: use.",
)
@click.option("--requests-per-minute", type=_LIMIT, help="Instead of the general limit; 0 is none.")
@click.option("--tokens-per-minute", type=_LIMIT, help="Instead of the general limit; 0 is none.")
@click.option("--expires", metavar="WHEN", help="From then on it opens nothing: 90d, or 2027-01-31 (UTC).")
@click.option("--config", metavar="FILE", help="Configuration file.")
@talks_to_engine
def create(
    session: Session,
    name: str,
    scopes: tuple[str, ...],
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    expires: str | None,
) -> None:
    """Make a key and print its token, which is shown this once."""
    if not re.match(NAME, name):
        raise Failure("a key's name is up to 64 letters, digits, blanks and any of . @ + - _", Code.USAGE)
    body = {
        "name": name,
        "scopes": list(scopes) or [Scope.USE.value],
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        # Not sent unless asked for: engines of before keys could expire refuse fields they do not know.
        **({} if expires is None else {"expires": expiry_of(expires, SystemClock().wall())}),
    }
    made = _do(session, lambda engine: engine.post("/api/v1/keys", body), lambda store: store.create(body))
    if session.out.as_json:
        session.out.data(made)
        return
    until = f", until {made['expires']}" if made.get("expires") else ""
    session.out.talk(f"key {made['id']} ({', '.join(made['scopes'])}){until}; this token is shown once:")
    session.out.line(made["token"])


@keys.command("list")
@click.option("--config", metavar="FILE", help="Configuration file.")
@talks_to_engine
def show(session: Session) -> None:
    """List the keys, without their tokens: nobody has them."""
    found: list[Shown] = _do(
        session, lambda engine: engine.get("/api/v1/keys")["keys"], lambda store: store.views()
    )
    if session.out.as_json:
        session.out.data({"keys": found})
        return
    heads = ("ID", "NAME", "SCOPES", "REQUESTS/MIN", "TOKENS/MIN", "LAST USED", "EXPIRES", "STATE")
    session.out.table(heads, [_row(key) for key in found])


@keys.command()
@click.argument("id")
@click.option("--config", metavar="FILE", help="Configuration file.")
@talks_to_engine
def revoke(session: Session, id: str) -> None:
    """Make a key useless, from the next request on."""
    gone = _do(
        session,
        lambda engine: engine.delete(f"/api/v1/keys/{quote(id, safe='')}"),
        lambda store: store.revoke(id),
    )
    session.out.result(gone, f"{gone['id']} ({gone['name']}) is revoked")


def _row(key: Shown) -> tuple[str, ...]:
    limits = ["-" if key[name] is None else str(key[name] or "none") for name in _LIMITS]
    state = "revoked" if key["revoked"] else "expired" if key.get("expired") else "active"
    source = ", declared" if key["source"] == "configuration" else ""
    return (
        key["id"],
        key["name"],
        " ".join(key["scopes"]),
        *limits,
        key["last_used"] or "-",
        key.get("expires") or "-",
        f"{state}{source}",
    )


def expiry_of(text: str, now: float) -> str:
    """The RFC 3339 time of `90d`, a date or a time; `now` is Unix seconds."""
    try:
        return rfc3339(now + seconds if (seconds := seconds_in(text)) else expiry(text))
    except (ValueError, OverflowError) as error:
        raise Failure(f"--expires must be 90d, 12h, {EXPIRY}", Code.USAGE) from error


_LIMITS = ("requests_per_minute", "tokens_per_minute")


class _Store:
    """The configured database, while no engine has it open."""

    def __init__(self, config: Config) -> None:
        # Here, not above: sqlmodel takes half a second to import, and through the engine nobody needs it.
        from orchestra_core.engine.keys import new_key, view  # noqa: PLC0415  costs the start
        from orchestra_core.storage import keys as table  # noqa: PLC0415  costs the start

        self._table, self._new_key, self._view = table, new_key, view
        self._declared = config.keys
        self._url = config.storage.url
        self._now = SystemClock().wall()
        self._keys = table.KeyTable(self._url, self._now)
        self.place = self._keys.place

    def views(self) -> list[Shown]:
        keys = (*self._declared, *self._table.stored_keys(self._url))
        return [self._view(key, self._now) for key in keys]

    def create(self, body: Shown) -> Shown:
        scopes = tuple(Scope(scope) for scope in body["scopes"])
        limits = (body["requests_per_minute"], body["tokens_per_minute"])
        expires = expiry(body["expires"]) if "expires" in body else None
        key, token = self._new_key(body["name"], scopes, *limits, self._now, expires)
        self._keys.run(lambda connection: self._table.insert(connection, key))
        return {**self._view(key, self._now), "token": token}

    def revoke(self, key_id: str) -> Shown:
        if any(key.id == key_id for key in self._declared):
            raise Failure(f"the key {key_id} is declared in the configuration: take it out there")
        if not self._keys.run(lambda connection: self._table.revoke(connection, key_id, self._now)):
            raise Failure(f"there is no key {key_id}; `ai-orchestra keys list` names them")
        return next(view for view in self.views() if view["id"] == key_id)


def _do(session: Session, asked: Callable[[EngineClient], T], done: Callable[[_Store], T]) -> T:
    with connect(session) as engine:
        named = session.url or session.socket or session.environ.get("ORCHESTRATOR_URL")
        try:
            if not named and engine.target.socket is None:
                engine.raw("/livez")
            return asked(engine)
        except Failure as failure:
            if named or failure.code is not Code.UNREACHABLE:
                raise
    store = _Store(load({"config": session.config}, session.environ, Path.cwd()))
    session.out.talk(f"no engine runs; using {store.place}")
    return done(store)
