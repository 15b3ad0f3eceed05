"""Our side of Ollama's format against the simulated fleet, whose Ollama side the official client checks."""

from collections.abc import AsyncIterator

import httpx
import pytest

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.catalog import Residency
from orchestra_core.simulation.backend import SimulatedBackend
from orchestra_core.simulation.fleet import FLEETS
from orchestra_core.simulation.running import start
from orchestra_core.upstream.control.ollama import Ollama
from orchestra_core.upstream.control.openai import OpenAI
from orchestra_core.wire import ollama


@pytest.fixture
async def backends() -> AsyncIterator[dict[str, SimulatedBackend]]:
    """`sim-small` speaks Ollama's format and `sim-second` OpenAI's, forty times as fast as declared."""
    running = await start(FLEETS["two"], seed=1, time_scale=40.0)
    yield {backend.name: backend for backend in running.backends}
    await running.close()


async def residencies(control: Ollama) -> dict[str, Residency]:
    return {model.name: model.residency for model in await control.models()}


async def test_an_ollama_is_looked_at_loaded_and_unloaded(
    client: httpx.AsyncClient, backends: dict[str, SimulatedBackend]
) -> None:
    """What a load and an unload say is what the next look shows."""
    control = Ollama(backends["sim-small"].url, client, {})
    name = next(iter(await residencies(control)))
    await control.load(name, lambda _: None)
    loaded = await residencies(control)
    await control.unload(name)
    unloaded = await residencies(control)

    assert (await control.probe()).version
    assert (loaded[name], unloaded[name]) == (Residency.READY, Residency.ABSENT)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.CHAT, {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 12}),
        (Kind.COMPLETION, {"prompt": "hello", "max_tokens": 12}),
    ],
)
async def test_an_answer_of_an_ollama_is_read_to_its_end(
    client: httpx.AsyncClient,
    backends: dict[str, SimulatedBackend],
    kind: Kind,
    fields: dict[str, object],
    stream: bool,
) -> None:
    """A request rendered by us is answered, and the answer has text, an end and counted tokens."""
    url = backends["sim-small"].url
    name = next(iter(await residencies(Ollama(url, client, {}))))
    call = Call(id="r", kind=kind, fields=fields, received=0.0)
    path, body = ollama.render_request(call, name, stream=stream)
    answer = await client.post(url + path, content=body, timeout=30)
    reader = ollama.StreamReader(kind)
    deltas = reader.feed(answer.content) if stream else reader.whole(answer.content)

    assert answer.status_code == 200
    assert "".join(delta.text for delta in deltas)
    assert reader.done
    assert reader.usage is not None
    assert 0 < reader.usage.completion <= 12


async def test_an_openai_server_is_looked_at(
    client: httpx.AsyncClient, backends: dict[str, SimulatedBackend]
) -> None:
    """Its models have names and contexts."""
    models = await OpenAI(backends["sim-second"].url, client, {}).models()

    assert models
    assert all(model.context for model in models)
