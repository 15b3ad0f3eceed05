"""What an engine would say with 50 backends and 200 models behind it and 500 requests a second: made up, and the same
in every run.

Nothing is drawn as it is served: second `t` looks the same whoever asks, and however late.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from orchestra_core import __version__
from orchestra_core.domain.alerts import AlertView
from orchestra_core.domain.budgets import BudgetView
from orchestra_core.domain.events import Event
from orchestra_core.domain.price import PriceView
from orchestra_core.domain.snapshot import (
    BackendView,
    BreakerView,
    MemoryView,
    ModelView,
    PoolView,
    Snapshot,
    Throughput,
    Totals,
    TripView,
)

GIB = 1024**3
BASE = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
FAMILIES = (
    ("llama-3.1", "8b", 4.9),
    ("qwen2.5-coder", "14b", 9.0),
    ("mistral-nemo", "12b", 7.1),
    ("gemma-3", "27b", 17.2),
    ("phi-4", "14b", 9.1),
    ("deepseek-r1", "32b", 19.8),
    ("nomic-embed", "0.1b", 0.3),
)
_FREE = PriceView(0.0, 0.0, 0.0, 0.0, 0.0, source="local")
_BROKEN = 37
_BUDGETS = ("everything", "shop", "search")
_CHANGES = ("breaker.open", "breaker.closed", "model.ready", "request.failover", "request.failed")


class Size(msgspec.Struct, frozen=True):
    """`names` take the place of the models' own, one after the other; `told` follows every error and event, `answer`
    is what the playground is told, piece by piece."""

    backends: int = 50
    models: int = 200
    rate: float = 500.0
    names: tuple[str, ...] = ()
    version: str = __version__
    told: str = ""
    answer: tuple[str, ...] = ("The ", "fleet ", "is ", "well, ", "and ", "so ", "am ", "**I**. ")


def _noise(*seed: float) -> float:
    """Between 0 and 1, the same for the same numbers."""
    value = math.sin(
        sum(part * weight for part, weight in zip(seed, (12.9898, 78.233, 37.719), strict=False))
    )
    return (value * 43758.5453) % 1


class Fleet:
    """`at(t)` is the engine at second `t` since its start, `events(t)` what happened in that second."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.sequence = 0

    def at(self, second: int) -> Snapshot:
        self.sequence += 1
        size = self.size
        models = tuple(self._model(index, second) for index in range(size.models))
        by_backend: dict[str, list[ModelView]] = {}
        for view in models:
            by_backend.setdefault(view.backend, []).append(view)
        requests = tuple(self.requests(second - 299 + each) for each in range(300))
        return Snapshot(
            sequence=self.sequence,
            now=stamp(second),
            version=size.version,
            status="degraded" if size.rate else "healthy",
            started=stamp(0),
            uptime=float(second),
            pid=4242,
            simulated=True,
            address="127.0.0.1:8080",
            host=MemoryView(
                total=256 * GIB, used=int((151 + 0.6 * self._wave(second, 9)) * GIB), ours=96 * GIB
            ),
            engine_memory=128 * 1024**2,
            totals=self._totals(second, sum(requests[-60:]), models),
            throughput=Throughput(
                requests,
                tuple(round(each * 0.004 * _noise(second - 299 + at)) for at, each in enumerate(requests)),
                tuple(each * 74 for each in requests),
            ),
            backends=tuple(
                self._backend(index, second, by_backend.get(f"be-{index:02}", []))
                for index in range(size.backends)
            ),
            models=models,
            breakers=tuple(self._breaker(index, view, second) for index, view in enumerate(models)),
            events=tuple(each for at in range(second - 150, second) for each in self.events(at))[-50:],
            pools=(
                PoolView(
                    "host", 256 * GIB, 64 * GIB, 96 * GIB, used=151 * GIB, foreign=55 * GIB, headroom=8 * GIB
                ),
            ),
            budgets=tuple(self._budget(index, name, second) for index, name in enumerate(_BUDGETS)),
            alerts=self._alerts(second) if size.rate else (),
        )

    def events(self, second: int) -> Sequence[Event]:
        """One every third second where there is traffic."""
        if second % 3 or not self.size.rate:
            return ()
        kind = _CHANGES[second // 3 % len(_CHANGES)]
        level = "warning" if kind.startswith("request") else "info"
        index = round(_noise(second, 5) * (self.size.models - 1))
        return (
            Event(stamp(second), kind, self._id(index), f"told at second {second}{self.size.told}", level),
        )

    # -- the parts

    def name(self, index: int) -> str:
        names = self.size.names
        if names:
            return names[index % len(names)]
        family, parameters, _ = FAMILIES[index % len(FAMILIES)]
        return f"{family}:{parameters}-q{4 + index // 7 % 5}"

    def _backend_of(self, index: int) -> str:
        return f"be-{index % self.size.backends:02}"

    def _id(self, index: int) -> str:
        return f"{self._backend_of(index)}/{self.name(index)}"

    def _wave(self, second: int, period: float) -> float:
        return math.sin(second / period) if self.size.rate else 0.0

    def requests(self, second: int) -> int:
        rate = self.size.rate
        return max(round(rate * (1 + 0.2 * math.sin(second / 23) + 0.1 * (_noise(second) - 0.5))), 0)

    def _model(self, index: int, second: int) -> ModelView:
        _, _, gigabytes = FAMILIES[index % len(FAMILIES)]
        share = self.size.rate / self.size.models
        ready = index % 4 != 3
        calls = int(second * share * (0.5 + _noise(index))) if ready else 0
        busy = round(share * 2 * _noise(index, second)) if ready else 0
        identity = self._id(index)
        return ModelView(
            id=identity,
            model=self.name(index),
            backend=self._backend_of(index),
            residency="ready" if ready else "absent",
            status="running" if ready else "available",
            circuit="open" if index % _BROKEN == 5 and self.size.rate else "closed",
            tier="medium",
            context=32768,
            capabilities=("chat", "completion", "tools"),
            tasks=("code_generation", "text_generation", "conversation"),
            slots=8,
            inflight=min(busy, 8),
            waiting=max(busy - 8, 0),
            calls=calls,
            failed=calls // 400,
            loadable=True,
            size_bytes=int(gigabytes * GIB),
            parameters=int(gigabytes * 1.6e9),
            quantization="Q4_K_M",
            memory_bytes=int(gigabytes * 1.15 * GIB) if ready else None,
            price=_FREE,
            tokens_per_second=38.0 + 20 * _noise(index) + self._wave(second + index, 11) if ready else None,
            first_token_seconds=0.1 + 0.2 * _noise(index) if ready else None,
            speed_observations=calls,
            last_used=stamp(second - round(3 * _noise(index, second, 2))) if ready and share else None,
            need_bytes=int(gigabytes * 1.15 * GIB),
            pool=f"be-{index % self.size.backends:02}",
        )

    def _backend(self, index: int, second: int, own: Sequence[ModelView]) -> BackendView:
        down = index % 23 == 11
        ours = sum(view.memory_bytes or 0 for view in own)
        return BackendView(
            name=f"be-{index:02}",
            kind=("ollama", "vllm", "llamacpp", "openai")[index % 4],
            address=f"http://10.0.{index // 16}.{index % 16}:8080",
            health="down" if down else "up",
            simulated=True,
            inflight=sum(view.inflight for view in own),
            slots=32,
            models=len(own),
            ready=sum(view.residency == "ready" for view in own),
            error=f"connection refused (10.0.{index // 16}.{index % 16}:8080){self.size.told}"
            if down
            else "",
            version="0.12.3",
            last_probe=stamp(second - second % 5),
            latency=None if down else 0.001 + 0.004 * _noise(index, second // 5),
            memory=MemoryView(total=80 * GIB, used=ours + 4 * GIB, ours=ours, source="backend"),
        )

    def _breaker(self, index: int, view: ModelView, second: int) -> BreakerView:
        if view.circuit == "open":
            left = 30 - second % 30
            return BreakerView(
                view.id, "open", float(second % 30), 5, 2, float(left), "5 timeouts in 30 s",
                "+++++++++x+++xxxxx", history=(TripView(float(second % 30), "5 timeouts in 30 s", ("r1", "r2")),),
            )  # fmt: skip
        # Also where nobody wants anything now, most have been used once: their ages go on.
        since = float(second) if view.residency == "ready" else 0.0
        recent = "".join("x" if _noise(index, second - each) < 0.004 else "+" for each in range(20))
        return BreakerView(view.id, "closed", since, 0, recent=recent if view.calls else "")

    def _totals(self, second: int, last_minute: int, models: Sequence[ModelView]) -> Totals:
        requests = int(second * self.size.rate)
        moved = 0.02 * self._wave(second, 7)
        return Totals(
            requests=requests,
            successful=requests - requests // 300,
            failed=requests // 400,
            cancelled=requests // 1200,
            inflight=sum(view.inflight for view in models),
            waiting=sum(view.waiting for view in models),
            tokens_in=requests * 410,
            tokens_out=requests * 74,
            cost=requests * 0.00021,
            failovers=requests // 900,
            requests_per_minute=float(last_minute),
            average_seconds=0.61 + moved,
            p50=0.42 + moved,
            p95=1.94 + moved,
            p99=3.61 + moved,
            ttft_p50=0.18 + moved / 4,
            ttft_p95=0.74 + moved / 2,
            most_used="llama-3.1:8b-q4",
        )

    def _budget(self, index: int, name: str, second: int) -> BudgetView:
        limit = 100.0 * (index + 1)
        settled = min(second * self.size.rate * 2e-5 * (index + 1), limit)
        reserved = 0.4 if self.size.rate else 0.0
        return BudgetView(
            name, name, "month", "hard", "degrade", "USD", limit, reserved, settled, limit - settled - reserved,
            stamp(-90_000), stamp(2_000_000), 2_000_000.0, settled / limit, 0.05, pace=None,
        )  # fmt: skip

    def _alerts(self, second: int) -> tuple[AlertView, ...]:
        return tuple(
            AlertView(
                f"backends:be-{index:02}", "backends", f"be-{index:02}", "critical", "firing", stamp(-second // 9),
                f"down: connection refused (10.0.0.{index}:8080)", fired=stamp(-60), times=1,
            )
            for index in range(11, self.size.backends, 23)
        )  # fmt: skip


def stamp(second: float) -> str:
    at = (BASE + timedelta(seconds=second)).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")
