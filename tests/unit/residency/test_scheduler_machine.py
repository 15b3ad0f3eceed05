"""The scheduler as a state machine against boxes whose true memory is simulated.

Whatever the order of requests, operators' wishes, deaths, late memory, others' use, wrong estimates, looks and
readings: the rule holds whenever a load begins, nothing busy, loading or pinned is evicted but by a swap that is due,
everybody is served or refused within a bound once things calm down, and nothing stays reserved in the end.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestra_core.domain.catalog import BackendKind, Residency
from orchestra_core.domain.memory import Need, Quota, Rule
from orchestra_core.residency.scheduler import PERMANENT, Refuse
from tests.fakes.residency_world import GIB, Box, Model, World, endpoint

MODELS = 6
WHICH = st.integers(0, MODELS - 1)
SIZES = st.lists(st.sampled_from([1.0, 2.5, 4.0, 6.5, 9.0]), min_size=MODELS, max_size=MODELS)
RULES = st.builds(
    Rule,
    pinned=st.sampled_from([False, False, False, True]),
    group=st.sampled_from(["", "", "", "g"]),
    ttl=st.sampled_from([None, None, 20.0]),
    copies=st.sampled_from([None, None, 1]),
    memory=st.sampled_from([None, None, 6 * GIB]),
)
QUOTAS = st.builds(
    Quota, memory=st.sampled_from([None, 5 * GIB, 12 * GIB]), loaded=st.sampled_from([None, 0, 1, 2])
)
# Estimates over true needs: upper bounds, and wrong ones.
BOUND = (1.0, 1.1, 1.3)
WRONG = (0.7, 0.9, 1.3)


class Machine(RuleBasedStateMachine):
    """`box` is measured or only configured; `ollama` has unknown memory and loads by itself."""

    @initialize(
        sizes=SIZES,
        rules=st.lists(RULES, min_size=MODELS, max_size=MODELS),
        measured=st.booleans(),
        errors=st.sampled_from([BOUND, WRONG]),
        data=st.data(),
    )
    def begin(
        self,
        sizes: list[float],
        rules: list[Rule],
        measured: bool,
        errors: tuple[float, ...],
        data: st.DataObject,
    ) -> None:
        boxes = [Box("host", 16, measured=measured), Box("second", 10)]
        places = [
            (boxes[0], "box"),
            (boxes[0], "box"),
            (boxes[0], "box"),
            (boxes[0], "ollama"),
            (boxes[1], "far"),
        ]
        rules[4] = rules[0]  # they are copies of one model
        models = []
        for number, ((box, backend), size, wish) in enumerate(zip(places, sizes, rules, strict=False)):
            need = size * data.draw(st.sampled_from(errors))
            kind = BackendKind.OLLAMA if backend == "ollama" else BackendKind.MANAGED
            name = "copied" if number in (0, 4) else f"m{number}"
            models.append(Model(endpoint(name, need, backend=backend, kind=kind), box, size, wish))
        unknown = endpoint("free", 3.0, backend="unknown", kind=BackendKind.OLLAMA)
        models.append(Model(unknown, None, sizes[-1], rules[-1]))
        self.world = World(boxes, models)
        self.models = models
        for number in data.draw(st.lists(st.integers(0, 4), unique=True)):  # loaded before, and busy or not
            self.world.want(models[number])
            self.world.act()
            if models[number].loading:
                self.world.end_load(models[number])
                self.world.tick(31.0)
                if data.draw(st.booleans()):
                    self.world.finish(models[number])

    def teardown(self) -> None:
        if not hasattr(self, "world") or self.world.broken:
            return
        world = self.world
        for _ in range(400):
            if not any(model.waiters or model.asked is not None for model in self.models):
                break
            world.calm_step()
        left = [model.endpoint for model in self.models if model.waiters or model.asked is not None]
        assert not left, f"somebody waits for ever: {left}"
        for model in self.models:
            world.scheduler.unwant(model.endpoint, world.now)
        for _ in range(4):
            world.calm_step()
            for model in self.models:
                world.scheduler.unload(model.endpoint, world.now, 0.0)
            world.act()
        world.tick(61.0)  # memory that no reading saw come or go counts for a minute
        assert [model.endpoint for model in self.models if model.present] == []
        assert [(pool.reserved, pool.returning) for pool in world.scheduler.view(world.now)] == [(0, 0)] * 2

    # Clients and operators.

    @rule(which=WHICH)
    def request(self, which: int) -> None:
        self.world.want(self.models[which])
        self.world.act()

    @rule(which=WHICH, seconds=st.sampled_from([11.0, 21.0, 31.0]))
    def request_for_long(self, which: int, seconds: float) -> None:
        """Those on other models go on."""
        self.world.want(self.models[which])
        self.world.act()
        self.world.tick(seconds)

    @rule(which=WHICH)
    def give_up(self, which: int) -> None:
        if self.models[which].waiters:
            self.world.leave(self.models[which])
        self.world.act()

    @rule(which=WHICH)
    def finish(self, which: int) -> None:
        if self.models[which].running:
            self.world.finish(self.models[which])
        self.world.act()

    @rule(which=WHICH, evicting=st.booleans())
    def guess(self, which: int, evicting: bool) -> None:
        self.world.want(self.models[which], speculative=True, evicting=evicting)
        self.world.act()

    @rule(which=WHICH)
    def operator_loads(self, which: int) -> None:
        self.world.want(self.models[which], operator=True)
        self.world.act()

    @rule(which=WHICH, patience=st.sampled_from([0.0, 5.0]), force=st.booleans())
    def operator_unloads(self, which: int, patience: float, force: bool) -> None:
        model = self.models[which]
        free = model.endpoint.residency is Residency.READY and not model.busy
        done = self.world.scheduler.unload(model.endpoint, self.world.now, patience, force=force)
        if done:
            model.asked = None
            assert free or force or patience > 0
        self.world.act()

    @rule(backend=st.sampled_from(["box", "ollama", "far"]), quota=QUOTAS)
    def limit(self, backend: str, quota: Quota) -> None:
        self.world.quotas[backend] = quota
        self.world.scheduler.quota(backend, quota)
        self.world.act()

    @rule(which=WHICH, demand=st.sampled_from([0.0, 0.01, 1.0]))
    def popularity(self, which: int, demand: float) -> None:
        self.models[which].endpoint.demand = demand

    # The machines.

    @rule(which=WHICH, ending=st.sampled_from(["ok", "ok", "ok", "failed", "memory"]))
    def load_ends(self, which: int, ending: str) -> None:
        if self.models[which].loading:
            self.world.end_load(self.models[which], ending)
        self.world.act()

    @rule(which=WHICH, kept=st.sampled_from([False, False, False, True]))
    def unload_ends(self, which: int, kept: bool) -> None:
        model = self.models[which]
        if model.ends_by is not None and (not model.running or self.world.now >= model.ends_by):
            self.world.end_unload(model, kept=kept)
        self.world.act()

    @rule(which=WHICH, told=st.booleans())
    def dies(self, which: int, told: bool) -> None:
        model = self.models[which]
        if model.endpoint.residency is Residency.READY and model.ends_by is None:
            self.world.vanish(model, told=told)
            if not told:
                self.world.look()
        self.world.act()

    @rule(which=st.sampled_from([3, 5]))
    def loads_by_itself(self, which: int) -> None:
        model = self.models[which]
        if not model.present:
            self.world.appear(model)
            self.world.look()
            self.world.serve(model)
        self.world.act()

    @rule()
    def memory_comes_back(self) -> None:
        for box in self.world.boxes.values():
            if box.ghosts:
                box.ghosts.pop(0)

    @rule(share=st.sampled_from([0.0, 0.0, 0.1, 0.3, 0.6]), box=st.sampled_from(["host", "second"]))
    def others_use(self, share: float, box: str) -> None:
        found = self.world.boxes[box]
        found.foreign = int(share * found.total)

    @rule(which=WHICH, factor=st.sampled_from([0.7, 1.0, 1.3]))
    def the_estimate_changes(self, which: int, factor: float) -> None:
        model = self.models[which]
        if not model.present:
            model.endpoint.need = Need(int(model.true * factor))

    # Time and what is told of it.

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 11.0, 31.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.tick(seconds)

    @rule()
    def reading(self) -> None:
        self.world.read()
        self.world.act()

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def a_plan_changes_nothing_and_agrees_with_what_is_published(self) -> None:
        world = self.world
        before = world.scheduler.view(world.now)
        plans = {model.endpoint.id: world.scheduler.plan(model.endpoint, world.now) for model in self.models}
        world.scheduler.publish(world.now)
        assert world.scheduler.view(world.now) == before
        for model in self.models:
            found, plan = model.endpoint, plans[model.endpoint.id]
            if model.present:
                assert found.barred is None
                continue
            assert (found.barred is None) == (plan.code not in PERMANENT), plan
            assert found.barred is None or found.barred[0] == plan.code
            victims = [other for other in self.models if other.endpoint.id in (*plan.evicts, *plan.waits_for)]
            dear = [v for v in victims if v.endpoint.demand and v.endpoint.took != 0.0 and v.ends_by is None]
            assert found.external > 0 or not dear

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def what_is_there_is_reserved(self) -> None:
        for view in self.world.scheduler.view(self.world.now):
            here = [m for m in self.models if m.box is not None and m.box.name == view.name and m.present]
            assert view.reserved - view.returning >= sum(m.promised for m in here if m.loading)
            assert view.free >= 0


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
class TestScheduler(Machine.TestCase):
    """Run by pytest."""

    settings = settings(
        max_examples=120,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def test_the_world_counts_a_refusal_as_an_answer() -> None:
    """The machine would not be worth much if a refusal went unseen."""
    box = Box("host", 16)
    a = Model(endpoint("a", 9), box, 9, Rule())
    world = World([box], [a])
    world.want(a)
    box.foreign = 9 * GIB
    for _ in range(40):
        world.tick()
        if any(isinstance(action, Refuse) for action in world.act()):
            break
    assert a.waiters == [] or a.loading
