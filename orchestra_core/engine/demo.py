"""The simulated fleet of `serve --demo`: a process of its own, whose end is tied to ours by its standard input."""

import asyncio
import sys

import msgspec

from orchestra_core.config import BackendSettings, ModelSettings
from orchestra_core.domain.call import Level
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.errors import ConfigError

START_SECONDS = 20.0


class _Model(msgspec.Struct):
    name: str
    quality: Level | None = None
    price_input: float | None = None
    price_output: float | None = None


class _Backend(msgspec.Struct):
    name: str
    kind: BackendKind
    url: str
    models: list[_Model]
    memory: int | None = None
    slots: int | None = None


class _Announcement(msgspec.Struct):
    simulated: bool
    backends: list[_Backend]


class Demo:
    """Started before the engine's backends join, stopped after they left."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.backends: tuple[BackendSettings, ...] = ()
        self.models: dict[str, ModelSettings] = {}

    @classmethod
    async def start(cls) -> "Demo":
        """The fleet on free loopback ports; ConfigError with its words if it does not come up."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "orchestra_core.simulation",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        demo = cls(process)
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await process.stdout.readline()
            announced = msgspec.json.decode(line, type=_Announcement)
        except (TimeoutError, msgspec.DecodeError) as error:
            await demo.stop()
            raise ConfigError(f"the simulated fleet did not start: {error}") from error
        demo.backends = tuple(
            BackendSettings(name=one.name, kind=one.kind, url=one.url, memory=one.memory, slots=one.slots)
            for one in announced.backends
        )
        demo.models = {
            model.name: ModelSettings(
                quality=model.quality,
                cost_per_million_input=model.price_input
                or None,  # what is free there is local, not configured
                cost_per_million_output=model.price_output or None,
            )
            for backend in announced.backends
            for model in backend.models
        }
        return demo

    def visit(self, url: str, users: int) -> None:
        """Sends so many simulated users to the engine at `url`."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode({"url": url, "users": users}) + b"\n")

    async def stop(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
