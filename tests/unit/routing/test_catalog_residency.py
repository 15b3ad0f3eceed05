"""What a look at a backend changes of what is known of a model's place."""

import msgspec
import pytest

from orchestra_core.domain.catalog import BackendKind, ModelInfo, Residency
from orchestra_core.routing.capability import BackendFacts, describe
from orchestra_core.routing.catalog import Catalog

INFO = ModelInfo("m", Residency.READY, capabilities=frozenset({"chat"}))
SPEC = describe(BackendFacts(name="b", kind=BackendKind.OLLAMA), INFO, None)


@pytest.mark.parametrize(
    ("known", "reported", "then"),
    [
        (Residency.READY, Residency.ABSENT, Residency.ABSENT),
        (Residency.ABSENT, Residency.READY, Residency.READY),
        (Residency.LOADING, Residency.ABSENT, Residency.LOADING),
        (Residency.LOADING, Residency.READY, Residency.READY),
        (Residency.DRAINING, Residency.READY, Residency.DRAINING),
        (Residency.UNLOADING, Residency.READY, Residency.UNLOADING),
        (Residency.DRAINING, Residency.ABSENT, Residency.DRAINING),
    ],
)
def test_a_look_does_not_undo_what_we_are_doing(
    known: Residency, reported: Residency, then: Residency
) -> None:
    """A model that is being drained stays so though its backend still has it; else calls would go on coming."""
    catalog = Catalog()
    catalog.update("b", [(SPEC, INFO)])
    catalog.all[0].residency = known
    catalog.update("b", [(SPEC, msgspec.structs.replace(INFO, residency=reported))])
    assert catalog.all[0].residency is then


def test_a_model_that_is_seen_ready_is_no_longer_loading() -> None:
    """A backend lists a model before it says that the load has ended: ready, it tells no progress any more."""
    catalog = Catalog()
    catalog.update("b", [(SPEC, msgspec.structs.replace(INFO, residency=Residency.ABSENT))])
    (endpoint,) = catalog.all
    endpoint.residency, endpoint.progress = Residency.LOADING, "Ollama is loading it"
    catalog.update("b", [(SPEC, msgspec.structs.replace(INFO, residency=Residency.ABSENT))])
    assert endpoint.progress == "Ollama is loading it"
    catalog.update("b", [(SPEC, INFO)])
    assert (endpoint.residency, endpoint.progress) == (Residency.READY, "")


@pytest.mark.parametrize(
    ("known", "reported"), [("ready", "absent"), ("absent", "ready"), ("ready", "loading")]
)
def test_a_look_that_began_before_our_load_or_unload_ended_says_nothing_of_it(
    known: str, reported: str
) -> None:
    """It may have seen what was before: a reservation would be given back for a model that is there."""
    catalog = Catalog()
    catalog.update("b", [(SPEC, INFO)])
    (endpoint,) = catalog.all
    endpoint.residency, endpoint.memory_bytes, endpoint.changed = Residency(known), 7, 10.0
    seen = msgspec.structs.replace(INFO, residency=Residency(reported), memory_bytes=9)
    catalog.update("b", [(SPEC, seen)], 9.0)
    assert (endpoint.residency, endpoint.memory_bytes) == (Residency(known), 7)
    catalog.update("b", [(SPEC, seen)], 10.0)
    assert (endpoint.residency, endpoint.memory_bytes) == (Residency(reported), 9)
