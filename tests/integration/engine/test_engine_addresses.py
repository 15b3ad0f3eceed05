"""Ports and sockets: who has them, how they are guarded, and that they are free again afterwards."""

import contextlib
import os
import signal
import stat
import tempfile
from pathlib import Path

import httpx
import pytest

from tests.fakes.engine_process import EngineProcess


@pytest.fixture
def one() -> EngineProcess:
    """An engine that is not started yet, without backends."""
    return EngineProcess()


def ended(engine: EngineProcess) -> str:
    """Starts an engine that must not come up, and returns what it said; exit code 1 and no traceback."""
    try:
        engine.launch()
        assert engine.wait(20) == 1
        assert "Traceback" not in engine.log.text
        return engine.log.text
    finally:
        engine.close()


def test_a_second_engine_says_who_has_the_socket_or_the_port(one: EngineProcess) -> None:
    """Exit code 1, the process that has it and the way out; the first engine is not disturbed."""
    with one:
        said = ended(EngineProcess("", "--socket", str(one.socket)))
        assert f"the socket {one.socket} is in use by another engine (pid {one.pid})" in said
        assert "--socket" in said
        said = ended(EngineProcess("", "--port", str(one.port)))
        assert f"port {one.port} on 127.0.0.1 is in use by python" in said
        assert f"(pid {one.pid})" in said
        assert "--port" in said
        assert one.tcp.get("/livez").status_code == 200
        assert one.unix.get("/livez").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_engine_cleanly(one: EngineProcess, number: signal.Signals) -> None:
    """Code 0, though one client listens to the event stream and another keeps its connection; the socket, which
    was for its owner alone, is gone."""
    with one, one.listening():
        assert stat.S_IMODE(one.socket.stat().st_mode) == 0o600
        kept = one.tcp
        assert kept.get("/livez").status_code == 200
        os.kill(one.pid, number)
        assert one.wait() == 0
        assert not one.socket.exists()


def test_after_a_crash_the_same_socket_and_port_can_be_used_at_once(one: EngineProcess) -> None:
    """SIGKILL leaves a socket file; the next engine takes its place."""
    with contextlib.ExitStack() as stack:
        stack.callback(one.close)
        one.start()
        port = one.port
        one.kill()
        assert one.socket.exists()
        second = stack.enter_context(EngineProcess("", "--port", str(port), "--socket", str(one.socket)))
        assert second.port == port
        transport = httpx.HTTPTransport(uds=str(one.socket), verify=False)
        with httpx.Client(transport=transport, base_url="http://engine") as client:
            assert client.get("/livez").status_code == 200


def test_a_file_that_is_no_socket_is_not_removed(one: EngineProcess) -> None:
    """A path that holds something else is refused, and what is there stays."""
    one.socket.write_text("precious")
    said = ended(one)
    assert "is not a socket" in said


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('[server]\nhots = "127.0.0.1"\n', ["config.toml:2", "host"]),
        ("[server]\nport = 99999\n", ["config.toml:2", "a port from 1 to 65535"]),
        (
            '[[backends]]\nname = "a"\nkind = "olama"\nurl = "http://127.0.0.1:1"\n',
            ["config.toml:3", "ollama"],
        ),
        ("[server\n", ["config.toml", "line 1"]),
    ],
)
def test_a_wrong_configuration_ends_with_the_line(config: str, said: list[str]) -> None:
    """Exit code 1 before anything listens, naming the file, the line and what is valid."""
    text = ended(EngineProcess(config))
    for words in said:
        assert words in text, text


def test_a_long_home_says_how_to_go_on(tmp_path: Path) -> None:
    """A socket path has a limit of the system's: who meets it is told what to set."""
    pytest.importorskip("xllamacpp", reason="needs the embedded extra")
    home = tmp_path / ("h" * 80)
    home.mkdir()
    with tempfile.TemporaryDirectory(prefix="o") as short:
        said = ended(EngineProcess("[discovery]\nenabled = false\n", "--socket", f"{short}/s", home=home))
    assert "XDG_RUNTIME_DIR" in said
