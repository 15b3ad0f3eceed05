"""One simulated backend on a loopback port: its surface, its listener, and the knobs that break it."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.listener import Listener
from orchestra_core.simulation.control import read_fault, state
from orchestra_core.simulation.driver import Driver
from orchestra_core.simulation.faults import Planned
from orchestra_core.simulation.ollama_server import OllamaSurface
from orchestra_core.simulation.openai_server import OpenAISurface
from orchestra_core.simulation.reading import BadBody
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.spec import BackendSpec
from orchestra_core.simulation.surface import Surface, send_json
from orchestra_core.simulation.trace import Event, InjectedFault

_LOOPBACK = "127.0.0.1"


class SimulatedBackend:
    """Serves `spec` once `open` returned, until `close`. Break it with `inject`, mend it with `repair`.

    Over HTTP the same is `POST /simulation/fault {"kind", "after_tokens", "seconds", "factor"}` and
    `DELETE /simulation/fault`; `GET /simulation` shows its state. These answer under every fault but
    `refuse` and `crash`, under which nothing does.
    """

    def __init__(self, spec: BackendSpec, *, seed: int, time_scale: float, clock: Clock) -> None:
        self.spec = spec
        self.model = ServiceModel(spec, seed)
        self.port = 0
        self._clock = clock
        self._driver = Driver(self.model, clock, time_scale, self._reachable)
        shape = OllamaSurface if spec.kind is BackendKind.OLLAMA else OpenAISurface
        self._surface: Surface = shape(spec, self._driver, clock)
        self._views, self._routes = self._surface.views, self._surface.routes
        self._listener: Listener | None = None
        self._listening = False
        self._reopening: asyncio.Task[None] | None = None
        self._planned: list[asyncio.TimerHandle] = []

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def url(self) -> str:
        return f"http://{_LOOPBACK}:{self.port}"

    def inject(self, fault: InjectedFault) -> None:
        self._driver.inject(fault)

    def repair(self) -> None:
        self._driver.repair()

    def occupy(self, foreign: int) -> None:
        """Somebody else on the machine uses so many bytes from now on."""
        self._driver.occupy(foreign)

    def observe(self, observer: Callable[[Event], None]) -> None:
        """Tells of everything that happens in the simulation, as it happens."""
        self._driver.observer = observer

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns once `condition` holds: it is looked at now and after whatever happens in the simulation."""
        await self._driver.until(condition)

    @property
    def listening(self) -> bool:
        """Whether connections are taken."""
        return self._listening

    def follow(self, faults: Sequence[Planned], begin: float) -> None:
        """Has these faults from `begin` (monotonic seconds) on, in place of what was planned before."""
        for timer in self._planned:
            timer.cancel()
        loop, now = asyncio.get_running_loop(), self._clock.monotonic()
        scale = self._driver.time_scale
        self._planned = [
            loop.call_later(begin + one.at / scale - now, self.inject, one.fault) for one in faults
        ]

    async def open(self) -> None:
        self._listener = Listener(self._handle, clock=self._clock)
        self.port = await self._listener.tcp(_LOOPBACK, 0)
        self._listening = True

    async def close(self) -> None:
        for timer in self._planned:
            timer.cancel()
        self._driver.close()
        if self._reopening is not None:
            self._reopening.cancel()
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    def describe(self) -> dict[str, object]:
        """What a client needs to know to use this backend, as the process prints it."""
        return {
            "name": self.name,
            "kind": self.spec.kind,
            "url": self.url,
            "memory": self.spec.memory,
            "slots": self.spec.slots,
            "models": [
                {
                    "name": model.name,
                    "memory": model.memory,
                    "parallel": model.parallel,
                    "quality": model.quality,
                    "price_input": model.price_input,
                    "price_output": model.price_output,
                }
                for model in self.spec.models
            ],
        }

    # -- requests --------------------------------------------------------------------------------------

    async def _handle(self, request: Request, exchange: Exchange) -> None:
        if request.path.startswith("/simulation"):
            self._control(request, exchange)
            return
        await self._driver.while_hanging()
        route = self._routes.get(request.path) if request.method == "POST" else None
        view = self._views.get(request.path) if request.method in ("GET", "HEAD") else None
        if route is not None:
            await route(request, exchange)
        elif view is not None:
            view(exchange)
        else:
            self._surface.unknown(exchange)

    def _control(self, request: Request, exchange: Exchange) -> None:
        match request.method, request.path:
            case "GET", "/simulation":
                send_json(exchange, 200, state(self.model))
            case "POST", "/simulation/fault":
                self._break(request, exchange)
            case "DELETE", "/simulation/fault":
                self.repair()
                send_json(exchange, 200, state(self.model))
            case _:
                send_json(exchange, 404, {"error": f"no {request.method} {request.path} in a simulation"})

    def _break(self, request: Request, exchange: Exchange) -> None:
        try:
            fault = read_fault(request.body)
        except BadBody as error:
            send_json(exchange, 400, {"error": str(error)})
            return
        # Answered first: the fault may close this very connection.
        exchange.send(200, msgspec.json.encode({"fault": fault}))
        self.inject(fault)

    # -- listening -------------------------------------------------------------------------------------

    def _reachable(self, reachable: bool) -> None:
        """A backend that is down closes port and connections, and later takes the same port again."""
        listener = self._listener
        if listener is None:
            return
        if reachable:
            # Owned here: `close` cancels it.
            self._reopening = asyncio.get_running_loop().create_task(self._reopen(listener))
            return
        self._listening = False
        listener.stop_accepting()
        for connection in tuple(listener.connections):
            connection.reset()

    async def _reopen(self, listener: Listener) -> None:
        await listener.tcp(_LOOPBACK, self.port)
        self._listening = True
        self._driver.happened()
