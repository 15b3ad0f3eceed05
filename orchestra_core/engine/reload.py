"""A new configuration for a running engine: what can change at once does, and nothing that runs is dropped.

A file with an error changes nothing. Sections are taken over by whoever reads them, registered by name; a change
nobody takes is answered as one that needs a restart, so that nothing is read and silently ignored.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence

import msgspec

from orchestra_core.config import BackendSettings, Config
from orchestra_core.domain.catalog import BackendKind, Endpoint
from orchestra_core.domain.errors import ConfigError, InvalidConfig
from orchestra_core.domain.result import Reloaded
from orchestra_core.engine.members import Member, Members

# Not compared by key: backends are compared by name, the others are no settings.
_APART = frozenset({"backends", "sources", "notes", "paths"})
# Facts about the same server: it stays connected and what was learned of it stays true.
_FACTS = frozenset({"weight", "slots", "memory", "region"})
_STEP_SECONDS = 0.1


class Reload:
    """`read` gives the configuration anew or raises ConfigError; `begin` joins a backend and watches it."""

    def __init__(
        self,
        config: Config,
        read: Callable[[], Config],
        *,
        members: Members,
        begin: Callable[[BackendSettings, str], Awaitable[None]],
        watch: Callable[[Member], None],
        start: Callable[[Coroutine[object, object, None], str], object],
        say: Callable[[str, str, str, str], None],
    ) -> None:
        self.current = config
        self._read = read
        self._members = members
        self._begin = begin
        self._watch = watch
        self._start = start
        self._say = say
        self._takers: dict[str, Callable[[Config], object]] = {}
        self._one_at_a_time = asyncio.Lock()

    def takes(self, name: str, taker: Callable[[Config], object]) -> None:
        """`taker` is called with the new configuration when the section or `section.key` called `name` changed."""
        self._takers[name] = taker

    async def __call__(self) -> Reloaded:
        """Reads and applies; raises InvalidConfig, with file and line, and leaves everything as it is."""
        async with self._one_at_a_time:
            try:
                new = await asyncio.to_thread(self._read)
                for backend in new.backends:
                    if backend not in self.current.backends:
                        self._members.check(backend)
            except ConfigError as error:
                self._say("config.invalid", "configuration", error.message, "error")
                raise InvalidConfig(f"nothing was changed: {error.message}") from error
            done = await self._apply(new)
        self._say("config.reloaded", done.file or "defaults", _sum(done), "info")
        return done

    async def _apply(self, new: Config) -> Reloaded:
        old = self.current
        changed = list(_changed(old, new))
        applied = [key for key in changed if self._taker(key) is not None]
        restart = [key for key in changed if self._taker(key) is None]
        self.current = new = _keeping(old, new, restart)
        for take in {id(take): take for key in applied if (take := self._taker(key))}.values():
            take(new)
        before = {backend.name: backend for backend in old.backends}
        after = {backend.name: backend for backend in new.backends}
        removed = [name for name in before if name not in after]
        added = [name for name in after if name not in before]
        other = [name for name in after if name in before and after[name] != before[name]]
        await asyncio.gather(
            *(self._join(after[name]) for name in added),
            *(self._change(before[name], after[name]) for name in other),
        )
        # Last, so that there is no moment without a model that somebody else serves now.
        leaving = [name for name in removed if self._leave(name, None)]
        leaving += [name for name in other if self._is_replaced_late(before[name], after[name])]
        return Reloaded(
            file=str(new.paths.config_file) if new.paths.config_file else None,
            added=tuple(added),
            removed=tuple(removed),
            changed=tuple(other),
            applied=tuple(applied),
            restart=tuple(restart),
            leaving=tuple(leaving),
            notes=new.notes,
        )

    def _taker(self, key: str) -> Callable[[Config], object] | None:
        return self._takers.get(key) or self._takers.get(key.partition(".")[0])

    # -- backends --------------------------------------------------------------------------------------

    async def _join(self, settings: BackendSettings) -> None:
        """A configured backend takes the place of one that was discovered under its name or at its address."""
        same = next((member for member in self._members if member.settings.url == settings.url), None)
        if settings.name in self._members.names():
            await self._replace(settings)
            return
        await self._begin(settings, "configured")
        if same is not None and settings.url is not None and same.origin == "discovered":
            self._leave(same.settings.name, None)

    async def _change(self, old: BackendSettings, new: BackendSettings) -> None:
        member = self._members.get(new.name)
        if member is None:
            await self._join(new)
        elif _differing(old, new) <= _FACTS:
            self._members.adjust(member, new)
        elif self._is_replaced_late(old, new):
            self._leave(new.name, new)
        else:
            await self._replace(new)

    @staticmethod
    def _is_replaced_late(old: BackendSettings, new: BackendSettings) -> bool:
        """Children use the same sockets: the old ones must have ended before new ones start."""
        return not _differing(old, new) <= _FACTS and old.kind is BackendKind.MANAGED

    async def _replace(self, settings: BackendSettings) -> None:
        """Looks at the new server before it takes over, so that there is no moment without the models."""
        member = self._members.prepare(settings)
        await member.monitor.look()
        self._members.replace(member)
        self._watch(member)

    def _leave(self, name: str, successor: BackendSettings | None) -> bool:
        """Whether requests still run there: they finish, then its processes end and its successor joins."""
        if self._members.get(name) is None:
            return False
        member, endpoints = self._members.leave(name)
        self._start(self._see_off(member, endpoints, successor), f"end of {name}")
        return _busy(endpoints)

    async def _see_off(
        self, member: Member, endpoints: Sequence[Endpoint], successor: BackendSettings | None
    ) -> None:
        while _busy(endpoints):  # noqa: ASYNC110  nothing tells, and it happens once in a while
            await asyncio.sleep(_STEP_SECONDS)
        await self._members.forget(member)
        if successor is not None and successor in self.current.backends:
            await self._begin(successor, "configured")


def _busy(endpoints: Sequence[Endpoint]) -> bool:
    return any(endpoint.inflight or endpoint.waiting for endpoint in endpoints)


def _differing(old: BackendSettings, new: BackendSettings) -> set[str]:
    return {name for name in old.__struct_fields__ if getattr(old, name) != getattr(new, name)}


def _changed(old: Config, new: Config) -> Iterator[str]:
    """`section.key` of everything that differs; tables that are no structs are named as a whole."""
    for section in old.__struct_fields__:
        before, after = getattr(old, section), getattr(new, section)
        if section in _APART or before == after:
            continue
        if isinstance(before, msgspec.Struct):
            names = before.__struct_fields__
            yield from (
                f"{section}.{name}" for name in names if getattr(before, name) != getattr(after, name)
            )
        else:
            yield section


def _keeping(old: Config, new: Config, keys: Sequence[str]) -> Config:
    """The new configuration with these keys as they were: what is in effect."""
    new = msgspec.structs.replace(
        new, paths=msgspec.structs.replace(old.paths, config_file=new.paths.config_file)
    )
    for key in keys:
        section, _, name = key.partition(".")
        value = getattr(old, section)
        if name:
            value = msgspec.structs.replace(getattr(new, section), **{name: getattr(value, name)})
        new = msgspec.structs.replace(new, **{section: value})
    return new


def _sum(done: Reloaded) -> str:
    parts = {
        "added": done.added,
        "removed": done.removed,
        "changed": (*done.changed, *done.applied),
        "needs a restart": done.restart,
    }
    return (
        "; ".join(f"{word}: {', '.join(names)}" for word, names in parts.items() if names)
        or "nothing changed"
    )
