"""The service-time model: slots, queue, loads, memory and faults of one simulated backend."""

from math import inf

import msgspec
import pytest

from orchestra_core.domain.catalog import BackendKind, Residency
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.spec import BackendSpec, ModelSpec, Overflow
from orchestra_core.simulation.trace import (
    Crashed,
    Done,
    Event,
    Failed,
    FaultKind,
    InjectedFault,
    Loaded,
    LoadFailed,
    Loading,
    Request,
    Started,
    Tokens,
    Unloaded,
    Why,
)

# Ten tokens a second and prompts that take no time to speak of, so that expected times are plain numbers.
MODEL = ModelSpec(
    name="a",
    parameters=1,
    weights=10,
    kv_bytes_per_token=0,
    context=1000,
    prefill_rate=inf,
    decode_rate=10,
    load_seconds=5,
)
OTHER = msgspec.structs.replace(MODEL, name="b")
BACKEND = BackendSpec(
    name="sim-test",
    kind=BackendKind.OLLAMA,
    models=(msgspec.structs.replace(MODEL, resident=True), OTHER),
    memory=20,
    alpha=0.5,
    jitter=0.0,
    autoload=True,
)


def backend(**changes: object) -> ServiceModel:
    return ServiceModel(msgspec.structs.replace(BACKEND, **changes))


def request(id: str, model: str = "a", tokens: int = 10, **more: object) -> Request:
    return msgspec.structs.replace(
        Request(id=id, model=model, prompt_tokens=1, output_tokens=tokens, stream=False), **more
    )


def ends(events: list[Event]) -> dict[str, float]:
    return {event.id: round(event.at, 6) for event in events if isinstance(event, Done)}


def test_a_request_alone_takes_prefill_and_its_tokens() -> None:
    """Ten tokens at ten a second take one second, and the timings say which part took how long."""
    model = backend(models=(msgspec.structs.replace(MODEL, resident=True, prefill_rate=2.0),))
    assert model.submit(request("x"), 3.0) is None
    [started, done] = model.advance(100)
    assert started == Started("x", 3.0)
    assert isinstance(done, Done)
    assert done.at == pytest.approx(4.5)
    assert done.timings.prefilled == pytest.approx(3.5)
    assert done.timings.first_token == pytest.approx(3.6)


def test_requests_beyond_the_slots_wait_in_order() -> None:
    """With one slot, three requests are served one after the other in order of arrival."""
    model = backend()
    for id in ("x", "y", "z"):
        model.submit(request(id), 0.0)
    assert (model.running, model.waiting) == (1, 2)
    assert ends(model.advance(100)) == {"x": 1.0, "y": 2.0, "z": 3.0}


def test_requests_together_slow_each_other_down() -> None:
    """Two at once run at 1 / (1 + alpha) each, and the one left speeds up again."""
    model = backend(models=(msgspec.structs.replace(MODEL, resident=True, parallel=2),))
    model.submit(request("long", tokens=20), 0.0)
    model.submit(request("short", tokens=10), 0.0)
    assert ends(model.advance(100)) == {"short": 1.5, "long": 2.5}


def test_streamed_tokens_are_events_and_coalesce_between_calls() -> None:
    """Each token is due at its own time; those due since the last call come as one event."""
    model = backend()
    model.submit(request("x", stream=True), 0.0)
    model.advance(0.05)
    assert model.next_event() == pytest.approx(0.1)
    assert model.advance(0.35) == [Tokens("x", 0, 3, pytest.approx(0.3))]
    assert [type(event) for event in model.advance(9)] == [Tokens, Done]


def test_cancelling_a_running_request_gives_its_slot_to_the_next() -> None:
    """A slot is free the moment its client leaves, and the cancelled request never ends."""
    model = backend()
    model.submit(request("x"), 0.0)
    model.submit(request("y"), 0.0)
    assert model.cancel("x", 0.25)
    assert not model.cancel("x", 0.25)
    assert ends(model.advance(100)) == {"y": 1.25}


def test_a_full_queue_refuses() -> None:
    """Beyond the queue limit a request is turned away in Ollama's words."""
    model = backend(queue_limit=1)
    assert model.submit(request("x"), 0.0) is None
    assert model.submit(request("y"), 0.0) is None
    denial = model.submit(request("z"), 0.0)
    assert denial is not None
    assert denial.why is Why.QUEUE_FULL
    assert denial.message == "server busy, please try again.  maximum pending requests exceeded"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (request("x", model="nope"), Why.UNKNOWN_MODEL),
        (request("x", prompt_tokens=1000), Why.CONTEXT),
        (request("x", embedding=True), Why.UNSUPPORTED),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(asked: Request, why: Why) -> None:
    """Unknown models, prompts over the context and embeddings of a chat model are denied without a trace."""
    model = backend()
    denial = model.submit(asked, 0.0)
    assert denial is not None
    assert denial.why is why
    assert model.next_event() == BACKEND.keep_alive


