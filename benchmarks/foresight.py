"""A thousand models that were used lately and are not loaded: what one second of looking ahead costs."""

import random
from collections.abc import Callable

from orchestra_core.background.demand import Forecasting, Loads
from orchestra_core.domain.catalog import BackendKind, Endpoint, ModelInfo, Residency
from orchestra_core.domain.memory import Pressure
from orchestra_core.domain.result import Plan
from orchestra_core.routing.capability import BackendFacts, describe

MODELS = 1000
_SECONDS = 2000


class _Time:
    """A second a tick."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    wall = monotonic


def looking_ahead() -> Callable[[], None]:
    """One tick of a forecast that has seen half an hour of three hundred people use twenty models a second."""
    chance, clock = random.Random(1), _Time()
    models: dict[str, tuple[Endpoint, ...]] = {}
    for number in range(MODELS):
        facts = BackendFacts(name=f"box{number % 20}", kind=BackendKind.OLLAMA, slots=2)
        info = ModelInfo(f"model{number}", residency=Residency.ABSENT, parameters=8 * 10**9, loadable=True)
        models[info.name] = (Endpoint(describe(facts, info, None), Residency.ABSENT),)
    passed: list[tuple[str, str]] = []

    def take() -> list[tuple[str, str]]:
        taken = passed.copy()
        passed.clear()
        return taken

    forecasting = Forecasting(
        clock=clock,
        models=lambda: models,
        passed=take,
        loads=Loads(lambda _: Plan(fits=False), lambda _: Pressure.CALM, lambda _: None, lambda _: None),
        enabled=lambda: True,
        say=lambda *_: None,
    )

    def tick() -> None:
        clock.now += 1.0
        for name in chance.sample(range(MODELS), 20):
            models[f"model{name}"][0].calls += 1
            passed.append((f"key{chance.randrange(300)}", f"model{name}"))
        forecasting.tick()

    for _ in range(_SECONDS):
        tick()
    return tick
