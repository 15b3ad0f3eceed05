"""A whole engine in the test's own loop, over chaos backends: real sockets on both sides, no process, no waiting."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestra_core.config import Config, load
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.snapshot import BreakerView, Snapshot, Totals
from orchestra_core.engine.build import Engine
from orchestra_core.storage.tables import AttemptRow, RequestRow
from tests.fakes.chaos import ChaosBackend
from tests.fakes.leaping_loop import LoopClock
from tests.fakes.plain_client import Answer, PlainClient
from tests.fakes.turns import until

MODEL = '[models.m]\nmemory = "4GB"\n'


def described(backends: Sequence[ChaosBackend], *, slots: int | None = None) -> str:
    """Configuration for these backends, each much preferred to those after it, with memory for their model `m`."""
    weights = [1000.0 ** (1 - place) for place in range(len(backends))]
    more = 'memory = "32GB"\n' + (f"slots = {slots}\n" if slots is not None else "")
    alone = "[discovery]\nenabled = false\n[embedded]\nenabled = false\n"
    return (
        alone
        + MODEL
        + "".join(
            f'[[backends]]\nname = "{one.name}"\nkind = "{one.kind}"\nurl = "{one.url}"\nweight = {weight:g}\n{more}'
            for one, weight in zip(backends, weights, strict=True)
        )
    )


class EngineHere:
    """Use as an async context manager; `more` is TOML put before the backends, or after them as tables;
    its `[models.m]` is in place of the one there is."""

    def __init__(
        self,
        home: Path,
        backends: Sequence[ChaosBackend],
        more: str = "",
        *,
        slots: int | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.file = home / "config.toml"
        known = described(backends, slots=slots)
        self.file.write_text((known.replace(MODEL, "") if "[models.m]" in more else known) + more)
        self.file.chmod(0o600)
        flags = {"config": str(self.file), "port": 0, "socket": str(home / "engine.sock")}

        def read() -> Config:
            return load(flags, {"HOME": str(home), **(environ or {})}, home)

        self.engine = Engine(read(), LoopClock(asyncio.get_running_loop()), read, simulated=False)

    async def reload(self, text: str) -> None:
        """The engine reads this configuration in place of the one it runs with; raises what it answers."""
        self.file.write_text(text)
        await self.engine.reload()

    async def __aenter__(self) -> "EngineHere":
        await self.engine.start()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.engine.stop()

    @property
    def port(self) -> int:
        return int(self.engine.address.rpartition(":")[2])

    def client(self) -> PlainClient:
        return PlainClient(self.port)

    async def chat(self, model: str = "m", text: str = "Hi", **fields: object) -> Answer:
        """One question on a connection of its own."""
        async with self.client() as client:
            client.chat(model, text, **fields)
            return await client.answer()

    async def get(self, path: str) -> Answer:
        async with self.client() as client:
            client.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            return await client.answer()

    async def post(self, path: str, fields: object, **headers: str) -> Answer:
        async with self.client() as client:
            client.send(path, fields, **headers)
            return await client.answer()

    def endpoint(self, backend: str, model: str = "m") -> Endpoint:
        found = self.engine.catalog.get(f"{backend}/{model}")
        assert found is not None
        return found

    def breaker(self, backend: str, model: str = "m") -> BreakerView:
        (view,) = [one for one in self.engine.lanes.views() if one.endpoint == f"{backend}/{model}"]
        return view

    def snapshot(self) -> Snapshot:
        return self.engine.snapshots.current()

    def totals(self) -> Totals:
        """As of now: the snapshot is up to a second old."""
        engine = self.engine
        inflight, waiting = self.busy()
        return engine.traffic.ended.totals(engine.clock.monotonic(), inflight=inflight, waiting=waiting)

    def busy(self) -> tuple[int, int]:
        """Calls in service and in the queues, of all endpoints."""
        every = self.engine.catalog.all
        return sum(one.inflight for one in every), sum(one.waiting for one in every)

    async def idle(self) -> None:
        """Returns when nothing is in service or waiting any more."""
        await until(lambda: self.busy() == (0, 0))

    def told(self, kind: str) -> list[str]:
        """The messages of the events of this kind so far."""
        return [event.message for event in self.engine.hub.recent if event.kind == kind]

    async def rows(self) -> list[RequestRow]:
        """The ledger, newest first, with everything recorded so far."""
        assert await asyncio.to_thread(self.engine.ledger.flush)
        return await asyncio.to_thread(self.engine.ledger.recent, 10_000)

    async def attempts(self, request_id: str) -> list[AttemptRow]:
        """The attempts of one request as the ledger has them."""
        assert await asyncio.to_thread(self.engine.ledger.flush)
        found = await asyncio.to_thread(self.engine.ledger.request, request_id)
        assert found is not None
        return found[1]

    @staticmethod
    def descriptors() -> int:
        """Open file descriptors of this process."""
        return len(os.listdir("/proc/self/fd"))
