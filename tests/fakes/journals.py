"""A journal on files in memory, folded by hand into a store in memory."""

from pathlib import Path

from orchestra_core.storage.interrupted import interrupted
from orchestra_core.storage.journal.bounds import Bounds
from orchestra_core.storage.journal.reading import Reading
from orchestra_core.storage.journal.replay import Replay
from orchestra_core.storage.journal.writing import Journal
from orchestra_core.storage.store import Entry, Row
from tests.fakes.clock import ManualClock
from tests.fakes.memory_files import MemoryFiles
from tests.fakes.memory_store import MemoryStore

PLACE = Path("/state/journal")
SMALL = Bounds(total=4096, segment=512, memory=5, handed=2, handed_bytes=200)


def begun(name: str) -> Row:
    """In the field order of records.Begin."""
    return (name, 1.5, "key", "conversation", "auto", "m", "box", "openai", "chat", 1, 0, 7, "dec-1", 738_000)


class Life:
    """One engine's use of a journal, from its start on. `state` is what the next segment will begin with."""

    def __init__(
        self, files: MemoryFiles, store: MemoryStore, clock: ManualClock | None = None, bounds: Bounds = SMALL
    ) -> None:
        self.files = files
        self.store = store
        self.clock = clock or ManualClock()
        self.state = b"state"
        self.flaws: list[str] = []
        self.changes = 0
        self.journal = Journal(
            PLACE,
            self.clock,
            changed=self._changed,
            found=self.flaws.append,
            files=files,
            bounds=bounds,
            state=lambda: self.state,
        )
        self.reading = Reading(self.journal)
        self.replay: Replay = self.journal.open()
        self.reading.resume(store.mark)

    def _changed(self) -> None:
        self.changes += 1

    def begin(self, name: str) -> None:
        self.journal.begin(begun(name))

    def end(self, name: str, size: int = 60) -> bool:
        return self.journal.end(Entry((name, "x" * size)))

    def fold(self, limit: int = 3) -> None:
        """As the writer thread does it."""
        while self.journal.unfinished:
            self.store.write([interrupted(self.journal.unfinished[0])])
            self.journal.unfinished.popleft()
        while (batch := self.reading.take(limit)) is not None:
            self.store.write(batch.entries, batch.mark)
            self.reading.settle(batch)
