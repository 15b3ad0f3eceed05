"""Boxes with true memory for the scheduler to be right about, and the shell that carries its actions out.

What models truly occupy, what others use and what has not come back yet is known here and only measured there. Every
action is checked against that, with a ledger kept here, at the moment it is given.
"""

from collections.abc import Sequence

from orchestra_core.domain.call import Level
from orchestra_core.domain.catalog import BackendKind, Endpoint, EndpointSpec, Residency
from orchestra_core.domain.memory import HOST, Need, Quota, Reading, Rule
from orchestra_core.domain.result import Plan
from orchestra_core.residency.scheduler import PERMANENT, Load, Policy, Refuse, Scheduler, Unload

GIB = 1024**3


def endpoint(
    name: str,
    need: float | None = 1.0,
    *,
    backend: str = "box",
    kind: BackendKind = BackendKind.MANAGED,
    load_seconds: float = 5.0,
    size: float | None = None,
    loadable: bool = True,
) -> Endpoint:
    """An absent model; `need` and `size` are GiB."""
    spec = EndpointSpec(
        backend=backend,
        model=name,
        kind=kind,
        capabilities=frozenset({"chat"}),
        tasks=frozenset(),
        context=4096,
        quality=0.5,
        tier=Level.MEDIUM,
        load_seconds=load_seconds,
        loadable=loadable,
        size_bytes=None if size is None else int(size * GIB),
    )
    made = Endpoint(spec, Residency.ABSENT)
    made.need = None if need is None else Need(int(need * GIB))
    return made


