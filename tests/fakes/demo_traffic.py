"""Users of a running demo engine, so that its console has something to show.

Some keep asking, one asks a backend that fails: a failover, a tripped breaker and their events are the result.
"""

import contextlib
import threading
from itertools import cycle

import httpx

from tests.fakes.engine_process import EngineProcess

# Who asks what, again and again: the model or what matters, the prompt, the longest answer in tokens.
USERS: tuple[tuple[tuple[str, str, int], ...], ...] = (
    (
        ("sim-llama3.1:8b", "Why is the sky blue?", 90),
        ("auto:speed=high,quality=low", "Translate: good morning.", 24),
    ),
    (("sim-llama3.2:3b", "Two names for a cat.", 40), ("auto:code_generation", "Reverse a list in Go.", 120)),
    (
        ("sim-llama-3.3-70b-instruct", "Plan a week in Lisbon.", 160),
        ("sim-cloud-mini", "Summarise this line.", 60),
    ),
    (("auto:quality=high", "Compare TCP and QUIC.", 140),),
)
OUTAGE, FAILING, DOOMED = "sim-cloud", "sim-edge", "sim-phi-3.5-mini-instruct"
CHOOSY = "auto:quality=high"
LOADED = "sim-gemma2:2b"
OUTAGE_SECONDS = 1.0
RETRY_SECONDS = 0.8


class DemoTraffic:
    """Use as a context manager: entered, the first answers and the troubles are there; left, nobody asks."""

    def __init__(self, engine: EngineProcess) -> None:
        self._engine = engine
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._urls = {str(one["name"]): str(one["address"]) for one in engine.snapshot()["backends"]}

    def __enter__(self) -> "DemoTraffic":
        self._break(OUTAGE, seconds=OUTAGE_SECONDS)
        self._break(FAILING)
        for asked in USERS:
            self._start(asked, 0.0)
        self._start(((DOOMED, "Are you there?", 8),), RETRY_SECONDS)
        try:
            self._engine.until(_eventful, 30)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def go_on(self, seconds: float) -> None:
        """Returns after so many seconds of traffic, after one more failover and while a model loads."""
        self._over.wait(seconds)
        assert any(self._fails_over() for _ in range(8))
        assert self._engine.post(f"/api/v1/models/{LOADED}/load").status_code == 202

    def _fails_over(self) -> bool:
        """Breaks the backend that is the best right now, and asks once more."""
        best = self._engine.chat(model=CHOOSY, max_tokens=8).headers["x-orchestra-backend"]
        self._break(best, seconds=OUTAGE_SECONDS)
        return self._engine.chat(model=CHOOSY, max_tokens=8).headers.get("x-orchestra-attempts") == "2"

    def _break(self, backend: str, **details: float) -> None:
        answer = httpx.post(
            f"{self._urls[backend]}/simulation/fault", json={"kind": "error", **details}, trust_env=False
        )
        assert answer.status_code == 200, answer.text

    def _start(self, asked: tuple[tuple[str, str, int], ...], pause: float) -> None:
        thread = threading.Thread(target=self._ask, args=(asked, pause), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _ask(self, asked: tuple[tuple[str, str, int], ...], pause: float) -> None:
        with self._engine.connect() as client:
            for model, prompt, most in cycle(asked):
                if self._over.wait(pause):
                    return
                body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": most}
                with (
                    contextlib.suppress(httpx.HTTPError),
                    client.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as answer,
                ):
                    for _ in answer.iter_bytes():
                        if self._over.is_set():
                            return


def _eventful(now: dict[str, object]) -> bool:
    kinds = {event["kind"] for event in now["events"]}
    totals: dict[str, int] = now["totals"]
    return {"breaker.open", "request.failover"} <= kinds and totals["successful"] >= len(USERS)
