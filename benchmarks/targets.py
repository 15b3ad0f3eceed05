"""What is measured: each target starts a gateway in front of the stub and says how to ask it."""

import contextlib
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from benchmarks import environments
from benchmarks.processes import StartError, free_port, running, wait_until
from benchmarks.serving import alone, environment
from benchmarks.stub import MODEL


class Running(msgspec.Struct, frozen=True):
    """A started target; `pid` is the root of the tree whose CPU and memory count."""

    pid: int
    port: int


class Target(Protocol):
    name: str
    models: tuple[str, ...]

    def start(
        self, stub: tuple[int, int], place: Path, core: int
    ) -> contextlib.AbstractContextManager[Running]:
        """Raises StartError or InstallError when the target cannot run here."""


def body(model: str, *, stream: bool = False, chunks: int = 16, gap: int = 0) -> str:
    """A small realistic chat request of some 300 bytes; see the stub for `chunks` and `gap` (ms)."""
    shape = f" #chunks={chunks} gap={gap}#" if stream else ""
    question = f"Summarise in two sentences why a queue in front of a model server needs a bound.{shape}"
    request: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a concise assistant for infrastructure engineers."},
            {"role": "user", "content": question},
        ],
        "max_tokens": chunks,
        "temperature": 0.2,
    }
    if stream:
        request["stream"] = True
    return msgspec.json.encode(request).decode()


def _answers(port: int, model: str) -> bool:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        data=body(model).encode(),
        headers={"content-type": "application/json", "authorization": "Bearer sk-benchmark"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status == 200 and b'"choices"' in answer.read()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextlib.contextmanager
def _gateway(
    command: list[str], port: int, log: Path, core: int, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    with running(command, log, core, environment) as process:
        wait_until(lambda: _answers(port, MODEL), process, log, 120)
        yield Running(process.pid, port)


class Direct:
    """The stub itself: what a request costs before any gateway."""

    name = "stub directly"
    models: tuple[str, ...] = (MODEL,)

    @contextlib.contextmanager
    def start(self, stub: tuple[int, int], place: Path, core: int) -> Iterator[Running]:  # noqa: ARG002  one signature
        yield Running(*stub)


class Nginx:
    """A plain reverse proxy in C with one worker: the floor for anything that relays HTTP."""

    name = "nginx"
    models: tuple[str, ...] = (MODEL,)

    @contextlib.contextmanager
    def start(self, stub: tuple[int, int], place: Path, core: int) -> Iterator[Running]:
        program = shutil.which("nginx")
        if program is None:
            raise environments.InstallError("nginx is not installed")
        port = free_port()
        config = place / "nginx.conf"
        config.write_text(_NGINX.format(place=place, port=port, stub=stub[1]))
        command = [program, "-p", str(place), "-c", str(config), "-e", str(place / "nginx-error.log")]
        with _gateway(command, port, place / "nginx.log", core) as started:
            yield started


_NGINX = """
daemon off;
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/nginx-error.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  upstream stub {{ server 127.0.0.1:{stub}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://stub;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


class VllmRouter:
    """The router of the vLLM project, in Rust."""

    name = f"vllm-router {environments.VLLM_ROUTER}"
    models: tuple[str, ...] = (MODEL,)

    @contextlib.contextmanager
    def start(self, stub: tuple[int, int], place: Path, core: int) -> Iterator[Running]:
        programs = environments.provide("vllm-router", environments.VLLM_ROUTER)
        port = free_port()
        command = [
            *(str(programs / "vllm-router"), "--host", "127.0.0.1", "--port", str(port)),
            *("--worker-urls", f"http://127.0.0.1:{stub[1]}", "--policy", "round_robin"),
            *("--max-concurrent-requests", "4096", "--log-level", "error"),
            *("--prometheus-port", str(free_port())),
        ]
        with _gateway(command, port, place / "vllm-router.log", core) as started:
            yield started


class LiteLLM:
    """LiteLLM's proxy, one worker."""

    name = f"LiteLLM {environments.LITELLM}"
    models: tuple[str, ...] = (MODEL,)

    @contextlib.contextmanager
    def start(self, stub: tuple[int, int], place: Path, core: int) -> Iterator[Running]:
        programs = environments.provide("litellm[proxy]", environments.LITELLM)
        port = free_port()
        config = place / "litellm.yaml"
        config.write_text(_LITELLM.format(model=MODEL, stub=stub[1]))
        command = [
            *(str(programs / "litellm"), "--config", str(config), "--host", "127.0.0.1"),
            *("--port", str(port), "--num_workers", "1", "--telemetry", "False"),
        ]
        environment = dict(os.environ, LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="ERROR")
        with _gateway(command, port, place / "litellm.log", core, environment) as started:
            yield started


_LITELLM = """
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: http://127.0.0.1:{stub}/v1
      api_key: sk-benchmark
litellm_settings:
  telemetry: false
"""


class Engine:
    """This engine with everything on: analysis, decision, breaker, limits, metrics and a ledger on disk."""

    name = "this engine"
    models: tuple[str, ...] = (MODEL, "auto")

    def __init__(self, wrapper: tuple[str, ...] = ("-m",)) -> None:
        """`wrapper` goes between the interpreter and the module, for profilers."""
        self._wrapper = wrapper

    @contextlib.contextmanager
    def start(self, stub: tuple[int, int], place: Path, core: int) -> Iterator[Running]:
        port = free_port()
        config = place / "engine.toml"
        config.write_text(alone(place, port) + _BACKEND.format(model=MODEL, stub=stub[1]))
        command = [sys.executable, *self._wrapper, "orchestra_core", "serve", "--config", str(config)]
        with _gateway(command, port, place / "engine.log", core, self._environment(place)) as started:
            yield started

    def _environment(self, place: Path) -> dict[str, str]:
        # Also where somebody has compiled this checkout.
        return {**environment(place), "ORCHESTRA_PURE": "1"}


class Compiled(Engine):
    """The same engine with its hot path compiled (`make fast`), where there is a C compiler."""

    name = "this engine, compiled"

    @contextlib.contextmanager
    def start(self, stub: tuple[int, int], place: Path, core: int) -> Iterator[Running]:
        environments.compiled()
        with super().start(stub, place, core) as started:
            yield started

    def _environment(self, place: Path) -> dict[str, str]:
        return {**environment(place), "PYTHONPATH": str(environments.COMPILED)}


_BACKEND = """
[[backends]]
name = "stub"
kind = "openai"
url = "http://127.0.0.1:{stub}/v1"
models = ["{model}"]
slots = 1024
"""

ALL: tuple[Target, ...] = (Direct(), Nginx(), VllmRouter(), LiteLLM(), Engine(), Compiled())


def try_start(
    stack: contextlib.ExitStack, target: Target, stub: tuple[int, int], place: Path, core: int
) -> Running | str:
    """The running target, or why it is left out."""
    try:
        return stack.enter_context(target.start(stub, place, core))
    except (StartError, environments.InstallError, subprocess.SubprocessError) as error:
        return str(error)
