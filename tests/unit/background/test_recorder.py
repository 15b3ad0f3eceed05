"""The recorder by itself: what it does about a disk that refuses, and that nothing is recorded twice."""

from pathlib import Path

import msgspec

from orchestra_core.background.recorder import Recorder, header
from orchestra_core.background.recording_files import RecordingFiles
from orchestra_core.clock import rfc3339
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.recording.reading import Recording, read
from orchestra_core.recording.ring import Bounds
from tests.fakes.clock import ManualClock
from tests.fakes.world import World


class Bench:
    """A recorder whose time, snapshots and disk are the test's."""

    def __init__(self, directory: Path, beside: bytes = b"") -> None:
        self.clock = ManualClock()
        self.directory = directory
        self.problems: list[str] = []
        self.made = 0
        self.recorder = Recorder(
            RecordingFiles(directory, "ab"),
            header("0.6.0", "ab", self.clock.wall()),
            clock=self.clock,
            snapshot=self.snapshot,
            bounds=lambda: Bounds(1800, 32_000_000),
            problem=self.problems.append,
            beside=self.beside,
        )
        self.lies_beside = beside

    def snapshot(self, _fresh: float) -> tuple[Snapshot, int]:
        now = rfc3339(self.clock.wall())
        return msgspec.structs.replace(World().snapshot(), sequence=self.made, now=now), 6

    async def beside(self) -> bytes:
        return self.lies_beside

    async def second(self, seconds: float = 1.0) -> None:
        """Time passes, a snapshot is made, and the recorder looks."""
        self.clock.advance(seconds)
        self.made += 1
        await self.recorder.look()

    def recording(self) -> Recording:
        return read(b"".join(file.read_bytes() for file in sorted(self.directory.glob("*.gz"))))


async def test_a_disk_that_refuses_is_told_once_and_tried_again(tmp_path: Path) -> None:
    """Not each second, and again when it had been well in between; what is recorded then stands by itself."""
    bench = Bench(tmp_path / "recording")
    bench.directory.write_text("in the way")
    for _ in range(40):
        await bench.second()
    assert len(bench.problems) == 1
    bench.directory.unlink()
    for _ in range(16):
        await bench.second()
    assert 1 <= len(bench.recording()) < 17
    await bench.second(60)
    assert len(bench.problems) == 1
    for file in bench.directory.iterdir():
        file.unlink()
    bench.directory.rmdir()
    bench.directory.write_text("again")
    await bench.second(60)
    assert len(bench.problems) == 2


async def test_what_was_recorded_is_not_recorded_again(tmp_path: Path) -> None:
    """Where nothing new was made since the last look, there is nothing to say."""
    bench = Bench(tmp_path / "recording")
    await bench.second()
    await bench.recorder.look()
    await bench.recorder.look()
    await bench.recorder.close()
    assert len(bench.recording()) == 1


async def test_each_minute_stands_by_itself(tmp_path: Path) -> None:
    """A file a minute, each readable without the others."""
    bench = Bench(tmp_path / "recording")
    for _ in range(150):
        await bench.second()
    await bench.recorder.close()
    files = sorted(bench.directory.glob("*.gz"))
    assert [len(read(file.read_bytes())) for file in files] == [60, 60, 30]
    assert bench.recording().flaws == ()


async def test_each_file_begins_with_what_lies_beside(tmp_path: Path) -> None:
    """As of its beginning; what is larger than its share of the room is left out, and counts as before."""
    bench = Bench(tmp_path / "recording", b'{"series": {"1h": {"model": {"window": "1h"}}}}')
    for _ in range(61):
        await bench.second()
    bench.lies_beside = b'{"series": {"1h": {"model": "%b"}}}' % (b"x" * 1_000_000)
    for _ in range(120):
        await bench.second()
    await bench.recorder.close()
    recording = bench.recording()
    assert len(recording) == 181
    assert recording.beside(70).series == {"1h": {"model": {"window": "1h"}}}
    assert recording.beside(170).series == {"1h": {"model": {"window": "1h"}}}
    assert recording.beside(180).series == {}
