"""The fault matrix, rows of answers that break: cut, reset, too short, too long, without their end marker."""

from collections.abc import Sequence

import pytest

from tests.fakes.chaos import Step
from tests.fakes.chaos_steps import (
    body,
    end,
    eof,
    finish,
    head,
    page,
    raw,
    reset,
    token,
    wait,
    whole,
)
from tests.fakes.plain_client import Answer
from tests.integration.faults.conftest import WHOLE_OR_CUT, Stage

KINDS = pytest.mark.parametrize("kind", ["openai", "ollama"])
JSON = "application/json"
MID_CHUNK = [raw(b'40\r\ndata: {"choi')]
# How a stream can end that is not its clean end; each follows whole tokens.
ENDINGS: dict[str, Sequence[Step]] = {
    "eof": [eof()],
    "rst": [reset()],
    "eof in a chunk": [*MID_CHUNK, eof()],
    "rst in a chunk": [*MID_CHUNK, reset()],
    "eof in a chunk's size": [raw(b"4"), eof()],
    "last chunk without the end marker": [end(marker=False)],
    "half an event and a last chunk": [body(b'data: {"choices": [{"del'), end(marker=False)],
    "a chunk size that is none": [raw(b"zz\r\n")],
    "an answer to another request": [raw(b"HTTP/1.1 200 OK\r\n\r\n")],
}
ENDS = pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())


def assert_cut(answer: Answer, said: str) -> None:
    """What came is there, an error event is the end of it, and HTTP itself ends cleanly."""
    assert (answer.status, answer.attempts, answer.content) == (200, 1, said)
    assert answer.error["code"] == "interrupted"
    assert "incomplete" in answer.error["message"]
    assert "[DONE]" not in answer.text
    assert answer.whole


@KINDS
@ENDS
async def test_a_stream_that_breaks_before_its_first_token_moves_on(
    stage: Stage, kind: str, ending: Sequence[Step]
) -> None:
    """The head was held back, so the next backend answers in full."""
    engine, first, _ = await stage.pair(kind)
    first.script(head(), *ending)
    answer = await engine.chat(stream=True)
    assert (answer.backend, answer.attempts, answer.done) == ("second", 2, True)
    assert answer.content == "second-1 second-2 second-3 "
    assert engine.breaker("first").failures == 1


@KINDS
@ENDS
async def test_a_stream_that_breaks_after_its_first_token_says_so(
    stage: Stage, kind: str, ending: Sequence[Step]
) -> None:
    """An error event and no `[DONE]`; nobody else is asked, and the breaker counts it."""
    engine, first, second = await stage.pair(kind, WHOLE_OR_CUT)
    first.script(head(), token(), token(), wait("cut"), *ending)
    async with engine.client() as client:
        client.chat(stream=True)
        await client.until("first-2")
        first.open("cut")
        answer = await client.answer()
    assert_cut(answer, "first-1 first-2 ")
    assert not second.calls
    assert engine.breaker("first").failures == 1


@KINDS
async def test_an_answer_translated_from_a_cut_stream_moves_on(stage: Stage, kind: str) -> None:
    """A llama.cpp stream asked for by a client that wanted no stream: cut after tokens, nobody saw them."""
    engine, first, _ = await stage.pair("llamacpp")
    first.script(head(), token(), token(), eof())
    answer = await engine.chat()
    assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2)
    assert answer.content == "second-1 second-2 second-3 "


WHOLE_CUTS: dict[str, Sequence[Step]] = {
    "half the length, eof": [head(200, JSON, length=400), raw(b'{"id": "x", "choices": '), eof()],
    "half the length, rst": [head(200, JSON, length=400), raw(b'{"id": "x", "choices": '), reset()],
    "a cut chunk": [head(200, JSON), raw(b'40\r\n{"id":'), eof()],
    "a length that is none": [raw(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}")],
    "two lengths": [raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x")],
    "length and chunks": [
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}")
    ],
    "half a head": [raw(b"HTTP/1.1 200 OK\r\ncontent-ty"), eof()],
    "garbage": [raw(b"\x16\x03\x01\x02\x00\x01\x00"), eof()],
    "half an object": [head(200, JSON, length=6), raw(b'{"id":')],
    "a page": page(),
    "an empty page": page(200, ""),
    "another object": page(200, '{"hello": "world"}', JSON),
    "no choices": page(200, '{"choices": []}', JSON),
    "an endless head": [raw(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 40_000 + b"\r\n\r\n")],
    "gzip": [head(200, JSON, length=4, content_encoding="gzip"), raw(b"\x1f\x8b\x08\x00")],
}


@pytest.mark.parametrize("script", WHOLE_CUTS.values(), ids=WHOLE_CUTS.keys())
async def test_a_whole_answer_that_is_none_moves_on(stage: Stage, script: Sequence[Step]) -> None:
    """Nothing of it reaches the client; the failure counts, and the connection is not used again."""
    engine, first, _ = await stage.pair()
    first.script(*script)
    answer = await engine.chat()
    assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2), answer.text
    assert answer.content.startswith("second-1")
    assert engine.breaker("first").failures == 1


async def test_more_than_the_length_is_not_the_next_answer(stage: Stage) -> None:
    """The announced bytes are the answer; what follows them closes the connection."""
    engine, first, _ = await stage.pair()
    first.script(whole("right"), raw(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nsmuggle"))
    answer = await engine.chat()
    assert (answer.status, answer.content, answer.backend) == (200, "right", "first")
    later = await engine.chat()
    assert (later.backend, later.attempts, later.content) == ("first", 1, "first-2 ")
    assert first.connections_for_calls == 2


@KINDS
async def test_more_than_the_last_chunk_is_not_the_next_answer(stage: Stage, kind: str) -> None:
    """The same behind the end of a stream."""
    engine, first, _ = await stage.pair(kind)
    first.script(head(), token(), finish(), end(), raw(b"5\r\nextra\r\n"))
    assert (await engine.chat(stream=True)).content == "first-1 "
    later = await engine.chat(stream=True)
    assert (later.backend, later.attempts, later.done) == ("first", 1, True)
    assert first.connections_for_calls == 2
