"""The simulated fleet of the console's tests with pools of memory, and what models need of them."""

import msgspec

from orchestra_core.domain.snapshot import ModelView, PoolView, Snapshot
from tests.fakes.console_engine import ConsoleEngine
from tests.fakes.world import GIB

HOST = PoolView(
    "host",
    total=16 * GIB,
    free=int(3.2 * GIB),
    reserved=int(9.1 * GIB),
    used=int(11.9 * GIB),
    foreign=int(2.4 * GIB),
    headroom=int(1.3 * GIB),
    returning=int(2.1 * GIB),
    pressure="warning",
    backends=("local",),
)
BOX2 = PoolView(
    "box2",
    total=24 * GIB,
    free=int(1.1 * GIB),
    reserved=int(20.6 * GIB),
    used=int(21.9 * GIB),
    foreign=int(0.4 * GIB),
    headroom=int(1.9 * GIB),
    pressure="critical",
    backends=("box2",),
)
BOX1 = PoolView("box1", 24 * GIB, int(13.2 * GIB), int(10.8 * GIB), source="configured", backends=("box1",))
BARRED = "needs 70.2 GiB (weights 66.0, cache 4.2; x1.10), and lab has 24.0 GiB in all, 1.9 kept free"


def pooled(snapshot: Snapshot, *pools: PoolView) -> Snapshot:
    """With these pools, or else three of different kinds."""
    return msgspec.structs.replace(
        snapshot, pools=pools or (BOX1, BOX2, HOST), models=tuple(map(_needing, snapshot.models))
    )


def _needing(view: ModelView) -> ModelView:
    need = None if view.size_bytes is None else int(view.size_bytes * 1.2)
    moving = view.residency not in ("ready", "absent")
    return msgspec.structs.replace(
        view,
        need_bytes=need,
        need_basis="metadata" if need else "",
        need_error=0.04 if need else None,
        pool=view.backend,
        pinned=view.id == "box1/llama3.2:3b",
        demand=0.21 if view.calls else 0.0,
        load_seconds=6.1 if view.loadable else None,
        barred=BARRED if view.backend == "lab" else "",
        changing_seconds=18.0 if moving else None,
    )


class PooledEngine(ConsoleEngine):
    """Its snapshots have the pools."""

    def tick(self, seconds: int = 1) -> Snapshot:
        self.world.advance(seconds)
        snapshot = pooled(self.world.snapshot())
        self.push(snapshot)
        return snapshot

    async def fetch(self) -> Snapshot:
        return pooled(await super().fetch())
