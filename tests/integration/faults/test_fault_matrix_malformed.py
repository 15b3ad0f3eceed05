"""The fault matrix, rows of answers that say 200 and are none: errors within, pages, malformed events, odd splits."""

import json
from collections.abc import Sequence

import pytest

from tests.fakes.chaos import Step
from tests.fakes.chaos_steps import (
    JSON,
    body,
    end,
    event,
    finish,
    hang,
    head,
    page,
    raw,
    token,
    wait,
)
from tests.fakes.plain_client import Answer
from tests.fakes.turns import settle
from tests.integration.faults.conftest import WHOLE_OR_CUT, Stage
from tests.integration.faults.test_fault_matrix_cuts import assert_cut

KINDS = pytest.mark.parametrize("kind", ["openai", "ollama"])
ERRORS: dict[str, tuple[str, Step]] = {
    "ollama": ("ollama", event({"error": "model runner has unexpectedly stopped"})),
    "data": ("openai", event({"error": {"message": "model runner has unexpectedly stopped", "code": 500}})),
    "event: error": (
        "openai",
        event({"error": {"message": "model runner has unexpectedly stopped"}}, "error"),
    ),
    "text": ("openai", event({"error": "model runner has unexpectedly stopped"})),
    "compact": ("openai", event('{"error":{"message":"model runner has unexpectedly stopped"}}')),
}
ERRORED = pytest.mark.parametrize(("kind", "error"), ERRORS.values(), ids=ERRORS.keys())


@ERRORED
async def test_an_error_in_a_stream_before_its_first_token_moves_on(
    stage: Stage, kind: str, error: Step
) -> None:
    """Status 200 was a promise that the backend did not keep: a failure like any other."""
    engine, first, _ = await stage.pair(kind)
    first.script(head(), error, end(marker=False))
    answer = await engine.chat(stream=True)
    assert (answer.backend, answer.attempts, answer.done) == ("second", 2, True)
    assert "unexpectedly stopped" not in answer.text
    assert engine.breaker("first").failures == 1


@ERRORED
async def test_an_error_in_a_stream_after_its_first_token_is_translated(
    stage: Stage, kind: str, error: Step
) -> None:
    """The client gets it as its own surface's error event, in the backend's words, and no more."""
    engine, first, second = await stage.pair(kind, WHOLE_OR_CUT)
    first.script(head(), token(), wait("err"), error, token(), finish(), end())
    async with engine.client() as client:
        client.chat(stream=True)
        await client.until("first-1")
        first.open("err")
        answer = await client.answer()
    assert_cut(answer, "first-1 ")
    assert "unexpectedly stopped" in answer.error["message"]
    assert not second.calls


PAGES: dict[str, Sequence[Step]] = {
    "html": page(),
    "json error": page(200, '{"error": {"message": "no credit"}}', JSON),
    "json answer": page(200, '{"choices": [{"message": {"content": "not streamed"}}]}', JSON),
    "plain": page(200, "fine", "text/plain"),
    "no type": [raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")],
    "no content": [raw(b"HTTP/1.1 204 No Content\r\n\r\n")],
    "partial": page(206, '{"x": 1}', JSON),
}


@KINDS
@pytest.mark.parametrize("script", PAGES.values(), ids=PAGES.keys())
async def test_what_is_no_stream_moves_on(stage: Stage, kind: str, script: Sequence[Step]) -> None:
    """A page of a proxy, an object: the status says 200, the content type says that it is no stream."""
    engine, first, _ = await stage.pair(kind)
    first.script(*script)
    answer = await engine.chat(stream=True)
    assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2), answer.text
    assert answer.done


NO_STREAMS = {"html": "text/html", "json": JSON, "plain": "text/plain"}


