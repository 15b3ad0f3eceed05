"""Health probes that generate: whom they ask, when, and what comes of it."""

import asyncio
import re
from collections.abc import Coroutine
from typing import Any

import pytest

from orchestra_core.background.probing import Probing, one_token
from orchestra_core.domain.call import Kind
from orchestra_core.domain.catalog import Circuit, Endpoint, Residency
from orchestra_core.domain.errors import OperationFailed
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.price import Price
from orchestra_core.engine.checkup import Checkup
from orchestra_core.pipeline.lanes import Lane, Lanes
from orchestra_core.resilience.admission import ModelQueue, Room
from orchestra_core.resilience.breaker import Breaker
from orchestra_core.resilience.policy import Policy
from tests.fakes.clock import ManualClock
from tests.fakes.execution import ScriptedExecution
from tests.fakes.turns import one_turn
from tests.unit.routing.fleet import endpoint

POLICY = Policy(consecutive=2)


class Bench:
    """One endpoint with its breaker, and probes that run when told to."""

    def __init__(self, *verdicts: Verdict, subject: Endpoint | None = None, **facts: Any) -> None:
        self.clock = ManualClock()
        self.endpoint = subject or endpoint("box/llama", **facts)
        self.lane = Lane(
            self.endpoint, Breaker(POLICY, now=self.clock.monotonic()), ModelQueue("llama", Room())
        )
        self.breaker = self.lane.breaker
        self.execution = ScriptedExecution(box=verdicts)
        self.changes: list[tuple[Circuit, str]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.probing = Probing(
            clock=self.clock,
            endpoints=lambda: [self.endpoint],
            guard=lambda _: self.lane,
            execute=self.execution,
            start=self.start,
            changed=lambda _, circuit, why: self.changes.append((circuit, why)),
        )

    def start(self, work: Coroutine[object, object, None], _name: str) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self.run(work)))

    async def run(self, work: Coroutine[object, object, None]) -> None:
        await work

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            token = self.breaker.admit(self.clock.monotonic())
            assert token is not None
            self.breaker.record(token, True, self.clock.monotonic(), "HTTP 500", "req-1")

    async def after(self, seconds: float) -> int:
        """Lets time pass by whole looks; how many attempts there have been since the beginning."""
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            self.probing.look()
            if self.execution.gate is None:
                await asyncio.gather(*self._tasks)
            await one_turn()
        return len(self.execution.attempts)

    async def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_what_is_well_is_never_probed() -> None:
    """No traffic is no reason to ask: it would cost the machine, and keep models in memory for nobody."""
    assert await Bench().after(100) == 0


async def test_a_probe_holds_a_slot() -> None:
    """Who comes while it runs finds it taken, as by any other call; where there is none there is no probe."""
    bench = Bench()
    bench.fail(2)
    bench.execution.gate = asyncio.Event()
    assert await bench.after(4) == 1
    assert bench.lane.permits.held == 1
    bench.execution.gate.set()
    await asyncio.gather(*bench._tasks)
    assert bench.lane.permits.held == 0
    bench.fail()
    while bench.lane.permits.try_acquire():
        continue
    before = len(bench.execution.attempts)
    assert await bench.after(10) == before


async def test_an_open_breaker_is_closed_by_probes_before_any_client_has_to_try() -> None:
    """Shortly before its time two probes in a row succeed, and it is closed when the time comes."""
    bench = Bench()
    bench.fail(2)
    assert await bench.after(3) == 0
    assert await bench.after(1) == 2
    assert [circuit for circuit, _ in bench.changes] == [Circuit.HALF_OPEN, Circuit.CLOSED]
    assert bench.changes[-1][1] == "a health probe succeeded"
    assert bench.breaker.state(bench.clock.monotonic()) is Circuit.CLOSED
    assert await bench.after(60) == 2


