"""A machine with room for so many models, under the real scheduler and the real foresight, in virtual seconds."""

from collections.abc import Mapping

from orchestra_core.background.demand import Forecasting, Loads
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.memory import Need, Pressure, Reading, Rule
from orchestra_core.residency.scheduler import Load, Scheduler, Unload
from tests.fakes.clock import ManualClock
from tests.unit.routing.fleet import endpoint

GIB = 1024**3


class Box:
    """Each model needs 1 GiB; an answer takes no time. `ask` tells whether the model was there."""

    def __init__(
        self, models: Mapping[str, float], room: int, *, foresight: bool = True, ttl: float | None = None
    ) -> None:
        """`models` are names and seconds of loading."""
        self.clock = ManualClock()
        self.pressure = Pressure.CALM
        self.foresight = foresight
        self.said: list[tuple[str, str]] = []
        self.ahead: list[tuple[float, str]] = []
        self.warm = self.cold = 0
        self.scheduler = Scheduler()
        self.endpoints = {name: self._endpoint(name, seconds, ttl) for name, seconds in models.items()}
        self.scheduler.read("host", Reading(room * GIB), self.now)
        self._due: dict[str, float] = {}
        self._waiting: list[tuple[str, str]] = []
        self._passed: list[tuple[str, str]] = []
        self.forecasting = Forecasting(
            clock=self.clock,
            models=lambda: {name: (each,) for name, each in self.endpoints.items()},
            passed=self._take,
            loads=Loads(
                plan=lambda e: self.scheduler.plan(e, self.now),
                pressure=lambda _: self.pressure,
                preload=self._preload,
                withdraw=self.scheduler.unguess,
                ttl=lambda _: ttl,
            ),
            enabled=lambda: self.foresight,
            say=lambda kind, subject, _, __: self.said.append((kind, subject)),
        )

    def _endpoint(self, name: str, seconds: float, ttl: float | None) -> Endpoint:
        made = endpoint(f"box/{name}", loadable=True, load_seconds=seconds)
        made.residency = Residency.ABSENT
        made.need = Need(GIB)
        self.scheduler.join(made, "host", Rule(ttl=ttl))
        return made

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    def _take(self) -> list[tuple[str, str]]:
        passed, self._passed = self._passed, []
        return passed

    def _preload(self, wanted: Endpoint) -> None:
        self.ahead.append((self.now, wanted.spec.model))
        self.scheduler.want(wanted, self.now, speculative=True, evicting=True)

    def ask(self, model: str, session: str = "me") -> bool:
        asked = self.endpoints[model]
        if asked.residency is Residency.READY:
            self.warm += 1
            self._answer(model, session)
            return True
        self.cold += 1
        asked.inflight += 1
        self._waiting.append((model, session))
        self.scheduler.want(asked, self.now)
        return False

    def _answer(self, model: str, session: str) -> None:
        asked = self.endpoints[model]
        asked.calls += 1
        asked.last_done = asked.last_used = self.now
        self._passed.append((session, model))

    def ready(self, model: str) -> bool:
        return self.endpoints[model].residency is Residency.READY

    def unload(self, model: str) -> None:
        """By hand."""
        self.scheduler.unload(self.endpoints[model], self.now, 0.0)
        self.forecasting.unwanted(self.endpoints[model])

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.second()

    def second(self) -> None:
        self.clock.advance(1.0)
        for name, due in list(self._due.items()):
            if due <= self.now:
                del self._due[name]
                self.scheduler.loaded(self.endpoints[name], None, self.now)
        for model, session in [one for one in self._waiting if self.ready(one[0])]:
            self._waiting.remove((model, session))
            self.endpoints[model].inflight -= 1
            self.scheduler.unwant(self.endpoints[model], self.now)
            self._answer(model, session)
        self.forecasting.tick()
        while actions := self.scheduler.actions(self.now):
            for action in actions:
                self._act(action)

    def _act(self, action: object) -> None:
        match action:
            case Load():
                self._due[action.endpoint.spec.model] = self.now + action.endpoint.spec.load_seconds
            case Unload():
                self._due.pop(action.endpoint.spec.model, None)
                self.scheduler.unloaded(action.endpoint, self.now)
