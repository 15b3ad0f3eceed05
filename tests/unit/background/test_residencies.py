"""What is told of a load while it goes on, and who is served by it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from orchestra_core.background.orders import Orders
from orchestra_core.background.residency import Residencies
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.errors import OperationFailed, UnknownModel
from orchestra_core.domain.memory import Need, Reading
from orchestra_core.residency.scheduler import Load, Refuse, Scheduler, Unload
from orchestra_core.upstream.control import ControlError
from tests.fakes.clock import ManualClock
from tests.fakes.turns import settle, until
from tests.unit.routing.fleet import spec

GIB = 1 << 30


class Loader:
    """A load that goes on until `ends` is set, with whoever it tells of it; `fault` is how it then fails."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ends = asyncio.Event()
        self.fault: Exception | None = None
        self.tell: Callable[[str], None]
        self.done: list[str] = []

    async def load(self, model: str, progress: Callable[[str], None]) -> None:
        self.tell = progress
        self.done.append(f"load {model}")
        self.begun.set()
        await self.ends.wait()
        if self.fault is not None:
            raise self.fault

    async def unload(self, model: str) -> None:
        self.done.append(f"unload {model}")
        self.ends.set()
        if self.fault is not None:
            await settle()
            raise self.fault


class Counted(Scheduler):
    """Counts how often it was asked what is to be done: that looks at every model there is."""

    turns = 0

    def actions(self, now: float) -> list[Load | Unload | Refuse]:
        self.turns += 1
        return super().actions(now)


class House:
    """Models of 3 GiB each on one backend with room for two."""

    def __init__(self, tasks: asyncio.TaskGroup, names: str) -> None:
        self.clock = ManualClock()
        self.loader = Loader()
        self.said: list[tuple[str, str]] = []
        self.exhausted: list[str] = []
        self.unwanted: list[str] = []
        self.scheduler = Counted()
        self.endpoints = {f"box/{name}": self._endpoint(name) for name in names}
        self.scheduler.read("box", Reading(7 * GIB), 0.0)
        self.residencies = Residencies(
            clock=self.clock,
            scheduler=self.scheduler,
            current=self.endpoints.get,
            loader=lambda _: self.loader,
            start=lambda work, _: tasks.create_task(work),
            say=lambda kind, subject, *_: self.said.append((kind, subject)),
            looked=lambda _: None,
            exhausted=lambda endpoint: self.exhausted.append(endpoint.id),
        )
        self.orders = Orders(
            clock=self.clock,
            scheduler=self.scheduler,
            residencies=self.residencies,
            serving=lambda model: tuple(e for e in self.endpoints.values() if e.spec.model == model),
            nearest=lambda model: [
                e.spec.model for e in self.endpoints.values() if model[0] == e.spec.model[0]
            ],
            unwanted=lambda endpoint: self.unwanted.append(endpoint.id),
        )

    def _endpoint(self, name: str) -> Endpoint:
        found = Endpoint(spec(f"box/{name}", loadable=True), Residency.ABSENT)
        found.need = Need(3 * GIB)
        self.scheduler.join(found, "box")
        return found

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.residencies.tick()

    async def loaded(self, name: str) -> Endpoint:
        self.loader.ends.set()
        endpoint = self.endpoints[f"box/{name}"]
        await self.residencies.ensure_ready(endpoint)
        return endpoint


@asynccontextmanager
async def house(names: str = "m") -> AsyncIterator[House]:
    async with asyncio.TaskGroup() as tasks:
        yield House(tasks, names)


async def test_progress_that_comes_late_is_not_shown() -> None:
    """The backend has said in its list that the model is ready: it is not loading again."""
    async with house() as here:
        endpoint = here.endpoints["box/m"]
        here.orders("load", "m", None)
        await here.loader.begun.wait()
        here.loader.tell("loading 10 %")
        assert (endpoint.residency, endpoint.progress) == (Residency.LOADING, "loading 10 %")
        assert endpoint.changing_since == here.clock.monotonic()
        endpoint.residency, endpoint.progress = Residency.READY, ""
        here.loader.tell("loading 90 %")
        assert endpoint.progress == ""
        here.loader.ends.set()
    assert (endpoint.residency, endpoint.progress, endpoint.changing_since) == (Residency.READY, "", 0.0)


async def test_a_load_outlives_whoever_asked_for_it() -> None:
    """Two wait, the first leaves: the load goes on, once, and the second is served by it. Who waits is counted."""
    async with house() as here, asyncio.TaskGroup() as clients:
        endpoint = here.endpoints["box/m"]
        first = clients.create_task(here.residencies.ensure_ready(endpoint))
        await here.loader.begun.wait()
        second = clients.create_task(here.residencies.ensure_ready(endpoint))
        await settle()
        assert endpoint.awaiting == 2
        first.cancel()
        await settle()
        assert endpoint.awaiting == 1
        here.loader.ends.set()
        await second
        assert endpoint.awaiting == 0
        assert here.loader.done == ["load m"]


