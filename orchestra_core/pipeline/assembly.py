"""The stages of the pipeline put together, in the order a request meets them."""

from collections.abc import Awaitable, Callable
from random import Random

from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Circuit, Endpoint
from orchestra_core.domain.outcome import Outcome
from orchestra_core.domain.sink import Execute
from orchestra_core.pipeline.chain import Chain
from orchestra_core.pipeline.degradation import Alternatives
from orchestra_core.pipeline.lanes import Lanes
from orchestra_core.pipeline.patience import Patience, Readiness
from orchestra_core.pipeline.placement import Placement
from orchestra_core.pipeline.planning import Fallbacks, Planning
from orchestra_core.pipeline.service import Begin, Complete, Service, Whole, unannounced
from orchestra_core.resilience.budget import Retries, RetryBudget
from orchestra_core.routing.catalog import Catalog


class Pipeline:
    """`service` answers calls, `planning` only decides; `tick` is to be called about once a second."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        clock: Clock,
        lanes: Lanes,
        execute: Execute,
        ensure_ready: Callable[[Endpoint], Awaitable[None]],
        complete: Complete,
        nothing: Callable[[], str],
        circuit_changed: Callable[[Endpoint, Circuit, str], None],
        misconfigured: Callable[[Endpoint, Outcome], None],
        failed_over: Callable[[Call, Outcome, str], None],
        rng: Random,
        fallbacks: Fallbacks | None = None,
        queue_seconds: float = 30.0,
        retries: Retries | None = None,
        whole: Whole | None = None,
        begin: Begin = unannounced,
    ) -> None:
        retries = retries or Retries()
        self.fallbacks = fallbacks or Fallbacks()
        self._clock = clock
        self._catalog = catalog
        self._lanes = lanes
        self.budget = RetryBudget(retries)
        self.patience = Patience()
        self.planning = Planning(catalog, clock, lanes.retry_at, nothing, self.fallbacks)
        placement = Placement(lanes, clock, circuit_changed, misconfigured)
        self._chain = Chain(
            lanes=lanes,
            placement=placement,
            execute=execute,
            clock=clock,
            readiness=Readiness(ensure_ready, self.patience, retries.load),
            alternatives=Alternatives(self.planning, catalog.get, self.fallbacks),
            patience=self.patience,
            failed_over=failed_over,
            budget=self.budget,
            retries=retries,
            rng=rng,
            queue_seconds=queue_seconds,
        )
        self.service = Service(
            planning=self.planning,
            find=catalog.get,
            lanes=lanes,
            placement=placement,
            execute=execute,
            chain=self._chain,
            complete=complete,
            budget=self.budget,
            clock=clock,
            whole=whole,
            begin=begin,
        )

    def configure(self, retries: Retries, whole: Whole) -> None:
        """From the next request or retry on; what is left in the budget stays."""
        self.budget.retries = self._chain.retries = retries
        self.service.whole = whole

    def tick(self) -> None:
        """Tells streaming clients that wait that they are not forgotten; forgets backends that left."""
        self._lanes.forget({endpoint.spec.backend for endpoint in self._catalog.all})
        self.patience.tick(self._clock.monotonic())
