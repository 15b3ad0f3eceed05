"""The fault matrix, rows of backends that answer, but not with an answer: limits, loading, full queues, errors."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.fakes.chaos_steps import eof, refusal, reset, wait
from tests.fakes.turns import settle, until
from tests.integration.faults.conftest import Stage

Leap = Callable[[float], None]
Later = Callable[[float], Awaitable[None]]
STREAMED = pytest.mark.parametrize("stream", [False, True])
FULL = "server busy, please try again.  maximum pending requests exceeded"
# What a test adds to a Retry-After before it asks again: the half second in which timers look, and some.
MORE = 1.0


def in_words(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@STREAMED
@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "7.5"}, 7.5),
        ({"retry-after-ms": "7000"}, 7),
        ({}, 5),
        ({"retry-after": "soon"}, 5),
    ],
    ids=["seconds", "fraction", "milliseconds", "none", "garbage"],
)
async def test_a_limited_backend_is_left_alone_for_a_while(
    stage: Stage, leap: Leap, stream: bool, header: dict[str, str], pause: float
) -> None:
    """429: the next backend answers at once, this one is not asked before its time, and no breaker counts it."""
    engine, first, _ = await stage.pair()
    first.script(*refusal(429, "slow down", header))
    answer = await engine.chat(stream=stream)
    assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2)
    assert engine.breaker("first").failures == 0
    leap(pause - MORE)
    early = await engine.chat(stream=stream)
    assert (early.backend, early.attempts, len(first.calls)) == ("second", 1, 1)
    leap(MORE + 0.5)
    again = await engine.chat(stream=stream)
    assert (again.backend, again.attempts) == ("first", 1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "40"}, 40),
        ({"retry-after-ms": "40000"}, 40),
        ({"retry-after": in_words(40), "date": in_words(0)}, 40),
        ({"retry-after": in_words(315_360_000), "date": in_words(0)}, 120),
        ({"retry-after": "315360000"}, 120),
        ({"retry-after": "1e300"}, 120),
    ],
    ids=["seconds", "milliseconds", "date", "date in ten years", "ten years", "huge"],
)
async def test_a_long_limit_of_the_only_backend_is_passed_on(
    stage: Stage, headers: dict[str, str], seconds: float
) -> None:
    """429, its words, and when to come back, at most two minutes from now; then it is not even asked."""
    lone = await stage.backend("first")
    engine = await stage.engine(lone)
    lone.script(*refusal(429, "slow down", headers), times=9)
    answer = await engine.chat()
    assert (answer.status, answer.error["message"].count("slow down")) == (429, 1)
    assert seconds - 2 <= int(answer.headers["retry-after"]) <= seconds
    later_one = await engine.chat()
    assert later_one.status in (429, 503)
    assert seconds - 3 <= int(later_one.headers["retry-after"]) <= seconds
    assert len(lone.calls) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": in_words(7), "date": in_words(0)}, 7),
        ({}, 5),
        ({"retry-after": "soon"}, 5),
        ({"retry-after": "nan"}, 5),
        ({"retry-after": in_words(7)}, 5),
    ],
    ids=["seconds", "date", "none", "garbage", "nan", "date of unknown now"],
)
async def test_a_short_limit_of_the_only_backend_is_waited_for(
    stage: Stage, leap: Leap, headers: dict[str, str], seconds: float
) -> None:
    """Up to ten seconds the client waits here instead of there; the backend is not asked before its time."""
    lone = await stage.backend("first")
    engine = await stage.engine(lone)
    lone.script(*refusal(429, "slow down", headers))
    async with engine.client() as client:
        client.chat()
        await lone.called()
        await until(lambda: engine.endpoint("first").cooling_until > 0)
        leap(seconds - MORE - 0.5)
        await settle()
        assert len(lone.calls) == 1
        leap(MORE + 1)
        answer = await client.answer()
    assert (answer.status, answer.attempts, len(lone.calls)) == (200, 2, 2)


async def test_a_long_limit_elsewhere_is_not_waited_for(stage: Stage) -> None:
    """The one backend left wants to be left alone for a minute: the error of the other one, at once."""
    engine, first, second = await stage.pair()
    await engine.post("/api/v1/backends/first/drain", {})
    second.script(*refusal(429, "slow down", {"retry-after": "60"}))
    assert (await engine.chat()).status == 429
    await engine.post("/api/v1/backends/first/resume", {})
    first.script(*refusal(401, "Incorrect API key provided"))
    answer = await engine.chat()
    assert (answer.status, answer.error["code"]) == (502, "backend_refused")
    assert (len(first.calls), len(second.calls)) == (1, 1)


async def test_a_shorter_cooldown_does_not_replace_a_longer_one(stage: Stage, later: Later) -> None:
    """Two calls are refused, the second for a second only: the minute of the first still holds."""
    engine, first, _ = await stage.pair()
    first.script(wait("a"), *refusal(429, "slow down", {"retry-after": "60"}))
    first.script(wait("b"), *refusal(429, "slow down", {"retry-after": "1"}))
    async with engine.client() as one, engine.client() as two:
        one.chat()
        await first.called(1)
        two.chat()
        await first.called(2)
        first.open("a")
        assert (await one.answer()).backend == "second"
        first.open("b")
        assert (await two.answer()).backend == "second"
    await later(30)
    assert (await engine.chat()).attempts == 1
    assert len(first.calls) == 2


async def test_a_backend_that_loads_its_model_passes_calls_on(stage: Stage) -> None:
    """llama.cpp's 503 while loading is no failure: another backend answers meanwhile."""
    engine, first, _ = await stage.pair("llamacpp")
    first.loading = True
    first.script(*refusal(503, "Loading model", code=503))
    answer = await engine.chat(stream=True)
    assert (answer.status, answer.backend, answer.done) == (200, "second", True)
    assert engine.breaker("first").failures == 0


