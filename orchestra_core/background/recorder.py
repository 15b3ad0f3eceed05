"""[Flight recorder]: once a second what the engine looks like, into files that outlive it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime

import msgspec

from orchestra_core.background.recording_files import RecordingFiles, segments
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.errors import NotFound
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.recording import lines, ring
from orchestra_core.recording.blocks import Writing
from orchestra_core.recording.difference import Differ
from orchestra_core.recording.lines import VERSION, Header

LOOK_SECONDS = 1.0
# After what could not be written.
_RETRY_SECONDS = 15.0
# What a file begins with may take so much of all room, before it is compressed to a tenth.
_SHARES = 32
# The alerts need a snapshot each second too: one is made for both.
_FRESH_SECONDS = 0.9


class Recorder:
    """`snapshot` gives one that is at most so many seconds old, with the number of events by then.

    `bounds` None: nothing is recorded. `problem` is told what cannot be written. `beside` is JSON that each file begins
    with, unless it is larger than its share.
    """

    def __init__(
        self,
        files: RecordingFiles,
        header: Callable[[float], Header],
        *,
        clock: Clock,
        snapshot: Callable[[float], tuple[Snapshot, int]],
        bounds: Callable[[], ring.Bounds | None],
        problem: Callable[[str], None],
        beside: Callable[[], Awaitable[bytes]] | None = None,
    ) -> None:
        self._files = files
        self._header = header
        self._clock = clock
        self._snapshot = snapshot
        self._bounds = bounds
        self._problem = problem
        self._beside = beside
        self._differ = Differ()
        self._block: Writing | None = None
        self._began = 0.0
        self._not_before = float("-inf")
        self._recorded = -1
        self._closed = False
        self._told = ""
        # Whoever reads the block that grows must find it whole.
        self._turn = asyncio.Lock()

    def start(self, supervisor: Supervisor) -> None:
        supervisor.keep(self._run, "flight recorder")

    async def _run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, fresh: float = _FRESH_SECONDS) -> None:
        """Records a state at most `fresh` seconds old, unless that is switched off or the disk refused lately."""
        bounds = self._bounds()
        async with self._turn:
            try:
                if bounds is None or self._closed:
                    await self._end()
                elif self._clock.monotonic() >= self._not_before:
                    await self._record(bounds, fresh)
            except OSError as error:
                await self._failed(error)

    async def _record(self, bounds: ring.Bounds, fresh: float) -> None:
        snapshot, happened = self._snapshot(fresh)
        if snapshot.sequence == self._recorded:
            return
        now, block = datetime.fromisoformat(snapshot.now).timestamp(), self._block
        first, more = b"", {}
        if block is None or ring.full(block.size, self._began, now, bounds.bytes):
            await self._end()
            self._differ.begin()
            block, self._began = Writing(), now
            first, more = lines.spell(self._header(now)), await self._more(bounds)
        line = first + lines.spell({**self._differ.tell(snapshot, happened, now), **more})
        await asyncio.to_thread(self._write, block, line, now, bounds if first else None)
        self._block, self._recorded, self._told = block, snapshot.sequence, ""

    async def _more(self, bounds: ring.Bounds) -> dict[str, msgspec.Raw]:
        found = b"" if self._beside is None else await self._beside()
        return {"beside": msgspec.Raw(found)} if 0 < len(found) <= bounds.bytes // _SHARES else {}

    def _write(self, block: Writing, line: bytes, now: float, bounds: ring.Bounds | None) -> None:
        """In a thread; `bounds` where this begins a new file."""
        if bounds is not None:
            gone = ring.expired(segments(self._files.directory), now, bounds.seconds, bounds.bytes)
            self._files.remove(gone)
            self._files.begin(now)
        self._files.append(block.add(line), now)

    async def _failed(self, error: OSError) -> None:
        self._not_before = self._clock.monotonic() + _RETRY_SECONDS
        self._block = None
        await asyncio.to_thread(self._files.end)
        told = f"{self._files.directory}: {error.strerror or error}; what happens now is not recorded"
        if told != self._told:
            self._told = told
            self._problem(told)

    async def _end(self) -> None:
        if self._block is not None:
            end, self._block = self._block.end(), None
            await asyncio.to_thread(self._close, end)

    def _close(self, end: bytes) -> None:
        self._files.append(end, self._clock.wall())
        self._files.end()

    async def close(self) -> None:
        """Records the last moment and ends the file."""
        await self.look(0.0)
        self._closed = True
        await self.look()

    async def since(self, at: float) -> AsyncGenerator[bytes, None]:
        """The recording from `at` (Unix seconds) on, a block at a time. Raises NotFound where nothing is recorded."""
        directory = self._files.directory
        names = ring.since(await asyncio.to_thread(segments, directory), at)
        if not names:
            off = (
                "is switched off: [recorder] enabled"
                if self._bounds() is None
                else "has nothing of that time"
            )
            raise NotFound(f"the flight recorder {off}")
        for name in names:
            async with self._turn:
                block = self._block if name == self._files.path.name else None
                try:
                    data = await asyncio.to_thread((directory / name).read_bytes)
                except FileNotFoundError:
                    continue  # the ring went on meanwhile
                tail = b"" if block is None else block.end()
            yield data + tail


def header(version: str, engine: str, started: float) -> Callable[[float], Header]:
    """Of every block of one engine."""
    return lambda at: Header(VERSION, version, engine, rfc3339(started), at)
