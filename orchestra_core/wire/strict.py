"""What msgspec lets pass in a JSON object and we do not: parts it only skips over go to backends as they came.

Measured with msgspec 0.22: skipped values may hold invalid UTF-8, numbers beyond any float, and nesting up to the
interpreter's recursion limit; of two equal keys the last wins. All checks are cheap for the usual body.
"""

import re
from typing import Final

import msgspec

from orchestra_core.domain.errors import InvalidRequest

# Nesting a client has a use for; backends recurse.
DEEPEST: Final = 64
_written: Final = msgspec.json.Encoder().encode
_ALIKE: Final = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_BACKSLASH: Final = 0x5C
_KEY: Final = re.compile(rb'[ \t\r\n]*[{,][ \t\r\n]*"([^"\\]*)"[ \t\r\n]*:[ \t\r\n]*')
_END: Final = re.compile(rb"[ \t\r\n]*}[ \t\r\n]*\Z")
# More entries than any client sends in earnest: each costs memory and time on the way.
MOST_ENTRIES: Final = 16384
# Nothing shorter has more than `MOST_ENTRIES` messages or parts: the smallest, with its comma, is `{"type":""},`.
LARGE: Final = 12 * MOST_ENTRIES
# What a large body may have in all. A message has some keys and, with parts or tool calls, some objects and lists.
_MOST_KEYS: Final = 16 * MOST_ENTRIES
_MOST_NESTED: Final = 8 * MOST_ENTRIES
_MOST_STRINGS: Final = 32 * MOST_ENTRIES
MOST_VALUES: Final = 16 * MOST_ENTRIES
# Of prompts and inputs in tokens, seven times what OpenAI takes in one request.
MOST_TOKENS: Final = 128 * MOST_ENTRIES


def refuse_odd(
    body: bytes, fields: dict[str, msgspec.Raw], texts: tuple[str, ...] = (), entries: int = 0
) -> None:
    """Refuses what must not reach a backend; `fields` are the raw values of `body`, a valid JSON object.

    `texts` are the fields whose strings may hold a NUL: what people and models write. `entries` is how many
    objects are known to stand beside each other, as messages do.
    """
    if not body.isascii():
        _refuse_bad_utf8(body)
    if _BACKSLASH in body and b"\\u0000" in body:
        _refuse_nul(fields, texts)
    # `replace` finds the next one eight times as fast as `count` does (measured; both of CPython 3.11).
    opening = len(body) - len(body.replace(b"{", b"").replace(b"[", b""))
    if opening - entries >= DEEPEST and depth_beyond(body, DEEPEST):
        raise InvalidRequest(f"the body is nested deeper than {DEEPEST} levels", code="invalid_json")
    # Written out again it is as long, so nothing stands beside the fields.
    if len(_written(fields)) != len(body):
        _refuse_duplicates(body, fields)


def refuse_crowd(body: bytes, values: int = MOST_VALUES) -> None:
    """Refuses a body of more values, keys or objects than any client sends, before anything is built of it.

    For bodies longer than `LARGE`. 32 MiB of `[],` or of keys are 1 GB once they are Python's (measured).
    """
    # Most have few even with what stands in their strings.
    if not _is_crowded(body, values):
        return
    plain = _unescaped(body)
    if plain.count(b'"') > 2 * _MOST_STRINGS or _is_crowded(_outside_strings(plain), values):
        raise InvalidRequest(
            f"the body has more than {values} values, {_MOST_KEYS} keys or {_MOST_NESTED} objects and lists",
            code="too_many_entries",
        )


def _is_crowded(text: bytes, values: int) -> bool:
    return (
        text.count(b",") > values
        or text.count(b":") > _MOST_KEYS
        or text.count(b"{") + text.count(b"[") > _MOST_NESTED
    )


def _unescaped(body: bytes) -> bytes:
    """Without escaped quotes, so that every quote begins or ends a string."""
    return body.replace(b"\\\\", b"").replace(b'\\"', b"")


def _outside_strings(plain: bytes) -> bytes:
    return b"".join(plain.split(b'"')[::2])


def refuse_many(name: str, entries: object) -> None:
    """A list must not be longer than `MOST_ENTRIES`; what is no list passes."""
    if isinstance(entries, list) and len(entries) > MOST_ENTRIES:
        raise InvalidRequest(f"field `{name}` has more than {MOST_ENTRIES} entries", param=name)


def depth_beyond(body: bytes, limit: int) -> bool:
    """Whether valid JSON is nested deeper than `limit`; strings are cut out, then pairs taken from within."""
    brackets = _outside_strings(_unescaped(body)).translate(_ALIKE, _NOT_BRACKETS)
    for _ in range(limit):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _refuse_bad_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"the body is not valid JSON: byte {error.start} is not UTF-8; send a JSON object",
            code="invalid_json",
        ) from error


def _refuse_nul(fields: dict[str, msgspec.Raw], texts: tuple[str, ...]) -> None:
    for name, raw in fields.items():
        if name not in texts and b"\\u0000" in bytes(raw):
            raise InvalidRequest(f"field `{name[:64]}` has a NUL character", param=name[:64])


def _refuse_duplicates(body: bytes, fields: dict[str, msgspec.Raw]) -> None:
    """Walks over the body key by key. Where it is not exactly the fields in turn, a key is there twice.

    A key written with escapes does not match either: it is refused likewise, no client writes one.
    """
    at = 0
    for name, raw in fields.items():
        found = _KEY.match(body, at)
        if found is None or found[1] != name.encode() or not body.startswith(bytes(raw), found.end()):
            break
        at = found.end() + len(raw)
    else:
        if not fields or _END.match(body, at):
            return
    name = next((name for name in fields if body.count(b'"%b"' % name.encode()) > 1), "")
    what = f"key `{name[:64]}` twice" if name else "key twice, or one written with escapes"
    raise InvalidRequest(f"the body has a {what}", param=name[:64] or None, code="duplicate_key")
