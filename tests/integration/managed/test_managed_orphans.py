"""Children of crashed engines: they end by themselves, or are ended at the next start; others are left alone."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from orchestra_core.upstream.managed import Managed
from orchestra_core.upstream.orphans import Identity, Record, write

ENGINE = Path(__file__).with_name("short_lived_engine.py")
ROOT = Path(__file__).parents[3]
Gone = Callable[[psutil.Process], Awaitable[bool]]
Sleeper = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """Starts processes that wait for a signal; ends those that are left."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str = "pass") -> "subprocess.Popen[str]":
        program = f"import signal; {code}; print('up', flush=True); signal.pause()"
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def dead() -> Identity:
    """A process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    identity = Identity.of(process.pid)
    process.communicate()
    return identity


def record(child: Identity, engine: Identity, listening: str = "") -> Record:
    return Record("local", "tiny", child, engine, ("server", "--flag"), listening)


async def ended(state: Path) -> list[str]:
    return await asyncio.to_thread(Managed.end_orphans, state, 1.0)


async def test_orphan_is_ended_with_its_socket(tmp_path: Path, sleeper: Sleeper, dead: Identity) -> None:
    """A child whose engine is gone is ended; its socket and its record are removed."""
    process = sleeper()
    path = tmp_path / "m.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    stored = write(tmp_path, record(Identity.of(process.pid), dead, str(path)))
    assert await ended(tmp_path) == [f"local/tiny (pid {process.pid})"]
    assert process.poll() is not None
    assert not path.exists()
    assert not stored.exists()
    assert await ended(tmp_path) == []


async def test_orphan_that_ignores_the_request_is_killed(
    tmp_path: Path, sleeper: Sleeper, dead: Identity
) -> None:
    """An orphan that does not end when asked is ended by force."""
    process = sleeper("signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    write(tmp_path, record(Identity.of(process.pid), dead))
    assert len(await ended(tmp_path)) == 1
    assert process.poll() is not None


async def test_child_of_a_living_engine_is_left_alone(tmp_path: Path, sleeper: Sleeper) -> None:
    """Another engine's children are its own, even when it keeps its state in the same place."""
    process = sleeper()
    stored = write(tmp_path, record(Identity.of(process.pid), Identity.of(os.getpid())))
    assert await ended(tmp_path) == []
    assert process.poll() is None
    assert stored.exists()


async def test_reused_process_id_is_never_ended(tmp_path: Path, sleeper: Sleeper, dead: Identity) -> None:
    """A process created at another time than the recorded one is somebody else's."""
    process = sleeper()
    reused = msgspec.structs.replace(Identity.of(process.pid), created=Identity.of(process.pid).created - 60)
    stored = write(tmp_path, record(reused, dead))
    assert await ended(tmp_path) == []
    assert process.poll() is None
    assert not stored.exists()


async def test_reused_engine_id_does_not_protect_an_orphan(tmp_path: Path, sleeper: Sleeper) -> None:
    """A process that merely has the dead engine's id does not keep its children alive."""
    process = sleeper()
    engine = msgspec.structs.replace(Identity.of(os.getpid()), created=1.0)
    write(tmp_path, record(Identity.of(process.pid), engine))
    assert await ended(tmp_path) == [f"local/tiny (pid {process.pid})"]


async def test_socket_somebody_listens_on_stays(tmp_path: Path, dead: Identity) -> None:
    """A recorded socket that is in use again, and a file that is no socket, are not removed."""
    path, file = tmp_path / "m.sock", tmp_path / "plain"
    file.touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        for place in (path, file):
            write(tmp_path, record(dead, dead, str(place)))
            assert await ended(tmp_path) == []
            assert place.exists()


async def test_damaged_record_is_removed(tmp_path: Path) -> None:
    """A record that cannot be read ends nothing and does not stay."""
    directory = tmp_path / "children"
    directory.mkdir()
    (directory / "1.json").write_text('{"pid": ')
    assert await ended(tmp_path) == []
    assert list(directory.iterdir()) == []


async def killed_engine(places, *arguments: str) -> psutil.Process:
    """The child of an engine that loaded a model and then was killed."""
    command = [sys.executable, str(ENGINE), str(places.runtime), str(places.state), *arguments]
    engine = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert engine.stdout is not None
    assert engine.stdin is not None
    async with asyncio.timeout(60):
        assert await engine.stdout.readline() == b"loaded\n"
        child = places.child()
        engine.kill()
        await engine.communicate()
    return child


async def test_command_of_a_killed_engine_is_ended_at_the_next_start(places, tiny, gone: Gone) -> None:
    """A server that knows nothing of its engine goes on without it, until the next engine starts."""
    child = await killed_engine(places, *tiny())
    assert child.is_running()
    assert await ended(places.state) == [f"local/model (pid {child.pid})"]
    assert await gone(child)
    assert places.records() == []


@pytest.mark.model
async def test_own_child_of_a_killed_engine_ends_by_itself(places, gemma_path: Path, gone: Gone) -> None:
    """Our own child notices that its engine died, however it died, and takes its socket along."""
    child = await killed_engine(places, "--weights", str(gemma_path))
    assert await gone(child)
    assert places.sockets() == []
    assert await ended(places.state) == []
    assert places.records() == []