async def test_a_failed_probe_makes_the_wait_longer() -> None:
    """A backend that is still ill is asked at 4 and at 13 seconds, not every second."""
    bench = Bench(*[Verdict.FAILED] * 9)
    bench.fail(2)
    assert await bench.after(12) == 1
    assert bench.breaker.view("box/llama", 0.0).reason == "health probe: scripted"
    assert bench.breaker.view("box/llama", 0.0).history[-1].requests == ("health-probe",)
    assert await bench.after(3) == 2


async def test_a_backend_that_has_come_back_is_asked_at_once() -> None:
    """Its breakers do not wait out the time that they were given while it was away."""
    bench = Bench()
    bench.fail(2)
    bench.probing.returned("elsewhere")
    assert await bench.after(1) == 0
    bench.probing.returned("box")
    assert await bench.after(1) == 2
    assert bench.breaker.state(bench.clock.monotonic()) is Circuit.CLOSED


async def test_a_failure_makes_an_endpoint_suspect_until_a_probe_succeeds() -> None:
    """Without traffic its next failures are found by probes, two seconds apart; a success ends them."""
    bench = Bench(Verdict.FAILED)
    bench.fail(1)
    assert await bench.after(1) == 1
    assert bench.changes == [(Circuit.OPEN, "health probe: scripted")]
    well = Bench()
    well.fail(1)
    assert await well.after(30) == 1
    assert well.breaker.failures == 0


async def test_requests_tell_enough_while_there_are_any() -> None:
    """An endpoint that failed once and is used is not asked besides."""
    bench = Bench()
    bench.fail(1)
    for _ in range(10):
        bench.endpoint.last_used = bench.clock.monotonic()
        assert await bench.after(1) == 0
    assert await bench.after(1) == 1


async def test_suspects_are_asked_every_two_seconds() -> None:
    """Not at every look: `busy` says nothing of it, so it stays suspect."""
    bench = Bench(*[Verdict.BUSY] * 99)
    bench.fail(1)
    assert await bench.after(10) == 5
    assert bench.changes == []


async def test_a_probe_at_a_time() -> None:
    """While one is out no second one starts, and it counts as service, so that nobody unloads its model."""
    bench = Bench()
    bench.execution.gate = asyncio.Event()
    bench.fail(1)
    assert await bench.after(20) == 1
    assert bench.endpoint.inflight == 1
    await bench.cancel()
    assert bench.endpoint.inflight == 0
    assert bench.execution.cancelled == ["box/llama"]


async def test_a_cancelled_probe_gives_its_place_back() -> None:
    """The breaker is asked again by the next one."""
    bench = Bench()
    bench.fail(2)
    bench.execution.gate = asyncio.Event()
    await bench.after(4)
    await bench.cancel()
    bench.clock.advance(2.0)
    assert bench.breaker.admit(bench.clock.monotonic()) is not None


@pytest.mark.parametrize(
    "subject",
    [
        endpoint("box/llama", price=Price(0.0, 1e-9)),
        endpoint("box/llama", price=None),
        endpoint("box/llama", live={"residency": Residency.ABSENT}, loadable=True),
        endpoint("box/llama", live={"residency": Residency.LOADING}),
        endpoint("box/llama", live={"reachable": False}),
        endpoint("box/llama", live={"draining": True}),
        endpoint("box/llama", live={"inflight": 2}, slots=2),
        endpoint("box/llama", live={"waiting": 1}),
        endpoint("box/llama", capabilities=frozenset({"vision"})),
    ],
    ids=[
        "priced",
        "price unknown",
        "unloaded",
        "loading",
        "unreachable",
        "draining",
        "full",
        "queue",
        "mute",
    ],
)
async def test_who_is_never_probed(subject: Endpoint) -> None:
    """What costs money, would load a model, cannot answer, or has real requests that tell."""
    bench = Bench(subject=subject)
    bench.fail(2)
    assert await bench.after(60) == 0


