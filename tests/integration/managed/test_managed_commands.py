"""A managed backend with a command of the operator's: how it is filled in, watched and ended."""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import psutil
import pytest

from orchestra_core.domain.catalog import Residency
from orchestra_core.domain.errors import ConfigError
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.launch import ManagedModel

Tiny = Callable[..., list[str]]
MODELS = {"tiny": ManagedModel(context=512, parallel=1)}


def ignore(text: str) -> None:
    """Progress nobody looks at."""


async def residency(managed) -> Residency:
    (info,) = await managed.models()
    return info.residency


async def test_tcp_command_is_loaded_and_unloaded(make, tiny: Tiny, places) -> None:
    """The server is reached at the port chosen for it, told about, and leaves nothing behind."""
    managed = make(MODELS, command=tiny())
    said: list[str] = []
    await managed.load("tiny", said.append)
    address = managed.address("tiny")
    assert address.unix is None
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://{address.host}:{address.port}/health")).status_code == 200
    assert said
    assert all(text.startswith("loading ") for text in said)
    child = places.child()
    await managed.unload("tiny")
    assert not child.is_running()
    assert places.records() == []
    assert await residency(managed) is Residency.ABSENT


async def test_unix_command_listens_in_a_private_directory(make, tiny: Tiny, places) -> None:
    """With {socket} the server listens in the runtime directory, which only its owner may enter."""
    managed = make(MODELS, command=tiny(listen=["--socket", "{socket}"]))
    await managed.load("tiny", ignore)
    socket = managed.address("tiny").unix
    assert stat.S_ISSOCK(os.stat(socket).st_mode)
    assert stat.S_IMODE(os.stat(os.path.dirname(socket)).st_mode) == 0o700
    await managed.unload("tiny")
    assert places.sockets() == []


async def test_a_wished_context_counts_from_the_next_load_on(make, tiny: Tiny, places) -> None:
    """What is loaded keeps its size, whatever is wished meanwhile, and says so."""
    wishes = {"tiny": 2048}
    managed = make(
        MODELS, command=tiny("--say", "context {context}", "--missing", "/props"), context=wishes.get
    )
    (before,) = await managed.models()
    await managed.load("tiny", ignore)
    assert "context 2048" in places.child().cmdline()
    wishes["tiny"] = 4096
    (loaded,) = await managed.models()
    await managed.unload("tiny")
    (after,) = await managed.models()
    assert (before.context, loaded.context, after.context) == (2048, 2048, 4096)


async def test_what_the_server_says_counts(make, tiny: Tiny) -> None:
    """Context, slots and size are the running server's; before, they are the configured ones."""
    managed = make(MODELS, command=tiny())
    (before,) = await managed.models()
    assert (before.context, before.slots, before.parameters, before.memory_bytes) == (512, 1, None, None)
    await managed.load("tiny", ignore)
    (info,) = await managed.models()
    assert (info.context, info.slots, info.parameters) == (1234, 3, 42)
    assert info.residency is Residency.READY
    assert info.memory_bytes > 1_000_000


async def test_placeholders_are_filled_in(make, tiny: Tiny, tmp_path: Path) -> None:
    """Every placeholder is replaced, within a part too, and doubled braces are braces."""
    weights = tmp_path / "weights.bin"
    weights.touch()
    say = "{{ {model} {path} {context} {parallel} }}"
    models = {"org/a b": ManagedModel(path=weights, context=512, parallel=4)}
    managed = make(models, command=tiny("--say", say))
    await managed.load("org/a b", ignore)
    assert managed.log_tail("org/a b", 2)[0] == f"{{ org/a b {weights} 512 4 }}"


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["serve", "--port", "{prot}"], "unknown placeholder {prot}"),
        (["serve", "--port", "{}"], "unknown placeholder"),
        (["serve", "--port", "{port"], "unbalanced braces"),
        (["serve", "{path}"], "needs {port} or {socket}"),
        (["serve", "--port", "{port}", "{path}"], "'tiny' needs a file"),
    ],
)
async def test_command_that_cannot_work_is_refused(make, command: list[str], complaint: str) -> None:
    """A template's mistakes are told when the backend is made, not when a model is loaded."""
    with pytest.raises(ConfigError) as refused:
        make(MODELS, command=command)
    assert complaint in refused.value.message