def test_an_absent_model_is_loaded_for_its_first_request() -> None:
    """The request waits for the load, and its timings say how long that was."""
    model = backend()
    model.submit(request("x", model="b"), 0.0)
    events = model.advance(100)
    assert events[:3] == [Loading("b", 0.0, 5.0), Loaded("b", 5.0), Started("x", 5.0)]
    done = events[3]
    assert isinstance(done, Done)
    assert (done.timings.loaded, done.at) == (5.0, pytest.approx(6.0))


def test_a_server_that_does_not_load_says_so() -> None:
    """Without autoload a request for an absent model is denied."""
    model = backend(autoload=False)
    denial = model.submit(request("x", model="b"), 0.0)
    assert denial is not None
    assert denial.why is Why.NOT_LOADED


def test_a_load_evicts_idle_models_only() -> None:
    """A load that needs room waits for the busy model to finish, then takes its place."""
    model = backend(memory=15)
    model.submit(request("x"), 0.0)
    model.submit(request("y", model="b"), 0.0)
    model.submit(request("z"), 0.0)
    events = model.advance(100)
    assert [event for event in events if isinstance(event, Unloaded | Loading)] == [
        Unloaded("a", 1.0),
        Loading("b", 1.0, 6.0),
        Unloaded("b", 7.0),
        Loading("a", 7.0, 12.0),
    ]
    assert ends(events) == {"x": 1.0, "y": 7.0, "z": 13.0}


def test_a_model_larger_than_the_memory_is_refused_in_words() -> None:
    """Its requests fail as out of memory, and nothing loaded is given up for it."""
    huge = msgspec.structs.replace(MODEL, name="huge", weights=21)
    model = backend(models=(*BACKEND.models, huge))
    model.submit(request("x", model="huge"), 0.0)
    failed, lost = model.advance(1)
    assert isinstance(failed, LoadFailed)
    assert failed.message.startswith("model requires more system memory")
    assert isinstance(lost, Failed)
    assert lost.why is Why.OUT_OF_MEMORY
    assert model.is_ready("a")


def test_a_backend_set_to_refuse_keeps_what_is_loaded() -> None:
    """With overflow `refuse` an idle model is not evicted: the load fails."""
    model = backend(memory=15, overflow=Overflow.REFUSE)
    assert model.load("b", 0.0) is None
    [failed] = model.advance(1)
    assert isinstance(failed, LoadFailed)
    assert model.memory_used == 10


def test_a_backend_set_to_crash_dies_of_an_overload_and_comes_back() -> None:
    """An out-of-memory crash loses everything in flight; after the restart the resident model loads again."""
    model = backend(memory=15, overflow=Overflow.CRASH, restart_seconds=3)
    model.submit(request("x"), 0.0)
    model.load("b", 0.5)
    events = model.advance(0.5)
    assert any(isinstance(event, Crashed) for event in events)
    assert [event.why for event in events if isinstance(event, Failed)] == [Why.CRASHED]
    assert not model.reachable
    assert model.memory_used == 0
    model.advance(8.4)
    assert model.reachable
    assert model.memory.models["a"].residency is Residency.LOADING
    model.advance(8.6)
    assert model.is_ready("a")


def test_an_idle_model_is_unloaded_after_its_keep_alive() -> None:
    """`keep_alive` counts from the last use; one that is given holds until the model is gone."""
    model = backend(keep_alive=60.0)
    model.submit(request("x"), 50.0)
    assert Unloaded("a", 111.0) in model.advance(200)
    model.load("a", 200, keep_alive=inf)
    model.advance(10_000)
    assert model.is_ready("a")


def test_keep_alive_zero_unloads_after_the_answer() -> None:
    """A request may ask that its model goes as soon as it is done."""
    model = backend()
    model.submit(request("x", keep_alive=0.0), 0.0)
    assert model.advance(1.0)[-1] == Unloaded("a", 1.0)


def test_unloading_a_busy_model_lets_it_finish() -> None:
    """It drains: what runs finishes, what waits has the model loaded again."""
    model = backend()
    model.submit(request("x"), 0.0)
    model.submit(request("y"), 0.0)
    model.unload("a", 0.5)
    assert model.memory.models["a"].residency is Residency.DRAINING
    events = model.advance(100)
    assert Unloaded("a", 1.0) in events
    assert ends(events) == {"x": 1.0, "y": 7.0}


