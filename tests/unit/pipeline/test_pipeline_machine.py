"""The whole pipeline as a state machine: clients come and leave, backends answer, fail, die and are replaced.

Whatever the order of that: slots never exceed their limits and always come back, a half-open breaker admits
exactly its probe, nothing is said twice to a client, retries stay within their budget, nobody waits beside a free
slot, and every request ends exactly once (reliability.md section 2: P1 to P5).
"""

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestra_core.domain.catalog import Circuit, Endpoint, Residency
from orchestra_core.domain.errors import OrchestraError
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.result import Result
from orchestra_core.resilience.budget import Retries
from tests.fakes.execution import TakingSink
from tests.fakes.held_execution import ClockLoop, Held, HeldExecution
from tests.fakes.pipeline import MODEL, World
from tests.fakes.turns import settle

BACKENDS = ("a", "b", "c")
NOT_SENT = (Verdict.LOADING, Verdict.UNSUPPORTED)
RETRIES = Retries()
FAILURES = [
    Verdict.FAILED,
    Verdict.DROPPED,
    Verdict.UNREACHABLE,
    Verdict.TIMEOUT,
    Verdict.LIMITED,
    Verdict.BUSY,
    Verdict.MISCONFIGURED,
    Verdict.MISSING,
    Verdict.REJECTED,
    Verdict.CONTEXT_OVERFLOW,
    Verdict.CONTENT_FILTER,
    Verdict.LOADING,
    Verdict.UNSUPPORTED,
]
PICK = st.integers(0, 10**6)


class Asked:
    """One client's request, with all that was sent for it."""

    def __init__(self, task: "asyncio.Task[Result]", sink: TakingSink, deadline: float | None) -> None:
        self.task = task
        self.sink = sink
        self.deadline = deadline
        self.sent: list[Held] = []
        self.verdicts: list[Verdict] = []
        self.killed: set[str] = set()

    @property
    def retries_that_failed(self) -> int:
        """Those beyond the first; polling a model that is being loaded is no attempt, nor is what cannot be sent."""
        unsent = (Verdict.LOADING, Verdict.UNSUPPORTED)
        counted = [verdict for verdict in self.verdicts if verdict not in unsent]
        return sum(verdict is not Verdict.SUCCESS for verdict in counted[1:])


class PipelineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.asked: dict[str, Asked] = {}
        self.replayed: list[str] = []
        self.replaced: list[Endpoint] = []
        self.most: dict[str, int] = {}
        self.probes: list[tuple[Held, int]] = []

    @initialize(slots=st.integers(1, 3), backends=st.integers(1, 3))
    def begin(self, slots: int, backends: int) -> None:
        self.execution = HeldExecution(self._sent)
        self.names = BACKENDS[:backends]
        self.world = World(self.execution, self.names, slots, retries=RETRIES)
        for name in self.names:
            self.world.change(name, prefill=True)
        self.loop = ClockLoop(self.world.clock)

    # -- what happens ----------------------------------------------------------------------------------

    @rule(
        stream=st.booleans(),
        plain=st.booleans(),
        key=st.sampled_from("xyz"),
        priority=st.integers(-1, 1),
        wait=st.sampled_from([None, 3.0, 60.0]),
    )
    def arrive(self, stream: bool, plain: bool, key: str, priority: int, wait: float | None) -> None:
        """`plain` is what can be gone on with elsewhere when it is cut."""
        self.number += 1
        sink = TakingSink(streaming=stream)
        now = self.world.clock.monotonic()
        call = self.world.call(
            id=f"r{self.number}",
            stream=stream,
            fields={"messages": []} if plain else {"messages": [], "logprobs": True},
            key=key,
            priority=priority,
            deadline=None if wait is None else now + wait,
        )
        task = self.loop.create_task(self.world.service(call, sink))
        self.asked[call.id] = Asked(task, sink, call.deadline)
        self._turn()

    @precondition(lambda self: self._running())
    @rule(which=PICK)
    def leave(self, which: int) -> None:
        running = self._running()
        running[which % len(running)].task.cancel()
        self._turn()

    @rule(clients=st.integers(3, 8), key=st.sampled_from("xyz"))
    def crowd(self, clients: int, key: str) -> None:
        """More clients at once than there are slots."""
        for _ in range(clients):
            self.arrive(stream=True, plain=True, key=key, priority=0, wait=None)

    @precondition(lambda self: self.execution.open and len(self._running()) > len(self.execution.open))
    @rule(which=PICK, leaver=st.integers(0, 1), turns=st.integers(1, 4))
    def leave_as_a_slot_comes_free(self, which: int, leaver: int, turns: int) -> None:
        """One is answered, and one who waits leaves so many turns of the loop later."""
        held = self._open(which)
        served = {one.call.id for one in self.execution.open}
        waiting = [
            asked for name, asked in self.asked.items() if name not in served and not asked.task.done()
        ]
        self.number += 1
        held.token(f"t{self.number} ")
        self.asked[held.call.id].verdicts.append(Verdict.SUCCESS)
        held.end(Verdict.SUCCESS)
        self.loop.run_until_complete(settle(turns))
        waiting[leaver % len(waiting)].task.cancel()
        self._turn()

    @precondition(lambda self: self.execution.open)
    @rule(which=PICK)
    def token(self, which: int) -> None:
        held = self._open(which)
        if held.call.stream:
            self.number += 1
            held.token(f"t{self.number} ")

    @precondition(lambda self: self.execution.open)
    @rule(which=PICK)
    def answer(self, which: int) -> None:
        held = self._open(which)
        self.number += 1
        held.token(f"t{self.number} ")
        self._end(held, Verdict.SUCCESS)

    @precondition(lambda self: [held for held in self.execution.open if held.call.stream])
    @rule(which=PICK, tokens=st.integers(1, 3))
    def cut(self, which: int, tokens: int) -> None:
        """The connection is lost in the middle of an answer."""
        streams = [held for held in self.execution.open if held.call.stream]
        held = streams[which % len(streams)]
        for _ in range(tokens):
            self.number += 1
            held.token(f"t{self.number} ")
        self._end(held, Verdict.DROPPED)

    @precondition(lambda self: self.execution.open)
    @rule(which=PICK, verdict=st.sampled_from(FAILURES))
    def fail(self, which: int, verdict: Verdict) -> None:
        self._end(self._open(which), verdict)

    @precondition(lambda self: self.execution.open)
    @rule(which=PICK, verdict=st.sampled_from([Verdict.FAILED, Verdict.DROPPED, Verdict.TIMEOUT]))
    def persecute(self, which: int, verdict: Verdict) -> None:
        """Wherever one request is sent it meets the same fault."""
        asked = self.asked[self._open(which).call.id]
        for _ in range(6):
            for held in [one for one in self.execution.open if one in asked.sent]:
                self._end(held, verdict)
            self.world.clock.advance(0.5)
            self._turn()

    @precondition(lambda self: self.number % 5 == 0)
    @rule(requests=st.integers(1, 12), verdict=st.sampled_from([Verdict.FAILED, Verdict.UNREACHABLE]))
    def outage(self, requests: int, verdict: Verdict) -> None:
        """Nothing answers anybody for a while."""
        for _ in range(requests):
            self.arrive(stream=True, plain=True, key="x", priority=0, wait=None)
            for held in tuple(self.execution.open):
                self._end(held, verdict)
            self.world.clock.advance(0.5)
            self._turn()

    @rule(which=PICK, known=st.booleans())
    def die(self, which: int, known: bool) -> None:
        """A backend loses all its connections; whether its health check has seen it yet or not."""
        endpoint = self.world.endpoint(self.names[which % len(self.names)])
        endpoint.reachable = not known
        for held in [one for one in self.execution.open if one.endpoint is endpoint]:
            self._end(held, Verdict.DROPPED)

    @rule()
    def recover(self) -> None:
        """All backends are well again, and the operator resets every breaker."""
        now = self.world.clock.monotonic()
        for endpoint in self._endpoints():
            endpoint.reachable, endpoint.draining, endpoint.cooling_until = True, False, 0.0
            endpoint.residency = Residency.READY
            lane = self.world.lanes.of(endpoint)
            lane.breaker.reset(now)
            self.world.lanes.changed(lane, Circuit.CLOSED, now)
        self._turn()

    @rule(which=PICK, slots=st.integers(1, 4))
    def reload(self, which: int, slots: int) -> None:
        name = self.names[which % len(self.names)]
        self.world.change(name, slots=slots)
        self.world.lanes.of(self.world.endpoint(name))
        self._turn()

    @rule(which=PICK, slots=st.integers(1, 3))
    def replace(self, which: int, slots: int) -> None:
        """A reload puts another server in the place of a backend; what is under way there stays where it is."""
        name = self.names[which % len(self.names)]
        self.replaced.append(self.world.endpoint(name))
        self.world.leave(name)
        self.world.join(name, slots)
        self.world.change(name, prefill=True)
        self.world.lanes.of(self.world.endpoint(name))
        self._turn()

    @rule(which=PICK, draining=st.booleans())
    def drain(self, which: int, draining: bool) -> None:
        self.world.endpoint(self.names[which % len(self.names)]).draining = draining
        self._tick()

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.1, 4.0, 12.0, 70.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self._turn()
        self._tick()

    # -- what must hold --------------------------------------------------------------------------------

    @invariant()
    def slots_are_what_is_under_way(self) -> None:
        under_way = Counter(id(held.endpoint) for held in self.execution.open)
        held = Counter(held.endpoint.id for held in self.execution.open)
        for endpoint in self._endpoints():
            assert self.world.lanes.of(endpoint).permits.held == held[endpoint.id]
        for endpoint in [*self._endpoints(), *self.replaced]:
            assert endpoint.inflight == under_way[id(endpoint)]
            assert endpoint.waiting >= 0
            assert endpoint.work >= -1e-6

    @invariant()
    def slots_are_never_more_than_there_are(self) -> None:
        """Who began while there were more keeps his: nobody is begun beyond what is there now."""
        for endpoint in self._endpoints():
            permits = self.world.lanes.of(endpoint).permits
            began = self.most.get(endpoint.id, 0)
            assert permits.held <= max(permits.allowed, began)
            self.most[endpoint.id] = permits.held

    @invariant()
    def nobody_waits_beside_a_free_slot(self) -> None:
        for endpoint in self._endpoints():
            permits = self.world.lanes.of(endpoint).permits
            if permits.held < permits.allowed:
                assert not [waiter for waiter in permits.queue.line if endpoint.id in waiter.accepts]

    @invariant()
    def one_probe_at_a_time(self) -> None:
        for endpoint in self._endpoints():
            breaker = self.world.lanes.of(endpoint).breaker
            if breaker.state(self.world.clock.monotonic()) is Circuit.HALF_OPEN:
                opened = breaker.view(endpoint.id, 0.0).opened
                probing = [
                    held
                    for held, generation in self.probes
                    if held in self.execution.open
                    and held.endpoint.id == endpoint.id
                    and generation == opened
                ]
                assert len(probing) <= 1

    @invariant()
    def nothing_is_said_twice(self) -> None:
        """Sent again with the beginning of an answer at the client: only to go on from exactly that."""
        assert not self.replayed
        for asked in self.asked.values():
            words = asked.sink.text.split()
            assert len(words) == len(set(words))
            assert len(asked.sink.opened) <= 1

    @invariant()
    def retries_are_few(self) -> None:
        failed = sum(asked.retries_that_failed for asked in self.asked.values())
        assert failed <= RETRIES.budget * len(self.asked) + RETRIES.reserve
        for asked in self.asked.values():
            assert sum(verdict not in NOT_SENT for verdict in asked.verdicts) <= RETRIES.attempts
            assert len(asked.killed) <= 2, "a request that backends die of met a third one"

    @invariant()
    def every_request_ends_once_and_in_time(self) -> None:
        if not self.asked:
            return
        ended = [asked for asked in self.asked.values() if asked.task.done()]
        planned = sum(not _refused(asked.task) for asked in ended)
        assert len(self.world.completed) == planned
        now = self.world.clock.monotonic()
        for asked in self._running():
            assert asked.deadline is None or now <= asked.deadline + 0.01

    def teardown(self) -> None:
        """All backends well and all time given: everything ends, and nothing is held any more."""
        if not hasattr(self, "world"):
            return
        for endpoint in self._endpoints():
            endpoint.reachable, endpoint.draining = True, False
        for _ in range(400):
            for held in tuple(self.execution.open):
                held.token("end ")
                self._end(held, Verdict.SUCCESS)
            if not self._running():
                break
            self.world.clock.advance(5)
            self._turn()
            self._tick()
        assert not self._running()
        assert self.world.held() == 0
        for endpoint in [*self._endpoints(), *self.replaced]:
            assert (endpoint.inflight, endpoint.waiting) == (0, 0)
            assert endpoint.work == pytest.approx(0, abs=1e-6)
        for endpoint in self._endpoints():
            assert not self.world.lanes.of(endpoint).permits.queue.line
        for asked in self.asked.values():
            if not asked.task.cancelled() and asked.task.exception() is not None:
                assert isinstance(asked.task.exception(), OrchestraError)
        self.loop.close()

    # -- how -------------------------------------------------------------------------------------------

    def _sent(self, held: Held) -> None:
        """At the moment an attempt is sent."""
        asked = self.asked[held.call.id]
        if held.sink.committed:
            so_far = held.call.so_far
            if so_far is None or so_far.text != held.sink.text or held.endpoint.spec.model != MODEL:
                self.replayed.append(held.call.id)
        asked.sent.append(held)
        lane = self.world.lanes.of(held.endpoint)
        if lane.breaker.state(self.world.clock.monotonic()) is Circuit.HALF_OPEN:
            self.probes.append((held, lane.breaker.view(held.endpoint.id, 0.0).opened))

    def _end(self, held: Held, verdict: Verdict) -> None:
        if not held.ended.done():
            asked, outcome = self.asked[held.call.id], held.outcome(verdict)
            asked.verdicts.append(outcome.verdict)
            if outcome.verdict is Verdict.DROPPED:
                asked.killed.add(held.endpoint.id)
            held.end(verdict)
        self._turn()

    def _open(self, which: int) -> Held:
        return self.execution.open[which % len(self.execution.open)]

    def _running(self) -> list[Asked]:
        return [asked for asked in self.asked.values() if not asked.task.done()]

    def _endpoints(self) -> list[Any]:
        return list(self.world.catalog.all)

    def _tick(self) -> None:
        """What the engine does once a second."""
        now = self.world.clock.monotonic()
        for _ in self.world.lanes.refresh(now):
            continue
        self.world.pipeline.tick()
        self._turn()

    def _turn(self) -> None:
        self.loop.run_until_complete(settle(60))


def _refused(task: "asyncio.Task[Result]") -> bool:
    """Whether it never was a planned request: nothing could take it."""
    return not task.cancelled() and task.exception() is not None


TestPipelineMachine = PipelineMachine.TestCase
TestPipelineMachine.settings = settings(
    max_examples=250,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
