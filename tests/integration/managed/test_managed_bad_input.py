"""Loads that cannot end well: each says why in the server's own words, and leaves nothing behind."""

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from orchestra_core.domain.catalog import Residency
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.embedded import Assembly, AssemblyError, Parts
from orchestra_core.upstream.launch import ManagedModel
from tests.integration.managed.places import Places

Tiny = Callable[..., list[str]]
MODELS = {"tiny": ManagedModel(context=512, parallel=1)}
MIB = 1 << 20


def ignore(text: str) -> None:
    """Progress nobody looks at."""


async def refused(managed, places: Places) -> ControlError:
    """The error of a load, after which there is no process, no socket, no record and no memory."""
    with pytest.raises(ControlError) as failed:
        await managed.load("tiny", ignore)
    (info,) = await managed.models()
    assert (info.residency, info.memory_bytes) == (Residency.ABSENT, None)
    assert (places.sockets(), places.records()) == ([], [])
    return failed.value


@pytest.mark.parametrize(
    ("says", "exhausted"),
    [("ggml: failed to allocate buffer of size 4294967296", True), ("error: no such file", False)],
)
async def test_a_child_that_dies_on_start_says_whether_it_lacked_memory(
    make, tiny: Tiny, places: Places, says: str, exhausted: bool
) -> None:
    """Its last words are in the error, and decide what may be learned from it."""
    error = await refused(make(MODELS, command=tiny("--say", says, "--fail")), places)
    assert says in error.message
    assert "with status 3 while loading" in error.message
    assert error.out_of_memory is exhausted
    assert (error.code == "out_of_memory") is exhausted


async def test_a_child_whose_record_cannot_be_kept_is_ended(make, tiny: Tiny, places: Places) -> None:
    """A full disk, here a file in the way: an error that says so, and no process that nobody knows of."""
    places.state.mkdir(parents=True)
    (places.state / "children").touch()
    before = set(psutil.Process().children())
    error = await refused(make(MODELS, command=tiny()), places)
    assert "its record cannot be kept" in error.message
    assert set(psutil.Process().children()) <= before


async def test_a_server_that_finds_its_port_taken_says_so(make, tiny: Tiny, places: Places) -> None:
    """Somebody else listens where the server should: its own words are told."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = tiny(listen=["--host", "{host}", "--port", port, "--say", "{port}"])
        error = await refused(make(MODELS, command=command), places)
    assert "Address already in use" in error.message
    assert not error.out_of_memory


async def test_a_server_that_never_becomes_healthy_is_given_up(make, tiny: Tiny, places: Places) -> None:
    """It is ended when it has made no progress for the stall limit, with what it wrote last."""
    error = await refused(make(MODELS, command=tiny("--never-ready"), stall_seconds=0.5), places)
    assert "made no progress for 0.5 s" in error.message
    assert "listens" in error.message
    assert not error.out_of_memory


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if mount is None or os.geteuid() != 0 or subprocess.run([mount, *options], check=False).returncode:
        pytest.skip("only who may mount can fill a disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """Two parts of 1.5 MiB, to be joined."""
    paths = tuple(tmp_path / name for name in ("one", "two"))
    for path in paths:
        path.write_bytes(path.name.encode() * (MIB // 2))
    return Parts(paths, hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest())


def test_a_disk_without_room_is_told_before_anything_is_written(small_disk: Path, parts: Parts) -> None:
    """What is needed and what is free are in the error, and no part of the model stays."""
    (small_disk / "other").write_bytes(bytes(3 * MIB))
    with pytest.raises(AssemblyError, match=r"needs 3 MB .* and 1 MB are free"):
        Assembly(small_disk / "m.gguf", lambda: parts).ensure(ignore)
    assert not list(small_disk.glob("m.gguf*part")) + list(small_disk.glob("m.gguf"))


def test_a_disk_that_fills_meanwhile_leaves_no_half_a_model(small_disk: Path, parts: Parts) -> None:
    """Somebody else takes the room while the model is put together: that is said, and the draft is removed."""

    def fill(text: str) -> None:
        with open(small_disk / "other", "ab", buffering=0) as other, contextlib.suppress(OSError):
            other.write(bytes(4 * MIB))

    with pytest.raises(AssemblyError, match=r"cannot be put at .*m\.gguf: No space left on device"):
        Assembly(small_disk / "m.gguf", lambda: parts).ensure(fill)
    assert not list(small_disk.glob("m.gguf*part")) + list(small_disk.glob("m.gguf"))
