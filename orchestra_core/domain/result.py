"""How a request ended, as the surfaces render it."""

import msgspec

from orchestra_core.domain.call import Call
from orchestra_core.domain.decision import Candidate, Decision
from orchestra_core.domain.memory import Need
from orchestra_core.domain.outcome import Outcome
from orchestra_core.domain.price import Price


class Tried(msgspec.Struct, frozen=True, gc=False):
    """One attempt: where, how it ended, and whether its answer would have been a degraded one.

    `loading` is how long (seconds) it waited for the model to be loaded, `price` what was charged for it when it was
    sent, None where that is not known: an endpoint may be gone, or dearer, when its answer ends.
    """

    candidate: Candidate
    outcome: Outcome
    degraded: bool = False
    loading: float = 0.0
    price: Price | None = None


class Result(msgspec.Struct, frozen=True, gc=False):
    """The decision, every attempt, and the outcome that counts. `seconds` is all the client waited.

    `cache` and `age` are as in Serving; `saved` what an answer from the cache would have cost again.
    """

    call: Call
    decision: Decision
    tried: tuple[Tried, ...]
    outcome: Outcome
    seconds: float
    cost: float | None
    cache: str = ""
    age: int | None = None
    saved: float | None = None


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What a load or unload will do before it does it; None is "not known".

    `waits_for` are models that are busy or being loaded and must be done first, `waiting` the requests that wait
    for this one. Where it is not allowed, `code` and `reason` say why, and `retry_after` (seconds) when it may be.
    `expected_basis` is what the seconds rest on: `measured` or `prior`.
    """

    evicts: tuple[str, ...] = ()
    frees_bytes: int | None = None
    needs_bytes: int | None = None
    fits: bool | None = None
    expected_seconds: float | None = None
    expected_basis: str = ""
    need: Need | None = None
    pool: str = ""
    total_bytes: int | None = None
    free_bytes: int | None = None
    reserved_bytes: int | None = None
    foreign_bytes: int | None = None
    headroom_bytes: int | None = None
    waits_for: tuple[str, ...] = ()
    waiting: int = 0
    code: str = ""
    reason: str = ""
    retry_after: float | None = None


class Restarting(msgspec.Struct, frozen=True):
    """A restart that has begun: the models of a backend that are unloaded and loaded again, and what runs on them."""

    backend: str
    models: tuple[str, ...]
    inflight: int
    drain_seconds: float


class Reloaded(msgspec.Struct, frozen=True, gc=False):
    """What a new configuration changed: backends by name, other settings by key.

    `restart` are the settings that were changed in the file and take effect only when the engine starts again;
    `leaving` the backends whose running requests finish first.
    """

    file: str | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Operation(msgspec.Struct, frozen=True, gc=False):
    """A load or unload that was accepted; its progress is on the event stream."""

    operation: str
    action: str
    model: str
    backend: str
    plan: Plan