@STREAMED
async def test_a_call_waits_for_the_only_model_to_load(stage: Stage, leap: Leap, stream: bool) -> None:
    """Nobody else has it: the call is held until the server has loaded it, then answered; no failure, no retry."""
    lone = await stage.backend("first", "llamacpp")
    engine = await stage.engine(lone)
    lone.loading = True
    lone.script(*refusal(503, "Loading model", code=503), times=4)
    async with engine.client() as client:
        client.chat(stream=stream)
        for number in range(4):
            await lone.called(number + 1)
            await settle()
            leap(2.5)
        lone.loading = False
        answer = await client.answer()
    assert (answer.status, answer.backend) == (200, "first"), answer.text
    assert engine.breaker("first").failures == 0
    assert engine.totals().failed == 0


async def test_what_was_asked_while_it_loaded_is_no_attempt(stage: Stage, leap: Leap) -> None:
    """Three times not yet, then an error: there is still a retry left, and that is answered."""
    lone = await stage.backend("first", "llamacpp")
    engine = await stage.engine(lone)
    lone.script(*refusal(503, "Loading model", code=503), times=3)
    lone.script(*refusal(500, "out of order"))
    async with engine.client() as client:
        client.chat()
        for number in range(4):
            await lone.called(number + 1)
            await settle()
            leap(2.5)
        answer = await client.answer()
    assert (answer.status, answer.backend, len(lone.calls)) == (200, "first", 5), answer.text


async def test_a_model_that_never_loads_is_503_in_the_end(stage: Stage, leap: Leap) -> None:
    """The client's deadline ends the wait: 503 or 504, with words, and never a request sent meanwhile."""
    lone = await stage.backend("first", "llamacpp")
    engine = await stage.engine(lone)
    lone.loading = True
    lone.script(*refusal(503, "Loading model", code=503), times=99)
    async with engine.client() as client:
        client.send("/api/v1/route", {"prompt": "Hi", "model": "m", "deadline_ms": 20_000})
        await lone.called()
        leap(21)
        answer = await client.answer()
    assert answer.status in (503, 504), answer.text
    assert engine.breaker("first").failures == 0


@STREAMED
async def test_a_full_queue_is_no_failure(stage: Stage, stream: bool) -> None:
    """Ollama's 503 when its queue is full: another backend, no breaker."""
    engine, first, _ = await stage.pair("ollama")
    first.script(*refusal(503, FULL), times=6)
    for _ in range(6):
        answer = await engine.chat(stream=stream)
        assert (answer.status, answer.backend) == (200, "second")
    assert engine.breaker("first").state == "closed"
    assert engine.breaker("first").failures == 0


