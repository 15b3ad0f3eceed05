"""Real processes, real files, real SIGKILL at every file operation of the journal; then the books are compared."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.programs import ROOT
from tests.integration.storage.ledgers import PATIENCE, QUICK, opened

# More operations than one life has; the last ones are never reached, and so the process ends by itself.
MOST = 60


class Doomed:
    """Where ledgers are born to be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.doomed_ledger"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def live(self, place: Path, number: int, when: str) -> tuple[set[int], set[int], bool]:
        """What it had sent and answered when it was killed, and whether it was."""
        place.mkdir()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{place} {number} {when}\n")
        self._process.stdin.flush()
        words = self._process.stdout.readline().split()
        said = [(word, int(words[at + 1])) for at, word in enumerate(words) if word in {"sent", "answered"}]
        sent, answered = ({n for word, n in said if word == which} for which in ("sent", "answered"))
        return sent, answered, "ended" not in words

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(10) == 0
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(scope="module")
def doomed() -> Iterator[Doomed]:
    made = Doomed()
    yield made
    made.close()


@pytest.fixture
def quick_disk() -> Iterator[Path]:
    """Memory where there is such a place: what a kill leaves does not depend on the disk, and there is no waiting."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        yield Path(place)


@pytest.mark.parametrize("when", ["before", "middle", "after"])
async def test_killed_at_every_operation_the_books_agree(doomed: Doomed, quick_disk: Path, when: str) -> None:
    """Every answer given is one row of success, every request sent and not answered one that is interrupted."""
    survived = 0
    for number in range(1, MOST):
        place = quick_disk / f"{when}-{number}"
        sent, answered, killed = doomed.live(place, number, when)
        survived += not killed
        async with opened(place / "orchestra.db", QUICK) as ledger:
            assert ledger.flush(PATIENCE)
            rows = {int(row.id.removeprefix("req-")): row.verdict for row in ledger.recent(1000)}
            assert ledger.stats().problem == ""
        success = {number for number, verdict in rows.items() if verdict == "success"}
        # One more may have been recorded or begun when it was killed just before it could say so.
        assert answered <= success
        assert len(success - answered) <= 1
        assert sent <= rows.keys()
        assert len(rows.keys() - sent) <= 1
        assert set(rows.values()) <= {"success", "interrupted"}
    assert 0 < survived < MOST - 15
