"""An endpoint that falls silent under everybody who reads from it: noticed at once, and no proof of anything."""

from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from orchestra_core.domain.catalog import failure_probability
from orchestra_core.domain.outcome import Verdict
from orchestra_core.pipeline.suspicion import Suspicion
from orchestra_core.telemetry.performance import reliability
from orchestra_core.upstream.silence import Silence
from tests.fakes.execution import ScriptedExecution, TakingSink
from tests.fakes.memory_backend import Bench, endpoint, question, token
from tests.fakes.pipeline import MODEL, World

A, B = f"a/{MODEL}", f"b/{MODEL}"


class Read(msgspec.Struct):
    """Ten tokens, a tenth of a second apart, the last one at `heard_at`."""

    endpoint_id: str
    heard_at: float
    first_at: float | None = 0.0
    tokens: int = 11


class Watch:
    """Looks every tenth of a second from second 1 on."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []
        self.silence = Silence(lambda name, silent: self.told.append((name, silent)))
        self.now = 1.0
        self.silence.look((), self.now)

    def until(self, now: float, active: Sequence[Read]) -> list[tuple[str, bool]]:
        while self.now < now:
            self.now += 0.1
            self.silence.look(active, self.now)
        return self.told


def test_silence_of_two_readers_is_told_once_and_so_is_its_end() -> None:
    """After twenty times the usual gap, and as soon as one of them is heard again."""
    watch = Watch()
    reads = [Read("a", 1.0), Read("a", 1.2), Read("b", 1.0), Read("b", 9.0)]
    assert watch.until(3.1, reads) == []
    assert watch.until(5.0, reads) == [("a", True)]
    reads[0].heard_at = 5.0
    assert watch.until(5.5, reads) == [("a", True), ("a", False)]


def test_one_reader_alone_may_pause() -> None:
    """And requests that have not begun to be answered say nothing."""
    reads = [Read("a", 1.0), Read("a", 1.0, first_at=None), Read("a", 0.0, first_at=None)]
    assert Watch().until(9.0, reads) == []


def test_fast_tokens_do_not_make_a_hiccup_a_silence() -> None:
    """Half a second is the least, however fast the tokens came."""
    watch = Watch()
    reads = [Read("a", 1.0, first_at=0.99), Read("a", 1.0, first_at=1.0, tokens=1)]
    assert watch.until(1.4, reads) == []
    assert watch.until(1.7, reads) == [("a", True)]


def test_who_was_held_up_accuses_nobody() -> None:
    """After a pause of its own everything looks silent, until it has read what came meanwhile."""
    watch = Watch()
    reads = [Read("a", 1.0), Read("a", 1.0)]
    watch.silence.look(reads, 9.0)
    assert watch.told == []
    watch.silence.look(reads, 9.1)
    assert watch.told == [("a", True)]


def test_the_last_readers_end_leaves_the_suspicion() -> None:
    """They were given up: nobody has heard it again."""
    watch = Watch()
    assert watch.until(5.0, [Read("a", 1.0), Read("a", 1.0)]) == [("a", True)]
    assert watch.until(6.0, []) == [("a", True)]


async def test_new_requests_go_elsewhere_while_an_endpoint_is_silent() -> None:
    """Long before anything has failed there, and back once it is heard."""
    world = World(ScriptedExecution(), slots=4)
    world.prefer("a", "b")
    suspicion = Suspicion(world.catalog.get, world.clock)

    def first() -> str:
        return world.pipeline.planning(world.call()).ranked[0].endpoint

    before = failure_probability(world.endpoint("a").reliability, world.clock.monotonic())
    assert first() == A
    suspicion(A, True)
    world.clock.advance(5.0)
    assert first() == B
    suspicion(A, False)
    assert first() == A
    assert failure_probability(world.endpoint("a").reliability, world.clock.monotonic()) == before
    suspicion("gone/m", True)


async def test_what_failed_meanwhile_is_not_acquitted() -> None:
    """Nor is an endpoint that was cleared of nothing."""
    world = World(ScriptedExecution())
    suspicion = Suspicion(world.catalog.get, world.clock)
    a, now = world.endpoint("a"), world.clock.monotonic()
    suspicion(A, True)
    a.reliability = failed = reliability(a.reliability, False, now)
    suspicion(A, False)
    assert a.reliability is failed
    suspicion(A, False)
    assert a.reliability is failed


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.close()


async def test_the_data_plane_tells_of_silence_before_it_gives_anything_up(bench: Bench) -> None:
    """Two streams stop in the middle; both are left alone until their own limit."""
    told: list[tuple[str, bool]] = []
    bench.execution.silence = Silence(lambda name, silent: told.append((name, silent)))
    found = endpoint()
    tasks = [await bench.send(question(), TakingSink(streaming=True), found) for _ in range(2)]
    for line in bench.dialer.lines:
        line.begins()
        line.sends(token("one"), token("two"))
    for _ in range(10):
        await bench.after(0.1)
    assert told == [(found.id, True)]
    bench.line.sends(token("three"))
    await bench.after(0.1)
    assert told == [(found.id, True), (found.id, False)]
    assert not any(task.done() for task in tasks)
    await bench.after(61.0)
    assert [task.result().verdict for task in tasks] == [Verdict.INTERRUPTED] * 2
