"""An answer as it is kept: small, the same for every surface, and bytes, so that its size is known exactly."""

import msgspec

from orchestra_core.domain.reply import Usage


class Stored(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`body` is a whole answer as it came, in the wire format named `format`; else it is in the fields after it.

    `calls` are whole tool calls in OpenAI's shape, as JSON. `decision` is the id of the one that made it, `cost` what
    it cost, None where no price was known.
    """

    model: str
    backend: str
    tier: str
    decision: str
    task: str
    inferred: bool
    input_tokens: int
    usage: Usage
    finish: str | None
    cost: float | None
    format: str = ""
    body: bytes = b""
    text: str = ""
    reasoning: str = ""
    calls: bytes = b""
    vectors: tuple[tuple[float, ...], ...] = ()


_decoder = msgspec.msgpack.Decoder(Stored)


def pack(stored: Stored) -> bytes:
    """Nothing for text that cannot be written: half of a character is one in JSON."""
    try:
        return msgspec.msgpack.encode(stored)
    except UnicodeEncodeError:
        return b""


def unpack(data: bytes) -> Stored | None:
    """None for what this version cannot read: an engine of another may share the Redis."""
    try:
        return _decoder.decode(data)
    except (ValueError, RecursionError):
        return None
