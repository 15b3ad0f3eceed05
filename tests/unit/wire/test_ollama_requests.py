"""Calls in OpenAI's shape as the requests that Ollama understands."""

import json
from typing import Any

import msgspec
import pytest
from ollama import _types as official

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.wire import ollama

PIXEL = "iVBORw0KGgoAAAANSUhEUg=="

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}

TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}


def render(kind: Kind, fields: dict[str, Any], *, raw: bool = True, stream: bool = True) -> tuple[str, Any]:
    """The request for fields as the facades leave them: each value still the client's own bytes."""
    values = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in fields.items()}
    call = Call(id="r", kind=kind, fields=dict(values) if raw else fields, received=0.0)
    path, body = ollama.render_request(call, "gemma3:270m", stream=stream)
    return path, json.loads(body)


@pytest.mark.parametrize("raw", [True, False])
def test_a_chat_is_rendered_with_its_options(raw: bool) -> None:
    """OpenAI's sampling fields become Ollama's options, whether they arrive as bytes or as values."""
    path, body = render(
        Kind.CHAT,
        {
            "messages": [{"role": "developer", "content": "short"}, {"role": "user", "content": "hi"}],
            "max_tokens": 9,
            "temperature": 0,
            "top_p": 0.5,
            "top_k": 40,
            "seed": 7,
            "stop": "END",
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
            "user": "u",
            "logit_bias": {"1": 2},
        },
        raw=raw,
    )

    assert path == "/api/chat"
    assert body == {
        "model": "gemma3:270m",
        "stream": True,
        "messages": [{"role": "system", "content": "short"}, {"role": "user", "content": "hi"}],
        "options": {
            "num_predict": 9,
            "temperature": 0.0,
            "top_p": 0.5,
            "top_k": 40,
            "seed": 7,
            "stop": ["END"],
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
        },
    }
    assert official.ChatRequest.model_validate(body).messages


def test_nulls_and_absent_fields_are_left_out() -> None:
    """A field that is null is as if it were not there, and no empty options are sent."""
    _, body = render(
        Kind.CHAT,
        {"messages": [], "temperature": None, "stop": None, "tools": None, "response_format": None, "n": 1},
        stream=False,
    )

    assert body == {"model": "gemma3:270m", "stream": False, "messages": []}


def test_the_newer_name_of_the_token_limit_wins() -> None:
    """`max_completion_tokens` replaces the older `max_tokens` where a client sends both."""
    _, body = render(Kind.CHAT, {"messages": [], "max_tokens": 5, "max_completion_tokens": 6})

    assert body["options"] == {"num_predict": 6}


def test_a_conversation_with_tools_is_rendered_as_the_official_client_would() -> None:
    """Call arguments become objects, a tool's result names its tool, and tools pass as they are."""
    _, body = render(
        Kind.CHAT,
        {
            "tools": [TOOL],
            "messages": [
                {
                    "role": "assistant",
                    "content": None,
                    "reasoning_content": "look it up",
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"city":"Brno"}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            ],
        },
    )

    asked, answered = body["messages"]
    assert asked["tool_calls"] == [
        {"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Brno"}}}
    ]
    assert asked["thinking"] == "look it up"
    assert (answered["tool_name"], answered["content"]) == ("weather", "sunny")
    assert body["tools"] == [TOOL]
    assert official.ChatRequest.model_validate(body).tools


def test_tools_are_left_out_when_the_client_forbids_them() -> None:
    """`tool_choice: none` is honoured by not offering the tools."""
    _, body = render(Kind.CHAT, {"messages": [], "tools": [TOOL], "tool_choice": "none"})

    assert "tools" not in body


