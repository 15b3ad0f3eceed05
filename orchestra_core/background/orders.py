"""Loads and unloads that an operator orders: shown before they act, refused with the reason, else accepted."""

from collections.abc import Callable, Sequence

from orchestra_core.background.residency import Residencies, refused
from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.errors import OperationFailed, UnknownModel
from orchestra_core.domain.result import Operation, Plan
from orchestra_core.residency.scheduler import PERMANENT, Scheduler

_TOO_MUCH = frozenset({"too_large", "no_room"})


class Orders:
    """`serving` finds a model's endpoints, `nearest` names that are like its name; `unwanted` is told of one that an
    operator unloads.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        scheduler: Scheduler,
        residencies: Residencies,
        serving: Callable[[str], tuple[Endpoint, ...]],
        nearest: Callable[[str], Sequence[str]],
        unwanted: Callable[[Endpoint], None],
    ) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._residencies = residencies
        self._serving = serving
        self._nearest = nearest
        self._unwanted = unwanted
        self._count = 0

    def __call__(
        self,
        action: str,
        model: str,
        backend: str | None,
        *,
        dry_run: bool = False,
        drain_seconds: float | None = None,
        force: bool = False,
    ) -> Operation:
        """Accepts a load or unload; its progress is published as events. Raises what forbids it.

        A dry run changes nothing and is not refused for what its plan says.
        """
        now = self._clock.monotonic()
        endpoint = self._target(action, model, backend, now)
        plan = self._scheduler.plan(endpoint, now, action, operator=True)
        if dry_run:
            return Operation("", action, endpoint.spec.model, endpoint.spec.backend, plan)
        if action == "load":
            self._load(endpoint, plan, now)
        else:
            self._unload(endpoint, now, drain_seconds, force)
        self._residencies.act()
        self._count += 1
        return Operation(f"op-{self._count}", action, endpoint.spec.model, endpoint.spec.backend, plan)

    def _load(self, endpoint: Endpoint, plan: Plan, now: float) -> None:
        if plan.code in _TOO_MUCH:
            raise OperationFailed(f"{endpoint.id}: {plan.reason}", code="does_not_fit")
        if plan.code in PERMANENT:
            raise refused(endpoint, plan)
        self._scheduler.want(endpoint, now, operator=True)

    def _unload(self, endpoint: Endpoint, now: float, drain_seconds: float | None, force: bool) -> None:
        served = endpoint.served
        if served > 0 and drain_seconds is None and not force:
            raise OperationFailed(
                f"{endpoint.id} is busy with {served} requests: give `drain_seconds` to let them finish, or `force`",
                code="busy",
            )
        if not self._scheduler.unload(endpoint, now, drain_seconds or 0.0, force=force):
            raise OperationFailed(
                f"{endpoint.id} is still wanted: give more `drain_seconds`, or `force`", code="busy"
            )
        if force:
            self._residencies.force(endpoint)
        self._unwanted(endpoint)

    def _target(self, action: str, model: str, backend: str | None, now: float) -> Endpoint:
        endpoints = [e for e in self._serving(model) if backend is None or e.spec.backend == backend]
        if not endpoints:
            raise self._unknown(model, backend)
        here = Residency.READY if action == "unload" else Residency.ABSENT
        wanted = [e for e in endpoints if e.residency is here]
        if not wanted:
            raise self._nothing(action, model, endpoints)
        able = [e for e in wanted if e.spec.loadable]
        if not able:
            raise OperationFailed(
                f"{wanted[0].spec.backend} cannot {action} models over its API", code="not_supported"
            )
        return min(able, key=lambda e: self._order(e, action, now))

    def _unknown(self, model: str, backend: str | None) -> UnknownModel:
        """With the places that have it, else with the nearest names."""
        near = [e.spec.backend for e in self._serving(model)]
        hint = f"it is on {', '.join(near)}" if near else ""
        if not near and (near := [*self._nearest(model)]):
            hint = f"did you mean {' or '.join(near)}?"
        where = f" on backend {backend[:128]!r}" if backend else ""
        return UnknownModel(
            f"model {model[:128]!r} is not known{where}; {hint or 'ai-orchestra models lists them'}",
            param="name",
        )

    @staticmethod
    def _nothing(action: str, model: str, endpoints: list[Endpoint]) -> OperationFailed:
        steady = (Residency.READY, Residency.ABSENT)
        changing = next((e for e in endpoints if e.residency not in steady), None)
        if changing is not None:
            words = f"{changing.id} is {changing.residency}: wait until that has ended"
            return OperationFailed(words, code="busy")
        state = "loaded" if action == "load" else "not loaded"
        return OperationFailed(f"{model} is already {state}", code="nothing_to_do")

    def _order(self, endpoint: Endpoint, action: str, now: float) -> tuple[object, ...]:
        """Where it costs least: where it may be loaded, without evicting or waiting; where least runs. Of backends
        that do not answer or get no requests only if there are no others.
        """
        if action == "unload":
            return (not endpoint.reachable, endpoint.inflight, endpoint.id)
        plan = self._scheduler.plan(endpoint, now, operator=True)
        away = not endpoint.reachable or endpoint.draining
        costs = (
            away,
            plan.code in PERMANENT,
            len(plan.waits_for),
            len(plan.evicts),
            plan.expected_seconds or 0.0,
        )
        return (*costs, endpoint.id)
