"""Starting and stopping a simulated fleet inside this process."""

from collections.abc import Sequence

from orchestra_core.clock import Clock, SystemClock
from orchestra_core.simulation.backend import SimulatedBackend
from orchestra_core.simulation.faults import FaultMix, plan
from orchestra_core.simulation.spec import BackendSpec


class Running:
    """Backends that are up. `backends` is in the order of their specs."""

    def __init__(self, backends: Sequence[SimulatedBackend]) -> None:
        self.backends = tuple(backends)

    def __getitem__(self, name: str) -> SimulatedBackend:
        return next(backend for backend in self.backends if backend.name == name)

    def describe(self) -> dict[str, object]:
        return {"simulated": True, "backends": [backend.describe() for backend in self.backends]}

    def follow(self, mix: FaultMix, seed: int, until: float, begin: float) -> None:
        """Breaks each backend as planned for it within `until` seconds, from `begin` (monotonic seconds) on."""
        for backend in self.backends:
            backend.follow(plan(mix, backend.name, seed, until), begin)

    async def close(self) -> None:
        """Closes every port and connection at once."""
        for backend in self.backends:
            await backend.close()


async def start(
    specs: Sequence[BackendSpec], *, seed: int = 0, time_scale: float = 1.0, clock: Clock | None = None
) -> Running:
    """Starts a server for every spec, on loopback ports of the system's choice.

    The same seed serves the same request ids in the same way. With `time_scale` x everything is x times as
    fast as declared.
    """
    running = Running(
        [
            SimulatedBackend(spec, seed=seed, time_scale=time_scale, clock=clock or SystemClock())
            for spec in specs
        ]
    )
    try:
        for backend in running.backends:
            await backend.open()
    except BaseException:  # cancelled or failed: those that are open already hold their ports
        await running.close()
        raise
    return running
