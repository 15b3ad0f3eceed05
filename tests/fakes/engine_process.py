"""A real engine, and a real simulated fleet, as processes of their own: what the tests of the whole engine talk to.

Nothing of the machine's user is read or written: home, configuration, sockets and database are in a directory of
the test's own, ports are the system's choice. Readiness is what the process says of itself, never a sleep.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
# Loopback and plain HTTP only; certificates, which take 25 ms to load for each client, are not needed.
PLAIN: dict[str, Any] = {"trust_env": False, "verify": False}
START_SECONDS = 40.0
STOP_SECONDS = 25.0
_READY = re.compile(r"ready on (?P<url>http://\S+) and (?P<socket>\S+)")
JSON = {"content-type": "application/json"}


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process that must not see this user's configuration."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
        if name in os.environ
    }
    return {
        **kept,
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        **more,
    }


class Lines:
    """What a process writes, collected by a thread so that it never blocks on a full pipe."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def text(self) -> str:
        with self._changed:
            return "\n".join(self._lines)

    def wait_for(self, pattern: str | re.Pattern[str], seconds: float) -> re.Match[str]:
        """The first match in what was or will be written; AssertionError with all of it if there is none."""
        searched = re.compile(pattern)

        def found() -> re.Match[str] | None:
            return next((match for line in self._lines if (match := searched.search(line))), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._ended, seconds)
            match = found()
            said = "\n".join(self._lines)
        assert match is not None, f"no {searched.pattern!r} within {seconds:g} s; it said:\n{said}"
        return match

    def close(self) -> None:
        self._thread.join(5)
        self._stream.close()


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
        self.process: subprocess.Popen[str] | None = None
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
        argv = [sys.executable, "-m", "orchestra_core", "serve", "--config", str(self.config)]
        if "--port" not in self._arguments:
            argv += ["--port", "0"]
        if "--socket" not in self._arguments:
            argv += ["--socket", str(self.socket)]
        self.process = subprocess.Popen(
            [*argv, *self._arguments],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
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

    def until(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 15) -> dict[str, Any]:
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


class Happening:
    """An open event stream; once entered, nothing that happens is missed."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> "Happening":
        self._client = httpx.Client(timeout=httpx.Timeout(30, connect=5), **PLAIN)
        self._answer = self._client.send(
            self._client.build_request("GET", self._url, headers=self._headers), stream=True
        )
        assert self._answer.status_code == 200
        self._events = sse(self._answer.iter_lines())
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        self._client.close()

    def until(self, condition: Callable[[str, dict[str, Any]], bool], seconds: float = 15) -> dict[str, Any]:
        """The first thing from here on for which `condition` holds; AssertionError if it never does."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(httpx.ReadTimeout, StopIteration):
            while time.monotonic() < deadline:
                name, data = next(self._events)
                self.seen.append((name, json.loads(data)))
                if condition(*self.seen[-1]):
                    return self.seen[-1][1]
        raise AssertionError(f"not within {seconds:g} s; last seen: {json.dumps(self.seen[-3:])[:6000]}")

    def event(self, kind: str, subject: str = "", seconds: float = 15) -> dict[str, Any]:
        """The first event of this kind from here on, about this subject if one is given."""

        def wanted(name: str, value: dict[str, Any]) -> bool:
            return name == "event" and value["kind"] == kind and subject in ("", value["subject"])

        return self.until(wanted, seconds)


def run_cli(
    *arguments: str, home: Path, text: str | None = None, seconds: float = 40, **more: str
) -> subprocess.CompletedProcess[str]:
    """`ai-orchestra` with these arguments, its output captured."""
    return subprocess.run(
        [sys.executable, "-m", "orchestra_core", *arguments],
        cwd=home,
        env=clean_environment(home, **more),
        input=text if text is not None else "",
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def sse(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """(event, data) of server-sent lines."""
    event, data = "message", []
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line.startswith("event:"):
            event = line[6:].strip()
        elif not line and data:
            yield event, "\n".join(data)
            event, data = "message", []


class FleetProcess:
    """A simulated fleet in a process of its own, with its faults and its state over HTTP."""

    def __init__(self, fleet: str, *, time_scale: float = 20.0, seed: int = 1) -> None:
        argv = [sys.executable, "-m", "orchestra_core.simulation"]
        argv += ["--fleet", fleet, "--seed", str(seed), "--time-scale", str(time_scale)]
        self._process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._out = Lines(self._process.stdout)
        announced = json.loads(self._out.wait_for(r"^\{.*\}$", START_SECONDS)[0])
        self.backends: dict[str, dict[str, Any]] = {one["name"]: one for one in announced["backends"]}
        self._http = httpx.Client(timeout=10, **PLAIN)

    def __enter__(self) -> "FleetProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._out.close()
        assert code == 0, f"the simulated fleet ended with {code}"

    def url(self, name: str) -> str:
        return str(self.backends[name]["url"])

    def fault(self, name: str, kind: str, **details: float) -> None:
        answer = self._http.post(f"{self.url(name)}/simulation/fault", json={"kind": kind, **details})
        assert answer.status_code == 200, answer.text

    def repair(self, *names: str) -> None:
        for name in names or tuple(self.backends):
            assert self._http.delete(f"{self.url(name)}/simulation/fault").status_code == 200

    def load(self, name: str, model: str) -> None:
        """Loads a model of an Ollama backend, which unloads by itself what was idle for some seconds."""
        body = {"model": model, "keep_alive": -1, "stream": False}
        answer = self._http.post(f"{self.url(name)}/api/generate", json=body)
        assert answer.status_code == 200, answer.text

    def state(self, name: str) -> dict[str, Any]:
        return dict(self._http.get(f"{self.url(name)}/simulation").json())

    def until(self, name: str, condition: Callable[[dict[str, Any]], bool], seconds: float = 10) -> float:
        """Waits for a state of a backend and returns the seconds that took; AssertionError if it never comes."""
        pause = threading.Event()
        began = time.monotonic()
        while not condition(state := self.state(name)):
            assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {state}"
            pause.wait(0.005)
        return time.monotonic() - began

    def busy(self, name: str, running: int, seconds: float = 10) -> float:
        """Waits until exactly so many requests are in service there."""
        return self.until(name, lambda state: state["running"] + state["waiting"] == running, seconds)

    def config(
        self,
        *,
        weights: Mapping[str, float] | None = None,
        only: Sequence[str] = (),
        slots: int | None = None,
    ) -> str:
        """A configuration with these backends and nothing else; `slots` for each where it is given."""
        parts = ["[discovery]\nenabled = false\n"]
        for name, one in self.backends.items():
            if only and name not in only:
                continue
            lines = [f'name = "{name}"', f'kind = "{one["kind"]}"', f'url = "{one["url"]}"']
            lines += [f"weight = {weights[name]}"] if weights and name in weights else []
            lines += [f"memory = {one['memory']}"] if one["memory"] else []
            lines += [f"slots = {slots}"] if slots else []
            parts.append("[[backends]]\n" + "\n".join(lines) + "\n")
        return "\n".join(parts)
