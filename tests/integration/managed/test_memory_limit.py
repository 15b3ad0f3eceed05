"""Real children of llama.cpp where there is not enough memory for all: a memory cgroup is the machine."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.model
# The four models hold 1.9 GB together, and any two of them fit.
LIMIT = 1536 * 1024 * 1024
# Without it the kernel would swap instead of killing.
NO_SWAP = {"memory.memsw.limit_in_bytes": str(LIMIT), "memory.swap.max": "0"}
ENGINE = Path(__file__).with_name("limited_engine.py")
V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


class Group:
    """A memory cgroup of our own with a limit."""

    def __init__(self, directory: Path, *, limit: str, kills: str) -> None:
        self.directory = directory
        self._kills = kills
        directory.mkdir()
        (directory / limit).write_text(str(LIMIT))
        for name, value in NO_SWAP.items():
            if (directory / name).exists():
                (directory / name).write_text(value)

    def kills(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        found = re.search(r"^oom_kill (\d+)$", (self.directory / self._kills).read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])


def make_group() -> Group:
    """Raises OSError where no group can be made."""
    name = f"orchestra-test-{os.getpid()}"
    if V1.is_dir():
        return Group(V1 / name, limit="memory.limit_in_bytes", kills="memory.oom_control")
    if "memory" not in (V2 / "cgroup.subtree_control").read_text().split():
        raise OSError("the memory controller is not delegated")
    return Group(V2 / name, limit="memory.max", kills="memory.events")


@pytest.fixture
def group() -> Iterator[Group]:
    """A memory cgroup, or the test is skipped."""
    try:
        made = make_group()
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    yield made
    made.directory.rmdir()


def run(group: Group, weights: Path, root: Path, how: str) -> dict:
    """What the engine in the group tells when all is over."""
    command = [sys.executable, str(ENGINE), str(group.directory), str(weights), str(root), how]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_loaded_as_they_come_a_child_is_killed(group: Group, gemma_path: Path, tmp_path: Path) -> None:
    """Without a plan the kernel kills one, and its death is told apart: it was for want of memory."""
    told = run(group, gemma_path, tmp_path, "at-once")
    assert group.kills() >= 1
    assert told["exhausted"], told


def test_loaded_as_planned_none_is_ever_killed(group: Group, gemma_path: Path, tmp_path: Path) -> None:
    """The scheduler serves every wish by unloading others first, with more than one model at a time."""
    told = run(group, gemma_path, tmp_path, "planned")
    assert group.kills() == 0
    assert (told["exits"], told["exhausted"], told["refused"]) == ([], [], [])
    assert told["loads"] >= 5
    assert told["unloads"] >= 3
    assert told["peak"] < 0.9
    assert told["together"] >= 2
