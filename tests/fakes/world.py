"""A simulated fleet whose numbers move with the clock: what a console is shown instead of a real one."""

import math
from datetime import UTC, datetime, timedelta

import msgspec

from orchestra_core.domain.alerts import AlertView
from orchestra_core.domain.events import Event
from orchestra_core.domain.price import PriceView
from orchestra_core.domain.snapshot import (
    BackendView,
    BreakerView,
    MemoryView,
    ModelView,
    Snapshot,
    Throughput,
    Totals,
)

GIB = 1024**3
FREE = PriceView(0.0, 0.0, 0.0, 0.0, 0.0, source="local")
CLOUD_PRICE = PriceView(0.25, 2.0, 0.025, 0.0, 0.0, source="published", origin="a list, gpt-5-mini")

BASE = datetime(2026, 3, 2, 12, 58, 0, tzinfo=UTC)

_BACKENDS = (
    ("local", "managed", "up", 4, 16 * GIB, "", "embedded", 0.0006),
    ("box1", "ollama", "up", 8, 24 * GIB, "", "0.12.3", 0.0021),
    ("box2", "ollama", "up", 8, 24 * GIB, "", "0.12.3", 0.0034),
    ("gpu-a", "vllm", "up", 64, 80 * GIB, "", "0.11.0", 0.0011),
    ("cloud", "openai", "up", 32, None, "", "", 0.0420),
    ("lab", "llamacpp", "down", 4, None, "connection refused (10.0.4.7:8080)", "b6700", None),
)

_MODELS = (
    ("local", "gemma3-270m-q4-k-m", "ready", 0.29, 32768, 0.27, "Q4_K_M", "low", 141.0, 4),
    ("box1", "llama3.2:3b", "ready", 2.0, 131072, 3.2, "Q4_K_M", "medium", 64.2, 4),
    ("box1", "qwen2.5-coder:7b", "ready", 4.7, 32768, 7.6, "Q4_K_M", "medium", 38.6, 4),
    ("box1", "mistral-nemo:12b", "absent", 7.1, 131072, 12.2, "Q4_0", "medium", None, 2),
    ("box2", "llama3.2:3b", "ready", 2.0, 131072, 3.2, "Q4_K_M", "medium", 58.9, 4),
    ("box2", "qwen2.5:14b", "loading", 9.0, 32768, 14.8, "Q4_K_M", "high", None, 2),
    ("box2", "nomic-embed-text", "ready", 0.27, 8192, 0.14, "F16", "low", None, 8),
    ("gpu-a", "llama-3.3-70b-instruct-fp8", "ready", 70.0, 131072, 70.6, "FP8", "high", 31.8, 64),
    ("cloud", "gpt-5-mini", "ready", None, 400000, None, None, "high", 96.4, 32),
    ("lab", "phi-4:14b", "absent", 9.1, 16384, 14.7, "Q4_K_M", "medium", None, 4),
)


