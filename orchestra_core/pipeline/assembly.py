"""The stages of the pipeline put together, in the order a request meets them."""

from collections.abc import Awaitable, Callable
from datetime import UTC
from random import Random

from orchestra_core.accounting.budget import Book
from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Circuit, Endpoint
from orchestra_core.domain.outcome import Outcome
from orchestra_core.domain.sink import Execute
from orchestra_core.pipeline.announcing import Begin, unannounced
from orchestra_core.pipeline.chain import Chain
from orchestra_core.pipeline.degradation import Alternatives
from orchestra_core.pipeline.lanes import Lanes
from orchestra_core.pipeline.patience import Patience, Readiness
from orchestra_core.pipeline.placement import Placement
from orchestra_core.pipeline.planning import Fallbacks, Planning
from orchestra_core.pipeline.purse import Purse
from orchestra_core.pipeline.service import Complete, Service
from orchestra_core.pipeline.whole import Whole
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
        retries: Retries = Retries(),  # noqa: B008  frozen
        whole: Whole = Whole(),  # noqa: B008  frozen
        begin: Begin = unannounced,
        book: Book | None = None,
    ) -> None:
        self.fallbacks = fallbacks or Fallbacks()
        self._catalog, self._clock, self._lanes = catalog, clock, lanes
        self.budget = RetryBudget(retries)
        self.patience = Patience()
        self.purse = Purse(
            book or Book((), UTC, "USD", 0.0), clock, catalog.get, self.patience, queue_seconds
        )
        self.planning = Planning(catalog, clock, lanes.retry_at, nothing, self.fallbacks, self.purse)
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
            purse=self.purse,
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
            purse=self.purse,
            clock=clock,
            whole=whole,
            begin=begin,
        )
        self.configure(retries, whole)

    def configure(self, retries: Retries, whole: Whole) -> None:
        """From the next request or retry on; what is left in the budget stays."""
        self.budget.retries = self._chain.retries = retries
        self.service.whole = whole
        self.purse.longest = (whole.plain, whole.streamed)

    def find(self, endpoint: str) -> Endpoint | None:
        return self._catalog.get(endpoint)

    def tick(self) -> None:
        """Tells streaming clients that wait that they are not forgotten; forgets backends that left."""
        self._lanes.forget({endpoint.spec.backend for endpoint in self._catalog.all})
        self.patience.tick(self._clock.monotonic())
        self.purse.tick()
