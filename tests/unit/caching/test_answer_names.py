"""Names of answers: alike for what says the same, unlike for whatever could change the answer."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.caching.key import may_be_kept, name_of, scope_of
from orchestra_core.domain.caching import Wish
from orchestra_core.domain.call import Call, Kind, Level, Requirements, Task
from orchestra_core.wire.native import read_route
from orchestra_core.wire.openai.requests import read_chat, read_embedding

SAID = [{"role": "user", "content": "Hi"}]


def chat(**fields: Any) -> Call:
    body = {"model": "m", "messages": SAID, "temperature": 0, **fields}
    return read_chat(msgspec.json.encode(body), "r", 0.0)


def name(call: Call, tenant: str = "", scope: bytes = b"") -> bytes:
    found = name_of(call, tenant, scope)
    assert found is not None
    return found


PLAIN = name(chat())


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0.0},
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"user": "somebody"},
        {"metadata": {"a": "b"}},
        {"messages": [{"content": "Hi", "role": "user"}]},
    ],
)
def test_what_cannot_change_the_answer_does_not_change_the_name(other: dict[str, Any]) -> None:
    """Spelling, whether it is streamed, and what backends are told for their books."""
    assert name(chat(**other)) == PLAIN


@pytest.mark.parametrize(
    "other",
    [
        {"model": "n"},
        {"model": "auto"},
        {"temperature": 0.5},
        {"messages": [{"role": "system", "content": "Hi"}]},
        {"messages": [*SAID, {"role": "assistant", "content": ""}]},
        {"messages": [{"role": "user", "content": "hi"}]},
        {"messages": [{"role": "user", "content": "Hi", "name": "x"}]},
        {"max_tokens": 5},
        {"max_completion_tokens": 5},
        {"seed": 1},
        {"stop": ["a"]},
        {"top_p": 0.5},
        {"logprobs": True},
        {"cache_salt": "x"},
        {"response_format": {"type": "json_object"}},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
    ],
)
def test_what_can_change_the_answer_changes_the_name(other: dict[str, Any]) -> None:
    """The model and every parameter that a model or a backend acts on."""
    assert name(chat(**other)) != PLAIN


def test_names_are_of_one_tenant_and_one_configuration() -> None:
    """The same question of another key, or to models configured otherwise, has another name."""
    assert len({name(chat()), name(chat(), "k"), name(chat(), "k", b"s"), name(chat(), "", b"s")}) == 4


def test_tools_are_read_in_their_order_by_models() -> None:
    """A template writes schemas as they came, so the order of their keys may change the answer."""
    one = {"type": "function", "function": {"name": "f", "parameters": {"a": 1, "b": 2}}}
    two = {"type": "function", "function": {"name": "f", "parameters": {"b": 2, "a": 1}}}
    assert name(chat(tools=[one])) != name(chat(tools=[two]))


def test_surfaces_share_their_names() -> None:
    """A prompt of the native surface is one message of a user, with the same limits."""
    native = read_route(b'{"prompt": "Hi", "model": "m", "temperature": 0, "max_tokens": 7}', "r", 0.0)
    assert name(native) == name(chat(max_tokens=7))
    assert native.repeatable


def test_wishes_about_the_choice_count() -> None:
    """A task or a quality asked for leads to another model."""
    call = chat(model="auto")
    wishes = [
        msgspec.structs.replace(call, task=Task.ANALYSIS),
        msgspec.structs.replace(call, requirements=Requirements(quality=Level.HIGH)),
        msgspec.structs.replace(call, requirements=Requirements(max_cost=0.5)),
    ]
    assert len({name(one) for one in [call, *wishes]}) == 4
    unlike = [msgspec.structs.replace(call, priority=1, deadline=5.0, id="s", key="x", surface="native")]
    assert {name(one) for one in unlike} == {name(call)}


@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=5), st.integers(-3, 3)), max_size=4),
        min_size=2,
        max_size=6,
    )
)
def test_only_equal_fields_have_equal_names(bodies: list[dict[str, Any]]) -> None:
    """Whatever the fields are called and hold, no end of one is taken for the beginning of another."""
    ours = [{f"x{key}": value for key, value in body.items()} for body in bodies]
    names = [name(Call("r", Kind.CHAT, dict(body), 0.0)) for body in ours]
    for one, first in zip(ours, names, strict=True):
        for two, second in zip(ours, names, strict=True):
            assert (first == second) == (one == two)


def test_the_name_is_the_same_in_every_process() -> None:
    """Engines that share a Redis must agree, whatever the order in which their configuration is read."""
    assert PLAIN.hex() == "8318e3942c9964983d8edb8cace51f1fe933bad9350a59e3d429f78c0c8b9475"
    assert scope_of({"a": 1, "b": 2}) == scope_of({"b": 2, "a": 1}) != scope_of({"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("fields", "wish", "kept"),
    [
        ({}, None, True),
        ({"temperature": 0.7}, None, False),
        ({"temperature": 0.7}, Wish(use=True), True),
        ({"web_search_options": {}}, None, False),
        ({"web_search_options": {}}, Wish(use=True), True),
        ({"logprobs": True}, None, True),
        ({"logprobs": True, "stream": True}, Wish(use=True), False),
        ({"n": 1, "logprobs": False, "stream": True}, None, True),
        ({"n": 2, "stream": True}, None, False),
    ],
)
def test_which_requests_may_be_answered_again(fields: dict[str, Any], wish: Wish | None, kept: bool) -> None:
    """Temperature 0 and what the client asks for, but no stream of more than text."""
    assert may_be_kept(msgspec.structs.replace(chat(**fields), cache=wish)) is kept


def test_embeddings_are_always_repeatable() -> None:
    """They have no temperature."""
    assert may_be_kept(read_embedding(b'{"model": "m", "input": "a"}', "r", 0.0))


def test_a_request_of_many_megabytes_is_not_worth_a_name() -> None:
    """Hashing it would hold up all others."""
    assert name_of(chat(messages=[{"role": "user", "content": "x" * 5_000_000}]), "", b"") is None
    assert name(chat(messages=[{"role": "user", "content": "x" * 500_000}])) != PLAIN
