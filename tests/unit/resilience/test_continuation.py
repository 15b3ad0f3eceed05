"""Which calls can be continued, and what the continued call says; pure."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.outcome import Partial
from orchestra_core.domain.reply import Usage
from orchestra_core.resilience.continuation import continuable, continued

MESSAGES = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]


def call(kind: Kind = Kind.CHAT, *, stream: bool = True, limit: int | None = None, **fields: object) -> Call:
    """A call with these fields as a client's JSON."""
    if kind is Kind.CHAT:
        fields.setdefault("messages", MESSAGES)
    raw: dict[str, object] = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}
    return Call(id="r", kind=kind, fields=raw, received=0.0, stream=stream, max_tokens=limit)


def test_the_text_so_far_becomes_the_last_message() -> None:
    """The client's messages stay as they are."""
    after = continued(call(), Partial("Hel", 1))
    assert after is not None
    assert after.fields["messages"] == [*MESSAGES, {"role": "assistant", "content": "Hel"}]
    assert after.so_far == Partial("Hel", 1)


def test_what_the_client_began_itself_stays_in_one_message() -> None:
    """Two messages of the assistant in a row are refused by servers."""
    begun = [*MESSAGES, {"role": "assistant", "content": "He"}]
    after = continued(call(messages=begun), Partial("llo", 1))
    assert after is not None
    assert after.fields["messages"] == [*MESSAGES, {"role": "assistant", "content": "Hello"}]


def test_a_text_is_continued_by_its_prompt() -> None:
    """Completions have no roles."""
    after = continued(call(Kind.COMPLETION, prompt="Once"), Partial(" upon", 1))
    assert after is not None
    assert after.fields["prompt"] == "Once upon"


@given(st.lists(st.tuples(st.text(min_size=1), st.integers(1, 5)), min_size=1, max_size=5), st.booleans())
def test_an_answer_can_be_continued_again_and_again(parts: list[tuple[str, int]], chat: bool) -> None:
    """Each time from all the client has, however many pieces that came in."""
    first = now = call() if chat else call(Kind.COMPLETION, prompt="Once")
    text, tokens = "", 0
    for more, count in parts:
        text, tokens = text + more, tokens + count
        after = continued(now, Partial(text, tokens))
        assert after is not None
        now = after
    at_once = continued(first, Partial(text, tokens))
    assert now == at_once


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_what_was_produced_comes_off_the_limit(name: str) -> None:
    """All parts together give as many tokens as were asked for, and an answer at its limit is not continued."""
    asked = call(limit=10, **{name: 10})
    after = continued(asked, Partial("abcd", 4))
    assert after is not None
    assert (after.fields[name], after.max_tokens) == (6, 6)
    again = continued(after, Partial("abcdefg", 7))
    assert again is not None
    assert (again.fields[name], again.max_tokens) == (3, 3)
    assert continued(again, Partial("abcdefghij", 10)) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function"}]},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        {"n": 2},
        {"logprobs": True},
        {"top_logprobs": 3},
        {"grammar": "root ::= x"},
        {"guided_json": {}},
        {"modalities": ["text", "audio"]},
        {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]},
    ],
)
def test_what_has_a_structure_is_not_continued(fields: dict[str, object]) -> None:
    """It would begin anew in the middle."""
    assert continued(call(**fields), Partial("Hel", 1)) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": []},
        {"tools": None},
        {"response_format": {"type": "text"}},
        {"n": 1},
        {"logprobs": False},
        {"temperature": 0.5, "stop": ["x"], "seed": 1},
    ],
)
def test_fields_that_ask_for_nothing_special_do_no_harm(fields: dict[str, object]) -> None:
    """Client libraries send them all the time."""
    assert continuable(call(**fields))


def test_only_streams_are_continued() -> None:
    """Everybody else has seen nothing yet; vectors have no beginning; nothing is no beginning either."""
    assert continued(call(stream=False), Partial("Hel", 1)) is None
    assert continued(call(Kind.EMBEDDING, input="x"), Partial("Hel", 1)) is None
    assert continued(call(Kind.COMPLETION, prompt=[1, 2]), Partial("Hel", 1)) is None
    assert continued(call(), Partial("", 0)) is None


def test_usage_of_all_parts_is_that_of_one_answer() -> None:
    """The prompt of the first, which the last one's holds besides the text so far; all tokens written."""
    assert Partial("abcd", 4).with_rest(Usage(14, 6, 12)) == Usage(10, 10, 10, estimated=True)
    assert Partial("abcd", 4).with_rest(Usage(0, 6, estimated=True)) == Usage(0, 10, estimated=True)