async def test_a_load_that_fails_tells_all_who_wait_and_is_left_alone_for_a_while() -> None:
    """Everybody gets the reason; the next request is refused at once with when to come back, and then served."""
    async with house() as here:
        endpoint = here.endpoints["box/m"]
        here.loader.fault = ControlError("box/m: the weights are damaged")
        here.loader.ends.set()
        waiting = [here.residencies.ensure_ready(endpoint) for _ in range(3)]
        failures = await asyncio.gather(*waiting, return_exceptions=True)
        assert {str(failure) for failure in failures} == {"box/m: the weights are damaged"}
        assert here.loader.done == ["load m"]
        with pytest.raises(OperationFailed, match="its last load failed") as refused:
            await here.residencies.ensure_ready(endpoint)
        assert refused.value.retry_after == 5.0
        here.later(5.1)
        here.loader.fault = None
        await here.residencies.ensure_ready(endpoint)
        assert endpoint.residency is Residency.READY
        assert ("model.failed", "box/m") in here.said


async def test_death_for_want_of_memory_is_told_to_who_estimates() -> None:
    """The estimate is raised before the next try."""
    async with house() as here:
        here.loader.fault = ControlError("killed", code="out_of_memory")
        here.loader.ends.set()
        with pytest.raises(OperationFailed, match="killed"):
            await here.residencies.ensure_ready(here.endpoints["box/m"])
        assert here.exhausted == ["box/m"]


async def test_a_model_that_ends_by_itself_is_absent_at_once() -> None:
    """The next request loads it again; after a death for want of memory it is left alone, and taken to need more."""
    async with house() as here:
        model = await here.loaded("m")
        here.clock.advance(3.0)
        here.residencies.died("box/m", out_of_memory=False)
        assert model.changed == here.clock.monotonic()
        assert (model.residency, here.exhausted) == (Residency.ABSENT, [])
        await here.loaded("m")
        here.residencies.died("box/m", out_of_memory=True)
        assert (model.residency, here.exhausted) == (Residency.ABSENT, ["box/m"])
        with pytest.raises(OperationFailed, match="its last load failed"):
            await here.residencies.ensure_ready(model)
        here.residencies.died("box/gone", out_of_memory=True)


async def test_who_waits_for_what_is_removed_is_told() -> None:
    """A reload takes the backend away: nobody waits for it until their patience ends."""
    async with house("abc") as here:
        await here.loaded("a")
        await here.loaded("b")
        for endpoint in list(here.endpoints.values())[:2]:
            endpoint.inflight = 1
        waiting = asyncio.ensure_future(here.residencies.ensure_ready(here.endpoints["box/c"]))
        await settle()
        del here.endpoints["box/c"]
        here.residencies.tick()
        with pytest.raises(OperationFailed, match="was removed"):
            await waiting


async def test_a_load_that_fails_while_it_is_aborted_is_over_even_if_the_unload_fails_too() -> None:
    """Its backend has died: nobody waits for a load that nobody makes."""
    async with house() as here:
        endpoint = here.endpoints["box/m"]
        here.orders("load", "m", None)
        await here.loader.begun.wait()
        here.loader.fault = ControlError("box does not answer")
        here.scheduler.unload(endpoint, here.clock.monotonic(), 0.0, force=True)
        here.residencies.act()
        await until(lambda: endpoint.residency is Residency.ABSENT)
    assert here.loader.done == ["load m", "unload m"]


async def test_an_idle_model_makes_room_and_is_told_why() -> None:
    """The third of two that fit: the idle one goes first, then it is loaded; the events say so in this order."""
    async with house("abc") as here:
        a, b = await here.loaded("a"), await here.loaded("b")
        here.later(60.0)
        b.inflight = 1
        here.loader.done.clear()
        await here.residencies.ensure_ready(here.endpoints["box/c"])
        assert here.loader.done == ["unload a", "load c"]
        assert (a.residency, b.residency) == (Residency.ABSENT, Residency.READY)
        kinds = [kind for kind, subject in here.said if subject in ("box/a", "box/c")]
        assert kinds[-6:] == [
            "model.planned", "model.unloading", "model.absent", "model.evicted", "model.loading", "model.ready",
        ]  # fmt: skip


async def test_a_dry_run_changes_nothing() -> None:
    """The plan says what would be, and nobody has been asked for anything."""
    async with house("abc") as here:
        await here.loaded("a")
        await here.loaded("b")
        here.later(60.0)
        here.loader.done.clear()
        found = here.orders("load", "c", None, dry_run=True)
        assert (found.operation, found.plan.evicts, found.plan.fits) == ("", ("box/a",), True)
        await settle()
        assert here.loader.done == []