@KINDS
@pytest.mark.parametrize("content_type", NO_STREAMS.values(), ids=NO_STREAMS.keys())
async def test_what_is_no_stream_is_not_read_to_its_end(stage: Stage, kind: str, content_type: str) -> None:
    """The head says it: a page that never ends is left at once, and the operator is told what it was."""
    engine, first, _ = await stage.pair(kind)
    first.script(head(200, content_type), body(b"<html>"), hang())
    answer = await engine.chat(stream=True)
    assert (answer.backend, answer.attempts, answer.done) == ("second", 2, True)
    assert f"expected a stream, got '{content_type}'" in engine.told("request.failover")[0]
    await first.calls[0].gone.wait()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_compressed_answer_is_told_as_one(stage: Stage, stream: bool) -> None:
    """It was asked to send none: not unpacked, whatever it would become, and the next backend answers."""
    engine, first, _ = await stage.pair()
    kind = "" if stream else JSON
    first.script(head(200, kind, content_encoding="gzip"), token(), finish(), end())
    answer = await engine.chat(stream=stream)
    assert (answer.backend, answer.attempts) == ("second", 2)
    assert "compressed" in engine.told("request.failover")[0]


MALFORMED: dict[str, tuple[str, bytes]] = {
    "half json": ("openai", b'data: {"choices": [{\n\n'),
    "no json": ("openai", b"data: hello\n\n"),
    "an array": ("openai", b"data: [1, 2]\n\n"),
    "deep": ("openai", b"data: " + b"[" * 50_000 + b"\n\n"),
    "deep inside": (
        "openai",
        b'data: {"choices": [{"delta": {"content": "a"}, "x": ' + b"[" * 50_000 + b"\n\n",
    ),
    "broken utf-8": ("openai", b'data: {"choices": [{"delta": {"content": "\xff\xfe"}}]}\n\n'),
    "half a line": ("ollama", b'{"message": {"con\n'),
    "an array in a line": ("ollama", b"[1, 2]\n"),
    "two objects in a line": ("ollama", b'{"done": false} {"done": false}\n'),
    "garbage behind": ("ollama", b'{"done": false}garbage\n'),
}
BROKEN = pytest.mark.parametrize(("kind", "data"), MALFORMED.values(), ids=MALFORMED.keys())


@BROKEN
async def test_a_malformed_event_before_the_first_token_moves_on(
    stage: Stage, kind: str, data: bytes
) -> None:
    """A backend that cannot speak its format is asked no more for this request."""
    engine, first, _ = await stage.pair(kind)
    first.script(head(), body(data), token(), finish(), end())
    answer = await engine.chat(stream=True)
    assert (answer.backend, answer.attempts, answer.done) == ("second", 2, True)


@BROKEN
async def test_a_malformed_event_after_the_first_token_ends_the_stream(
    stage: Stage, kind: str, data: bytes
) -> None:
    """Where an answer is translated, the first bad event is its end: an error event, nothing from behind it."""
    engine, first, _ = await stage.pair(kind, WHOLE_OR_CUT)
    first.script(head(), token(), wait("bad"), body(data), token(), finish(), end())
    async with engine.client() as client:
        client.send("/api/v1/route", {"prompt": "Hi", "model": "m", "stream": True})
        await client.until("first-1")
        first.open("bad")
        answer = await client.answer()
    assert [name for name, _ in answer.events] == ["start", "token", "error"]
    assert answer.error["code"] == "interrupted"


ENDLESS = [("openai", b"data: " + b"x" * 1_100_000), ("ollama", b'{"x": "' + b"x" * 1_100_000)]
SURFACES = pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/route"])


@SURFACES
@pytest.mark.parametrize(("kind", "data"), ENDLESS, ids=["openai", "ollama"])
async def test_an_endless_event_is_not_waited_for(stage: Stage, kind: str, data: bytes, path: str) -> None:
    """More than a megabyte without an end of the event: the next backend is asked at once."""
    engine, first, second = await stage.pair(kind)
    first.script(head(), body(data), hang())
    async with engine.client() as client:
        asked = {"prompt": "Hi"} if "route" in path else {"messages": [{"role": "user", "content": "Hi"}]}
        client.send(path, {"model": "m", "stream": True, **asked})
        answer = await client.answer()
    assert (answer.backend, answer.attempts, len(second.calls)) == ("second", 2, 1)
    assert any("longer than" in message for message in engine.told("request.failover"))