async def test_a_breaker_that_an_operator_tripped_is_left_alone() -> None:
    """Only the operator closes it."""
    bench = Bench()
    bench.breaker.trip(bench.clock.monotonic())
    bench.probing.returned("box")
    assert await bench.after(90) == 0


@pytest.mark.parametrize(
    ("capabilities", "kind", "field"),
    [
        ({"chat", "completion", "tools"}, Kind.CHAT, "messages"),
        ({"completion"}, Kind.COMPLETION, "prompt"),
        ({"embedding"}, Kind.EMBEDDING, "input"),
    ],
)
def test_a_probe_asks_for_what_the_model_can_do(capabilities: set[str], kind: Kind, field: str) -> None:
    """One token of a chat or of a completion, or the embedding of a word."""
    call = one_token(endpoint("box/m", capabilities=frozenset(capabilities)), 1.0)
    assert call is not None
    assert (call.kind, call.model) == (kind, "m")
    assert field in call.fields
    assert call.fields.get("max_tokens") == (None if kind is Kind.EMBEDDING else 1)


async def test_an_operator_probes_at_once_whoever_opened_the_breaker() -> None:
    """One token; what is left to close it goes on by itself with the next looks."""
    bench = Bench()
    bench.breaker.trip(bench.clock.monotonic(), "disk swap")
    outcome = await bench.probing.now(bench.endpoint, 8.0)
    assert outcome is not None
    assert outcome.ok
    assert bench.changes == [(Circuit.HALF_OPEN, "probed by operator")]
    assert len(bench.execution.attempts) == 1
    await bench.after(1)
    assert bench.breaker.state(bench.clock.monotonic()) is Circuit.CLOSED


async def test_an_operators_probe_that_fails_opens_the_breaker_as_any_other() -> None:
    """It is not held any more: its next probe comes by itself."""
    bench = Bench(Verdict.FAILED)
    bench.breaker.trip(bench.clock.monotonic())
    outcome = await bench.probing.now(bench.endpoint, 8.0)
    assert outcome is not None
    assert not outcome.ok
    view = bench.breaker.view("box/llama", bench.clock.monotonic())
    assert (view.state, view.tripped, view.reason) == ("open", False, "health probe: scripted")
    assert view.next_probe == 5.0


async def test_an_operators_probe_does_not_come_beside_another() -> None:
    """Each backend is asked for one token at a time, and what has no slot free is not asked."""
    bench = Bench()
    bench.fail(2)
    bench.execution.gate = asyncio.Event()
    assert await bench.after(4) == 1
    assert await bench.probing.now(bench.endpoint, 8.0) is None
    bench.execution.gate.set()
    await asyncio.gather(*bench._tasks)
    while bench.lane.permits.try_acquire():
        continue
    assert await bench.probing.now(bench.endpoint, 8.0) is None


@pytest.mark.parametrize(
    ("facts", "why", "code", "words"),
    [
        (
            {},
            "connection refused",
            "backend_down",
            "backend box is down (connection refused), so nothing was asked",
        ),
        ({"live": {"residency": Residency.LOADING}}, None, "not_loaded", "box/llama is loading"),
        ({"live": {"inflight": 2}}, None, "busy", "all 2 slots of box/llama are taken"),
        ({"capabilities": frozenset[str]()}, None, "not_supported", "nothing that a probe could ask for"),
    ],
)
async def test_a_probe_that_cannot_tell_anything_is_refused(
    facts: dict[str, Any], why: str | None, code: str, words: str
) -> None:
    """Nothing is sent, and the answer says what is in the way."""
    bench = Bench(**facts)
    lanes = Lanes(bench.clock, lambda _: bench.breaker)
    checkup = Checkup(
        clock=bench.clock,
        find=lambda _: bench.endpoint,
        down=lambda _: why,
        lanes=lanes,
        probing=bench.probing,
    )
    with pytest.raises(OperationFailed, match=re.escape(words)) as caught:
        await checkup("box/llama")
    assert caught.value.code == code
    assert bench.execution.attempts == []
