"""A real engine as a process of its own: what the tests of the whole engine talk to.

Nothing of the machine's user is read or written: home, configuration, sockets and database are in a directory of
the test's own, ports are the system's choice. Readiness is what the process says of itself, never a sleep.
"""

import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.fakes.fleet_process import FleetProcess
from tests.fakes.happenings import Happening, sse
from tests.fakes.processes import PLAIN, START_SECONDS, Lines, clean_environment, run_cli
from tests.fakes.programs import PIPE, ROOT, Program, start

__all__ = [
    "PLAIN",
    "ROOT",
    "EngineProcess",
    "FleetProcess",
    "Happening",
    "Lines",
    "clean_environment",
    "run_cli",
    "sse",
]
STOP_SECONDS = 25.0
_READY = re.compile(r"ready on (?P<url>http://\S+) and (?P<socket>\S+)")


class EngineProcess:
    """`ai-orchestra serve` in a directory of its own. Use as a context manager: leaving stops it with SIGTERM
    and asserts that it ended with exit code 0.

    `config` is the text of its configuration file; `more` goes into its environment.
    """

    def __init__(
        self,
        config: str = "",
        *arguments: str,
        demo: bool = False,
        home: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self._made = tempfile.TemporaryDirectory(prefix="orch-") if home is None else None
        self.home = Path(self._made.name) if self._made is not None else Path(str(home))
        self.socket = self.home / "engine.sock"
        self.config = self.home / "config.toml"
        self.config.write_text(config or "[discovery]\nenabled = false\n[embedded]\nenabled = false\n")
        self.environment = clean_environment(self.home, **(more or {}))
        self._arguments = [*(["--demo"] if demo else []), *arguments]
        self._clients: list[httpx.Client] = []
        self.url = ""
        self.process: Program | subprocess.Popen[str] | None = None
        self.log: Lines

    # -- life ------------------------------------------------------------------------------------------

    def start(self) -> "EngineProcess":
        """Returns when the engine says that it is ready."""
        self.launch()
        match = self.log.wait_for(_READY, START_SECONDS)
        self.url = match["url"]
        return self

    def launch(self) -> None:
        """Starts the process and waits for nothing."""
        argv = ["serve", "--config", str(self.config)]
        if "--port" not in self._arguments:
            argv += ["--port", "0"]
        if "--socket" not in self._arguments:
            argv += ["--socket", str(self.socket)]
        self.process = start(
            "orchestra_core",
            [*argv, *self._arguments],
            cwd=self.home,
            env=self.environment,
            stderr=PIPE,
            new_session=True,
        )
        self.log = Lines(self.process.stderr)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit code, once it has ended."""
        assert self.process is not None
        code = self.process.wait(seconds)
        self.log.close()
        return code

    def stop(self) -> int:
        """SIGTERM, and the exit code it leads to."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL: a crash, as far as everything else can tell."""
        assert self.process is not None
        self.process.kill()
        self.wait()
        self._close_clients()

    def close(self) -> None:
        """Ends it whatever its state, and removes its directory."""
        self._close_clients()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.wait()
        if self._made is not None:
            self._made.cleanup()

    def _close_clients(self) -> None:
        while self._clients:
            self._clients.pop().close()

    def __enter__(self) -> "EngineProcess":
        try:
            return self if self.process is not None else self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_clients()
        try:
            if self.process is not None and self.process.poll() is None:
                code = self.stop()
                assert code == 0 or error is not None, f"the engine ended with {code}:\n{self.log.text}"
                assert "Traceback" not in self.log.text or error is not None, self.log.text
        finally:
            self.close()

    # -- talking to it -----------------------------------------------------------------------------------

    @property
    def tcp(self) -> httpx.Client:
        """A client over TCP, closed with the engine."""
        return self._kept(self.connect("tcp"))

    @property
    def unix(self) -> httpx.Client:
        """A client over the Unix socket, closed with the engine."""
        return self._kept(self.connect("unix"))

    def connect(self, how: str = "tcp", seconds: float = 30) -> httpx.Client:
        """A client of the caller's own, over `tcp` or `unix`."""
        if how == "tcp":
            return httpx.Client(base_url=self.url, timeout=seconds, **PLAIN)
        transport = httpx.HTTPTransport(uds=str(self.socket), verify=False)
        return httpx.Client(base_url="http://engine", transport=transport, timeout=seconds, **PLAIN)

    def _kept(self, client: httpx.Client) -> httpx.Client:
        self._clients.append(client)
        return client

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30, **PLAIN)

    def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        """POST of a JSON body, or of none; header names with `_` for `-`."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        given: dict[str, Any] = {"headers": names} if body is None else {"json": body, "headers": names}
        return httpx.post(self.url + path, timeout=60, **given, **PLAIN)

    def chat(self, text: str = "Say something.", **fields: object) -> httpx.Response:
        """POST /v1/chat/completions with one user message; `auto` unless a model is named."""
        body = {"model": "auto", "messages": [{"role": "user", "content": text}], **fields}
        return self.post("/v1/chat/completions", body)

    def snapshot(self) -> dict[str, Any]:
        answer = self.get("/api/v1/snapshot")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def until(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 30) -> dict[str, Any]:
        """The first snapshot for which `condition` holds; AssertionError if it never does."""
        with self.listening("?snapshots=1&interval=0.5") as happening:
            return happening.until(lambda name, value: name == "snapshot" and condition(value), seconds)

    def listening(self, query: str = "") -> "Happening":
        """The event stream from now on; use as a context manager."""
        return Happening(f"{self.url}/api/v1/events{query}")

    def listening_with(self, token: str) -> "Happening":
        """The event stream, with snapshots, for an engine that wants a key."""
        return Happening(f"{self.url}/api/v1/events?snapshots=1&interval=0.5", token)

    def run(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """A command of the command line, which finds this engine by its socket."""
        return run_cli(*arguments, "--socket", str(self.socket), home=self.home, text=text)
