"""What holds of the service-time model for any trace."""

from collections import Counter
from math import inf
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_core.domain.catalog import BackendKind, Residency
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.spec import BackendSpec, ModelSpec, Overflow
from orchestra_core.simulation.trace import (
    Done,
    Event,
    Failed,
    FaultKind,
    InjectedFault,
    Request,
    Started,
    Tokens,
)

MODELS = tuple(
    ModelSpec(
        name=name,
        parameters=1,
        weights=weights,
        kv_bytes_per_token=0,
        context=200,
        parallel=parallel,
        prefill_rate=100,
        decode_rate=20,
        load_seconds=2,
        output_mean=20,
        resident=resident,
    )
    for name, weights, parallel, resident in (("a", 6, 2, True), ("b", 5, 1, False), ("c", 3, 3, False))
)
BACKEND = BackendSpec(
    name="sim-any",
    kind=BackendKind.OLLAMA,
    models=MODELS,
    memory=10,
    queue_limit=4,
    autoload=True,
    keep_alive=3,
    restart_seconds=1,
)

names = st.sampled_from(["a", "b", "c"])
numbers = st.integers(0, 15)
steps = st.one_of(
    st.tuples(st.just("submit"), names, st.integers(1, 150), st.booleans()),
    st.tuples(st.just("cancel"), numbers),
    st.tuples(st.just("load"), names),
    st.tuples(st.just("unload"), names),
    st.tuples(st.just("inject"), st.sampled_from(FaultKind), st.integers(0, 5), st.floats(0.1, 4)),
    st.tuples(st.just("occupy"), st.integers(0, 12)),
    st.tuples(st.just("repair")),
)
gaps = st.floats(0, 2)
traces = st.lists(st.tuples(gaps, steps), max_size=40)
specs = st.builds(
    lambda overflow, autoload, release, truths: msgspec.structs.replace(
        BACKEND,
        overflow=overflow,
        autoload=autoload,
        release_seconds=release,
        models=tuple(
            msgspec.structs.replace(model, truth=truth) for model, truth in zip(MODELS, truths, strict=True)
        ),
    ),
    st.sampled_from(Overflow),
    st.booleans(),
    st.sampled_from([0.0, 1.0]),
    st.tuples(*[st.sampled_from([0.7, 1.0, 1.4])] * 3),
)
Trace = list[tuple[float, tuple[object, ...]]]


class Played:
    """A trace played to its end: what was taken, what was cancelled, what happened."""

    def __init__(self, spec: BackendSpec, trace: Trace, *, seed: int = 1, every: float | None = None) -> None:
        self.model = ServiceModel(spec, seed)
        self.events: list[Event] = []
        self.taken: list[str] = []
        self.cancelled: list[str] = []
        now = 0.0
        for gap, step in trace:
            self._look_until(now + gap, now, every)
            now += gap
            self._play(step, now)
            self.check(now)
        self.model.occupy(0, now)
        self._look_until(now + 1000, now, every)
        self.model.repair(now + 1000)
        self._look_until(now + 3000, now + 1000, None)
        self.check(now + 3000)

    def _look_until(self, end: float, begin: float, every: float | None) -> None:
        moments = (
            [] if every is None else [begin + every * n for n in range(1, int(min(end - begin, 20) / every))]
        )
        for moment in [*moments, end]:
            self.events += self.model.advance(moment)

    def _play(self, step: tuple[object, ...], now: float) -> None:
        model = self.model
        match step:
            case ("submit", str(name), int(prompt), bool(stream)):
                id = str(len(self.taken))
                if model.submit(Request(id, name, prompt, stream=stream), now) is None:
                    self.taken.append(id)
            case ("cancel", int(number)):
                if model.cancel(str(number), now):
                    self.cancelled.append(str(number))
            case ("load", str(name)):
                model.load(name, now)
            case ("unload", str(name)):
                model.unload(name, now)
            case ("occupy", int(foreign)):
                model.occupy(foreign, now)
            case ("inject", FaultKind() as kind, int(tokens), float(seconds)):
                model.inject(InjectedFault(kind, tokens, seconds), now)
            case _:
                model.repair(now)

    def check(self, now: float) -> None:
        """The invariants of any moment."""
        memory = self.model.memory
        taken = memory.taken(now)
        assert memory.foreign <= taken
        held = sum(model.held(now) for model in memory.models.values())
        assert taken <= memory.total or not held, "what does not fit has died"
        assert self.model.running == sum(model.running for model in memory.models.values())
        assert self.model.waiting == sum(len(model.waiting) for model in memory.models.values())
        for model in memory.models.values():
            assert 0 <= model.running <= model.spec.parallel
            assert not model.running or model.residency in (Residency.READY, Residency.DRAINING)
            idle_slots = model.spec.parallel - model.running
            if model.residency is Residency.READY and not memory.blocked:
                assert not (idle_slots and model.waiting), "a slot is idle while a request waits for it"

    def ended(self) -> Counter[str]:
        return Counter(event.id for event in self.events if isinstance(event, Done | Failed))


