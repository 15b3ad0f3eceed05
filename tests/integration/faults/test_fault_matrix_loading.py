"""The fault matrix, rows of models that come and go: their backend leaves, dies or forgets them during a load."""

from collections.abc import Awaitable, Callable

import pytest

from orchestra_core.domain.catalog import Residency
from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import end, finish, head, refusal, token, wait
from tests.fakes.engine_here import EngineHere, described
from tests.fakes.plain_client import PlainClient
from tests.fakes.turns import settle, until
from tests.integration.faults.conftest import Stage

Happens = Callable[[EngineHere, ChaosBackend, ChaosBackend], Awaitable[None]]
STREAMED = pytest.mark.parametrize("stream", [False, True])
HELD = [head(), token(), wait("go"), token(), finish(), end()]


async def empty(stage: Stage, name: str) -> ChaosBackend:
    """An Ollama server that has the model and does not hold it; each load waits at the gate."""
    backend = await stage.backend(name, "ollama")
    backend.resident.clear()
    backend.ordered = [wait("load")]
    return backend


async def made_load(engine: EngineHere, backend: ChaosBackend, client: PlainClient, stream: bool) -> None:
    """The client's request has made the engine load the model there."""
    client.chat(stream=stream)
    await backend.reached("load")
    assert engine.endpoint(backend.name).residency is Residency.LOADING


async def leaves(engine: EngineHere, _: ChaosBackend, second: ChaosBackend) -> None:
    """It is taken out of the configuration; the load ends as if nothing had happened."""
    await engine.reload(described([second]))


async def is_drained(engine: EngineHere, first: ChaosBackend, _: ChaosBackend) -> None:
    """The operator takes it out of service."""
    answer = await engine.post(f"/api/v1/backends/{first.name}/drain", {})
    assert answer.status in (200, 202), answer.text


async def forgets(_: EngineHere, first: ChaosBackend, __: ChaosBackend) -> None:
    """Somebody deletes the model there."""
    first.models.remove("m")


async def dies(_: EngineHere, first: ChaosBackend, __: ChaosBackend) -> None:
    """Its process is killed."""
    await first.die()


WAYS = pytest.mark.parametrize("happens", [leaves, is_drained, forgets, dies])


@STREAMED
@WAYS
async def test_what_happens_to_a_backend_during_a_load_costs_no_answer(
    stage: Stage, happens: Happens, stream: bool
) -> None:
    """Who waited for the model there is answered by another backend, which is all that the client sees of it."""
    first, second = await empty(stage, "first"), await stage.backend("second", "ollama")
    engine = await stage.engine(first, second, slots=4)
    async with engine.client() as client:
        await made_load(engine, first, client, stream)
        await happens(engine, first, second)
        first.open("load")
        answer = await client.answer()
    assert (answer.status, answer.backend) == (200, "second"), answer.text
    assert answer.content.startswith("second-1")
    assert (len(first.calls), len(second.calls), len(first.orders)) == (0, 1, 1)
    await engine.idle()


@WAYS
async def test_what_happens_to_the_only_backend_during_a_load_is_told(stage: Stage, happens: Happens) -> None:
    """Nobody else has the model: an error in words, and not a request that hangs."""
    first, other = await empty(stage, "first"), await stage.backend("other", "ollama", models=["else"])
    engine = await stage.engine(first, other, slots=4)
    async with engine.client() as client:
        await made_load(engine, first, client, stream=False)
        await happens(engine, first, other)
        first.open("load")
        answer = await client.answer()
    assert answer.status in (502, 503), answer.text
    assert "first/m" in answer.error["message"]
    assert answer.status != 503 or int(answer.headers["retry-after"]) >= 1
    assert not first.calls
    await engine.idle()


async def test_a_load_that_fails_moves_on(stage: Stage) -> None:
    """The backend says that there is no room: another one answers."""
    first, second = await empty(stage, "first"), await stage.backend("second", "ollama")
    first.ordered = refusal(500, "model requires more system memory than is available")
    engine = await stage.engine(first, second, slots=4)
    answer = await engine.chat()
    assert (answer.status, answer.backend) == (200, "second"), answer.text
    assert "requires more system memory" in engine.told("request.failover")[0]
    assert engine.endpoint("first").residency is Residency.ABSENT


async def test_a_load_under_way_is_not_undone(stage: Stage) -> None:
    """To unload what is being loaded is refused in words; who waits for it gets the answer."""
    first = await empty(stage, "first")
    engine = await stage.engine(first)
    async with engine.client() as client:
        await made_load(engine, first, client, stream=True)
        refused = await engine.post("/api/v1/models/m/unload", {})
        assert (refused.status, refused.error["code"]) == (409, "busy")
        assert "first/m is loading" in refused.error["message"]
        first.open("load")
        assert (await client.answer()).done


async def test_who_watches_is_told_every_second(stage: Stage) -> None:
    """A client that says so, on our own surface; others are told every fifteen."""
    first = await empty(stage, "first")
    engine = await stage.engine(first)
    async with engine.client() as client:
        asked = {"prompt": "Hi", "model": "m", "stream": True}
        client.send("/api/v1/route", asked, x_orchestra_progress="1")
        await first.reached("load")
        told = await client.until("keep-alive, loading m, ")
        first.open("load")
        await client.until("event: done")
    assert int(told.rpartition(b"loading m, ")[2].split()[0]) < 14


async def test_a_load_is_shared(stage: Stage) -> None:
    """Three ask at once for what is not loaded: one load, three answers."""
    first = await empty(stage, "first")
    engine = await stage.engine(first, slots=4)
    async with engine.client() as one, engine.client() as two, engine.client() as three:
        for client in (one, two, three):
            client.chat()
        await first.reached("load")
        await until(lambda: engine.busy()[0] == 3)
        await settle()
        first.open("load")
        assert [(await client.answer()).status for client in (one, two, three)] == [200] * 3
    assert (len(first.orders), len(first.calls)) == (1, 3)


async def test_a_model_evicted_while_requests_wait_is_loaded_once(stage: Stage) -> None:
    """Its backend let it go: those in the queue keep their order, and one load is enough for all of them."""
    lone = await stage.backend("first", "ollama")
    engine = await stage.engine(lone, slots=1)
    lone.script(*HELD)
    async with engine.client() as serving, engine.client() as one, engine.client() as two:
        serving.chat(stream=True)
        await serving.until("first-1")
        one.chat(text="one")
        await until(lambda: engine.busy()[1] == 1)
        two.chat(text="two")
        await until(lambda: engine.busy()[1] == 2)
        lone.resident.clear()
        engine.engine.members.suspect("first")
        await until(lambda: engine.endpoint("first").residency is Residency.ABSENT)
        lone.ordered = [wait("load")]
        lone.open("go")
        assert (await serving.answer()).done
        await lone.reached("load")
        await settle()
        assert len(lone.calls) == 1
        lone.open("load")
        assert [(await client.answer()).status for client in (one, two)] == [200, 200]
    asked = [call.json["messages"][-1]["content"] for call in lone.calls]
    assert asked == ["Hi", "one", "two"]
    assert len(lone.orders) == 1
