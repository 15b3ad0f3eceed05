"""Records of a journal as they stand in a file, see journal.records."""

from typing import Final
from zlib import crc32

import msgspec

from orchestra_core.storage.journal.records import (
    BEGIN,
    BEGIN_SEED,
    END,
    END_SEED,
    HEAD,
    HEAD_SEED,
    HEADER,
    Head,
)
from orchestra_core.storage.store import Entry, Row

_encode: Final = msgspec.msgpack.Encoder().encode
# What encoding raises for values that a record cannot hold.
UNSTORABLE: Final = (TypeError, ValueError, OverflowError, LookupError)


def head_frame(head: Head) -> bytes:
    body = _encode(head)
    return HEADER.pack(len(body), crc32(body, HEAD_SEED), HEAD) + body


def begin_frame(begin: Row) -> bytes:
    """`begin` in the field order of Begin."""
    body = _encode(begin)
    return HEADER.pack(len(body), crc32(body, BEGIN_SEED), BEGIN) + body


def end_frame(entry: Entry) -> bytes:
    """Raises what UNSTORABLE names where a value cannot be written down."""
    body = _encode(entry)
    return HEADER.pack(len(body), crc32(body, END_SEED), END) + body
