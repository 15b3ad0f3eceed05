"""The same question at the same time: one is sent, the others get its answer, and nobody pays for its failure."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import end, event, finish, head, page, token, tokens, wait, whole
from tests.fakes.engine_here import EngineHere
from tests.fakes.plain_client import Answer
from tests.fakes.turns import settle, until
from tests.integration.cache.asking import STREAM, aboard, cache, kept, usage

Leap = Callable[[float], None]


def asked(engine: EngineHere, number: int, **fields: object) -> list[asyncio.Task[Answer]]:
    """So many ask the same, each on a connection of its own."""
    loop = asyncio.get_running_loop()
    return [loop.create_task(engine.chat(temperature=0, **fields)) for _ in range(number)]


@pytest.fixture
async def patient(engine: EngineHere) -> EngineHere:
    """Nobody is sent because it took too long."""
    await engine.reload(engine.file.read_text() + "[cache]\nwait_seconds = 600\n")
    return engine


async def test_those_who_ask_at_once_share_one_answer(engine: EngineHere, backend: ChaosBackend) -> None:
    """Whole and streamed alike; each has a row of its own that cost nothing."""
    backend.script(head(), *tokens(2), wait("go"), *tokens(2), finish(), end())
    first = asked(engine, 1, **STREAM)
    await backend.reached("go")
    others = [*asked(engine, 4), *asked(engine, 3, **STREAM)]
    await aboard(engine, 7)
    backend.open("go")
    answers = await asyncio.gather(*first, *others)
    assert [cache(answer) for answer in answers] == ["miss", *["shared"] * 7]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert {usage(answer) for answer in answers} == {(3, 4)}
    assert all("age" not in answer.headers for answer in answers)
    assert len(backend.calls) == 1
    rows = await engine.rows()
    assert Counter((row.cache, row.attempts) for row in rows) == {("shared", 0): 7, ("", 1): 1}
    assert sum(row.cost or 0.0 for row in rows) == pytest.approx(11e-6)
    assert sum(row.saved or 0.0 for row in rows) == pytest.approx(77e-6)
    assert engine.engine.answers.view().shared == 7


async def test_when_the_first_fails_one_of_the_others_goes_on(
    patient: EngineHere, backend: ChaosBackend
) -> None:
    """Its failure is its own; the next is sent alone, and its answer is everybody's who still waits."""
    backend.script(wait("fail"), *page(400, '{"error": {"message": "no"}}', "application/json"))
    backend.script(wait("go"), head(), *tokens(2), finish(), end())
    first = asked(patient, 1, stream=True)
    await backend.reached("fail")
    others = asked(patient, 9, stream=True)
    await aboard(patient, 9)
    backend.open("fail")
    assert (await first[0]).status == 400
    await backend.reached("go")
    await settle()
    assert (len(backend.calls), sum(task.done() for task in others)) == (2, 0)
    backend.open("go")
    answers = await asyncio.gather(*others)
    assert Counter(cache(answer) for answer in answers) == {"miss": 1, "shared": 8}
    assert len(backend.calls) == 2


async def test_when_the_first_leaves_one_of_the_others_goes_on(
    patient: EngineHere, backend: ChaosBackend
) -> None:
    """The backend feels the one that left, and is asked once more."""
    backend.script(head(), token(), wait("never"))
    async with patient.client() as client:
        client.chat(temperature=0, stream=True)
        await backend.reached("never")
        others = asked(patient, 3)
        await aboard(patient, 3)
        client.leave()
        answers = await asyncio.gather(*others)
    assert Counter(cache(answer) for answer in answers) == {"miss": 1, "shared": 2}
    assert len(backend.calls) == 2


async def test_who_waits_for_another_may_leave(engine: EngineHere, backend: ChaosBackend) -> None:
    """It is accounted for as any that left, and nobody else notices."""
    backend.script(head(), token(), wait("go"), finish(), end())
    first = asked(engine, 1, stream=True)
    await backend.reached("go")
    async with engine.client() as client:
        client.chat(temperature=0)
        await aboard(engine, 1)
        client.leave()
        await aboard(engine, 0)
    backend.open("go")
    assert (await first[0]).status == 200
    assert {(row.verdict, row.attempts, row.cache) for row in await engine.rows()} == {
        ("cancelled", 0, ""),
        ("success", 1, ""),
    }


