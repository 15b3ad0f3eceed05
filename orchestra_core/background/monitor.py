"""[Health Check]: asks each backend how it is and what it serves, and publishes that to the catalog."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import EndpointSpec, ModelInfo
from orchestra_core.domain.errors import OrchestraError

HEALTHY_SECONDS = 10.0
SUSPECT_SECONDS = 2.0
FALL = 2


class Probe(Protocol):
    @property
    def version(self) -> str: ...

    @property
    def latency(self) -> float: ...


class Control(Protocol):
    """What the monitor needs of a backend's control side."""

    async def probe(self) -> Probe: ...

    async def models(self) -> Sequence[ModelInfo]: ...


Describe = Callable[[ModelInfo], EndpointSpec]
Found = Sequence[tuple[EndpointSpec, ModelInfo]]


class Monitor:
    """The health of one backend. `health` is unknown until the first answer, then up or down."""

    def __init__(
        self,
        name: str,
        control: Control,
        describe: Describe,
        clock: Clock,
        publish: Callable[[str, Found], None],
        changed: Callable[[str, bool, str], None],
    ) -> None:
        self.name = name
        self.health = "unknown"
        self.error = ""
        self.version = ""
        self.latency: float | None = None
        self.probed_at: float | None = None
        self._control = control
        self._describe = describe
        self._clock = clock
        self._publish = publish
        self._changed = changed
        self._failures = 0
        self._wake = asyncio.Event()

    def suspect(self) -> None:
        """Something went wrong on the data plane, or a model came or went: look again now."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            await self.look()
            try:
                async with asyncio.timeout(HEALTHY_SECONDS if not self._failures else SUSPECT_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """One probe with the list of models."""
        try:
            probe = await self._control.probe()
            infos = await self._control.models()
        except OrchestraError as error:
            self._failed(error.message)
            return
        self.probed_at = self._clock.wall()
        self.version, self.latency = probe.version, probe.latency
        self._failures, self.error = 0, ""
        self._publish(self.name, [(self._describe(info), info) for info in infos])
        if self.health != "up":
            self.health = "up"
            self._changed(self.name, True, f"{len(infos)} model{'' if len(infos) == 1 else 's'}")

    def _failed(self, message: str) -> None:
        self.probed_at = self._clock.wall()
        self._failures += 1
        self.error = message
        if self.health == "unknown" or (self.health == "up" and self._failures >= FALL):
            self.health = "down"
            self._changed(self.name, False, message)
