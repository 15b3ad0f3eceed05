"""JSON bodies that are wrong, hostile or odd: each is a 400 that names the field, on every surface."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.wire.bodies import raw_object
from orchestra_core.wire.strict import depth_beyond, refuse_odd
from tests.unit.wire.surfaces import EVERY, READERS, SAID, read, refused, with_raw

NOT_JSON = {
    "BOM": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "UTF-16 without mark": '{"a":1}'.encode("utf-16-le"),
    "UTF-32": "{}".encode("utf-32"),
    "trailing comma": b'{"a":1,}',
    "trailing garbage": b'{"a":1} x',
    "two objects": b"{}{}",
    "single quotes": b"{'a':1}",
    "comment": b"{/*a*/}",
    "bare word": b"{a:1}",
    "cut": b'{"a":"b',
    "array": b"[]",
    "string": b'"a"',
    "number": b"1",
    "null": b"null",
    "NUL": b"\0",
    "lone quote": b'"',
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep and closed": b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
}


@pytest.mark.parametrize("surface", EVERY)
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_no_json_object_is_refused(surface: str, body: bytes) -> None:
    """Other encodings, other types, broken syntax and bombs: a 400, and no other exception."""
    refused(surface, body)


VALUES = {
    "invalid UTF-8": b'"\xff\xfe"',
    "overlong UTF-8": b'"\xc0\x80"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "lone high surrogate": b'"\\ud800aaaaaaaa"',
    "lone low surrogate": b'"\\udc00aaaaaaaa"',
    "two high surrogates": b'"\\ud800\\ud800aaaa"',
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "minus Infinity": b"-Infinity",
    "leading zero": b"01",
    "raw control character": b'"a\nb"',
    "unknown escape": b'"\\q"',
}


@pytest.mark.parametrize("surface", EVERY)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
@pytest.mark.parametrize("name", [b"user", b"anything"])
def test_a_wrong_value_is_refused_wherever_it_stands(surface: str, value: bytes, name: bytes) -> None:
    """Also in a field that is only passed on."""
    refused(surface, with_raw(surface, b'"' + name + b'":' + value))


@pytest.mark.parametrize("value", [VALUES[name] for name in VALUES])
def test_a_wrong_value_within_messages_is_refused(value: bytes) -> None:
    """A part of a message that nobody here reads is still checked."""
    body = b'{"model":"auto","messages":[{"role":"user","content":"Hi","odd":{"deep":[' + value + b"]}}]}"

    refused("chat", body)


@pytest.mark.parametrize("surface", EVERY)
def test_a_key_twice_is_refused(surface: str) -> None:
    """Who checks one and serves the other lets a client pass: neither is taken."""
    for name, value in READERS[surface][1].items():
        member = json.dumps({name: value})[1:-1].encode()
        error = refused(surface, with_raw(surface, member))
        assert (error.code, error.param) == ("duplicate_key", name)
        escaped = member.replace(name.encode(), f"\\u{ord(name[0]):04x}{name[1:]}".encode(), 1)
        assert refused(surface, with_raw(surface, escaped)).code == "duplicate_key"


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"auto","messages":[{"role":"user","content":"Hi"}],"model":"a"}',
        b'{"model" : "auto" , "messages" : [{"role":"user","content":"Hi"}] , "model" : "auto"}',
        b'{"model":"auto","user":{"a":"b","model":"auto"},"user":"","messages":[{"role":"user","content":"Hi"}]}',
        b'{"model":"auto","user":"b","messages":[{"role":"user","content":"Hi"}],"user":"c"}',
    ],
)
def test_a_second_key_is_found_however_it_is_written(body: bytes) -> None:
    """With blanks, with the same value, and where the first value looks like what follows."""
    assert refused("chat", body).code in ("duplicate_key", "invalid_request")


@given(
    st.dictionaries(st.sampled_from(["model", "user", "messages", "stop", "seed"]), st.just(1)),
    st.sampled_from(["", " ", "\n", "\t\r\n "]),
    st.sampled_from([None, 2]),
)
def test_blanks_are_no_second_key(extra: dict[str, int], blank: str, indent: int | None) -> None:
    """However a body is laid out, what is there once passes."""
    fields: dict[str, Any] = {"model": "auto", "messages": SAID}
    fields |= {"user": "me"} if "user" in extra else {}
    fields |= {"stop": ["a", '"b"']} if "stop" in extra else {}
    fields |= {"seed": 5} if "seed" in extra else {}
    text = blank + json.dumps(fields, indent=indent).replace(": ", f"{blank}:{blank} ") + blank

    assert set(read("chat", text.encode()).fields) == set(fields) - {"model"}


PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["1", '{"a":1 ,"b":2}', '",\\"b\\":1"', "[ ]", '{"x":1 , "b" :0}', "123456", '"a"']),
    ),
    max_size=5,
)


@given(PAIRS, st.lists(st.sampled_from(["", " ", "   ", "\n"]), min_size=25, max_size=25))
def test_exactly_bodies_with_a_key_twice_are_refused(pairs: list[tuple[str, str]], blanks: list[str]) -> None:
    """Whatever the values look like and however many blanks there are, at the top level and nowhere else."""
    gap = iter(blanks)
    members = (f'{next(gap)}"{name}"{next(gap)}:{next(gap)}{value}{next(gap)}' for name, value in pairs)
    body = f"{next(gap)}{{{','.join(members)}}}{next(gap)}".encode()
    fields = raw_object.decode(body)
    if len(fields) == len(pairs):
        refuse_odd(body, fields)
    else:
        with pytest.raises(InvalidRequest, match="twice"):
            refuse_odd(body, fields)


def test_text_of_every_kind_passes() -> None:
    """Emoji as escapes or as bytes, a NUL within a message, brackets within strings."""
    content = "é😀\x00 {[({[" + "[" * 200 + '"\\'
    for ascii_only in (True, False):
        body = json.dumps(
            {"model": "auto", "messages": [{"role": "user", "content": content}]}, ensure_ascii=ascii_only
        )
        assert read("chat", body.encode()).text == content


def nested(levels: int) -> bytes:
    """Lists and objects by turns."""
    odd, even = levels % 2, levels // 2
    return b"[" * odd + b'{"a":[' * even + b"]}" * even + b"]" * odd


@pytest.mark.parametrize(
    ("levels", "passes"), [(60, True), (63, True), (64, False), (70, False), (900, False)]
)
def test_nesting_is_bounded(levels: int, passes: bool) -> None:
    """64 levels in all, wherever they are; a long conversation is not deep."""
    tools = with_raw("chat", b'"metadata":{"a":' + nested(levels - 1) + b"}")
    long = b'{"model":"auto","messages":[' + b",".join([b'{"role":"user","content":"{["}'] * 500)
    in_message = long + b',{"role":"user","odd":' + nested(levels - 2) + b"}]}"
    if passes:
        read("chat", tools)
        read("chat", in_message)
    else:
        assert "nested deeper" in refused("chat", tools).message or levels > 500
        assert "nested deeper" in refused("chat", in_message).message or levels > 500


@given(
    st.recursive(
        st.just(0) | st.text('a"\\[]{}'),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\[]'), inner, max_size=3),
        max_leaves=20,
    )
)
def test_depth_is_counted_as_it_is(value: Any) -> None:
    """The quick count agrees with a walk over the decoded value."""

    def depth(of: Any) -> int:
        inner = of.values() if isinstance(of, dict) else of if isinstance(of, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    body = json.dumps(value).encode()
    assert not depth_beyond(body, depth(value))
    assert depth(value) == 0 or depth_beyond(body, depth(value) - 1)


NEAR_JSON = st.lists(
    st.sampled_from(
        [
            *(
                b"{",
                b"}",
                b"[",
                b"]",
                b",",
                b":",
                b'"',
                b'"model"',
                b'"messages"',
                b'"role"',
                b'"content"',
                b'"a"',
            ),
            *(
                b"1",
                b"null",
                b"true",
                b"-",
                b"1e999",
                b"\\u0000",
                b"\\ud800",
                b"\xff",
                b"\\",
                b" ",
                b"9" * 30,
            ),
        ]
    ),
    max_size=40,
).map(b"".join)


@given(st.sampled_from(EVERY), NEAR_JSON, st.integers(0, 60), st.integers(0, 12))
@settings(max_examples=500, deadline=None)
def test_damaged_json_is_read_or_refused(surface: str, damage: bytes, at: int, removed: int) -> None:
    """Whatever stands in a body, it is a call or an InvalidRequest."""
    body = json.dumps(READERS[surface][1]).encode()
    with suppress(InvalidRequest):
        assert read(surface, body[:at] + damage + body[at + removed :]) is not NotImplemented
