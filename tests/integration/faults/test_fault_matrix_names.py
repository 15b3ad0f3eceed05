"""The fault matrix, row of names: a backend's host name that is not known, cannot be looked up, or changes."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from tests.fakes.chaos import ChaosBackend
from tests.fakes.engine_here import EngineHere, described
from tests.fakes.leaping_loop import LeapingLoop
from tests.fakes.turns import settle, until
from tests.integration.faults.conftest import Stage

Leap = Callable[[float], None]
STREAMED = pytest.mark.parametrize("stream", [False, True])
HOST = "box.test"


class Names:
    """A name server of the test's own: the addresses of a host, none of them, or None for silence."""

    def __init__(self, loop: LeapingLoop) -> None:
        self._loop = loop

    def say(self, found: Sequence[str] | None) -> None:
        self._loop.names[HOST] = found

    @property
    def asked(self) -> int:
        return self._loop.asked.count(HOST)


@pytest.fixture
async def names(leap: Leap) -> Names:
    """At first the backend is where it listens."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapingLoop)
    made = Names(loop)
    made.say(["127.0.0.1"])
    return made


async def pair(stage: Stage) -> tuple[EngineHere, ChaosBackend, ChaosBackend]:
    """The preferred backend is known by its name."""
    first, second = await stage.backend("first", host=HOST), await stage.backend("second")
    return await stage.engine(first, second, slots=16), first, second


@STREAMED
async def test_a_name_that_is_gone_moves_on(stage: Stage, names: Names, stream: bool) -> None:
    """No such name: the next backend answers, the breaker counts it, and the name is not asked for again at once."""
    engine, first, _ = await pair(stage)
    names.say([])
    for number in range(2):
        answer = await engine.chat(stream=stream)
        assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2)
        assert engine.breaker("first").failures == number + 1
    assert not first.calls
    assert "box.test cannot be looked up: [Errno -2] Name or service not known" in " ".join(
        engine.told("request.failover")
    )
    before = names.asked
    assert (await engine.chat(stream=stream)).backend == "second"
    assert names.asked == before


@STREAMED
async def test_a_name_server_that_is_silent_costs_two_seconds(
    stage: Stage, names: Names, leap: Leap, stream: bool
) -> None:
    """Nobody says where the backend is: after two seconds the next one is asked."""
    engine, first, _ = await pair(stage)
    names.say(None)
    async with engine.client() as client:
        client.chat(stream=stream)
        await until(lambda: engine.busy()[0] == 1)
        await settle()
        leap(2.1)
        answer = await client.answer()
    assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2)
    assert not first.calls
    assert "no answer within 2 s" in engine.told("request.failover")[0]


async def test_a_name_that_was_known_outlives_its_name_server(stage: Stage, names: Names, leap: Leap) -> None:
    """The backend is where it was last: a name server that is down does not take it along."""
    engine, first, _ = await pair(stage)
    assert (await engine.chat()).backend == "first"
    for said in ([], None):
        names.say(said)
        async with engine.client() as client:
            leap(8)  # the kept connection is too old by then, and what was known to fail is asked for again
            client.chat()
            await until(lambda: engine.busy()[0] == 1)
            await settle()
            leap(2.1)
            answer = await client.answer()
        assert (answer.status, answer.backend, answer.attempts) == (200, "first", 1)
    assert first.connections_for_calls == 3


async def test_a_name_that_moves_is_followed(stage: Stage, names: Names, leap: Leap) -> None:
    """The backend is at another address now: new connections go there."""
    engine, first, _ = await pair(stage)
    moved = ChaosBackend("moved", listens="127.0.0.2")
    moved.port, moved.well = first.port, first.well
    async with moved:
        assert (await engine.chat()).content.startswith("first-1")
        names.say(["127.0.0.2"])
        leap(4)
        answer = await engine.chat()
    assert (answer.backend, answer.attempts) == ("first", 1)
    assert answer.content.startswith("moved-1")
    assert len(first.calls) == 1


async def test_one_address_of_a_name_is_enough(stage: Stage, names: Names) -> None:
    """Nobody listens at the first of two: the second is tried, and that is no failure."""
    engine, first, _ = await pair(stage)
    names.say(["127.0.0.3", "127.0.0.1"])
    answer = await engine.chat()
    assert (answer.backend, answer.attempts, len(first.calls)) == ("first", 1, 1)
    assert engine.breaker("first").failures == 0


async def test_nobody_else_to_ask_is_an_error_that_names_it(stage: Stage, names: Names) -> None:
    """The only backend's name is gone: 502 in words, and not a request that hangs."""
    lone = await stage.backend("first", host=HOST)
    engine = await stage.engine(lone)
    names.say([])
    answer = await engine.chat()
    assert answer.status == 502
    assert f"{HOST} cannot be looked up" in answer.error["message"]


@pytest.mark.parametrize("said", [[], None], ids=["no such name", "silence"])
async def test_a_name_that_never_was_known_is_told(
    stage: Stage, names: Names, leap: Leap, said: Sequence[str] | None
) -> None:
    """From the start: the engine runs, others serve, and for what only it would serve there is 503 with its name."""
    names.say(said)
    first, second = await stage.backend("first", host=HOST), await stage.backend("second")
    engine = await stage.engine(first)
    await settle()
    leap(2.1)
    await until(lambda: bool(engine.told("backend.down")))
    refused = await engine.chat()
    assert (refused.status, refused.error["code"]) == (503, "no_backend")
    assert int(refused.headers["retry-after"]) >= 1
    assert f"{HOST} cannot be looked up" in refused.error["message"]
    await engine.reload(described([first, second]))
    answer = await engine.chat()
    assert (answer.status, answer.backend, answer.attempts) == (200, "second", 1)
    names.say(["127.0.0.1"])
    while not any(one.reachable for one in engine.engine.catalog.of("first")):
        leap(2.5)
        await settle()
    assert (await engine.chat()).backend == "first"
