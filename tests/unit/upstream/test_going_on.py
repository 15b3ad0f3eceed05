"""A stream that dies is gone on with: what the client gets of both parts, on either surface."""

from collections.abc import AsyncIterator

import pytest

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.outcome import Outcome, Partial, Verdict
from orchestra_core.domain.reply import Usage
from orchestra_core.resilience.continuation import continued
from tests.fakes.memory_backend import NDJSON_HEAD, Bench, Line, chunked, endpoint, question, token
from tests.fakes.memory_client import MemoryClient, after

WORDS = ["The", " capital", " of", " Jap\u00e4n", " is", ' "Tok', 'yo"\n', "."]
ROLE = (
    b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],'
    b'"created":1700000000,"id":"chatcmpl-abc","model":"gemma","object":"chat.completion.chunk"}\n\n'
)
STOP = b'data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"id":"chatcmpl-other"}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d}}\n\n'
DONE = b"data: [DONE]\n\n"
FORMATS = [BackendKind.LLAMACPP, BackendKind.OLLAMA]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.close()


def says(line: Line, kind: BackendKind, words: list[str], *, ends: bool) -> None:
    """A backend that answers with these words, and ends its answer well or not at all."""
    if kind is BackendKind.OLLAMA:
        line.begins(NDJSON_HEAD % b"")
        for word in words:
            line.sends(
                b'{"message":{"content":"%b"},"done":false}\n'
                % token(word).split(b'"content":"')[1].split(b'"}}]')[0]
            )
        if ends:
            line.sends(
                b'{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":%d}\n'
                % len(words)
            )
    else:
        line.begins()
        line.sends(ROLE, *map(token, words))
        if ends:
            line.sends(STOP, USAGE % (9, len(words)), DONE)
    if ends:
        line.ends()


async def interrupted(
    bench: Bench, call: Call, client: MemoryClient, kind: BackendKind, words: list[str]
) -> Outcome:
    task = await bench.send(call, client.sink, endpoint(kind, "first"))
    says(bench.line, kind, words, ends=False)
    bench.line.breaks(ConnectionResetError("reset"))
    outcome: Outcome = await task
    assert outcome.verdict is Verdict.INTERRUPTED
    return outcome


@pytest.mark.parametrize("died", range(1, len(WORDS)))
@pytest.mark.parametrize("first", FORMATS)
@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("surface", ["openai", "native"])
async def test_the_client_gets_one_answer(
    bench: Bench, surface: str, first: BackendKind, second: BackendKind, died: int
) -> None:
    """Whatever the formats and wherever it died: the exact words, one name, one role, one end, all tokens counted."""
    call = question()
    client = MemoryClient(call, surface)
    outcome = await interrupted(bench, call, client, first, WORDS[:died])
    assert outcome.partial == Partial("".join(WORDS[:died]), died)

    went_on = continued(call, outcome.partial)
    assert went_on is not None
    task = await bench.send(went_on, client.sink, endpoint(second, "second"))
    assert bench.line.body["messages"][-1] == {"role": "assistant", "content": outcome.partial.text}
    says(bench.line, second, WORDS[died:], ends=True)
    last = await after(task, client)

    assert client.text == "".join(WORDS)
    assert last.usage == Usage(9, len(WORDS) - died, 0, estimated=False)
    if surface == "native":
        names = [event.partition(b"\n")[0] for event in client.events]
        assert names.count(b"event: continued") == 1
        assert (names[0], names[-1]) == (b"event: start", b"event: done")
        assert (client.chunks[-1]["response"], client.chunks[-1]["continued"]) == ("".join(WORDS), True)
        return
    assert client.comments == [b": continued on second/m", b": x-orchestra-continued: true"]
    assert client.events[-1] == b"data: [DONE]"
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in client.chunks}) == 1
    deltas = [choice["delta"] for chunk in client.chunks for choice in chunk["choices"]]
    assert sum("role" in delta for delta in deltas) == 1
    ends = [choice["finish_reason"] for chunk in client.chunks for choice in chunk["choices"]]
    assert ends[-1] == "stop"
    assert set(ends[:-1]) == {None}
    usage = client.chunks[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (9 - died, len(WORDS))


async def test_an_answer_may_die_more_than_once(bench: Bench) -> None:
    """What is gone on from is always all that the client has."""
    call = now = question()
    client = MemoryClient(call)
    for at, word in enumerate(WORDS[:-1], 1):
        outcome = await interrupted(bench, now, client, BackendKind.LLAMACPP, [word])
        assert outcome.partial == Partial("".join(WORDS[:at]), at)
        after_it = continued(call, outcome.partial)
        assert after_it is not None
        now = after_it
    task = await bench.send(now, client.sink)
    says(bench.line, BackendKind.LLAMACPP, WORDS[-1:], ends=True)
    await after(task, client)
    assert client.text == "".join(WORDS)
    assert len({chunk["id"] for chunk in client.chunks}) == 1


async def test_a_text_completion_is_gone_on_with(bench: Bench) -> None:
    """Chunks of that kind, under the first one's name."""
    call = question(Kind.COMPLETION)
    client = MemoryClient(call)
    name = b'"id":"cmpl-1","object":"text_completion","created":1,"model":"g"'
    piece = b'data: {%b,"choices":[{"index":0,"text":"%%b"}]}\n\n' % name
    task = await bench.send(call, client.sink)
    bench.line.begins()
    bench.line.sends(piece % b" upon")
    bench.line.breaks()
    partial = (await task).partial
    assert partial == Partial(" upon", 1)
    went_on = continued(call, partial)
    assert went_on is not None
    task = await bench.send(went_on, client.sink)
    bench.line.begins()
    bench.line.sends(piece.replace(b"cmpl-1", b"cmpl-2") % b" a time", DONE)
    bench.line.ends()
    await after(task, client)
    assert client.text == " upon a time"
    assert {(chunk["id"], chunk["object"]) for chunk in client.chunks} == {("cmpl-1", "text_completion")}


async def test_an_attempt_that_goes_on_and_gets_nothing_changes_nothing(bench: Bench) -> None:
    """Its verdict is its own, the client has what it had, and yet another endpoint may go on."""
    call = question()
    client = MemoryClient(call)
    outcome = await interrupted(bench, call, client, BackendKind.LLAMACPP, WORDS[:3])
    assert outcome.partial is not None
    went_on = continued(call, outcome.partial)
    assert went_on is not None
    before = client.body
    task = await bench.send(went_on, client.sink)
    bench.line.says(b"HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\n{}")
    failed = await task
    assert (failed.verdict, failed.committed, failed.partial) == (Verdict.FAILED, True, outcome.partial)
    assert not failed.try_elsewhere
    assert client.body == before


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}\n\n',
        b'data: {"choices":[{"index":1,"delta":{"content":"x"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]}\n\n',
        STOP,
    ],
    ids=["thoughts", "another choice", "a tool call", "its end"],
)
@pytest.mark.parametrize("surface", ["openai", "native"])
async def test_what_is_more_than_text_is_not_gone_on_with(bench: Bench, event: bytes, surface: str) -> None:
    """The client has more than a text, or all of it already."""
    call = question()
    client = MemoryClient(call, surface)
    task = await bench.send(call, client.sink)
    bench.line.begins()
    bench.line.sends(token("Hel"), event)
    bench.line.breaks()
    outcome = await after(task, client)
    assert (outcome.verdict, outcome.partial) == (Verdict.INTERRUPTED, None)
    assert b"[DONE]" not in client.body
    assert client.chunks[-1]["error"]["code"] == "interrupted"


