"""Many models on many backends, for the cost of planning their loads."""

from collections.abc import Callable, Iterator
from functools import partial

from orchestra_core.domain.call import Kind, Profile, Requirements, Task
from orchestra_core.domain.catalog import BackendKind, Endpoint, ModelInfo, Residency
from orchestra_core.domain.memory import Need, Reading
from orchestra_core.residency.scheduler import Scheduler
from orchestra_core.routing.capability import BackendFacts, describe
from orchestra_core.routing.filters import sift

BACKENDS, MODELS, LOADED = 20, 50, 6
_GIB = 1024**3


def planning() -> Iterator[tuple[str, int, Callable[[], object]]]:
    """Name, how many things one call handles, and the call. Every model could be loaded on every backend."""
    scheduler, rows = _full()
    column = [row[-1] for row in rows]
    size = f"{BACKENDS} x {MODELS}"
    call = Profile(Task.TEXT_GENERATION, Kind.CHAT, 100, None, frozenset(), Requirements(), None, False)
    loaded, absent = [rows[0][0]], [column[0]]
    yield "may it be sent to a loaded model", 1, partial(sift, call, loaded)
    yield "may it be sent to an absent one", 1, partial(sift, call, absent)
    yield f"plan one model, {size}", 1, lambda: [scheduler.plan(endpoint, 100.0) for endpoint in column]
    yield f"publish what loads cost, {size}", 1, partial(scheduler.publish, 100.0)
    yield f"what to do now, {size}", 1, partial(scheduler.actions, 100.0)


def _full() -> tuple[Scheduler, list[list[Endpoint]]]:
    """Each backend has memory for a few of its models, and they are there."""
    scheduler = Scheduler()
    rows = []
    for number in range(BACKENDS):
        name = f"box{number}"
        rows.append([_model(name, model) for model in range(MODELS)])
        for endpoint in rows[-1]:
            scheduler.join(endpoint, name)
        scheduler.read(name, Reading(24 * _GIB), 0.0)
        for endpoint in rows[-1][:LOADED]:
            scheduler.want(endpoint, 0.0)
            scheduler.actions(0.0)
            scheduler.loaded(endpoint, None, 0.0)
            scheduler.unwant(endpoint, 0.0)
            endpoint.demand = 0.01
    assert sum(e.residency is Residency.READY for row in rows for e in row) == BACKENDS * LOADED
    return scheduler, rows


def _model(backend: str, number: int) -> Endpoint:
    size = (number % 12 + 1) * _GIB
    facts = BackendFacts(name=backend, kind=BackendKind.MANAGED, slots=8, weight=1.0, rtt=0.001)
    info = ModelInfo(
        f"model{number}", residency=Residency.ABSENT, size_bytes=size, context=8192, loadable=True
    )
    made = Endpoint(describe(facts, info, None), Residency.ABSENT)
    made.need = Need(size)
    return made