@SURFACES
@pytest.mark.parametrize(("kind", "data"), ENDLESS, ids=["openai", "ollama"])
async def test_an_endless_event_ends_a_stream(stage: Stage, kind: str, data: bytes, path: str) -> None:
    """The same after the first token, decoded or passed on as it comes: an error event, and no more."""
    engine, first, second = await stage.pair(kind, WHOLE_OR_CUT)
    first.script(head(), token(), wait("bad"), body(data), hang())
    async with engine.client() as client:
        asked = {"prompt": "Hi"} if "route" in path else {"messages": [{"role": "user", "content": "Hi"}]}
        client.send(path, {"model": "m", "stream": True, **asked})
        await client.until("first-1")
        first.open("bad")
        answer = await client.answer()
    assert answer.error["code"] == "interrupted"
    assert "longer than" in answer.error["message"]
    assert "[DONE]" not in answer.text
    assert not second.calls


async def test_the_last_event_without_a_blank_line_is_dropped(stage: Stage) -> None:
    """WHATWG: an event that its blank line does not end is none; so the `[DONE]` was not said."""
    engine, first, _ = await stage.pair()
    first.script(head(), token(), finish(), body(b"data: [DONE]"), end(marker=False))
    answer = await engine.chat(stream=True)
    assert "[DONE]" not in answer.text
    assert answer.error["code"] == "interrupted"


SAID = "h\u00e9 \u4e2d \U0001f600 "
STREAMS: dict[str, tuple[str, bytes]] = {
    "lf": (
        "openai",
        b'\xef\xbb\xbfdata: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n: hello\n\n'
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    ),
    "crlf": (
        "openai",
        b'\xef\xbb\xbfdata:{"choices":[{"index":0,\r\ndata: "delta":{"content":"%b"}}]}\r\n\r\n: hello\r\n\r\n'
        b'event: message\r\nid: 7\r\ndata: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\r\n\r\n'
        b"data: [DONE]\r\n\r\n",
    ),
    "cr": (
        "openai",
        b'data: {"choices":[{"index":0,\rdata: "delta":{"content":"%b"}}]}\r\r'
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\r\rdata: [DONE]\r\r\r',
    ),
    "ndjson": (
        "ollama",
        b'{"model":"m","message":{"role":"assistant","content":"%b"},"done":false}\n\n'
        b'{"model":"m","message":{"content":""},"done":true,"done_reason":"stop","eval_count":1}\n',
    ),
}


@pytest.mark.parametrize("surface", ["openai", "native"])
@pytest.mark.parametrize(("kind", "stream"), STREAMS.values(), ids=STREAMS.keys())
async def test_every_split_of_a_good_stream_is_one_answer(
    stage: Stage, kind: str, stream: bytes, surface: str
) -> None:
    """Whatever the pieces in which it arrives, bytes of a character torn apart included: one answer."""
    engine, first, _ = await stage.pair(kind)
    data = stream % SAID.encode()
    async with engine.client() as client:
        for border in range(1, len(data)):
            first.script(
                head(), body(data[:border]), wait(f"{border}"), body(data[border:]), end(marker=False)
            )
            if surface == "openai":
                client.chat(stream=True)
            else:
                client.send("/api/v1/route", {"prompt": "Hi", "model": "m", "stream": True})
            await first.reached(f"{border}")
            await settle(3)
            first.open(f"{border}")
            answer = await client.answer()
            assert said(answer, surface) == SAID, (border, answer.text)
            assert answer.events[-1] == ("message", "[DONE]") or answer.events[-1][0] == "done"


def said(answer: Answer, surface: str) -> str:
    """What the client was told, on either surface."""
    if surface == "openai":
        return answer.content
    return "".join(json.loads(data)["text"] for name, data in answer.events if name == "token")
