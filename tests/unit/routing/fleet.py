"""Endpoints and profiles for tests of routing, with everything not named at a plain value."""

from typing import Any

from hypothesis import strategies as st

from orchestra_core.domain.call import Kind, Level, Profile, Requirements, Task
from orchestra_core.domain.catalog import (
    BackendKind,
    Circuit,
    Endpoint,
    EndpointSpec,
    Reliability,
    Residency,
    Speed,
)
from orchestra_core.domain.price import Price

CHATS = frozenset({"chat", "completion"})


def spec(name: str = "box/llama", **facts: Any) -> EndpointSpec:
    """`name` is backend/model."""
    backend, _, model = name.partition("/")
    plain: dict[str, Any] = {
        "kind": BackendKind.OLLAMA,
        "capabilities": CHATS,
        "tasks": frozenset(Task),
        "context": 8192,
        "quality": 0.5,
        "tier": Level.MEDIUM,
        "slots": 2,
    }
    return EndpointSpec(backend=backend, model=model, **(plain | facts))


def endpoint(name: str = "box/llama", *, live: dict[str, Any] | None = None, **facts: Any) -> Endpoint:
    """`live` are fields of the Endpoint itself, the rest are facts of its spec."""
    made = Endpoint(spec(name, **facts))
    for field, value in (live or {}).items():
        setattr(made, field, value)
    return made


def profile(**asked: Any) -> Profile:
    plain: dict[str, Any] = {
        "task": Task.TEXT_GENERATION,
        "kind": Kind.CHAT,
        "input_tokens": 100,
        "output_cap": None,
        "needs": frozenset(),
        "requirements": Requirements(),
        "model": None,
        "inferred": False,
    }
    return Profile(**(plain | asked))


levels = st.sampled_from([None, *Level])
requirements = st.builds(Requirements, speed=levels, quality=levels, max_cost=st.none() | st.floats(0.0, 1.0))
profiles = st.builds(
    profile,
    task=st.sampled_from(list(Task)),
    input_tokens=st.integers(1, 2000) | st.integers(1, 50_000),
    output_cap=st.none() | st.integers(0, 2000) | st.integers(0, 20_000),
    needs=st.sampled_from([frozenset(), frozenset(), frozenset({"vision"})]),
    requirements=requirements,
    deadline=st.none() | st.floats(900.0, 1100.0),
)


@st.composite
def fleets(draw: st.DrawFn, at_most: int = 6) -> list[Endpoint]:
    """Endpoints in any state that the shell can bring them into."""
    return [draw(_endpoints(number)) for number in range(draw(st.integers(0, at_most)))]


@st.composite
def _endpoints(draw: st.DrawFn, number: int) -> Endpoint:
    price = draw(st.none() | st.floats(0.0, 30.0))
    made = endpoint(
        f"box{number}/model{draw(st.integers(0, 2))}",
        capabilities=draw(st.sampled_from([CHATS, CHATS, CHATS | {"vision"}, frozenset({"embedding"})])),
        tasks=draw(st.frozensets(st.sampled_from(list(Task)))),
        context=draw(st.sampled_from([128_000, 32_768, 2048])),
        quality=draw(st.floats(0.0, 1.0)),
        tier=draw(st.sampled_from(list(Level))),
        slots=draw(st.integers(1, 4)),
        price=None if price is None else Price(price, price),
        prefill_rate=draw(st.floats(1.0, 50_000.0)),
        decode_rate=draw(st.floats(0.1, 1000.0)),
        load_seconds=draw(st.floats(0.0, 200.0)),
        weight=draw(st.floats(0.01, 10.0)),
        loadable=draw(st.booleans()),
    )
    # Most are in order, so that most decisions have something to rank.
    made.residency = draw(st.sampled_from([Residency.READY] * 6 + list(Residency)))
    made.circuit = draw(st.sampled_from([Circuit.CLOSED] * 4 + list(Circuit)))
    made.draining = draw(st.integers(0, 9)) == 9
    made.reachable = draw(st.integers(0, 9)) < 9
    made.inflight = draw(st.integers(0, 4))
    made.waiting = draw(st.integers(0, 9))
    made.work = draw(st.floats(0.0, 100.0))
    made.external = draw(st.floats(0.0, 50.0))
    made.last_used = draw(st.sampled_from([0.0, 5.0, 10.0]))
    made.speed = Speed(
        draw(st.floats(-3.0, 3.0)),
        draw(st.floats(-3.0, 3.0)),
        draw(st.floats(0.0, 4.0)),
        draw(st.integers(0, 99)),
    )
    made.reliability = Reliability(draw(st.floats(0.0, 20.0)), draw(st.floats(0.0, 500.0)), 990.0)
    return made