async def test_a_busy_model_is_unloaded_only_with_patience_or_by_force() -> None:
    """Without either it is refused; with patience that is not enough it stays; by force it goes."""
    async with house() as here:
        model = await here.loaded("m")
        model.inflight = 2
        with pytest.raises(OperationFailed, match="busy with 2 requests"):
            here.orders("unload", "m", None)
        here.orders("unload", "m", None, drain_seconds=30.0)
        assert model.residency is Residency.DRAINING
        await settle()
        here.clock.advance(31.0)
        await until(lambda: model.residency is Residency.READY)
        assert here.loader.done == ["load m"]
        assert model.changed == here.clock.monotonic()
        here.orders("unload", "m", None, force=True)
        await until(lambda: model.residency is Residency.ABSENT)
        await settle()
        assert ("model.absent", "box/m") in here.said
        assert ("model.evicted", "box/m") not in here.said
        assert here.loader.done == ["load m", "unload m"]
        assert here.unwanted == ["box/m", "box/m"]


async def test_a_load_that_fails_in_a_way_nobody_thought_of_is_over() -> None:
    """A full disk, say: whoever waits is told, and the pool is free for the next load."""
    async with house("ab") as here:
        here.loader.fault = OSError(28, "No space left on device")
        here.loader.ends.set()
        with pytest.raises(OperationFailed, match="No space left on device"):
            await here.residencies.ensure_ready(here.endpoints["box/a"])
        assert here.endpoints["box/a"].residency is Residency.ABSENT
        here.loader.fault = None
        assert (await here.loaded("b")).residency is Residency.READY


async def test_an_unload_that_fails_in_a_way_nobody_thought_of_leaves_the_model_loaded() -> None:
    """It goes on serving, and can be unloaded when that works again."""
    async with house() as here:
        model = await here.loaded("m")
        here.loader.fault = RuntimeError("broken")
        here.orders("unload", "m", None)
        await until(lambda: model.residency is Residency.READY)
        assert ("model.failed", "box/m") in here.said
        here.loader.fault = None
        here.later(6.0)
        here.orders("unload", "m", None)
        await until(lambda: model.residency is Residency.ABSENT)


async def test_an_unload_that_cannot_be_taken_is_refused() -> None:
    """No patience at all for what is busy: it is not accepted and then forgotten."""
    async with house() as here:
        model = await here.loaded("m")
        model.inflight = 1
        with pytest.raises(OperationFailed, match="drain_seconds") as refused:
            here.orders("unload", "m", None, drain_seconds=0.0)
        assert refused.value.code == "busy"
        assert here.unwanted == []


async def test_a_load_goes_to_a_backend_that_answers() -> None:
    """Not to one that is down or drained, whatever its name."""
    async with house("m") as here:
        away, other = here.endpoints["box/m"], Endpoint(spec("cask/m", loadable=True), Residency.ABSENT)
        other.need = Need(3 * GIB)
        here.endpoints[other.id] = other
        here.scheduler.join(other, "box")
        away.reachable = False
        assert here.orders("load", "m", None, dry_run=True).backend == "cask"
        away.reachable, other.draining = True, True
        assert here.orders("load", "m", None, dry_run=True).backend == "box"


async def test_who_joins_a_load_does_not_make_everything_be_looked_at_again() -> None:
    """With a thousand models that takes milliseconds, and hundreds may wait for one of them."""
    async with house() as here, asyncio.TaskGroup() as clients:
        for _ in range(50):
            clients.create_task(here.residencies.ensure_ready(here.endpoints["box/m"]))
        await here.loader.begun.wait()
        await settle()
        assert here.scheduler.turns == 1
        here.loader.ends.set()


async def test_a_refused_client_is_told_when_to_come_back() -> None:
    """Its endpoint has not failed: what forbids the load, here its size, may have been changed by then."""
    async with house() as here:
        endpoint = here.endpoints["box/m"]
        endpoint.need = Need(9 * GIB)
        with pytest.raises(OperationFailed, match=r"needs 9\.0 GiB") as refused:
            await here.residencies.ensure_ready(endpoint)
        assert (refused.value.code, refused.value.retry_after) == ("too_large", 5.0)
        with pytest.raises(OperationFailed) as ordered:
            here.orders("load", "m", None)
        assert (ordered.value.code, ordered.value.retry_after) == ("does_not_fit", None)


@pytest.mark.parametrize(
    ("model", "backend", "words"),
    [
        ("mm", None, "model 'mm' is not known; did you mean m?"),
        ("x", None, "model 'x' is not known; ai-orchestra models lists them"),
        ("m", "bx", "model 'm' is not known on backend 'bx'; it is on box"),
    ],
)
@pytest.mark.parametrize("action", ["load", "unload"])
async def test_an_unknown_model_is_answered_with_the_nearest(
    action: str, model: str, backend: str | None, words: str
) -> None:
    """The names that are like it, or the places that have it, or how to find out."""
    async with house() as now:
        with pytest.raises(UnknownModel) as refused:
            now.orders(action, model, backend)
        assert refused.value.message == words
