"""Streams and answers as no server should send them: each is understood, or refused, and never half of both."""

from collections.abc import AsyncIterator

import pytest

from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.outcome import Partial, Verdict
from tests.fakes.memory_backend import NDJSON_HEAD, STREAM_HEAD, Bench, chunked, endpoint, question, token
from tests.fakes.memory_client import MemoryClient, after

DONE = b"data: [DONE]\n\n"
EVENTS = token("Hel") + token("lo \u00e4") + DONE
MIB = 1 << 20


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.close()


WRITTEN = {
    "lf": EVENTS,
    "crlf": EVENTS.replace(b"\n", b"\r\n"),
    "cr": EVENTS.replace(b"\n", b"\r"),
    "no space": EVENTS.replace(b"data: ", b"data:"),
    "several data lines": EVENTS.replace(b',"created"', b',\ndata: "created"'),
    "several data lines, crlf": EVENTS.replace(b',"created"', b',\ndata: "created"').replace(b"\n", b"\r\n"),
    "comments": b": a\n\n" + EVENTS.replace(b"\n\n", b"\n\n: b\n\n:\n"),
    "other fields": EVENTS.replace(b"data: {", b"event: message\nid: 1\nretry: 5\ndata: {"),
    "byte order mark": b"\xef\xbb\xbf" + EVENTS,
    "blank lines": b"\n\n" + EVENTS.replace(b"\n\n", b"\n\n\n\n"),
}


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("surface", ["openai", "native"])
@pytest.mark.parametrize("data", WRITTEN.values(), ids=WRITTEN)
async def test_every_way_to_write_events_is_understood(
    bench: Bench, data: bytes, surface: str, size: int
) -> None:
    """WHATWG HTML 9.2, cut anywhere, also inside a character: the client gets the same text."""
    call = question()
    client = MemoryClient(call, surface)
    task = await bench.send(call, client.sink)
    bench.line.begins()
    bench.line.sends(*(data[start : start + size] for start in range(0, len(data), size)))
    bench.line.ends()
    assert (await after(task, client)).ok
    assert client.text == "Hello \u00e4"
    if surface == "openai":
        assert client.body.endswith(DONE)


@pytest.mark.parametrize("surface", ["openai", "native"])
async def test_nothing_after_the_end_reaches_the_client(bench: Bench, surface: str) -> None:
    """In the same piece or later: the answer ended at its own end marker."""
    call = question()
    client = MemoryClient(call, surface)
    task = await bench.send(call, client.sink)
    bench.line.begins()
    bench.line.sends(EVENTS + token("more"), token("and more"))
    bench.line.ends()
    assert (await after(task, client)).ok
    assert client.text == "Hello \u00e4"


UNENDED = {
    "the last blank line is missing": EVENTS[:-1],
    "the end marker is missing": EVENTS.removesuffix(DONE),
    "half a character": EVENTS.removesuffix(DONE)[:-130],
}


@pytest.mark.parametrize("surface", ["openai", "native"])
@pytest.mark.parametrize("data", UNENDED.values(), ids=UNENDED)
async def test_a_stream_without_its_end_is_interrupted(bench: Bench, data: bytes, surface: str) -> None:
    """Its message may end as HTTP wants it: the last event was not ended, so it never was."""
    call = question()
    client = MemoryClient(call, surface)
    task = await bench.send(call, client.sink)
    bench.line.begins()
    bench.line.sends(data)
    bench.line.ends()
    outcome = await after(task, client)
    assert (outcome.verdict, b"[DONE]" in client.body) == (Verdict.INTERRUPTED, False)
    assert client.text in ("Hel", "Hello \u00e4")


BAD = {
    "an error": b'data: {"error":{"message":"out of memory","code":500}}\n\n',
    "an error in words": b'data: {"error":"out of memory"}\n\n',
    "an error event": b'event: error\ndata: {"error":{"message":"out of memory"}}\n\n',
    "an error event without its key": b'event: error\ndata: {"message":"out of memory"}\n\n',
    "an object that is one": b'data: {"object":"error","message":"out of memory","code":400}\n\n',
    "a field that is one": b'error: {"code":500,"message":"out of memory","type":"server_error"}\n\n',
    "a field that is one, cr": b'error: {"message":"out of memory"}\r\r',
    "a field that is no JSON": b"error: out of memory\n\n",
    "no JSON": b"data: <html>\n\n",
    "half JSON": b'data: {"choices":[\n\n',
    "JSON of another kind": b"data: [1,2]\n\n",
    "no UTF-8": b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
    "a deep hole": b'data: {"choices":' + b"[" * 5000 + b"\n\n",
}


