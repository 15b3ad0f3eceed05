"""A new configuration for a running engine: what can change at once does, and nothing that runs is dropped.

A file with an error changes nothing. Sections are taken over by whoever reads them, registered by name; a change
nobody takes is answered as one that needs a restart, so that nothing is read and silently ignored.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from orchestra_core.background.supervisor import Supervisor
from orchestra_core.config import BackendSettings, Config
from orchestra_core.domain.catalog import BackendKind, Endpoint
from orchestra_core.domain.errors import ConfigError, InvalidConfig
from orchestra_core.domain.result import Reloaded
from orchestra_core.domain.text import safe_text
from orchestra_core.engine.members import Member, Members

log = logging.getLogger(__name__)
K = TypeVar("K")
# Not compared by key: backends are compared by name, the others are no settings.
_APART = frozenset({"backends", "sources", "notes", "paths"})
# Facts about the same server: it stays connected and what was learned of it stays true.
_FACTS = frozenset(
    {"weight", "slots", "memory", "max_loaded", "device", "region", "cost_per_hour", "watts", "timeouts"}
)
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
        supervisor: Supervisor,
        say: Callable[[str, str, str, str], None],
    ) -> None:
        self.current = config
        self._read = read
        self._members = members
        self._begin = begin
        self._watch = watch
        self.supervisor = supervisor
        self._say = say
        self._takers: dict[str, Callable[[Config], object]] = {}
        self._one_at_a_time = asyncio.Lock()

    def takes(self, name: str, taker: Callable[[Config], object]) -> None:
        """`taker` is called with the new configuration when the section or `section.key` called `name` changed."""
        self._takers[name] = taker

    async def __call__(self) -> Reloaded:
        """Reads and applies; raises InvalidConfig, with file and line, and leaves everything as it is.

        Once asked for it goes on to its end, also when whoever asked leaves: half of a configuration is none.
        """
        return await self.supervisor.finish(self._reload(), "reload")

    def soon(self) -> None:
        """The same, where nobody waits: what comes of it is an event."""
        self.supervisor.start(self._quietly(), "reload")

    async def _quietly(self) -> None:
        with contextlib.suppress(InvalidConfig):
            await self._reload()

    async def _reload(self) -> Reloaded:
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
        restart = [key for key in changed if self._taker(key) is None]
        self.current = new = _keeping(old, new, restart)
        refused = await self._take([key for key in changed if key not in restart], new)
        # What failed is not in effect: the next reload finds it changed and tries again.
        self.current = new = _keeping(old, new, list(refused))
        before = {backend.name: backend for backend in old.backends}
        after = {backend.name: backend for backend in new.backends}
        removed = [name for name in before if name not in after]
        added = [name for name in after if name not in before]
        other = [name for name in after if name in before and after[name] != before[name]]
        failed = await _all(
            {name: self._join(after[name]) for name in added}
            | {name: self._change(before[name], after[name]) for name in other}
        )
        self._keep(failed, before)
        if old.backends != new.backends and (taker := self._takers.get("backends")) is not None:
            taker(self.current)
        # Last, so that there is no moment without a model that somebody else serves now.
        leaving = [name for name in removed if self._leave(name, None)]
        leaving += [name for name in other if self._is_replaced_late(before[name], after[name])]
        return Reloaded(
            file=str(new.paths.config_file) if new.paths.config_file else None,
            added=tuple(name for name in added if name not in failed),
            removed=tuple(removed),
            changed=tuple(name for name in other if name not in failed),
            applied=tuple(key for key in changed if key not in restart and key not in refused),
            restart=tuple(restart),
            leaving=tuple(leaving),
            notes=(*new.notes, *self._report(refused | failed)),
        )

    async def _take(self, keys: Sequence[str], new: Config) -> dict[str, BaseException]:
        """Tells each taker once; the keys of those that failed, and how."""
        takers = {key: taker for key in keys if (taker := self._taker(key)) is not None}
        failed = await _all({taker: _call(taker, new) for taker in dict.fromkeys(takers.values())})
        return {key: failed[taker] for key, taker in takers.items() if taker in failed}

    def _keep(self, failed: Mapping[str, BaseException], before: Mapping[str, BackendSettings]) -> None:
        """What is in effect of the backends whose change failed: the next reload tries again."""
        backends = []
        for backend in self.current.backends:
            name = backend.name
            member = self._members.get(name)
            if name not in failed or (member is not None and member.settings == backend):
                backends.append(backend)
            elif name in before:
                backends.append(before[name])
        if failed:
            self.current = msgspec.structs.replace(self.current, backends=tuple(backends))

    def _report(self, failed: Mapping[str, BaseException]) -> Iterator[str]:
        for name, error in failed.items():
            log.error("%s could not be taken over", name, exc_info=error)
            why = f"{name} could not be taken over: {safe_text(str(error) or type(error).__name__)}"
            self._say("config.failed", name, why, "error")
            yield f"{why}; reload to try again"

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
        await self._members.look(member)
        self._members.replace(member)
        self._watch(member)

    def _leave(self, name: str, successor: BackendSettings | None) -> bool:
        """Whether requests still run there: they finish, then its processes end and its successor joins."""
        if self._members.get(name) is None:
            return False
        member, endpoints = self._members.leave(name)
        self.supervisor.start(self._see_off(member, endpoints, successor), f"end of {name}")
        return _busy(endpoints)

    async def _see_off(
        self, member: Member, endpoints: Sequence[Endpoint], successor: BackendSettings | None
    ) -> None:
        while _busy(endpoints):  # noqa: ASYNC110  nothing tells, and it happens once in a while
            await asyncio.sleep(_STEP_SECONDS)
        await self._members.forget(member)
        if successor is not None and successor in self.current.backends:
            await self._begin(successor, "configured")


async def _call(taker: Callable[[Config], object], new: Config) -> None:
    taker(new)


async def _all(work: Mapping[K, Coroutine[object, object, None]]) -> dict[K, BaseException]:
    """Does all of it, whatever fails of it, and tells what failed."""
    results = await asyncio.gather(*work.values(), return_exceptions=True)
    return {key: result for key, result in zip(work, results, strict=True) if result is not None}


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
