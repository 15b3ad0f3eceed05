"""Changes that an operator asked for and did not wait for: they go on to their end, none is left half done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from orchestra_core.config import BackendSettings, Config
from orchestra_core.domain.principal import Scope
from orchestra_core.engine.reload import Reload
from tests.fakes.engine_here import EngineHere, described
from tests.fakes.gated_backend import GatedBackend
from tests.fakes.turns import one_turn, until

BASE = described([])
PATIENCE = 20


class Shy(GatedBackend):
    """Says nothing at all, not even what it is, while its gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.reached.set()
        await self.gate.wait()
        return await super()._exchange(reader, writer)


class Scene:
    """An engine in the test's loop over `old`, and a backend more, `new`, that can be made to say nothing."""

    def __init__(self, here: EngineHere, home: Path, old: Shy, new: Shy) -> None:
        self.here, self.home, self.old, self.new = here, home, old, new

    @property
    def names(self) -> set[str]:
        return set(self.here.engine.members.names())

    def write(self, text: str) -> None:
        self.here.file.write_text(BASE + text)

    async def ask_and_leave(self) -> None:
        """Posts a reload over the owner's socket and hangs up while the new backend is being looked at."""
        self.new.gate.clear()
        _, writer = await asyncio.open_unix_connection(str(self.home / "engine.sock"))
        writer.write(b"POST /api/v1/reload HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await self.new.reached.wait()
        writer.transport.abort()
        listener = self.here.engine.listener
        assert listener is not None
        await until(lambda: not any(guest.serving for guest in listener._room.connections))
        self.new.gate.set()


@asynccontextmanager
async def scene(home: Path) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        old, new = [await stack.enter_async_context(Shy()) for _ in range(2)]
        here = EngineHere(home, [], old.config("old"))
        await stack.enter_async_context(here)
        await stack.enter_async_context(asyncio.timeout(PATIENCE))
        yield Scene(here, home, old, new)


async def test_a_reload_goes_on_when_its_client_leaves(tmp_path: Path) -> None:
    """What is added is watched, what is removed leaves, it is told, and a reload after it finds nothing to do."""
    async with scene(tmp_path) as now:
        now.write(now.new.config("new"))
        await now.ask_and_leave()
        await until(lambda: bool(now.here.told("config.reloaded")))

        assert now.names == {"new"}
        member = now.here.engine.members.get("new")
        assert member is not None
        assert member.watch is not None
        again = await now.here.engine.reload()
        assert (again.added, again.removed, again.changed) == ((), (), ())


async def test_a_changed_backend_is_replaced_when_the_client_leaves(tmp_path: Path) -> None:
    """The old server is no longer asked."""
    async with scene(tmp_path) as now:
        now.write(now.new.config("old"))
        await now.ask_and_leave()
        await until(lambda: bool(now.here.told("config.reloaded")))

        member = now.here.engine.members.get("old")
        assert member is not None
        assert member.settings.url == now.new.url


async def test_a_section_that_cannot_be_taken_over_holds_nothing_up(tmp_path: Path) -> None:
    """The backends change all the same; the failure is told, and the next reload tries it again."""
    async with scene(tmp_path) as now:
        taken: list[float] = []

        def take(config: Config) -> None:
            taken.append(config.alerts.memory_warning)
            if len(taken) == 1:
                raise RuntimeError("broken on purpose")

        now.here.engine.reload.takes("alerts", take)
        now.write("[alerts]\nmemory_warning = 0.5\n" + now.new.config("new"))
        done = await now.here.engine.reload()

        assert (done.added, done.removed, done.applied) == (("new",), ("old",), ())
        assert now.names == {"new"}
        assert any("broken on purpose" in note for note in done.notes)
        assert "alerts.memory_warning" in now.here.told("config.failed")[0]
        assert (await now.here.engine.reload()).applied == ("alerts.memory_warning",)
        assert taken == [0.5, 0.5]


async def test_a_backend_that_cannot_join_holds_nothing_up(tmp_path: Path) -> None:
    """What was removed has left, and what failed is tried again by the next reload."""
    async with scene(tmp_path) as now:
        engine = now.here.engine
        asked: list[str] = []

        async def begin(settings: BackendSettings, origin: str) -> None:
            asked.append(settings.name)
            if len(asked) == 1:
                raise RuntimeError("broken on purpose")
            await engine._begin(settings, origin)

        reload = Reload(
            engine.config,
            engine.reload._read,
            members=engine.members,
            begin=begin,
            watch=engine._watch,
            supervisor=engine.supervisor,
            say=engine.hub.publish,
        )
        now.write(now.new.config("new"))
        done = await reload()
        assert (done.added, done.removed) == ((), ("old",))
        assert now.names == set()
        assert now.here.told("config.failed")

        assert (await reload()).added == ("new",)
        assert now.names == {"new"}


@pytest.mark.parametrize("turns", range(4))
async def test_a_revoked_key_is_out_when_its_client_leaves(tmp_path: Path, turns: int) -> None:
    """What the database says of a key, the gate says too, whenever the client hangs up."""
    async with scene(tmp_path) as now:
        engine = now.here.engine
        made = await engine.keys.create("app", (Scope.USE,), None, None)
        leaving = asyncio.ensure_future(engine.keys.revoke(str(made["id"])))
        for _ in range(turns + 1):
            await one_turn()
        leaving.cancel()

        await until(lambda: all(key.revoked is not None for key in engine.gate.keys))