async def test_runtime_directory_too_long_for_a_socket_is_refused(make, tiny: Tiny, tmp_path: Path) -> None:
    """A path that cannot be a socket's is told with its length."""
    with pytest.raises(ConfigError, match="bytes and the system allows"):
        make(MODELS, command=tiny(), runtime_dir=tmp_path / ("d" * 110))


async def test_early_exit_is_told_with_the_last_lines(make, tiny: Tiny, places) -> None:
    """A server that ends while loading fails the load with its status and its own words, made safe."""
    managed = make(MODELS, command=tiny("--fail", "--say", "no GPU \x1b[31mfound"))
    with pytest.raises(ControlError) as failed:
        await managed.load("tiny", ignore)
    assert "exited with status 3 while loading: no GPU ␛[31mfound" in failed.value.message
    assert await residency(managed) is Residency.ABSENT
    assert places.exits == []
    assert places.records() == []


async def test_load_without_progress_is_given_up(make, tiny: Tiny, places) -> None:
    """A server that never becomes ready is ended once it has made no progress for the stall limit."""
    managed = make(MODELS, command=tiny("--never-ready"), stall_seconds=0.5)
    with pytest.raises(ControlError, match=r"no progress for 0\.5 s: .*listens"):
        await managed.load("tiny", ignore)
    assert places.records() == []


async def test_server_without_health_is_ready_by_its_list(make, tiny: Tiny) -> None:
    """Where /health is not known, the list of models says that the server is ready."""
    managed = make(MODELS, command=tiny("--missing", "/health"))
    await managed.load("tiny", ignore)
    assert await residency(managed) is Residency.READY


async def test_missing_program_is_told(make) -> None:
    """A program that is not there is told by the probe and by a load."""
    managed = make(MODELS, command=["no-such-server-here", "{port}"])
    with pytest.raises(ControlError, match="'no-such-server-here' is not installed"):
        await managed.probe()
    with pytest.raises(ControlError, match="cannot start 'no-such-server-here'"):
        await managed.load("tiny", ignore)


async def test_probe_of_a_command(make, tiny: Tiny) -> None:
    """A program that is there is a sign of life, without starting it."""
    probe = await make(MODELS, command=tiny()).probe()
    assert probe.version.startswith("python")
    assert probe.latency >= 0


async def test_unknown_model_is_told(make, tiny: Tiny) -> None:
    """A model the backend was not given cannot be loaded."""
    with pytest.raises(ControlError, match="has no model 'other'"):
        await make(MODELS, command=tiny()).load("other", ignore)


async def test_stubborn_server_is_killed(make, tiny: Tiny, places) -> None:
    """A server that ignores the request to end is ended by force after the grace period."""
    managed = make(MODELS, command=tiny("--stubborn"), grace_seconds=0.2)
    await managed.load("tiny", ignore)
    child = places.child()
    await managed.unload("tiny")
    assert not child.is_running()
    assert places.exits == []


async def test_descendants_end_with_the_server(
    make, tiny: Tiny, tmp_path: Path, gone: Callable[[psutil.Process], Awaitable[bool]]
) -> None:
    """Worker processes of a server do not outlive its unloading, and count as its memory."""
    managed = make(MODELS, command=tiny("--descendant", str(tmp_path / "pid")))
    await managed.load("tiny", ignore)
    worker = psutil.Process(int((tmp_path / "pid").read_text()))
    (info,) = await managed.models()
    assert info.memory_bytes > worker.memory_info().rss
    await managed.unload("tiny")
    assert await gone(worker)


async def test_what_processes_of_a_server_share_counts_once(make, tiny: Tiny, tmp_path: Path, places) -> None:
    """Its memory is what comes back when it is unloaded, not the sum of what each process has mapped."""
    common = 64 * 1024 * 1024
    managed = make(MODELS, command=tiny("--descendant", str(tmp_path / "pid"), "--share", str(common)))
    await managed.load("tiny", ignore)
    (info,) = await managed.models()
    child = places.child()
    mapped = [process.memory_info().rss for process in (child, *child.children(recursive=True))]
    assert sum(mapped) > 2 * common
    assert common < info.memory_bytes < sum(mapped) - common