@pytest.mark.parametrize("begun", [False, True], ids=["before the first token", "after it"])
@pytest.mark.parametrize("surface", ["openai", "native"])
@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
async def test_an_error_in_a_stream_is_one(bench: Bench, data: bytes, surface: str, begun: bool) -> None:
    """Before the first token the call may move; after it the stream ends in the surface's error event, also where the
    backend ends it as if nothing had been.
    """
    call = question()
    client = MemoryClient(call, surface)
    task = await bench.send(call, client.sink)
    bench.line.begins()
    bench.line.sends(*[token("Hel")] * begun, data + token("more"), DONE)
    if begun and surface == "openai" and data is BAD["no UTF-8"]:
        # Nothing of an event is read after the first token unless it has to be: the client judges its bytes.
        bench.line.ends()
        assert (await task).ok
        return
    outcome = await after(task, client)
    assert bench.line.transport.aborted or begun
    assert b"[DONE]" not in client.body
    if begun:
        assert outcome.verdict is Verdict.INTERRUPTED
        assert client.text.startswith("Hel")
        assert client.chunks[-1]["error"]["code"] == "interrupted"
    else:
        assert (outcome.verdict, outcome.try_elsewhere) == (Verdict.FAILED, True)
        assert client.head.startswith(b"HTTP/1.1 502")


@pytest.mark.parametrize("size", [1 << 16, 200_000])
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("surface", ["openai", "native"])
async def test_an_endless_line_is_given_up_at_a_mebibyte(
    bench: Bench, surface: str, begun: bool, size: int
) -> None:
    """Of the hundred megabytes that were meant, little more than one is ever read."""
    call = question()
    client = MemoryClient(call, surface)
    task = await bench.send(call, client.sink)
    bench.line.begins()
    bench.line.sends(*[token("Hel")] * begun, b'data: {"choices":[{"delta":{"content":"')
    sent = 0
    while not bench.line.transport.aborted:
        bench.line.sends(b"x" * size)
        sent += size
        assert sent < 3 * MIB
    outcome = await after(task, client)
    assert outcome.verdict is (Verdict.INTERRUPTED if begun else Verdict.FAILED)
    if begun:
        assert outcome.partial == Partial("Hel", 1)


async def test_an_event_in_ever_so_many_pieces_is_given_up(bench: Bench) -> None:
    """Putting it together anew for each would take longer and longer."""
    call = question()
    task = await bench.send(call, MemoryClient(call).sink)
    bench.line.begins()
    bench.line.sends(b"data: ")
    for _ in range(4200):
        bench.line.sends(b"x\n")
    assert (await task).verdict is Verdict.FAILED
    assert "pieces" in task.result().message


async def test_a_stream_of_comments_without_end_is_not_kept(bench: Bench) -> None:
    """Signs of life are noted, not stored: an hour of them takes no memory."""
    call = question()
    client = MemoryClient(call)
    task = await bench.send(call, client.sink)
    bench.line.begins()
    for _ in range(300):
        bench.line.sends(b": reading on\n\n" * 100)
    assert not task.done()
    bench.line.sends(EVENTS)
    bench.line.ends()
    assert (await after(task, client)).ok
    assert b"reading on" not in client.body


async def test_openings_without_end_are_given_up(bench: Bench) -> None:
    """Chunks with nothing in them have to be held back, so there is a limit to them."""
    call = question()
    task = await bench.send(call, MemoryClient(call).sink)
    bench.line.begins()
    while not bench.line.transport.aborted:
        bench.line.sends(token(""))
    assert (await task).verdict is Verdict.FAILED


_LINE = b'{"message":{"role":"assistant","content":"%b"},"done":false}\n'
_END = b'{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":2}\n'
LINES = {
    "plain": _LINE % b"Hel" + _LINE % b"lo" + _END,
    "crlf": (_LINE % b"Hel" + _LINE % b"lo" + _END).replace(b"\n", b"\r\n"),
    "blank lines": b"\n" + _LINE % b"Hel" + b"\n \n" + _LINE % b"lo" + b"\n" + _END,
    "bytes after the end": _LINE % b"Hel" + _LINE % b"lo" + _END + _LINE % b"more" + b"junk",
}
BAD_LINES = {
    "two in one line": (_LINE % b"a").strip() + _LINE % b"b",
    "half a line": b'{"message":{"content":\n',
    "trailing garbage": (_LINE % b"a").strip() + b"xyz\n",
    "an error": b'{"error":"llama runner process has terminated: exit status 2"}\n',
    "an event": b"data: {}\n",
    "a list": b"[1]\n",
}


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("data", LINES.values(), ids=LINES)
async def test_every_way_to_write_lines_is_understood(bench: Bench, data: bytes, size: int) -> None:
    """And nothing after the final line is."""
    call = question()
    client = MemoryClient(call)
    task = await bench.send(call, client.sink, endpoint(BackendKind.OLLAMA))
    bench.line.begins(NDJSON_HEAD % b"")
    bench.line.sends(*(data[start : start + size] for start in range(0, len(data), size)))
    bench.line.ends()
    assert (await after(task, client)).ok
    assert client.text == "Hello"


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("data", BAD_LINES.values(), ids=BAD_LINES)
async def test_the_first_bad_line_ends_the_answer(bench: Bench, data: bytes, begun: bool) -> None:
    """What came before it stays, what comes after it is not looked at."""
    call = question()
    client = MemoryClient(call)
    task = await bench.send(call, client.sink, endpoint(BackendKind.OLLAMA))
    bench.line.begins(NDJSON_HEAD % b"")
    bench.line.sends(*[_LINE % b"Hel"] * begun, data + _LINE % b"more")
    outcome = await after(task, client)
    assert bench.line.transport.aborted
    assert client.text == ("Hel" if begun else "")
    assert outcome.verdict is (Verdict.INTERRUPTED if begun else Verdict.FAILED)