class World:
    """A fleet whose numbers move with the tick; `tick` is seconds since its beginning."""

    def __init__(self, tick: int = 290, *, empty: bool = False, pid: int = 4242) -> None:
        self.tick = tick
        self.empty = empty
        self.pid = pid
        self.sequence = 0
        self.residency = {f"{b}/{m}": state for b, m, state, *_ in _MODELS}
        self.since: dict[str, int] = {
            key: tick - 18 for key, state in self.residency.items() if state == "loading"
        }
        self.busy: dict[str, int] = {
            "box1/llama3.2:3b": 3,
            "gpu-a/llama-3.3-70b-instruct-fp8": 21,
            "cloud/gpt-5-mini": 4,
        }
        self.events: list[Event] = [
            self._event(-280, "engine.started", "engine", "simulated fleet of 6 backends"),
            self._event(-190, "backend.down", "lab", "connection refused", "error"),
            self._event(-95, "model.ready", "box1/qwen2.5-coder:7b", "ready in 6.1 s"),
            self._event(
                -41, "request.failover", "box2/llama3.2:3b", "timed out, answered by box1", "warning"
            ),
            self._event(-40, "breaker.open", "box2/nomic-embed-text", "5 timeouts in 30 s", "error"),
            self._event(-18, "model.loading", "box2/qwen2.5:14b", "needs 9.0G, evicts nothing"),
        ]

        self.alerts: list[AlertView] = [
            self._alert("memory:host", "critical", "firing", -75, "71% of 16.0 GiB used, limit 70%; 4.6 GiB free"),
            self._alert("latency:gpu-a/llama-3.3-70b-instruct-fp8", "warning", "resolving", -600,
                        "first token 2.4 times slower than usual here: 0.41 s now"),
            self._alert("backends:lab", "warning", "firing", -190, "down: connection refused (10.0.4.7:8080)",
                        silenced_until=self.stamp(tick + 3600), silenced_by="ann", silenced_reason="moved"),
            self._alert("errors:requests", "warning", "pending", -4, "12% of 412 requests failed in the last 60 s"),
            self._alert("disk:state", "warning", "resolved", -1500, "1.9 GiB free of 99.0 GiB, limit 2.0 GiB"),
        ]  # fmt: skip

    def stamp(self, tick: float) -> str:
        return (BASE + timedelta(seconds=tick)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def advance(self, seconds: int = 1) -> list[Event]:
        """Lets time pass; returns what happened."""
        self.tick += seconds
        happened = []
        for key, begun in list(self.since.items()):
            state = self.residency[key]
            if state == "loading" and self.tick - begun >= 30:
                self.residency[key] = "ready"
                happened.append(self._event(0, "model.ready", key, f"ready in {self.tick - begun} s"))
                del self.since[key]
            elif state == "unloading" and self.tick - begun >= 2:
                self.residency[key] = "absent"
                happened.append(self._event(0, "model.absent", key, "unloaded"))
                del self.since[key]
        self.events += happened
        return happened

    def operate(self, verb: str, model: str, backend: str) -> str | None:
        """Begins a load or unload; None when there is no such endpoint."""
        key = f"{backend}/{model}"
        if key not in self.residency:
            return None
        self.residency[key] = "loading" if verb == "load" else "unloading"
        self.since[key] = self.tick - (20 if verb == "load" else 0)
        self.events.append(self._event(0, f"model.{self.residency[key]}", key, f"{verb} by the console"))
        return key

    def snapshot(self) -> Snapshot:
        self.sequence += 1
        seconds = [_rate(self.tick - 299 + index) for index in range(300)]
        failures = tuple(2 if 250 <= self.tick - 299 + i <= 254 else 0 for i in range(300))
        models = () if self.empty else tuple(self._model(*row) for row in _MODELS)
        backends = () if self.empty else tuple(self._backend(models, *row) for row in _BACKENDS)
        ours = sum(view.memory_bytes or 0 for view in models if view.backend == "local")
        return Snapshot(
            sequence=self.sequence,
            now=self.stamp(self.tick),
            version="0.1.0",
            status="degraded",
            started=self.stamp(0),
            uptime=9900.0 + self.tick,
            pid=self.pid,
            simulated=not self.empty,
            address="127.0.0.1:8080",
            host=MemoryView(total=16 * GIB, used=int(11.4 * GIB) + ours, ours=ours),
            engine_memory=86 * 1024**2,
            totals=Totals() if self.empty else self._totals(),
            throughput=Throughput()
            if self.empty
            else Throughput(tuple(seconds), failures, tuple(int(each * 61) for each in seconds)),
            backends=backends,
            models=models,
            breakers=() if self.empty else tuple(self._breaker(view) for view in models),
            alerts=() if self.empty else tuple(self.alerts),
            events=tuple(self.events[-50:]) if not self.empty else (),
            notices=(
                "No backend is configured and none was found: start Ollama, or run ai-orchestra config init.",
            )
            if self.empty
            else (),
        )

    def _model(
        self,
        backend: str,
        name: str,
        _state: str,
        gigs: float | None,
        context: int,
        billions: float | None,
        quant: str | None,
        tier: str,
        speed: float | None,
        slots: int,
    ) -> ModelView:
        key = f"{backend}/{name}"
        state = self.residency[key]
        size = None if gigs is None else int(gigs * GIB)
        loaded = state in ("ready", "unloading", "draining")
        done = min((self.tick - self.since.get(key, self.tick)) / 30, 1)
        tripped = key == "box2/nomic-embed-text"
        calls = 40 + (sum(map(ord, key)) * 37) % 4000
        return ModelView(
            id=key,
            model=name,
            backend=backend,
            residency=state,
            status="unavailable" if backend == "lab" else "running" if loaded else "available",
            circuit="open" if tripped else "closed",
            tier=tier,
            context=context,
            capabilities=("embedding",) if "embed" in name else ("chat", "completion", "tools"),
            tasks=("embedding",)
            if "embed" in name
            else ("code_generation", "text_generation", "conversation"),
            slots=slots,
            inflight=self.busy.get(key, 0) if loaded else 0,
            waiting=2 if backend == "gpu-a" else 0,
            calls=calls if loaded else 0,
            failed=31 if tripped else 0,
            loadable=backend != "cloud",
            size_bytes=size,
            parameters=None if billions is None else int(billions * 1e9),
            quantization=quant,
            memory_bytes=int(size * (1.15 if gigs and gigs < 50 else 1.0)) if size and loaded else None,
            frees_bytes=int(size * 1.3) if size and loaded else None,
            price=CLOUD_PRICE if backend == "cloud" else FREE,
            tokens_per_second=speed if loaded else None,
            first_token_seconds=0.05 + 4 / speed if speed and loaded else None,
            speed_observations=calls if speed else 0,
            last_used=self.stamp(self.tick - len(name) * 3) if loaded else None,
            progress=f"loading {done:.0%}, {done * 9:.1f} of 9.0G" if state == "loading" else "",
        )

    def _backend(
        self,
        models: tuple[ModelView, ...],
        name: str,
        kind: str,
        health: str,
        slots: int,
        memory: int | None,
        error: str,
        version: str,
        latency: float | None,
    ) -> BackendView:
        own = [view for view in models if view.backend == name]
        ours = sum(view.memory_bytes or 0 for view in own)
        return BackendView(
            name=name,
            kind=kind,
            address=f"unix:/run/sim/{name}.sock",
            health=health,
            simulated=True,
            inflight=sum(view.inflight for view in own),
            slots=slots,
            models=len(own),
            ready=sum(view.residency == "ready" for view in own),
            error=error,
            version=version,
            last_probe=self.stamp(self.tick - 3),
            latency=latency,
            memory=MemoryView(total=memory, used=int(ours + 0.06 * memory), ours=ours, source="backend")
            if memory and name != "local"
            else None,
        )

    def _breaker(self, view: ModelView) -> BreakerView:
        if view.circuit == "closed":
            recent = "+" * 20 if view.calls else ""
            return BreakerView(view.id, "closed", float(self.tick + 600), 0, recent=recent)
        left = 30 - (self.tick - 250) % 30
        return BreakerView(
            view.id, "open", 30.0 - left + 10, 5, 2, float(left), "5 timeouts in 30 s", "+++++++++x+++xxxxx"
        )

    def _totals(self) -> Totals:
        return Totals(
            requests=18_412 + self.tick * 12,
            successful=18_300 + self.tick * 12,
            failed=64,
            cancelled=48,
            inflight=28,
            waiting=2,
            tokens_in=4_182_330,
            tokens_out=1_904_512 + self.tick * 700,
            cost=3.42,
            failovers=17,
            requests_per_minute=742.0,
            average_seconds=1.31,
            p50=0.82,
            p95=3.94,
            p99=7.61,
            ttft_p50=0.18,
            ttft_p95=0.74,
            most_used="llama3.2:3b",
        )

    def _alert(self, name: str, severity: str, state: str, ago: int, message: str, **more: str) -> AlertView:
        rule, _, subject = name.partition(":")
        at = self.stamp(self.tick + ago)
        fired = None if state == "pending" else at
        return AlertView(name, rule, subject, severity, state, at, message, fired=fired, times=1, **more)

    def say_to_alert(self, verb: str, name: str) -> None:
        """Ack, silence or unsilence an alert or a rule, as an engine would."""
        until = self.stamp(self.tick + 3600) if verb == "silence" else None
        changes: dict[str, object] = (
            {"acknowledged": "owner"} if verb == "ack" else {"silenced_until": until, "silenced_by": "owner"}
        )
        self.alerts = [
            msgspec.structs.replace(view, **changes) if name in (view.id, view.rule) else view
            for view in self.alerts
        ]

    def _event(self, ago: int, kind: str, subject: str, message: str, level: str = "info") -> Event:
        return Event(self.stamp(self.tick + ago), kind, subject, message, level)


def _rate(second: int) -> int:
    return max(
        round(11 + 5 * math.sin(second / 23) + 3 * math.sin(second / 7) + 2 * math.sin(second * 1.7)), 0
    )
