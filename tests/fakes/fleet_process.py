"""A real simulated fleet as a process of its own."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from tests.fakes.outside import wait_outside
from tests.fakes.processes import PLAIN, START_SECONDS, Lines, clean_environment
from tests.fakes.programs import PIPE, ROOT, start


class FleetProcess:
    """A simulated fleet in a process of its own, with its faults and its state over HTTP."""

    def __init__(self, fleet: str, *, time_scale: float = 20.0, seed: int = 1) -> None:
        arguments = ["--fleet", fleet, "--seed", str(seed), "--time-scale", str(time_scale)]
        self._process = start(
            "orchestra_core.simulation",
            arguments,
            cwd=ROOT,
            env=clean_environment(ROOT),
            stdin=PIPE,
            stdout=PIPE,
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

    def until(self, name: str, condition: Callable[[dict[str, Any]], bool], seconds: float = 30) -> float:
        """Waits for a state of a backend and returns the seconds that took; AssertionError if it never comes."""
        began = time.monotonic()
        # The fleet is another process.
        wait_outside(lambda: condition(self.state(name)), f"such state of {name}", seconds)
        return time.monotonic() - began

    def busy(self, name: str, running: int, seconds: float = 30) -> float:
        """Waits until exactly so many requests are in service there."""
        return self.until(name, lambda state: state["running"] + state["waiting"] == running, seconds)

    def config(
        self,
        *,
        weights: Mapping[str, float] | None = None,
        only: Sequence[str] = (),
        slots: int | None = None,
        more: str = "",
    ) -> str:
        """A configuration with these backends and nothing else but `more`; `slots` for each where it is given."""
        parts = ["[discovery]\nenabled = false\n", more]
        for name, one in self.backends.items():
            if only and name not in only:
                continue
            lines = [f'name = "{name}"', f'kind = "{one["kind"]}"', f'url = "{one["url"]}"']
            lines += [f"weight = {weights[name]}"] if weights and name in weights else []
            lines += [f"memory = {one['memory']}"] if one["memory"] else []
            lines += [f"slots = {slots}"] if slots else []
            parts.append("[[backends]]\n" + "\n".join(lines) + "\n")
        return "\n".join(parts)
