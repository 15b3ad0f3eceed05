"""Recordings of a scripted world, and the moments that went into them."""

from datetime import datetime

from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.recording import lines
from orchestra_core.recording.blocks import Writing
from orchestra_core.recording.difference import Differ
from orchestra_core.recording.lines import VERSION, Header
from orchestra_core.recording.reading import Moment
from tests.fakes.world import World


def at(snapshot: Snapshot) -> float:
    """Its time in Unix seconds."""
    return datetime.fromisoformat(snapshot.now).timestamp()


class Film:
    """Records snapshots as an engine does, a block for every `per_block` of them; `blocks` are their bytes."""

    def __init__(self, per_block: int = 60, version: int = VERSION, engine: str = "e1") -> None:
        self._per_block = per_block
        self._version = version
        self._engine = engine
        self._differ = Differ()
        self._writing = Writing()
        self.shot: list[Snapshot] = []
        self.blocks: list[bytes] = []

    def shoot(self, snapshot: Snapshot, happened: int, beside: object = None) -> None:
        """`beside` is put into the first line of a block."""
        line, more = b"", {}
        if len(self.shot) % self._per_block == 0:
            self.end()
            self._differ.begin()
            self._writing = Writing()
            self.blocks.append(b"")
            more = {} if beside is None else {"beside": beside}
            line = lines.spell(
                Header(self._version, "0.6.0", self._engine, "2026-03-02T12:58:00.000Z", at(snapshot))
            )
        line += lines.spell({**self._differ.tell(snapshot, happened, at(snapshot)), **more})
        self.blocks[-1] += self._writing.add(line)
        self.shot.append(snapshot)

    def end(self) -> None:
        if self.blocks:
            self.blocks[-1] += self._writing.end()

    @property
    def data(self) -> bytes:
        return b"".join(self.blocks)


def film(seconds: int, per_block: int = 60, *, ended: bool = True) -> Film:
    """So many seconds of a world in which models are loaded and unloaded now and then."""
    world, made = World(), Film(per_block)
    for second in range(seconds):
        if second % 7 == 3:
            verb = "load" if second % 2 else "unload"
            world.operate(verb, "mistral-nemo:12b", "box1")
        made.shoot(world.snapshot(), len(world.events))
        world.advance()
    if ended:
        made.end()
    return made


def same(told: Moment, was: Snapshot) -> bool:
    """Whether a moment read back is the one recorded: exactly, but for clocks, which are right to a quarter second."""
    seen = told.snapshot
    for name in was.__struct_fields__:
        if name != "breakers" and getattr(seen, name) != getattr(was, name):
            return False
    return len(seen.breakers) == len(was.breakers) and all(
        abs(one.since - other.since) < 0.5
        and abs((one.next_probe or 0) - (other.next_probe or 0)) < 0.5
        and [trip.requests for trip in one.history] == [trip.requests for trip in other.history]
        and (one.endpoint, one.state, one.reason, one.recent)
        == (other.endpoint, other.state, other.reason, other.recent)
        for one, other in zip(seen.breakers, was.breakers, strict=True)
    )
