"""What a simulated backend really does with memory: true sizes, others' use, late release, and its end."""

from math import inf

import msgspec
import pytest

from orchestra_core.domain.catalog import BackendKind, Residency
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.spec import BackendSpec, ModelSpec, Overflow
from orchestra_core.simulation.trace import (
    Doing,
    Done,
    Event,
    Failed,
    Loaded,
    LoadFailed,
    Loading,
    OutOfMemory,
    Request,
    Unloaded,
    Why,
)

# Said to need ten bytes each; a load takes five seconds, so two bytes a second.
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
LARGER = msgspec.structs.replace(MODEL, name="b", truth=1.4)
BACKEND = BackendSpec(
    name="sim-test",
    kind=BackendKind.OLLAMA,
    models=(MODEL, LARGER),
    memory=20,
    jitter=0.0,
    overflow=Overflow.KILL,
)


def backend(**changes: object) -> ServiceModel:
    return ServiceModel(msgspec.structs.replace(BACKEND, **changes))


def deaths(events: list[Event]) -> list[OutOfMemory]:
    return [event for event in events if isinstance(event, OutOfMemory)]


def test_a_meter_shows_the_true_size_as_it_is_taken() -> None:
    """A load takes what the model really occupies, evenly over its time."""
    model = backend()
    model.load("b", 0.0)
    model.advance(2.5)
    assert model.memory_used == 7
    model.advance(5.0)
    assert model.memory_used == 14


def test_a_load_for_which_the_memory_ends_dies_at_that_moment() -> None:
    """Ten bytes are there, fourteen beside them do not fit into twenty: it ends with the tenth, by its own doing."""
    model = backend()
    model.load("a", 0.0)
    model.load("b", 0.0)
    events = model.advance(100)
    [death] = deaths(events)
    assert death.at == pytest.approx(5.0 + 5.0 * 10 / 14)
    assert (death.model, death.doing, death.loading) == ("b", Doing.OWN, True)
    assert [event.model for event in events if isinstance(event, LoadFailed)] == ["b"]
    assert model.is_ready("a")
    assert model.memory_used == 10


def test_who_takes_more_while_a_model_loads_kills_it() -> None:
    """It would have fitted: what changed since the load began was not its doing."""
    model = backend()
    model.load("a", 0.0)
    model.occupy(15, 4.0)
    [death] = deaths(model.advance(100))
    assert (death.model, death.doing, death.loading) == ("a", Doing.TAKEN, True)


def test_a_load_into_memory_that_others_hold_is_no_fault_of_theirs() -> None:
    """Use by others that was there before the load began is no excuse."""
    model = backend()
    model.occupy(15, 0.0)
    model.load("a", 1.0)
    [death] = deaths(model.advance(100))
    assert death.doing is Doing.OCCUPIED


def test_others_kill_the_largest_with_its_requests() -> None:
    """Without a load under way the largest model dies; the requests of others go on."""
    model = backend(memory=30)
    for name in ("a", "b"):
        model.load(name, 0.0)
    model.advance(20.0)
    for number, name in enumerate("abb"):
        model.submit(Request(str(number), name, 1, 30, stream=False), 20.0)
    model.occupy(10, 21.0)
    events = model.advance(100)
    [death] = deaths(events)
    assert (death.model, death.doing, death.loading) == ("b", Doing.TAKEN, False)
    assert {event.id: event.why for event in events if isinstance(event, Failed)} == {
        "1": Why.OUT_OF_MEMORY,
        "2": Why.OUT_OF_MEMORY,
    }
    assert [event.id for event in events if isinstance(event, Done)] == ["0"]
    assert model.memory.models["b"].residency is Residency.ABSENT


def test_memory_comes_back_late() -> None:
    """An unloaded model's bytes are still taken for a while, and kill a load that comes too soon."""
    model = backend(release_seconds=100.0, release_spread=0.0, memory=15)
    model.load("a", 0.0)
    model.advance(5.0)
    model.unload("a", 6.0)
    assert Unloaded("a", 6.0) in model.advance(6.0)
    assert model.memory_used == 10
    model.load("b", 7.0)
    [death] = deaths(model.advance(50))
    assert death.doing is Doing.OWN
    model.advance(106.1)
    assert model.memory_used == 0


def test_a_server_that_evicts_waits_for_memory_to_come_back() -> None:
    """Ollama's rule: unload what is idle, and begin when a meter shows the room."""
    model = backend(
        overflow=Overflow.EVICT, autoload=True, release_seconds=3.0, release_spread=0.0, memory=15
    )
    model.load("a", 0.0)
    model.submit(Request("x", "b", 1, 10, stream=False), 10.0)
    events = model.advance(100)
    steps = [event for event in events if isinstance(event, Loading | Loaded | Unloaded)]
    assert steps[2:] == [Unloaded("a", 10.0), Loading("b", 13.0, 18.0), Loaded("b", 18.0)]
    assert not deaths(events)


def test_a_server_that_evicts_believes_what_it_is_told() -> None:
    """By the declared size there is room, so it loads, and the model dies of its true size."""
    model = backend(overflow=Overflow.EVICT, autoload=True)
    model.load("a", 0.0)
    model.submit(Request("x", "b", 1, 10, stream=False), 10.0)
    events = model.advance(100)
    [death] = deaths(events)
    assert (death.model, death.doing) == ("b", Doing.OWN)
    assert [event.why for event in events if isinstance(event, Failed)] == [Why.OUT_OF_MEMORY]


def test_a_server_that_evicts_refuses_what_others_leave_no_room_for() -> None:
    """With nothing left to unload it says how much there is, instead of waiting for ever."""
    model = backend(overflow=Overflow.EVICT, autoload=True)
    model.occupy(15, 0.0)
    model.load("a", 1.0)
    [failed] = model.advance(100)
    assert isinstance(failed, LoadFailed)
    assert failed.message.startswith("model requires more system memory")


def test_a_load_of_its_own_process_can_be_stopped() -> None:
    """Unloading in the middle of a load ends it at once, and its bytes come back."""
    model = backend()
    model.load("a", 0.0)
    model.unload("a", 2.0)
    assert model.advance(100)[1:] == [Unloaded("a", 2.0)]
    assert model.memory_used == 0
    model.load("a", 100.0)
    assert model.advance(200)[-1] == Loaded("a", 105.0)