class Box:
    """The memory of one pool. `measured`: its use can be read; else only its size is configured."""

    def __init__(self, name: str, total: float, *, measured: bool = True) -> None:
        self.name = name
        self.total = int(total * GIB)
        self.measured = measured
        self.foreign = 0
        self.resident: dict[str, int] = {}
        self.ghosts: list[int] = []
        self.foreign_read = 0
        self.used_read = 0

    @property
    def used(self) -> int:
        return self.foreign + sum(self.resident.values()) + sum(self.ghosts)

    @property
    def headroom(self) -> int:
        if not self.measured:
            return 0
        if self.name == HOST:
            return max(self.total * 8 // 100, min(GIB, self.total // 8))
        return min(GIB // 2, self.total // 8)


class Model:
    """One endpoint, what it truly needs, and what happens to it now."""

    def __init__(self, found: Endpoint, box: Box | None, true: float, rule: Rule) -> None:
        self.endpoint = found
        self.box = box
        self.true = int(true * GIB)
        self.rule = rule
        self.waiters: list[float] = []
        self.running = 0
        self.promised = 0
        self.loading = False
        self.guessed = False
        self.asked: float | None = None
        self.ends_by: float | None = None  # an unload is under way; what runs is ended then
        self.served = 0
        self.refused = 0

    @property
    def busy(self) -> bool:
        return bool(self.running or self.waiters)

    @property
    def present(self) -> bool:
        return self.loading or self.ends_by is not None or self.endpoint.residency is not Residency.ABSENT

    @property
    def oldest(self) -> float | None:
        wishes = [*self.waiters[:1], *([] if self.asked is None else [self.asked])]
        return min(wishes, default=None)


class World:
    """Drives a scheduler as the engine does. Models of a box without a name have unknown memory."""

    def __init__(self, boxes: Sequence[Box], models: Sequence[Model], policy: Policy | None = None) -> None:
        self.policy = Policy() if policy is None else policy
        self.scheduler = Scheduler(self.policy)
        self.boxes = {box.name: box for box in boxes}
        self.models = {model.endpoint.id: model for model in models}
        self.quotas: dict[str, Quota] = {}
        self.now = 100.0
        self.swaps = 0
        self.broken = False
        self.refusals: list[Plan] = []
        self.look()
        self.read()

    # What happens on the boxes.

    def look(self) -> None:
        """A look at all backends: what is there, and what it occupies."""
        for model in self.models.values():
            self._count(model)
            if model.box is not None:
                model.endpoint.memory_bytes = model.box.resident.get(model.endpoint.id) or None
            name = None if model.box is None else model.box.name
            self.scheduler.join(model.endpoint, name, model.rule)

    def read(self) -> None:
        for box in self.boxes.values():
            box.foreign_read, box.used_read = box.foreign, box.used
            reading = Reading(box.total, box.used if box.measured else None)
            self.scheduler.read(box.name, reading, self.now)

    def tick(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.look()
        self.read()
        self.act()

    def appear(self, model: Model) -> None:
        """Its backend has loaded it by itself."""
        assert not model.present
        model.endpoint.residency = Residency.READY
        model.asked = None
        if model.box is not None:
            model.box.resident[model.endpoint.id] = model.true
            model.promised = max(model.true, self._need(model))

    def vanish(self, model: Model, *, told: bool) -> None:
        """It has died, which is either told or found at the next look."""
        model.running = 0
        self._count(model)
        self._haunt(model)
        if told:
            self.scheduler.lost(model.endpoint, self.now)
        else:
            model.endpoint.residency = Residency.ABSENT

    def _haunt(self, model: Model) -> None:
        if model.box is not None:
            held = model.box.resident.pop(model.endpoint.id, 0)
            model.box.ghosts.append(held)
        model.promised = 0
        model.loading = False
        model.asked = None
        model.ends_by = None

    # What clients and operators do.

    def want(self, model: Model, **kinds: bool) -> Plan:
        plan = self.scheduler.want(model.endpoint, self.now, **kinds)
        if plan.code in PERMANENT:
            model.refused += not kinds
        elif kinds.get("operator") and model.endpoint.residency is not Residency.READY:
            model.asked = self.now if model.asked is None else model.asked
        elif not kinds:
            model.waiters.append(self.now)
            self._count(model)
            self.serve(model)
        return plan

    def leave(self, model: Model) -> None:
        since = model.waiters.pop()
        self._count(model)
        self.scheduler.unwant(model.endpoint, self.now, since)

    def serve(self, model: Model) -> None:
        """Whoever waits for a model that is there runs on it."""
        if model.endpoint.residency is not Residency.READY or model.ends_by is not None:
            return
        while model.waiters:
            since = model.waiters.pop(0)
            model.running += 1
            model.served += 1
            self._count(model)
            self.scheduler.unwant(model.endpoint, self.now, since)

    def finish(self, model: Model) -> None:
        model.running -= 1
        model.endpoint.last_done = self.now
        self._count(model)

    def _count(self, model: Model) -> None:
        model.endpoint.inflight = model.running + len(model.waiters)

    # How actions end.

    def end_load(self, model: Model, ending: str = "ok") -> None:
        """`ok`, `failed`, or `memory`: it ran out of it."""
        assert model.loading
        if ending == "ok":
            model.loading = False
            model.asked = None
            if model.box is not None:
                model.box.resident[model.endpoint.id] = model.true
                model.promised = max(model.promised, model.true)
            measured = model.true if model.box is not None else None
            self.scheduler.loaded(model.endpoint, measured, self.now)
            self.serve(model)
            return
        self._haunt(model)
        self.scheduler.failed(model.endpoint, self.now, out_of_memory=ending == "memory")
        self.turn_away(model)

    def turn_away(self, model: Model) -> None:
        model.refused += len(model.waiters)
        while model.waiters:
            self.leave(model)

    def end_unload(self, model: Model, *, kept: bool = False) -> None:
        assert model.ends_by is not None
        if kept:
            model.ends_by = None
            model.asked = model.asked if model.loading else None
            self.scheduler.kept(model.endpoint, self.now, busy=model.running > 0)
            assert (model.endpoint.residency is Residency.LOADING) == model.loading
            self.serve(model)
            return
        model.running = 0
        self._haunt(model)
        self._count(model)
        self.scheduler.unloaded(model.endpoint, self.now)

    # What the scheduler says.

    def act(self) -> list[Load | Unload | Refuse]:
        """Takes what is to be done, checks it, and begins it."""
        actions = self.scheduler.actions(self.now)
        self.broken = True  # until every check has passed: what comes after tells nothing more
        for action in actions:
            model = self.models[action.endpoint.id]
            if isinstance(action, Load):
                self._check_load(model)
                self._begin(model, action)
            elif isinstance(action, Unload):
                self._check_unload(model, action)
                model.ends_by = self.now + action.patience
                self.swaps += action.patience > 0 and action.why == "room"
            else:
                self.refusals.append(action.plan)
                assert action.plan.code in PERMANENT
                model.asked = None
                self.turn_away(model)
        self.broken = False
        return actions

    def _begin(self, model: Model, action: Load) -> None:
        assert action.endpoint.residency is Residency.LOADING
        model.loading = True
        model.guessed = action.speculative
        model.promised = self._need(model)
        if model.box is not None:
            model.box.resident[model.endpoint.id] = model.true // 2

    @staticmethod
    def _need(model: Model) -> int:
        return 0 if model.endpoint.need is None else model.endpoint.need.bytes

    def _others(self, model: Model) -> list[Model]:
        return [other for other in self.models.values() if other is not model and other.present]

    def _check_load(self, model: Model) -> None:
        assert not model.loading, "loaded twice"
        assert model.ends_by is None, "loaded while it leaves"
        others = self._others(model)
        beside = [other for other in others if other.box is model.box and model.box is not None]
        assert not any(other.loading for other in beside), "two loads at once in a pool"
        if model.box is not None:
            self._check_room(model, model.box, beside)
        self._check_rules(model, others)

    def _check_room(self, model: Model, box: Box, beside: Sequence[Model]) -> None:
        """The rule, with true numbers as of the last reading."""
        promised = sum(other.promised for other in beside)
        foreign = min(box.foreign_read, box.foreign) + sum(box.ghosts) if box.measured else 0
        assert promised + foreign + box.headroom + self._need(model) <= box.total, "the rule is broken"
        if box.measured:
            assert box.used_read < self.policy.critical * box.total, "a load under critical pressure"

    def _check_rules(self, model: Model, others: Sequence[Model]) -> None:
        spec, rule = model.endpoint.spec, model.rule
        quota = self.quotas.get(spec.backend, Quota())
        near = [other for other in others if other.endpoint.spec.backend == spec.backend]
        assert quota.loaded is None or len(near) < quota.loaded, "too many loaded"
        taken = sum(other.promised for other in near) + self._need(model)
        assert quota.memory is None or taken <= quota.memory, "over the backend's quota"
        assert rule.memory is None or self._need(model) <= rule.memory, "over the model's quota"
        if rule.group:
            assert not any(o.rule.group == rule.group and o.box is model.box for o in others), "not exclusive"
        if rule.copies is not None:
            copies = [other for other in others if other.endpoint.spec.model == spec.model]
            assert len(copies) < rule.copies, "too many copies"

    def _check_unload(self, model: Model, action: Unload) -> None:
        assert model.ends_by is None, "unloaded twice"
        if action.why == "asked":
            return
        if action.why == "aborted":
            assert model.loading
            assert model.guessed
            assert not model.waiters
            return
        assert not model.loading, "a loading model is evicted"
        assert not model.rule.pinned, "a pinned model is evicted"
        assert model.endpoint.spec.loadable
        oldest = self.models[action.room_for].oldest if action.room_for else None
        age = 0.0 if oldest is None else self.now - oldest
        if model.busy:
            assert action.why == "room", "a busy model is evicted"
            assert action.patience > 0
            assert age > self.policy.swap_seconds, "swapped too early"
        ordered = bool(action.room_for) and self.models[action.room_for].asked is not None
        if action.why == "room" and not ordered and age <= 2 * self.policy.swap_seconds:
            found = model.endpoint
            spec_seconds = found.spec.load_seconds if found.took is None else found.took
            expected = found.demand * max(2 * spec_seconds, self.policy.resident_seconds)
            awaited = found.demand == 0 or model.busy or expected >= 0.5
            there = self.now - found.ready_since
            assert there >= self.policy.resident_seconds or not awaited, "it had just come"

    # Afterwards.

    def calm_step(self) -> None:
        """A second in which everything ends that can, and memory comes back at once."""
        for model in self.models.values():
            while model.running:
                self.finish(model)
            if model.loading and model.ends_by is None:
                self.end_load(model)
            elif model.ends_by is not None and (not model.running or self.now >= model.ends_by):
                self.end_unload(model)
        for box in self.boxes.values():
            box.ghosts.clear()
        self.tick()
