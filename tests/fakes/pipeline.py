"""A whole pipeline over a scripted execution and a clock moved by hand."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC
from random import Random
from typing import Any

import msgspec

from orchestra_core.accounting.budget import Book
from orchestra_core.domain.budgets import Budget
from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.catalog import BackendKind, Circuit, Endpoint, ModelInfo, Residency
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.errors import OperationFailed
from orchestra_core.domain.outcome import Outcome
from orchestra_core.domain.result import Result, Tried
from orchestra_core.pipeline.assembly import Pipeline
from orchestra_core.pipeline.lanes import Lanes
from orchestra_core.pipeline.planning import Fallbacks
from orchestra_core.resilience.breaker import Breaker
from orchestra_core.resilience.budget import Retries
from orchestra_core.resilience.policy import Policy
from orchestra_core.routing.capability import BackendFacts, describe
from orchestra_core.routing.catalog import Catalog
from tests.fakes.clock import ManualClock
from tests.fakes.execution import ScriptedExecution, TakingSink

MODEL = "llama3:8b"
CHATS = frozenset({"chat", "completion"})


class World:
    """Every backend serves `MODEL`, or what `models` says. Waits of the loop are real, so keep them at zero."""

    def __init__(
        self,
        execution: ScriptedExecution,
        backends: Sequence[str] = ("a", "b"),
        slots: int = 1,
        *,
        models: Mapping[str, Sequence[str]] | None = None,
        fallbacks: Mapping[str, Sequence[str]] | None = None,
        model_fallbacks: Mapping[str, Sequence[str]] | None = None,
        queue_seconds: float = 30.0,
        retries: Retries | None = None,
        budgets: Sequence[Budget] = (),
    ) -> None:
        self.clock = ManualClock()
        self.execution = execution
        self.catalog = Catalog()
        self.events: list[str] = []
        self.completed: list[tuple[Outcome, tuple[Tried, ...]]] = []
        self.loads: list[str] = []
        self.load_error = ""
        self.load_again: float | None = None
        self.loaded: asyncio.Event | None = None
        for name in backends:
            self.join(name, slots, (models or {}).get(name, (MODEL,)))
        self.lanes = Lanes(self.clock, lambda now: Breaker(Policy(), now=now))
        self.pipeline = Pipeline(
            catalog=self.catalog,
            clock=self.clock,
            lanes=self.lanes,
            execute=execution,
            ensure_ready=self._ready,
            complete=self._complete,
            nothing=lambda: "start Ollama",
            circuit_changed=self._circuit,
            misconfigured=self._misconfigured,
            failed_over=self._failed_over,
            rng=Random(1),
            fallbacks=Fallbacks(fallbacks, model_fallbacks),
            queue_seconds=queue_seconds,
            # No back-off: the loop's time is real.
            retries=retries or Retries(base=0.0),
            book=Book(budgets, UTC, "USD", self.clock.wall()),
        )
        self.purse = self.pipeline.purse
        for budget in budgets:
            self.purse.book.learn(budget.name, {}, {}, self.clock.wall())
        self.service = self.pipeline.service

    def join(self, name: str, slots: int = 1, models: Sequence[str] = (MODEL,)) -> None:
        facts = BackendFacts(name=name, kind=BackendKind.LLAMACPP, slots=slots)
        infos = [ModelInfo(model, capabilities=CHATS, context=4096) for model in models]
        self.catalog.update(name, [(describe(facts, info), info) for info in infos])

    def leave(self, name: str) -> None:
        self.catalog.update(name, [])

    async def _ready(self, endpoint: Endpoint) -> None:
        self.loads.append(endpoint.id)
        if self.loaded is not None:
            await self.loaded.wait()
        if self.load_error:
            raise OperationFailed(self.load_error, retry_after=self.load_again)
        endpoint.residency = Residency.READY

    def _circuit(self, endpoint: Endpoint, circuit: Circuit, why: str) -> None:
        self.events.append(f"{circuit} {endpoint.id} {why}")

    def _misconfigured(self, endpoint: Endpoint, outcome: Outcome) -> None:
        self.events.append(f"misconfigured {endpoint.id} {outcome.status}")

    def _failed_over(self, _call: Call, outcome: Outcome, to: str) -> None:
        self.events.append(f"{outcome.endpoint} -> {to}")

    def _complete(
        self, _call: Call, _decision: Decision, tried: tuple[Tried, ...], outcome: Outcome, _seconds: float
    ) -> float | None:
        self.completed.append((outcome, tried))
        return 0.0

    def endpoint(self, backend: str, model: str = MODEL) -> Endpoint:
        found = self.catalog.get(f"{backend}/{model}")
        assert found is not None
        return found

    def change(self, backend: str, model: str = MODEL, **facts: Any) -> Endpoint:
        """Other facts of an endpoint's spec."""
        endpoint = self.endpoint(backend, model)
        endpoint.spec = msgspec.structs.replace(endpoint.spec, **facts)
        return endpoint

    def prefer(self, *backends: str) -> None:
        """Makes the planner rank them in this order, all else being equal."""
        for place, backend in enumerate(backends):
            for endpoint in self.catalog.of(backend):
                endpoint.last_used = float(place)

    def held(self) -> int:
        """Slots held anywhere; calls in flight and predicted work must then be gone as well."""
        return sum(self.lanes.of(endpoint).permits.held for endpoint in self.catalog.all)

    def call(self, **fields: Any) -> Call:
        plain: dict[str, Any] = {
            "id": "r",
            "kind": Kind.CHAT,
            "fields": {"messages": []},
            "received": self.clock.monotonic(),
        }
        return Call(**(plain | fields))

    async def ask(self, sink: TakingSink | None = None, **fields: Any) -> Result:
        return await self.service(self.call(**fields), sink or TakingSink())
