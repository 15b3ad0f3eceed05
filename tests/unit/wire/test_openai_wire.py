"""OpenAI's format, both directions."""

import msgspec
import pytest

from orchestra_core.domain.call import Kind, Level, Task
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.domain.fault import WireError
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.reply import Delta, Usage
from orchestra_core.wire.openai.answers import (
    Renderer,
    merge_tool_calls,
    read_answer,
    read_embeddings,
    read_error,
    tally,
)
from orchestra_core.wire.openai.requests import read_chat, read_completion, read_embedding, render_request
from orchestra_core.wire.openai.streams import Relay, StreamReader

CHAT = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0.5,"stream":true,"seed":7}'


def chunk(**delta: object) -> bytes:
    body = {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


USAGE = (
    b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,'
    b'"prompt_tokens_details":{"cached_tokens":3}}}\n\n'
)
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
STREAM = (
    chunk(role="assistant", content="") + chunk(content="Hel") + chunk(content="lo") + FINISH + USAGE + DONE
)


def test_a_chat_is_read_and_rendered_for_a_backend() -> None:
    """What the client set passes on untouched; model, stream and usage are ours."""
    call = read_chat(CHAT, "id", 1.0)
    path, body = render_request(call, "real", stream=True)

    assert (call.model, call.stream, call.text, call.surface) == ("m", True, "hi", "openai")
    assert path == "/chat/completions"
    assert msgspec.json.decode(body) == {
        "model": "real",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5,
        "seed": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


PLAIN = b'{"messages" : [{"role":"user","content":"hi"}], "model":"m"}'


def test_a_backend_of_the_same_model_is_sent_the_bytes_of_the_client() -> None:
    """The body goes on as it came where nothing of it has to be said differently, and only there."""
    call = read_chat(PLAIN, "id", 0.0)
    more = msgspec.structs.replace(call, fields={**call.fields, "seed": 1})
    told = read_chat(PLAIN.replace(b"{", b'{"stream_options":null,', 1), "id", 0.0)

    assert render_request(call, "m", stream=False)[1] is PLAIN
    for sent, model, stream in (
        (call, "other", False),
        (call, "m", True),
        (more, "m", False),
        (told, "m", False),
    ):
        body = msgspec.json.decode(render_request(sent, model, stream=stream)[1])
        assert (body["model"], body.get("seed"), body.get("stream")) == (
            model,
            sent.fields.get("seed"),
            stream or None,
        )
        assert ("stream_options" in body) is stream


def test_auto_names_carry_wishes() -> None:
    """`auto` asks the engine to choose, with a task and levels behind the colon."""
    body = CHAT.replace(b'"m"', b'"auto:code,quality=high"')
    call = read_chat(body, "id", 0.0)

    assert (call.model, call.task, call.requirements.quality) == (None, Task.CODE_GENERATION, Level.HIGH)


def test_tools_and_images_are_needs() -> None:
    """A call with tools or images only goes where these are understood."""
    body = (
        b'{"model":"m","tools":[{"type":"function"}],"messages":[{"role":"user","content":[{"type":"text","text":"what"},'
        b'{"type":"image_url","image_url":{"url":"data:"}}]}]}'
    )

    assert read_chat(body, "id", 0.0).needs == {"tools", "vision"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b"{", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (b'{"messages":[]}', "model"),
        (b'{"model":"m"}', "messages"),
        (b'{"model":1,"messages":[]}', "model"),
        (b'{"model":"m","messages":[{"role":"user","content":5}]}', "messages[0].content"),
        (b'{"model":"m","messages":[{"content":"x"}]}', "messages[0].role"),
        (b'{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0}', "max_tokens"),
        (b'{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":true}', "max_tokens"),
        (b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":NaN}', None),
        (b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":9}', "temperature"),
        (b'{"model":"m","messages":[{"role":"user","content":"x"}],"n_discard":-1}', "n_discard"),
        (b'{"model":"auto:nonsense","messages":[{"role":"user","content":"x"}]}', "task_or_model"),
        (b'{"model":"auto:speed=warp","messages":[{"role":"user","content":"x"}]}', "model"),
    ],
)
def test_bad_chats_are_refused_naming_the_field(body: bytes, param: str | None) -> None:
    """Every bad body is a clear 400, never an exception of the decoder."""
    with pytest.raises(InvalidRequest) as raised:
        read_chat(body, "id", 0.0)

    assert raised.value.param in (("model", "task") if param == "task_or_model" else (param,))
    assert raised.value.status == 400


def test_completions_and_embeddings_are_read() -> None:
    """The other two verbs, with prompts and inputs as text or lists."""
    completion = read_completion(b'{"model":"m","prompt":["a","b"],"max_tokens":3}', "id", 0.0)
    embedding = read_embedding(b'{"model":"m","input":"text"}', "id", 0.0)

    assert (completion.kind, completion.max_tokens) == (Kind.COMPLETION, 3)
    assert render_request(embedding, "m", stream=False) == ("/embeddings", b'{"model":"m","input":"text"}')


@pytest.mark.parametrize("size", [1, 3, 7, 64, 10_000])
def test_a_stream_is_decoded_however_it_is_cut(size: int) -> None:
    """Pieces of any size give the same increments, usage and finish."""
    reader = StreamReader(Kind.CHAT)
    found = [d for i in range(0, len(STREAM), size) for d in reader.feed(STREAM[i : i + size])]

    assert [delta.text for delta in found] == ["Hel", "lo", ""]
    assert (reader.done, reader.finish, reader.usage) == (True, "stop", Usage(5, 2, 3))


@pytest.mark.parametrize("cut", range(1, len(STREAM)))
def test_a_relayed_stream_is_passed_on_in_whole_events(cut: int) -> None:
    """Wherever the stream is cut, what was passed on ends at an event border, and the rest completes it."""
    relay = Relay(keep_usage=True)
    first = relay.feed(STREAM[:cut])

    assert STREAM.startswith(first)
    assert not first or first.endswith(b"\n\n")
    assert first + relay.feed(STREAM[cut:]) == STREAM
    assert (relay.done, relay.started, relay.usage, relay.finish) == (True, True, Usage(5, 2, 3), "stop")


def test_usage_is_kept_from_clients_that_did_not_ask() -> None:
    """The usage chunk we asked for ourselves is counted and not passed on."""
    relay = Relay(keep_usage=False)

    assert relay.feed(STREAM) == STREAM.replace(USAGE, b"")
    assert relay.usage == Usage(5, 2, 3)


def test_a_role_is_not_yet_a_token() -> None:
    """Only content starts an answer: until then it can still move to another endpoint."""
    relay = Relay(keep_usage=True)
    relay.feed(chunk(role="assistant", content=""))

    assert not relay.started
    relay.feed(b": ping\n\n" + chunk(content="x"))
    assert relay.started


def test_carriage_returns_are_unified() -> None:
    """Servers that end lines in CRLF are relayed too."""
    relay = Relay(keep_usage=True)
    passed = b"".join(relay.feed(bytes([byte])) for byte in STREAM.replace(b"\n", b"\r\n"))

    assert passed == STREAM
    assert relay.done


@pytest.mark.parametrize("end", [b"data:[DONE]", b"id: 7\ndata: [DONE]", b"data: [DONE]\nid: 7"])
def test_the_end_of_a_stream_is_passed_on_in_one_spelling(end: bytes) -> None:
    """A sink holds the end back until the ledger has the request, and must know it whoever wrote it."""
    relay = Relay(keep_usage=True)
    assert relay.feed(chunk(content="a") + end + b"\n\n") == chunk(content="a") + DONE
    assert relay.done


@pytest.mark.parametrize(
    "event", [b'{"error":{"message":"boom","code":500}}', b'{"error":"boom"}', b"<html>"]
)
def test_an_error_inside_a_stream_is_a_failure(event: bytes) -> None:
    """An error event or junk after 200 fails the attempt in both readers."""
    for feed in (Relay(keep_usage=True).feed, StreamReader(Kind.CHAT).feed):
        with pytest.raises(WireError) as raised:
            feed(b"data: " + event + b"\n\n")
        assert raised.value.fault.verdict is Verdict.FAILED


def test_the_word_error_in_an_answer_is_no_error() -> None:
    """Text about errors is text."""
    relay = Relay(keep_usage=True)
    event = chunk(content='{"error": "usage":{ [DONE]')

    assert relay.feed(chunk(content="a") + event) == chunk(content="a") + event


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (
            400,
            b'{"error":{"type":"exceed_context_size_error","code":400,"message":"x"}}',
            Verdict.CONTEXT_OVERFLOW,
        ),
        (400, b'{"error":{"message":"This model\'s maximum context length is 5"}}', Verdict.CONTEXT_OVERFLOW),
        (400, b'{"error":{"code":"content_filter","message":"no"}}', Verdict.CONTENT_FILTER),
        (400, b'{"error":{"message":"bad"}}', Verdict.REJECTED),
        (422, b'{"detail":[{"msg":"x"}]}', Verdict.REJECTED),
        (401, b"", Verdict.MISCONFIGURED),
        (404, b'{"error":"model not found"}', Verdict.MISSING),
        (429, b'{"error":{"message":"slow down"}}', Verdict.LIMITED),
        (429, b'{"error":{"code":"insufficient_quota","message":"pay"}}', Verdict.MISCONFIGURED),
        (503, b'{"error":{"message":"Loading model","code":503}}', Verdict.LOADING),
        (503, b"<html>bad gateway</html>", Verdict.FAILED),
        (529, b'{"error":{"type":"overloaded_error","message":"x"}}', Verdict.BUSY),
        (500, b"oops", Verdict.FAILED),
        (504, b"", Verdict.TIMEOUT),
    ],
)
def test_error_answers_are_classified_once(status: int, body: bytes, verdict: Verdict) -> None:
    """Status, code and words decide together what follows."""
    assert read_error(status, {}, body).verdict is verdict


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "99999"}, 120.0),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, 120.0),
        ({"retry-after-ms": "?", "retry-after": "4"}, 4.0),
        (
            {"retry-after": "Wed, 21 Oct 2026 07:28:09 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            9.0,
        ),
        (
            {"retry-after": "Wed, 21 Oct 2036 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            120.0,
        ),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:09 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:09 GMT", "date": "today"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_and_clamped(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, fractions, milliseconds, or a date beside the answer's own; never more than two minutes."""
    assert read_error(429, headers, b"{}").retry_after == seconds


def test_a_rendered_answer_reads_back() -> None:
    """What we render for clients we can read from backends: text, reasoning, tools, usage."""
    renderer = Renderer(Kind.CHAT, "1", "m", 0)
    call = msgspec.Raw(b'[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]')
    body = renderer.answer(
        [Delta("he", "why"), Delta("y", tool_calls=call, finish="tool_calls")], Usage(1, 2, 0)
    )
    deltas, usage = read_answer(Kind.CHAT, body)

    assert (deltas[0].text, deltas[0].reasoning, deltas[0].finish) == ("hey", "why", "tool_calls")
    assert usage == Usage(1, 2, 0)
    assert tally(body) == (Usage(1, 2, 0), "tool_calls")


def test_a_rendered_stream_reads_back() -> None:
    """Rendered increments decode to the same increments."""
    renderer = Renderer(Kind.CHAT, "1", "m", 0)
    stream = renderer.chunks([Delta("a"), Delta("b", finish="stop")]) + renderer.last(Usage(1, 2))
    reader = StreamReader(Kind.CHAT)

    assert [d.text for d in reader.feed(stream)] == ["a", "b"]
    assert (reader.done, reader.usage) == (True, Usage(1, 2))


def test_tool_call_fragments_are_joined() -> None:
    """Arguments arrive in pieces, names once."""
    pieces = [
        b'[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{\\"a\\""}}]',
        b'[{"index":0,"function":{"arguments":":1}"}}]',
    ]

    assert merge_tool_calls([msgspec.Raw(piece) for piece in pieces]) == [
        {"id": "x", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    ]


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"choices":5}', b"[" * 100_000])
def test_junk_answers_are_failures(body: bytes) -> None:
    """A 200 with something else in it is a failure of the backend, never an answer."""
    with pytest.raises(WireError):
        tally(body)
    with pytest.raises(WireError):
        read_embeddings(body)
