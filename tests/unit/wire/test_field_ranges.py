"""Values out of their range, lists without end, and those that pass: each field by its name, on every surface."""

import json

import msgspec
import pytest

from orchestra_core.wire.openai.requests import render_request
from tests.unit.wire.surfaces import READERS, read, refused, with_raw

RANGES: list[tuple[str, str, bytes]] = [
    *(
        (surface, name, value)
        for surface in ("chat", "completion")
        for name, values in {
            "max_tokens": (
                b"-1",
                b"0",
                b"2147483648",
                b"1000000000",
                b"1e9",
                b"true",
                b'"5"',
                b"1.5",
                b"9" * 5000,
            ),
            "temperature": (b"-0.1", b"2.1", b'"1"', b"true", b"1e999"),
            "top_p": (b"-1", b"1.1", b"1e400"),
            "n": (b"0", b"-1", b"1000000000", b"true", b'"2"'),
            "stop": (b"5", b"[1]", b"[" + b'"a",' * 99_999 + b'"a"]', b'"' + b"a" * 2000 + b'"'),
            "seed": (b"1.5", b"9223372036854775808", b'"1"'),
            "presence_penalty": (b"3", b"-3", b"1e999"),
            "logit_bias": (b'{"1":101}', b"[]", b'{"1":1e999}', b'{"1":"a"}'),
            "top_k": (b"-2", b"2147483648", b"1.5"),
            "min_p": (b"2", b"-1"),
            "repeat_penalty": (b"-1", b"1e999"),
            "repeat_last_n": (b"-2", b"2147483647"),
            "mirostat": (b"3", b"-1"),
            "n_probs": (b"21", b"-1"),
            "dry_penalty_last_n": (b"-2", b"2147483647"),
            "stop_token_ids": (b"[-1]", b"[1.5]", b'["a"]'),
            "grammar": (b'"' + b"a" * 70_000 + b'"', b"{}"),
            "user": (b"5", b'"a\\u0000b"', b"{}"),
            "response_format": (
                b'"json"',
                b'{"a":1e999}',
                b'{"type":"\\u0000"}',
                b'{"a":' + b"9" * 5000 + b"}",
            ),
            "n_discard": (b"-1", b"2147483647", b"0"),
            "n_keep": (b"1",),
            "n_cmpl": (b"5",),
            "n_predict": (b"-1",),
            "id_slot": (b"0",),
            "chat_template": (b'"{{ x }}"',),
            "__proto__": (b'{"a":1}',),
            "constructor": (b"{}",),
            "unheard_of": (b"1",),
        }.items()
        for value in values
    ),
    ("chat", "tools", b'[{"a":1e999}]'),
    ("chat", "top_logprobs", b"21"),
    ("chat", "logprobs", b"5"),
    ("completion", "logprobs", b"true"),
    ("completion", "best_of", b"1000000"),
    ("completion", "echo", b'"yes"'),
    ("embedding", "dimensions", b"-1"),
    ("embedding", "dimensions", b"1000000000"),
    ("embedding", "encoding_format", b'"hex"'),
    ("embedding", "temperature", b"1"),
    ("route", "max_tokens", b"2147483648"),
    ("route", "max_tokens", b"1e9"),
    ("route", "deadline_ms", b"-1"),
    ("route", "max_cost", b"1e999"),
    ("route", "model", b'"a\\u0000b"'),
    ("selection", "task", b'"\\u0000"'),
    ("load", "backend", b'"a\\u0000b"'),
    ("unload", "backend", b'"a\\u0000b"'),
]


@pytest.mark.parametrize(("surface", "name", "value"), RANGES, ids=lambda part: str(part)[:30])
def test_a_value_out_of_range_is_refused_by_name(surface: str, name: str, value: bytes) -> None:
    """Numbers a backend has crashed on, lists without end, other types, and what is not passed on."""
    error = refused(surface, with_raw(surface, b'"' + name.encode() + b'":' + value, name))

    assert error.param is not None
    assert error.param.partition(".")[0].partition("[")[0] == name


@pytest.mark.parametrize(
    ("surface", "name", "entry"),
    [
        ("chat", "messages", {"role": "user", "content": "a"}),
        ("route", "messages", {"role": "user", "content": "a"}),
        ("completion", "prompt", "a"),
        ("embedding", "input", "a"),
    ],
)
def test_a_list_without_end_is_refused(surface: str, name: str, entry: object) -> None:
    """A million messages are no conversation."""
    body = json.dumps({"model": "auto", name: [entry] * 20_000}).encode()

    assert refused(surface, body).param == name


PASSED = {
    "chat": {
        "n": 2,
        "stop": ["a", "b"],
        "seed": -1,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": "auto",
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
        "logit_bias": {"50256": -100},
        "logprobs": True,
        "top_logprobs": 5,
        "top_k": -1,
        "min_p": 0.05,
        "repetition_penalty": 1.1,
        "dry_multiplier": 0.8,
        "chat_template_kwargs": {"enable_thinking": False},
        "reasoning_effort": "low",
        "user": "me",
        "metadata": {"a": "b"},
    },
    "completion": {"suffix": "a\x00", "echo": False, "logprobs": 3, "best_of": 1, "top_k": 40},
    "embedding": {"dimensions": 256, "encoding_format": "float", "user": "me"},
}


@pytest.mark.parametrize("surface", PASSED)
def test_known_fields_in_range_reach_the_backend_as_sent(surface: str) -> None:
    """What is allowed is neither dropped nor changed."""
    body = READERS[surface][1] | PASSED[surface]
    call = read(surface, json.dumps(body).encode())
    sent = msgspec.json.decode(render_request(call, "m", stream=False)[1])

    assert sent == body | {"model": "m"}
