"""Bodies of millions of values: refused before anything is built of them; large bodies of honest clients pass."""

import json
import tracemalloc
from collections.abc import Callable

import pytest

from orchestra_core.domain.call import Call
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.wire.native import read_route
from orchestra_core.wire.openai.requests import read_chat, read_completion, read_embedding

SAID = '"model":"auto","messages":[{"role":"user","content":"Hi"}]'
ROUTED = '{"messages":[{"role":"user","content":'
SIZE = 8 * 1024 * 1024
Read = Callable[[bytes, str, float], Call]


def keys(number: int) -> str:
    return ",".join(f'"{place:x}":1' for place in range(number))


CROWDED: dict[str, tuple[Read, str, str, str]] = {
    "tools of numbers": (read_chat, f'{{{SAID},"tools":[', "1,", "1]}"),
    "tools of objects": (read_chat, f'{{{SAID},"tools":[', "{},", "{}]}"),
    "prompts that are lists": (read_completion, '{"model":"auto","prompt":[', "[],", "[]]}"),
    "prompt of strings": (read_completion, '{"model":"auto","prompt":[', '"",', '""]}'),
    "prompt of tokens": (read_completion, '{"model":"auto","prompt":[', "1,", "1]}"),
    "inputs that are lists": (read_embedding, '{"model":"auto","input":[', "[],", "[]]}"),
    "input of one token list": (read_embedding, '{"model":"auto","input":[[', "1,", "1]]}"),
    "parts": (
        read_chat,
        '{"model":"auto","messages":[{"role":"user","content":[',
        '{"type":""},',
        '{"type":""}]}]}',
    ),
    "messages": (read_chat, '{"model":"auto","messages":[', '{"role":""},', '{"role":""}]}'),
    "values of a field": (read_chat, f'{{{SAID},"metadata":{{"a":[', "1.5,", "1]}}"),
    "stop": (read_chat, f'{{{SAID},"stop":[', '"ab",', '"ab"]}'),
    "routed parts": (read_route, ROUTED + "[", '{"type":""},', '{"type":""}]}]}'),
}


@pytest.mark.parametrize("name", CROWDED)
def test_a_crowd_is_refused_before_it_is_built(name: str) -> None:
    """400 that says so, and no more memory than a few times the body on the way."""
    read, head, entry, tail = CROWDED[name]
    body = f"{head}{entry * (SIZE // len(entry))}{tail}".encode()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest) as caught:
            read(body, "req-1", 0.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (caught.value.status, caught.value.code) == (400, "too_many_entries")
    assert peak < 3 * len(body)


@pytest.mark.parametrize(("head", "tail"), [("", ""), ('"metadata":{', "}"), ('"logit_bias":{', "}")])
def test_a_crowd_of_keys_is_refused(head: str, tail: str) -> None:
    """At the top of the body and within it."""
    body = f"{{{SAID},{head}{keys(300_000)}{tail}}}"
    with pytest.raises(InvalidRequest) as caught:
        read_chat(body.encode(), "req-1", 0.0)

    assert caught.value.code == "too_many_entries"


@pytest.mark.parametrize("read", [read_chat, read_route])
def test_a_message_of_too_many_parts_is_refused_by_name(read: Read) -> None:
    """As many parts as there may be messages, and not one more; the smallest such body is found too."""
    head = '{"model":"auto","messages":[{"role":"user","content":['
    for number, passes in ((16_384, True), (16_385, False)):
        body = (head + ",".join(['{"type":""}'] * number) + "]}]}").encode()
        if passes:
            assert read(body, "req-1", 0.0).fields["messages"]
            continue
        with pytest.raises(InvalidRequest) as caught:
            read(body, "req-1", 0.0)
        assert caught.value.param == "messages.content"


@pytest.mark.parametrize(
    "text",
    ['a, "b": [c] {d} \\ ', ",", ":", "[", "{}", '"', "\\", '\\"', ",:[{" * 4],
)
@pytest.mark.parametrize("repeated", [1, 1000])
def test_punctuation_in_strings_is_no_crowd(text: str, repeated: int) -> None:
    """A prompt of megabytes may hold whatever it likes: JSON, tables, code; also as many messages."""
    whole = text * (2_000_000 // len(text))
    parts = [whole[at::repeated] for at in range(repeated)]
    messages = [{"role": "user", "content": part} for part in parts]
    chat = json.dumps({"model": "auto", "messages": messages}).encode()
    assert read_chat(chat, "req-1", 0.0).text == parts[-1][-2048:]
    completion = json.dumps({"model": "auto", "prompt": whole}).encode()
    assert read_completion(completion, "req-1", 0.0).text == whole[-2048:]


def test_an_honest_batch_of_embeddings_passes() -> None:
    """16,384 inputs of 64 tokens each, the most entries there may be."""
    batch = [[number] * 64 for number in range(16_384)]
    body = json.dumps({"model": "auto", "input": batch}).encode()
    call = read_embedding(body, "req-1", 0.0)

    assert call.characters == len(body)


def test_an_honest_conversation_passes() -> None:
    """Thousands of messages with parts, tool calls and pictures."""
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"a": [1, 2]}'}}
    turn = [
        {"role": "user", "content": [{"type": "text", "text": "a, b"}, {"type": "text", "text": "c" * 200}]},
        {"role": "assistant", "content": None, "tool_calls": [call, call]},
    ]
    body = json.dumps({"model": "auto", "messages": turn * 4000}).encode()

    assert read_chat(body, "req-1", 0.0).needs == frozenset()


@pytest.mark.parametrize(
    ("tools", "needed"),
    [("[]", False), ("[ ]", False), ('[{"type":"function","function":{"name":"f"}}]', True)],
)
def test_only_tools_that_are_there_are_needed(tools: str, needed: bool) -> None:
    """An empty list asks for nothing."""
    call = read_chat(f'{{{SAID},"tools":{tools}}}'.encode(), "req-1", 0.0)

    assert ("tools" in call.needs) is needed
