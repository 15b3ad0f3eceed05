"""Ollama answers, whole and streamed, embeddings and errors, as the engine reads them."""

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.call import Kind
from orchestra_core.domain.fault import WireError
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.reply import Delta, Usage
from orchestra_core.wire import ollama


def line(**fields: object) -> bytes:
    return json.dumps({"model": "m", "created_at": "2026-01-01T00:00:00Z", **fields}).encode() + b"\n"


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


STREAM = (
    line(message={"content": "Dobrý "}, done=False)
    + b"\r\n"
    + line(message={"content": "den 🐎"}, done=False)
    + line(message={"content": ""}, done=True, done_reason="stop", prompt_eval_count=3, eval_count=4)
)


def test_a_chat_stream_is_read() -> None:
    """Text and thinking come as they arrive; the last line brings the end and the counts."""
    reader = ollama.StreamReader(Kind.CHAT)
    first = reader.feed(line(message={"role": "assistant", "content": "", "thinking": "hm"}, done=False))
    second = reader.feed(line(message={"role": "assistant", "content": "Hi"}, done=False))
    assert (reader.done, reader.usage, reader.finish) == (False, None, None)
    last = reader.feed(
        line(
            message={"role": "assistant", "content": ""},
            done=True,
            done_reason="length",
            prompt_eval_count=12,
            eval_count=2,
            eval_duration=5,
        )
    )

    assert first == [Delta(reasoning="hm")]
    assert second == [Delta(text="Hi")]
    assert last == [Delta(finish="length")]
    assert (reader.done, reader.finish) == (True, "length")
    assert reader.usage == Usage(prompt=12, completion=2)


def test_a_completion_stream_is_read() -> None:
    """/api/generate says `response` where chat says `message`."""
    reader = ollama.StreamReader(Kind.COMPLETION)
    deltas = reader.feed(
        line(response="a", done=False) + line(response="b", done=True, done_reason="stop", eval_count=2)
    )

    assert text_of(deltas) == "ab"
    assert reader.finish == "stop"
    assert reader.usage == Usage(completion=2, estimated=True)


def test_tool_calls_are_read_as_fragments_with_ids() -> None:
    """Each call gets an index, an id of its own and its arguments as a string; the finish says so."""
    reader = ollama.StreamReader(Kind.CHAT)
    tool_call = {"function": {"name": "weather", "arguments": {"city": "Brno"}}}
    deltas = reader.feed(
        line(message={"role": "assistant", "content": "", "tool_calls": [tool_call, tool_call]}, done=False)
        + line(message={"role": "assistant", "content": "", "tool_calls": [{"id": "x", **tool_call}]})
        + line(message={"role": "assistant", "content": ""}, done=True, done_reason="stop")
    )
    fragments = [
        fragment for delta in deltas if delta.tool_calls for fragment in msgspec.json.decode(delta.tool_calls)
    ]

    assert [fragment["index"] for fragment in fragments] == [0, 1, 2]
    assert len({fragment["id"] for fragment in fragments}) == 3
    assert fragments[2]["id"] == "x"
    assert all(json.loads(fragment["function"]["arguments"]) == {"city": "Brno"} for fragment in fragments)
    assert reader.finish == "tool_calls"


@given(st.sets(st.integers(0, len(STREAM))))
def test_a_stream_is_the_same_at_any_cut(cuts: set[int]) -> None:
    """Where the network cuts the bytes changes nothing."""
    reader = ollama.StreamReader(Kind.CHAT)
    borders = [0, *sorted(cuts), len(STREAM)]
    deltas = [delta for start, end in pairwise(borders) for delta in reader.feed(STREAM[start:end])]

    assert text_of(deltas) == "Dobrý den 🐎"
    assert (reader.done, reader.usage) == (True, Usage(prompt=3, completion=4))


@given(st.integers(0, len(STREAM) - 1))
def test_a_stream_that_is_cut_off_is_never_done(end: int) -> None:
    """Without its final line an answer does not count as whole."""
    reader = ollama.StreamReader(Kind.CHAT)
    reader.feed(STREAM[:end])

    assert not reader.done


def test_bytes_after_the_end_are_ignored() -> None:
    """The answer is whole with its final line."""
    reader = ollama.StreamReader(Kind.CHAT)

    assert reader.feed(STREAM + b"<html>\n")
    assert reader.feed(b"junk\n") == []


