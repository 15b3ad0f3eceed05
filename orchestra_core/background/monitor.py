"""[Health Check]: asks each backend how it is and what it serves, and publishes that to the catalog."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import EndpointSpec, ModelInfo
from orchestra_core.domain.errors import OrchestraError

HEALTHY_SECONDS = 10.0
SUSPECT_SECONDS = 2.0
FALL = 3
RISE = 2
# What was heard three intervals ago is no longer known.
STALE_SECONDS = 3 * HEALTHY_SECONDS


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
    """The health of one backend. `health` is up or down, and unknown before the first answer or when the last one is
    too old to count; `FALL` failures in a row make it down, `RISE` successes up again.
    """

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
        self._successes = 0
        self.began = self._heard_at = clock.monotonic()  # the last look, and the last answer
        self._wake = asyncio.Event()

    def suspect(self) -> None:
        """Something went wrong on the data plane, or a model came or went: look again now."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            await self.look()
            well = self.health == "up" and not self._failures
            try:
                async with asyncio.timeout(HEALTHY_SECONDS if well else SUSPECT_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """One probe with the list of models."""
        self.began = self._clock.monotonic()
        try:
            async with asyncio.timeout(STALE_SECONDS):
                probe = await self._control.probe()
                infos = await self._control.models()
        except OrchestraError as error:
            self._failed(error.message)
            return
        except TimeoutError:
            self._failed(f"no whole answer within {STALE_SECONDS:g} s")
            return
        self.probed_at = self._clock.wall()
        self._heard_at = self._clock.monotonic()
        self.version, self.latency = probe.version, probe.latency
        self._failures, self.error = 0, ""
        self._successes += 1
        self._publish(self.name, [(self._describe(info), info) for info in infos])
        # One that was down has to prove itself; the first answer of all is believed.
        if self.health == "unknown" or (self.health == "down" and self._successes >= RISE):
            self.health = "up"
            self._changed(self.name, True, f"{len(infos)} model{'' if len(infos) == 1 else 's'}")

    def expire(self, now: float) -> None:
        """Call now and then: what was last heard too long ago (monotonic seconds) says nothing any more."""
        if self.health == "up" and now - self._heard_at > STALE_SECONDS:
            self.health = "unknown"
            self.error = f"nothing was heard of it for {now - self._heard_at:.0f} s"
            self._changed(self.name, False, self.error)
            self._wake.set()

    def _failed(self, message: str) -> None:
        self.probed_at = self._clock.wall()
        self._failures += 1
        self._successes = 0
        self.error = message
        if self.health == "unknown" or (self.health == "up" and self._failures >= FALL):
            self.health = "down"
            self._changed(self.name, False, message)