def whole(body: bytes, head: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, head, len(body), body)


GOOD = b'{"choices":[{"message":{"content":"Hello"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'
JSON = b"content-type: application/json\r\n"
REFUSED = {
    "html with 200": (whole(b"<html>login</html>", b"content-type: text/html\r\n"), Verdict.FAILED),
    "an error with 200": (whole(b'{"error":{"message":"no"}}', JSON), Verdict.FAILED),
    "no type": (whole(EVENTS), Verdict.FAILED),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", Verdict.FAILED),
    "204 with a body": (b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n{}", Verdict.FAILED),
    "a redirect": (whole(b"", b"location: http://169.254.169.254/\r\n", b"302 Found"), Verdict.FAILED),
    "compressed": (STREAM_HEAD % b"content-encoding: gzip\r\n", Verdict.FAILED),
    "a coding nobody asked for": (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: gzip\r\n\r\n" + EVENTS,
        Verdict.FAILED,
    ),
    "two lengths": (whole(EVENTS, b"content-length: 3\r\n"), Verdict.FAILED),
    "a length and chunks": (STREAM_HEAD % b"content-length: 3\r\n" + chunked(EVENTS), Verdict.FAILED),
    "five interim answers": (b"HTTP/1.1 102 Processing\r\n\r\n" * 5, Verdict.FAILED),
    "a hundred and one headers": (
        STREAM_HEAD % b"".join(b"x%d: y\r\n" % i for i in range(99)),
        Verdict.FAILED,
    ),
    "a head of 33 KiB": (STREAM_HEAD % (b"x: " + b"y" * 33_000 + b"\r\n"), Verdict.FAILED),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", Verdict.FAILED),
    "HTTP/2": (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", Verdict.FAILED),
    "a compressed refusal": (
        whole(b"\x1f\x8b\x08\x00junk", b"content-encoding: gzip\r\n", b"429 Too Many Requests"),
        Verdict.LIMITED,
    ),
}


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize(("data", "verdict"), REFUSED.values(), ids=REFUSED)
async def test_what_is_no_answer_is_refused(bench: Bench, data: bytes, verdict: Verdict, size: int) -> None:
    """The client gets nothing of it, the call may move on, and nothing of it is taken for a later answer."""
    call = question()
    client = MemoryClient(call)
    task = await bench.send(call, client.sink)
    bench.line.says(*(data[start : start + size] for start in range(0, len(data), size)))
    outcome = await after(task, client)
    assert (outcome.verdict, outcome.try_elsewhere) == (verdict, True)
    assert client.transport.written.startswith(b"HTTP/1.1 5" if verdict is Verdict.FAILED else b"HTTP/1.1 ")
    assert b"\x1f" not in client.transport.written
    if verdict is not Verdict.LIMITED and b"HTTP/1.1 302" not in data and b"content-length" not in data:
        assert bench.line.transport.aborted or b" 204 " in data


async def test_interim_answers_are_none(bench: Bench) -> None:
    """Up to four of them (RFC 9110 section 15.2)."""
    task = await bench.send(
        question(stream=False), MemoryClient(question(stream=False)).sink, endpoint(BackendKind.OPENAI)
    )
    bench.line.says(b"HTTP/1.1 102 Processing\r\nx: y\r\n\r\n" * 4, whole(GOOD, JSON))
    assert (await task).ok


@pytest.mark.parametrize("extra", [b"x", b"\r\n\r\nx", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"])
@pytest.mark.parametrize("together", [True, False])
async def test_bytes_after_an_answer_end_the_connection(bench: Bench, extra: bytes, together: bool) -> None:
    """The answer counts; what follows must not become the next one's (response splitting)."""
    call = question(stream=False)
    task = await bench.send(call, MemoryClient(call).sink, endpoint(BackendKind.OPENAI))
    answer = whole(GOOD, JSON)
    bench.line.says(*([answer + extra] if together else [answer, extra]))
    assert (await task).ok
    first = bench.line
    await bench.send(call, MemoryClient(call).sink, endpoint(BackendKind.OPENAI))
    assert first.transport.aborted
    assert bench.line is not first


@pytest.mark.parametrize("cut", [0, 1, 30, 90])
async def test_a_body_shorter_than_its_length_is_no_answer(bench: Bench, cut: int) -> None:
    """RFC 9112 section 8: it is incomplete, and the call may move on."""
    call = question(stream=False)
    task = await bench.send(call, MemoryClient(call).sink, endpoint(BackendKind.OPENAI))
    bench.line.says(whole(GOOD, JSON)[: -len(GOOD) + cut])
    bench.line.breaks()
    outcome = await task
    assert (outcome.verdict, outcome.try_elsewhere) == (Verdict.FAILED, True)