@given(specs, traces)
@settings(max_examples=150, deadline=None)
def test_every_request_taken_ends_exactly_once(spec: BackendSpec, trace: Trace) -> None:
    """Whatever is loaded, cancelled or broken meanwhile, a request ends once, or never if cancelled."""
    played = Played(spec, trace)
    assert played.ended() == Counter(set(played.taken) - set(played.cancelled))
    assert (played.model.running, played.model.waiting) == (0, 0)


@given(specs, traces, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_the_same_seed_and_trace_give_the_same_events(spec: BackendSpec, trace: Trace, seed: int) -> None:
    """Nothing but the seed and the trace decides what happens."""
    assert Played(spec, trace, seed=seed).events == Played(spec, trace, seed=seed).events


@given(specs, traces, st.floats(0.05, 1.0))
@settings(max_examples=80, deadline=None)
def test_looking_more_often_changes_nothing(spec: BackendSpec, trace: Trace, every: float) -> None:
    """Times are the same to the last bit however often it is asked; tokens come in other portions."""
    rarely, often = Played(spec, trace), Played(spec, trace, every=every)
    assert [event for event in rarely.events if not isinstance(event, Tokens)] == [
        event for event in often.events if not isinstance(event, Tokens)
    ]
    assert _token_counts(rarely.events) == _token_counts(often.events)


def _token_counts(events: list[Event]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for event in events:
        if isinstance(event, Tokens):
            assert event.first == counts[event.id], "tokens come in order and without gaps"
            counts[event.id] += event.count
    return counts


@given(traces)
@settings(max_examples=60, deadline=None)
def test_streams_deliver_exactly_the_tokens_they_count(trace: Trace) -> None:
    """The tokens of a streamed answer are as many as its end says."""
    played = Played(BACKEND, trace)
    counts = _token_counts(played.events)
    for event in played.events:
        if isinstance(event, Done | Failed) and event.id in counts:
            assert counts[event.id] == event.output_tokens


@given(st.lists(st.tuples(st.floats(0, 3), names, st.integers(1, 150)), max_size=30))
@settings(max_examples=60, deadline=None)
def test_work_is_conserved(arrivals: list[tuple[float, str, int]]) -> None:
    """The work the device did is the work its requests were: nothing lost to sharing, queueing or loads."""
    spec = msgspec.structs.replace(BACKEND, jitter=0.0, queue_limit=None)
    model, now, asked = ServiceModel(spec, 1), 0.0, {}
    for number, (gap, name, prompt) in enumerate(arrivals):
        now += gap
        asked[str(number)] = prompt
        assert model.submit(Request(str(number), name, prompt), now) is None
    done = [event for event in model.advance(1e6) if isinstance(event, Done)]
    needed = sum(event.prompt_tokens / 100 + event.output_tokens / 20 for event in done)
    assert len(done) == len(arrivals)
    assert model.served == pytest.approx(needed, abs=1e-6)


@given(traces)
@settings(max_examples=60, deadline=None)
def test_the_next_event_is_never_in_the_past_and_always_comes(trace: Trace) -> None:
    """A driver that sleeps until `next_event` gets on: time rises, and the end is reached in few steps."""
    model = Played(BACKEND, trace).model
    before, steps_taken = -inf, 0
    while (due := model.next_event()) < inf:
        assert due >= before
        before = due
        model.advance(due)
        steps_taken += 1
        assert steps_taken < 100


@pytest.mark.parametrize(
    ("parallel", "alpha", "expected"),
    [
        pytest.param(1, 0.0, 1 + 0.6 / (2 * 0.4), id="M/D/1"),
        pytest.param(10**6, 1.0, 1 / 0.4, id="M/D/1 with processor sharing"),
    ],
)
def test_mean_times_agree_with_queueing_theory(parallel: int, alpha: float, expected: float) -> None:
    """At 60 % load the mean time in the system is within 4 % of the formula (one second of service)."""
    only = ModelSpec(
        name="m",
        parameters=1,
        weights=1,
        parallel=parallel,
        kv_bytes_per_token=0,
        context=10**6,
        prefill_rate=inf,
        decode_rate=100,
        resident=True,
    )
    model = ServiceModel(
        BackendSpec(name="q", kind=BackendKind.OPENAI, models=(only,), alpha=alpha, jitter=0.0)
    )
    rng, now, total = Random(3), 0.0, 0.0
    for number in range(20_000):
        now += rng.expovariate(0.6)
        model.submit(Request(str(number), "m", 1, 100, stream=False), now)
    for event in model.advance(inf):
        if isinstance(event, Done):
            total += event.at - event.timings.submitted
    assert total / 20_000 == pytest.approx(expected, rel=0.04)


def test_draws_depend_on_seed_and_id_alone() -> None:
    """The same id is served alike whatever came before; another seed serves it otherwise."""

    def service(seed: int, before: int) -> tuple[int, float]:
        model = ServiceModel(BACKEND, seed)
        for number in range(before):
            model.submit(Request(f"before-{number}", "c", 10), 0.0)
        model.advance(500)
        model.submit(Request("x", "c", 10), 500)
        [done] = [event for event in model.advance(1000) if isinstance(event, Done)]
        [started] = [event for event in model.advance(1000) if isinstance(event, Started)] or [None]
        assert started is None
        return done.output_tokens, round(done.at - done.timings.started, 9)

    assert service(1, 0) == service(1, 3)
    assert service(1, 0) != service(2, 0)
