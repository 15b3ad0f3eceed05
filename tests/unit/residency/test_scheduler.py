"""What is loaded when, for whom, and what goes for it."""

from orchestra_core.domain.catalog import BackendKind, Endpoint, EndpointSpec, Residency
from orchestra_core.domain.memory import Need, Reading, Rule
from orchestra_core.residency.scheduler import Load, Policy, Scheduler, Unload

GIB = 1024**3


def endpoint(name: str, size: float, backend: str = "box", **spec: object) -> Endpoint:
    facts = EndpointSpec(
        backend=backend,
        model=name,
        kind=BackendKind.MANAGED,
        capabilities=frozenset({"chat"}),
        tasks=frozenset(),
        context=4096,
        quality=0.5,
        tier="medium",
        loadable=True,
    )
    found = Endpoint(facts, Residency.ABSENT)
    found.need = Need(int(size * GIB))
    return found


def scheduler(*endpoints: Endpoint, total: float = 10, used: float | None = None) -> Scheduler:
    made = Scheduler(Policy())
    for found in endpoints:
        made.join(found, "host")
    made.read("host", Reading(int(total * GIB), None if used is None else int(used * GIB)), 0.0)
    return made


def test_a_wanted_model_is_loaded_when_it_fits() -> None:
    """Want, load, ready."""
    a = endpoint("a", 4)
    made = scheduler(a)
    assert made.want(a, 0.0).fits
    assert made.actions(0.0) == [Load(a)]
    assert a.residency is Residency.LOADING
    assert made.actions(0.0) == []
    made.loaded(a, None, 5.0)
    assert a.residency is Residency.READY
    assert a.took == 5.0


def test_an_idle_model_makes_room() -> None:
    """One that does not fit beside an idle one is loaded when that has gone."""
    a, b = endpoint("a", 6), endpoint("b", 6)
    made = scheduler(a, b)
    made.want(a, 0.0)
    made.actions(0.0)
    made.loaded(a, None, 5.0)
    made.unwant(a, 5.0)
    assert made.want(b, 100.0).evicts == ("box/a",)
    assert made.actions(100.0) == [Unload(a, "room", 0.0, "box/b")]
    assert made.actions(100.0) == []
    made.unloaded(a, 101.0)
    assert made.actions(101.0) == [Load(b, ("box/a",))]


def test_what_can_never_fit_is_refused_with_the_numbers() -> None:
    """The refusal names need and memory."""
    a = endpoint("a", 12)
    made = scheduler(a)
    plan = made.want(a, 0.0)
    assert (plan.fits, plan.code) == (False, "too_large")
    assert "12.0 GiB" in plan.reason
    assert "10.0 GiB" in plan.reason
    assert made.actions(0.0) == []


def test_an_expired_model_goes() -> None:
    """TTL counts from the last completion, or from readiness."""
    a = endpoint("a", 4)
    made = scheduler(a)
    made.join(a, "host", Rule(ttl=60))
    made.want(a, 0.0)
    made.actions(0.0)
    made.loaded(a, None, 5.0)
    made.unwant(a, 5.0)
    a.last_done = 20.0
    assert made.actions(79.0) == []
    assert made.actions(80.0) == [Unload(a, "idle", 0.0)]