async def test_nothing_is_kept_where_nothing_is_continued() -> None:
    """It can be switched off, and structured answers are never gone on with."""
    for bench, call in [
        (Bench(keep=False), question()),
        (Bench(), question(response_format={"type": "json_object"})),
    ]:
        task = await bench.send(call, MemoryClient(call).sink)
        bench.line.begins()
        bench.line.sends(token("Hel"))
        bench.line.breaks()
        assert (await task).partial is None
        await bench.close()


@pytest.mark.parametrize("kind", FORMATS)
async def test_a_long_answer_is_kept_in_little(bench: Bench, kind: BackendKind) -> None:
    """Four thousand chunks are a megabyte on the wire and nothing like it here; the text is exact."""
    call = question()
    client = MemoryClient(call)
    words = [f" word{number}" for number in range(4000)]
    outcome = await interrupted(bench, call, client, kind, words)
    assert outcome.partial == Partial("".join(words), 4000)


async def test_vllm_is_told_that_the_last_message_is_a_beginning(bench: Bench) -> None:
    """Without these words it would take the answer for complete and begin another."""
    went_on = continued(question(), Partial("Hel", 1))
    assert went_on is not None
    await bench.send(went_on, MemoryClient(went_on).sink, endpoint(BackendKind.VLLM))
    body = bench.line.body
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    await bench.send(question(), MemoryClient(question()).sink, endpoint(BackendKind.VLLM))
    assert "continue_final_message" not in bench.line.body


@pytest.mark.parametrize("surface", ["openai", "native"])
async def test_a_client_that_was_kept_waiting_gets_one_head(bench: Bench, surface: str) -> None:
    """The comment sends it, with the request's id alone; the answer follows, or an error event."""
    call = question()
    client = MemoryClient(call, surface)
    client.sink.alive("queued, position 2")
    client.sink.alive("")
    assert client.head.startswith(b"HTTP/1.1 200 OK")
    assert b"x-request-id: req-1" in client.head
    assert b"x-orchestra" not in client.head
    assert client.comments == [b": keep-alive, queued, position 2", b": keep-alive"]
    task = await bench.send(call, client.sink)
    says(bench.line, BackendKind.LLAMACPP, WORDS, ends=True)
    await after(task, client)
    assert client.transport.written.count(b"HTTP/1.1") == 1
    assert client.text == "".join(WORDS)


@pytest.mark.parametrize("surface", ["openai", "native"])
async def test_a_failure_after_waiting_is_an_event(bench: Bench, surface: str) -> None:
    """The status has gone out; the surface's own error says what happened."""
    call = question()
    client = MemoryClient(call, surface)
    client.sink.alive("")
    task = await bench.send(call, client.sink)
    bench.line.says(chunked(b""), b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")
    outcome = await after(task, client)
    assert outcome.committed is False
    assert client.transport.written.count(b"HTTP/1.1") == 1
    assert client.chunks[-1]["error"]["request_id"] == "req-1"
    assert b"[DONE]" not in client.body