@pytest.mark.parametrize(
    ("payload", "verdict"),
    [
        (b'{"error":"an error was encountered while running the model"}\n', Verdict.FAILED),
        (b'{"error":{"message":"boom"}}\n', Verdict.FAILED),
        (b'{"error":""}\n', Verdict.FAILED),
        (b'{"error":17}\n', Verdict.FAILED),
        (b'{"error":"llm server loading model"}\n', Verdict.LOADING),
        (b"<html>502</html>\n", Verdict.FAILED),
        (b"data: {}\n", Verdict.FAILED),
        (b"[]\n", Verdict.FAILED),
        (b'{"done":"yes"}\n', Verdict.FAILED),
        (b'{"message":{"content":5}}\n', Verdict.FAILED),
        (b'{"message":{"content":"\xff\xfe"}}\n', Verdict.FAILED),
        (b'{"done":false}{"done":true}\n', Verdict.FAILED),
        (b'{"x":' + b"[" * 60_000 + b"]" * 60_000 + b"}\n", Verdict.FAILED),
    ],
)
def test_an_error_or_a_broken_line_ends_the_stream(payload: bytes, verdict: Verdict) -> None:
    """Status 200 was sent long ago, so the line itself is the failure, after the text before it."""
    reader = ollama.StreamReader(Kind.CHAT)
    assert text_of(reader.feed(line(message={"content": "so far"}))) == "so far"

    with pytest.raises(WireError) as caught:
        reader.feed(payload)

    assert caught.value.fault.verdict is verdict
    assert caught.value.fault.status == 200
    assert 0 < len(caught.value.fault.message) < 200
    assert not reader.done


def test_a_whole_answer_is_read() -> None:
    """An answer that was not streamed may be laid out over several lines."""
    whole = {
        "message": {"role": "assistant", "content": "Hi"},
        "done": True,
        "prompt_eval_count": 5,
        "eval_count": 1,
    }
    deltas, usage = ollama.read_answer(Kind.CHAT, json.dumps(whole, indent=2).encode())

    assert deltas == [Delta(text="Hi"), Delta(finish="stop")]
    assert usage == Usage(prompt=5, completion=1)


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"OK", b'{"message":null}', b'{"error":"no"}'])
def test_a_whole_answer_that_is_none(body: bytes) -> None:
    """Nothing is ever made up from a body without an answer."""
    with pytest.raises(WireError):
        ollama.read_answer(Kind.CHAT, body)


def test_embeddings_are_read_in_order() -> None:
    """Vectors and the count of the prompt's tokens."""
    found = ollama.read_embeddings(b'{"embeddings":[[1,2.5],[3,4]],"prompt_eval_count":8}')

    assert found.vectors == ((1.0, 2.5), (3.0, 4.0))
    assert found.usage == Usage(prompt=8)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"embeddings":[]}', b'{"embeddings":[["a"]]}', b'{"error":"x"}', b"<html>", b"\xff"]
)
def test_embeddings_that_are_none(body: bytes) -> None:
    """A body without vectors is an error."""
    with pytest.raises(WireError):
        ollama.read_embeddings(body)


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (404, b'{"error":"model \\"x\\" not found, try pulling it first"}', Verdict.MISSING),
        (404, b"404 page not found", Verdict.MISCONFIGURED),
        (
            503,
            b'{"error":"server busy, please try again.  maximum pending requests exceeded"}',
            Verdict.BUSY,
        ),
        (503, b'{"error":{"message":"Loading model","code":503}}', Verdict.LOADING),
        (503, b"<html>503</html>", Verdict.FAILED),
        (429, b"", Verdict.LIMITED),
        (500, b'{"error":"model requires more system memory (9.9 GiB) than is available"}', Verdict.FAILED),
        (500, b'{"error":"llama runner process has terminated: exit status 2"}', Verdict.FAILED),
        (400, b'{"error":"the input length exceeds the context length"}', Verdict.CONTEXT_OVERFLOW),
        (400, b'{"error":"registry.ollama.ai/library/x does not support tools"}', Verdict.REJECTED),
        (401, b'{"error":"unauthorized"}', Verdict.MISCONFIGURED),
        (413, b"", Verdict.REJECTED),
        (502, b"<html>", Verdict.UNREACHABLE),
        (504, b"<html>", Verdict.TIMEOUT),
        (301, b"", Verdict.MISCONFIGURED),
        (501, b"[]", Verdict.FAILED),
    ],
)
def test_errors_are_classified_and_keep_their_words(status: int, body: bytes, verdict: Verdict) -> None:
    """The one classification everything else relies on, from status and words."""
    fault = ollama.read_error(status, {}, body)

    assert fault.verdict is verdict
    assert fault.status == status
    assert fault.message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        (" 7 ", 7.0),
        ("-1", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_seconds(header: str, seconds: float | None) -> None:
    """Seconds are taken, as with the other format; what cannot be read is as if it were not there."""
    fault = ollama.read_error(503, {"retry-after": header}, b'{"error":"server busy"}')

    assert fault.retry_after == seconds


@given(st.binary(max_size=60), st.sampled_from([200, 302, 400, 404, 500, 503]))
def test_no_body_breaks_the_readers(body: bytes, status: int) -> None:
    """Any bytes are an answer or a `WireError`, and any error body has a message."""
    assert ollama.read_error(status, {}, body).message
    try:
        deltas, _ = ollama.read_answer(Kind.COMPLETION, body)
    except WireError as error:
        assert error.fault.message  # noqa: PT017  either end is right
    else:
        assert deltas