def test_images_in_content_parts_become_images() -> None:
    """Text parts are joined, data URLs become bare base64."""
    parts = [
        {"type": "text", "text": "what"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
        {"type": "text", "text": "is it?"},
    ]
    _, body = render(Kind.CHAT, {"messages": [{"role": "user", "content": parts}]})

    assert body["messages"] == [{"role": "user", "content": "what\nis it?", "images": [PIXEL]}]


@pytest.mark.parametrize(
    ("response_format", "expected"),
    [
        ({"type": "json_object"}, "json"),
        ({"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}, SCHEMA),
        ({"type": "json_schema"}, "json"),
        ({"type": "text"}, None),
    ],
)
def test_response_formats(response_format: dict[str, object], expected: object) -> None:
    """Structured output is asked for by Ollama's `format`."""
    _, body = render(Kind.CHAT, {"messages": [], "response_format": response_format})

    assert body.get("format") == expected


@pytest.mark.parametrize(
    ("effort", "think"), [("none", False), ("minimal", False), ("low", "low"), ("xhigh", True)]
)
def test_reasoning_effort_becomes_think(effort: str, think: object) -> None:
    """Ollama knows three levels; less is off and more is on."""
    _, body = render(Kind.CHAT, {"messages": [], "reasoning_effort": effort})

    assert body["think"] == think


def test_a_completion_is_rendered() -> None:
    """A prompt, also as a list of one, goes to /api/generate with its suffix."""
    path, body = render(Kind.COMPLETION, {"prompt": ["def f("], "suffix": "return x", "max_tokens": 3})

    assert path == "/api/generate"
    assert (body["prompt"], body["suffix"], body["options"]) == ("def f(", "return x", {"num_predict": 3})
    assert official.GenerateRequest.model_validate(body).prompt == "def f("


@pytest.mark.parametrize("given_input", ["one", ["one", "two"]])
def test_an_embedding_is_rendered_without_silent_truncation(given_input: object) -> None:
    """Input and dimensions pass, and a text that is too long is an error rather than half a vector."""
    path, body = render(Kind.EMBEDDING, {"input": given_input, "dimensions": 64})

    assert path == "/api/embed"
    assert body == {"model": "gemma3:270m", "input": given_input, "dimensions": 64, "truncate": False}
    assert official.EmbedRequest.model_validate(body).input == given_input


@pytest.mark.parametrize(
    ("kind", "fields", "param"),
    [
        (Kind.CHAT, {"messages": "hello"}, "messages"),
        (Kind.CHAT, {"messages": [], "temperature": "hot"}, "temperature"),
        (Kind.CHAT, {"messages": [], "max_tokens": 0}, "max_tokens"),
        (Kind.CHAT, {"messages": [], "seed": 2**31}, "seed"),
        (Kind.CHAT, {"messages": [], "n": 2}, "n"),
        (Kind.CHAT, {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages"),
        (
            Kind.CHAT,
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a/b"}}]}
                ]
            },
            "messages",
        ),
        (
            Kind.CHAT,
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "["}}]}
                ]
            },
            "messages",
        ),
        (Kind.COMPLETION, {"prompt": ["a", "b"]}, "prompt"),
        (Kind.COMPLETION, {"prompt": [1, 2]}, "prompt[0]"),
        (Kind.EMBEDDING, {"input": [[1, 2]]}, "input[0]"),
    ],
)
def test_what_ollama_cannot_be_asked_names_the_field(kind: Kind, fields: dict[str, Any], param: str) -> None:
    """Rather than ask something else, the client is told which field and what is allowed."""
    with pytest.raises(InvalidRequest) as caught:
        render(kind, fields)

    assert caught.value.param == param
    assert param.partition("[")[0] in caught.value.message


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.CHAT, {"messages": [{"role": "user", "content": "hi"}]}),
        (Kind.COMPLETION, {"prompt": "hi"}),
        (Kind.EMBEDDING, {"input": "hi"}),
    ],
)
def test_the_context_named_is_the_endpoints(kind: Kind, fields: dict[str, Any]) -> None:
    """Every call names the context the model is loaded with; one that a client names is not sent on."""
    own = {"num_ctx": 131072, "options": {"num_ctx": 131072}}
    call = Call(id="r", kind=kind, fields={**fields, **own}, received=0.0)
    pinned = json.loads(ollama.render_request(call, "m", stream=True, context=4096)[1])
    assert pinned["options"]["num_ctx"] == 4096
    assert b"131072" not in ollama.render_request(call, "m", stream=True)[1]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.CHAT, {"messages": [{"role": "user", "content": "hi"}]}),
        (Kind.COMPLETION, {"prompt": "hi"}),
        (Kind.EMBEDDING, {"input": "hi"}),
    ],
)
def test_how_long_a_model_stays_is_said_in_every_kind_of_call(kind: Kind, fields: dict[str, Any]) -> None:
    """Seconds as a number; -1 is for good."""
    assert render(kind, {**fields, "keep_alive": -1})[1]["keep_alive"] == -1
    assert "keep_alive" not in render(kind, fields)[1]