async def test_loads_at_once_are_one_load(make, tiny: Tiny, places) -> None:
    """Whoever asks for a model that is loading waits for that load and sees its progress."""
    managed = make(MODELS, command=tiny())
    first: list[str] = []
    second: list[str] = []
    await asyncio.gather(managed.load("tiny", first.append), managed.load("tiny", second.append))
    assert first
    assert first == second
    assert len(places.records()) == 1
    child = places.child()
    await managed.load("tiny", ignore)
    assert places.child() == child


async def test_load_ends_when_its_last_requester_leaves(make, tiny: Tiny, places) -> None:
    """A load outlives one requester while another waits; nobody waiting, its process is ended."""
    managed = make(MODELS, command=tiny("--never-ready"))
    started = asyncio.Event()
    async with asyncio.timeout(20):
        loads = [asyncio.ensure_future(managed.load("tiny", lambda _: started.set())) for _ in range(2)]
        await started.wait()
        child = places.child()
        loads[0].cancel()
        await asyncio.wait(loads, return_when=asyncio.FIRST_COMPLETED)
        assert child.is_running()
        assert await residency(managed) is Residency.LOADING
        loads[1].cancel()
        await asyncio.wait(loads)
        await managed.unload("tiny")
    assert not child.is_running()
    assert places.records() == []


async def test_unload_stops_a_load(make, tiny: Tiny, places) -> None:
    """Unloading a model that is loading ends its process, and tells who waited for it."""
    managed = make(MODELS, command=tiny("--never-ready"))
    started = asyncio.Event()
    async with asyncio.timeout(20):
        load = asyncio.ensure_future(managed.load("tiny", lambda _: started.set()))
        await started.wait()
        child = places.child()
        await managed.unload("tiny")
        with pytest.raises(ControlError, match="stopped before it had ended"):
            await load
    assert not child.is_running()


async def test_unloading_what_is_absent_does_nothing(make, tiny: Tiny) -> None:
    """An unload is done when the model is not there, and so also when it never was."""
    managed = make(MODELS, command=tiny())
    await managed.unload("tiny")
    assert await residency(managed) is Residency.ABSENT


async def test_absent_model_has_an_address_where_nobody_listens(make, tiny: Tiny) -> None:
    """A call that arrives after a crash finds its endpoint unreachable instead of an error of ours."""
    address = make(MODELS, command=tiny()).address("tiny")
    with pytest.raises(FileNotFoundError):
        await asyncio.open_unix_connection(address.unix)


async def test_log_is_kept_private_and_one_back(make, tiny: Tiny, places) -> None:
    """Each child has a new log, the one before is kept, and only the owner may read them."""
    managed = make(MODELS, command=tiny("--say", "as {port}"))
    for _ in range(3):
        await managed.load("tiny", ignore)
        await managed.unload("tiny")
    logs = sorted((places.state / "logs").iterdir())
    assert [log.name for log in logs] == ["local-tiny.log", "local-tiny.log.1"]
    assert {stat.S_IMODE(log.stat().st_mode) for log in logs} == {0o600}
    lines = managed.log_tail("tiny", 100)
    assert [line.split()[0] for line in lines] == ["as", "pid", "as", "pid"]
    assert managed.log_tail("tiny", 1) == lines[-1:]


async def test_log_grown_too_large_is_cut_while_written(make, tiny: Tiny, places) -> None:
    """A log over its limit moves to the previous file and the child goes on writing to the current one."""
    managed = make(MODELS, command=tiny())
    await managed.load("tiny", ignore)
    log = places.state / "logs" / "local-tiny.log"
    os.truncate(log, 9 * 1024 * 1024)
    await managed.models()
    assert log.stat().st_size == 0
    assert log.with_suffix(".log.1").stat().st_size == 9 * 1024 * 1024


async def test_closed_backend_loads_nothing(make, tiny: Tiny, places) -> None:
    """Closing ends every child, and none is started afterwards."""
    managed = make(MODELS, command=tiny())
    await managed.load("tiny", ignore)
    child = places.child()
    await managed.close()
    assert not child.is_running()
    with pytest.raises(ControlError, match="closed"):
        await managed.load("tiny", ignore)