async def test_when_the_first_is_slow_others_follow_in_growing_numbers(
    engine: EngineHere, backend: ChaosBackend, leap: Leap
) -> None:
    """One after the time set for it, two after as much more, then four; the first answer that comes is everybody's."""
    # In all less than the 30 s after which a backend not heard of is not asked: a leap leaves no time for probes.
    await engine.reload(engine.file.read_text() + "[cache]\nwait_seconds = 5\n")
    backend.script(wait("slow"), whole("late"))
    backend.script(wait("go"), whole(), times=16)
    first = asked(engine, 1)
    await backend.reached("slow")
    others = asked(engine, 9)
    await aboard(engine, 9)
    sent = []
    for waiting in (8, 6, 2):
        leap(5)
        await aboard(engine, waiting)
        await backend.called(10 - waiting)
        sent.append(len(backend.calls))
    assert sent == [2, 4, 8]
    backend.open("go")
    answers = await asyncio.gather(*others)
    assert Counter(cache(answer) for answer in answers) == {"miss": 7, "shared": 2}
    backend.open("slow")
    assert "late" in (await first[0]).content


async def test_a_deadline_leaves_time_to_be_asked_alone(
    engine: EngineHere, backend: ChaosBackend, leap: Leap
) -> None:
    """Half of it is for waiting: then the request is sent, and nobody else's is."""
    backend.script(wait("slow"), head(), *tokens(1), finish(), end())
    first = asked(engine, 1, stream=True)
    await backend.reached("slow")
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}
    loop = asyncio.get_running_loop()
    urgent = loop.create_task(engine.post("/v1/chat/completions", body, x_orchestra_deadline_ms="8000"))
    patient = asked(engine, 1)
    await aboard(engine, 2)
    leap(4.1)
    done = await urgent
    assert cache(done) == "miss", done.text
    assert (len(backend.calls), patient[0].done()) == (2, False)
    backend.open("slow")
    assert cache(await patient[0]) == "shared"
    await first[0]


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_an_answer_that_is_not_whole_is_nobody_elses(
    engine: EngineHere, backend: ChaosBackend, reason: str
) -> None:
    """All who waited for it are sent at once: another such answer would not be shared either."""
    backend.script(head(), *tokens(2), wait("go"), finish(reason), end())
    first = asked(engine, 1, stream=True)
    await backend.reached("go")
    others = asked(engine, 3)
    await aboard(engine, 3)
    backend.open("go")
    answers = await asyncio.gather(*first, *others)
    assert [cache(answer) for answer in answers] == ["miss"] * 4
    assert len({answer.content for answer in answers}) == 4


async def test_an_answer_that_grows_too_large_lets_the_others_go(
    tmp_path: Path, backend: ChaosBackend
) -> None:
    """They are sent as soon as that is known, not when it has ended."""
    async with EngineHere(tmp_path, [backend], '[cache]\nentry_bytes = "1KB"\n', slots=16) as engine:
        odd = [token(f"{n * n % 99991:x}") for n in range(3000)]
        backend.script(head(), token(), wait("go"), *odd, wait("end"), finish(), end())
        first = asked(engine, 1, stream=True)
        await backend.reached("go")
        others = asked(engine, 3)
        await aboard(engine, 3)
        backend.open("go")
        answers = await asyncio.gather(*others)
        assert (len(backend.calls), first[0].done()) == (4, False)
        assert {cache(answer) for answer in answers} == {"miss"}
        backend.open("end")
        await first[0]


async def test_who_waits_for_a_stream_is_told_so(
    patient: EngineHere, backend: ChaosBackend, leap: Leap
) -> None:
    """A comment after fifteen seconds, and then the answer."""
    backend.script(head(), token(), wait("go"), finish(), end())
    first = asked(patient, 1, stream=True)
    await backend.reached("go")
    async with patient.client() as client:
        client.chat(temperature=0, stream=True)
        await aboard(patient, 1)
        leap(15)
        await client.until("the same is being answered already")
        backend.open("go")
        answer = await client.answer()
    assert answer.done
    assert answer.content == (await first[0]).content


async def test_an_engine_that_stops_tells_those_who_wait(engine: EngineHere, backend: ChaosBackend) -> None:
    """They were cancelled by us, so they get the error of their surface and not a cut."""
    await engine.reload(engine.file.read_text() + "[server]\ngrace_seconds = 0\n")
    backend.script(wait("never"))
    first = asked(engine, 1, stream=True)
    await backend.reached("never")
    others = asked(engine, 2)
    await aboard(engine, 2)
    await engine.engine.stop()
    answers = await asyncio.gather(*first, *others)
    assert {answer.status for answer in answers} == {503}


async def test_a_reader_of_every_answer_finds_it_kept(engine: EngineHere, backend: ChaosBackend) -> None:
    """Who asks right after the first has its answer is not sent either."""
    backend.script(head(), *tokens(2), wait("go"), event({"id": "x", "choices": []}), finish(), end())
    first = asked(engine, 1, stream=True)
    await backend.reached("go")
    backend.open("go")
    await first[0]
    await kept(engine)
    await until(lambda: not len(engine.engine.answers.answer._flights))
    assert cache(await engine.chat(temperature=0)) == "hit"
