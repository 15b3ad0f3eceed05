"""One line of a recording: a JSON object whose last member is the checksum of all before it.

`zcat recording | jq` reads it like any other JSON lines, and a damaged line is known as such without its neighbours.
"""

from typing import Any
from zlib import crc32

import msgspec

# Raised when readers of the format before could no longer read what is written.
VERSION = 1
_MARK = b',"crc":'
_decoder = msgspec.json.Decoder(dict[str, Any])


class Header(msgspec.Struct, frozen=True):
    """The first line of each block: the format, and whose recording it is, without naming the machine.

    `engine` is the same in all blocks of one life of an engine, and of no other.
    """

    recording: int
    version: str
    engine: str
    started: str
    at: float


def spell(fields: object) -> bytes:
    """The line of a JSON object, with its end."""
    body = msgspec.json.encode(fields)[:-1]
    return b"%b%b%d}\n" % (body, _MARK, crc32(body))


def read(line: bytes) -> dict[str, Any] | None:
    """The members of a line without its checksum; None where it is not as it was written."""
    body, mark, rest = line.rpartition(_MARK)
    if not mark or not rest.endswith(b"}") or not rest[:-1].isdigit() or int(rest[:-1]) != crc32(body):
        return None
    try:
        return _decoder.decode(body + b"}")
    except msgspec.MsgspecError:
        return None


def header(fields: dict[str, Any]) -> Header | None:
    """The header that a first line is; None: it is none."""
    try:
        return msgspec.convert(fields, Header)
    except msgspec.ValidationError:
        return None