async def test_a_full_queue_of_the_only_backend_is_waited_for(stage: Stage, leap: Leap) -> None:
    """It goes back into our own queue and is sent again, instead of being refused."""
    lone = await stage.backend("first", "ollama")
    engine = await stage.engine(lone)
    lone.script(*refusal(503, FULL))
    async with engine.client() as client:
        client.chat()
        await lone.called(1)
        leap(6)
        answer = await client.answer()
    assert (answer.status, answer.backend) == (200, "first"), answer.text
    assert len(lone.calls) == 2


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_the_operators_matter(stage: Stage, status: int) -> None:
    """Another backend answers, no breaker opens, and the operator is told."""
    engine, first, _ = await stage.pair()
    first.script(*refusal(status, "Incorrect API key provided"), times=6)
    for _ in range(6):
        answer = await engine.chat()
        assert (answer.status, answer.backend) == (200, "second")
    assert engine.breaker("first").failures == 0
    assert any("Incorrect API key" in message for message in engine.told("request.failover"))


@STREAMED
@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
async def test_an_error_of_the_backend_moves_on_and_counts(stage: Stage, status: int, stream: bool) -> None:
    """5xx: another backend answers; five in a row and this one is not asked any more."""
    engine, first, _ = await stage.pair()
    first.script(*refusal(status, "out of order"), times=9)
    for _ in range(7):
        answer = await engine.chat(stream=stream)
        assert (answer.status, answer.backend) == (200, "second")
    # On a slow machine so much time may pass that its health is looked at, and it is given another chance.
    chances = len(engine.told("breaker.half_open"))
    assert 5 <= len(first.calls) <= 5 + chances
    assert len(engine.told("breaker.open")) == 1 + chances or engine.breaker("first").state == "half_open"


async def test_a_backend_whose_runner_was_killed_moves_on(stage: Stage) -> None:
    """Ollama's words after the system killed its runner: a failure; the request is not lost."""
    engine, first, _ = await stage.pair("ollama")
    first.script(*refusal(500, "llama runner process has terminated: signal: killed"))
    answer = await engine.chat(stream=True)
    assert (answer.backend, answer.done) == ("second", True)
    assert engine.breaker("first").failures == 1


@pytest.mark.parametrize("ending", [eof(), reset()], ids=["eof", "rst"])
async def test_a_poisonous_request_stops_after_two_backends(stage: Stage, ending: object) -> None:
    """Two backends died of it without a byte: 502, and the third never meets it."""
    backends = [await stage.backend(name) for name in ("first", "second", "third")]
    engine = await stage.engine(*backends)
    for one in backends:
        one.script(ending)
    answer = await engine.chat()
    assert (answer.status, answer.error["code"]) == (502, "poison_request"), answer.text
    assert [len(one.calls) for one in backends] == [1, 1, 0]
    assert answer.headers["x-should-retry"] == "false"
    assert engine.endpoint("third").failed == 0


async def test_three_failures_of_other_kinds_are_no_poison(stage: Stage) -> None:
    """A third backend is asked when the first two refused in words."""
    backends = [await stage.backend(name) for name in ("first", "second", "third")]
    engine = await stage.engine(*backends)
    for one in backends[:2]:
        one.script(*refusal(500, "out of order"))
    answer = await engine.chat()
    assert (answer.status, answer.backend, answer.attempts) == (200, "third", 3), answer.text


async def test_a_spent_request_tells_the_client_not_to_retry(stage: Stage) -> None:
    """Every attempt was made: `x-should-retry: false`, so that three of ours do not become nine."""
    backends = [await stage.backend(name) for name in ("first", "second", "third", "fourth")]
    engine = await stage.engine(*backends)
    for one in backends:
        one.script(*refusal(500, "out of order"))
    answer = await engine.chat()
    assert (answer.status, answer.attempts) == (502, 3)
    assert sorted(len(one.calls) for one in backends) == [0, 1, 1, 1]
    assert answer.headers["x-should-retry"] == "false"
