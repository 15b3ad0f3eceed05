"""Everything about which models are loaded: what decides it, what carries it out, what it is told."""

import asyncio
from collections.abc import Callable

from orchestra_core.background.accelerators import Accelerators, installed
from orchestra_core.background.memory import HostMemory
from orchestra_core.background.orders import Orders
from orchestra_core.background.residency import Loader, Residencies, Say
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.clock import Clock
from orchestra_core.config import Config
from orchestra_core.engine.foresight import foresight
from orchestra_core.engine.memory import Memory, policy
from orchestra_core.residency.estimate import Corrections
from orchestra_core.residency.scheduler import Scheduler
from orchestra_core.routing.catalog import Catalog
from orchestra_core.storage.ledger import Ledger


class Loading:
    """`control` is the control side of a backend; `suspect` asks for a new look at one.

    `gpu_changed` is called from a thread.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        catalog: Catalog,
        host: HostMemory,
        ledger: Ledger,
        supervisor: Supervisor,
        control: Callable[[str], Loader],
        suspect: Callable[[str], None],
        predict: Callable[[], bool],
        say: Say,
        gpu_changed: Say,
        simulated: bool,
    ) -> None:
        self._clock = clock
        self._supervisor = supervisor
        self._history = ledger.history
        self._scheduler = scheduler = Scheduler(policy(config))
        self._accelerators = Accelerators(None if simulated else installed(), gpu_changed)
        self.memory = Memory(config, scheduler, Corrections(), host.view, self._accelerators.readings)
        self.residencies = Residencies(
            clock=clock,
            scheduler=scheduler,
            current=catalog.get,
            loader=control,
            start=supervisor.start,
            say=say,
            looked=suspect,
            exhausted=self.memory.exhausted,
        )
        self.forecasting = foresight(
            clock=clock,
            catalog=catalog,
            ledger=ledger,
            scheduler=scheduler,
            memory=self.memory,
            enabled=predict,
            say=say,
        )
        self.orders = Orders(
            clock=clock,
            scheduler=scheduler,
            residencies=self.residencies,
            serving=catalog.serving,
            nearest=catalog.nearest,
            unwanted=self.forecasting.unwanted,
        )

    async def start(self) -> None:
        """Call when the ledger is open and before the first look at a backend."""
        self._supervisor.start(self.forecasting.warm_up(self._history), "warm-up")
        await asyncio.to_thread(self._accelerators.sample)
        self.memory.sample(self._clock.monotonic())
        self._supervisor.start(self._accelerators.run(), "GPU memory")

    def close(self) -> None:
        self._accelerators.close()