def test_loading_a_draining_model_keeps_it() -> None:
    """A load asked for while the model drains takes the unload back."""
    model = backend()
    model.submit(request("x"), 0.0)
    model.unload("a", 0.5)
    model.load("a", 0.6)
    model.advance(2)
    assert model.is_ready("a")


def test_unloading_a_model_that_is_loading_lets_it_go_when_it_is_there() -> None:
    """The load is not interrupted, and leaves nothing behind."""
    model = backend()
    model.load("b", 0.0)
    model.unload("b", 1.0)
    events = model.advance(100)
    assert events[-2:] == [Loaded("b", 5.0), Unloaded("b", 5.0)]


def test_a_hang_stops_everything_and_a_repair_resumes_it() -> None:
    """Nothing moves during a hang; what ran before needs exactly the rest of its time after."""
    model = backend()
    model.submit(request("x"), 0.0)
    model.inject(InjectedFault(FaultKind.HANG), 0.5)
    assert model.submit(request("y"), 1.0) is None
    assert ends(model.advance(1000)) == {}
    model.repair(1000)
    assert ends(model.advance(2000)) == {"x": 1000.5, "y": 1001.5}


def test_a_slow_fault_multiplies_time_while_it_lasts() -> None:
    """Ten times slower for two seconds is worth 0.2 seconds of work."""
    model = backend()
    model.inject(InjectedFault(FaultKind.SLOW, seconds=2.0, factor=10.0), 0.0)
    model.submit(request("x"), 0.0)
    assert ends(model.advance(100)) == {"x": 2.8}


def test_an_error_fault_denies_or_breaks_off() -> None:
    """Without tokens requests are denied, with them they fail there; shorter answers are complete."""
    model = backend()
    model.inject(InjectedFault(FaultKind.ERROR), 0.0)
    denial = model.submit(request("x"), 0.0)
    assert denial is not None
    assert denial.why is Why.ERROR
    model.inject(InjectedFault(FaultKind.ERROR, after_tokens=4), 0.0)
    model.submit(request("y"), 0.0)
    model.submit(request("z", tokens=3), 0.0)
    events = model.advance(100)
    assert [(event.id, event.why, event.output_tokens) for event in events if isinstance(event, Failed)] == [
        ("y", Why.ERROR, 4)
    ]
    assert ends(events) == {"z": 0.7}


def test_a_cut_without_tokens_loses_embeddings_too() -> None:
    """A cut after no token at all ends a request when its prefill does."""
    models = (msgspec.structs.replace(MODEL, resident=True, capabilities=frozenset({"embedding"})),)
    model = backend(models=models)
    model.inject(InjectedFault(FaultKind.CUT), 0.0)
    model.submit(request("x", embedding=True), 0.0)
    assert [event.why for event in model.advance(1) if isinstance(event, Failed)] == [Why.CUT]


def test_a_refuse_fault_ends_by_itself() -> None:
    """While it lasts nothing can be reached, afterwards all is as before."""
    model = backend()
    model.inject(InjectedFault(FaultKind.REFUSE, seconds=2.0), 0.0)
    assert not model.reachable
    denial = model.submit(request("x"), 1.9)
    assert denial is not None
    assert denial.why is Why.DOWN
    assert model.submit(request("x"), 2.0) is None


def test_the_end_of_an_earlier_fault_does_not_end_a_later_one() -> None:
    """Each fault has its own duration."""
    model = backend()
    model.inject(InjectedFault(FaultKind.HANG, seconds=2.0), 0.0)
    model.inject(InjectedFault(FaultKind.SLOW, seconds=10.0), 1.0)
    model.advance(5.0)
    assert model.fault is not None
    assert model.fault.kind is FaultKind.SLOW


def test_answers_are_capped_by_request_and_context() -> None:
    """`finish` is `length` when the cap or the context cuts the answer, else `stop`."""
    model = backend()
    model.submit(request("x", max_tokens=4), 0.0)
    model.submit(request("y", prompt_tokens=995, tokens=50), 0.0)
    model.submit(request("z"), 0.0)
    done = {
        event.id: (event.output_tokens, event.finish)
        for event in model.advance(100)
        if isinstance(event, Done)
    }
    assert done == {"x": (4, "length"), "y": (5, "length"), "z": (10, "stop")}


def test_residents_that_do_not_fit_are_a_mistake_in_the_declaration() -> None:
    """A spec whose resident models exceed its memory is refused when it is built."""
    with pytest.raises(ValueError, match="resident models need more"):
        backend(memory=5)
