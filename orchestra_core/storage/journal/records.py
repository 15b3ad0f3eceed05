"""What a journal's records are, and how one stands in a file: length, CRC-32, kind, MessagePack.

| offset | bytes | what |
|---|---|---|
| 0 | 4 | length of the body, little-endian |
| 4 | 4 | CRC-32 of kind and body |
| 8 | 1 | kind; 0 is no record: from here on the file is reserved room |
| 9 | length | body |

A field that is added to a record comes last and has a default, so that what an older engine left can be read.
"""

from struct import Struct
from zlib import crc32

import msgspec

from orchestra_core.storage.store import Entry

MAGIC = b"orchestra journal 1\n"
FAMILY = b"orchestra journal "
HEADER = Struct("<IIB")
HEAD, BEGIN, END = 1, 2, 3
HEAD_SEED, BEGIN_SEED, END_SEED = (crc32(bytes([kind])) for kind in (HEAD, BEGIN, END))


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first record of each segment. `journal` names the run of the engine that wrote it, anew at each start:
    how far a run was folded in can then never be mistaken for how far another was.

    `state` is what the records of all segments before it amount to.
    """

    journal: str
    segment: int
    state: bytes = b""


class Begin(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A request that is about to be sent to a backend: what is known of it should its end never be told.

    `at` is Unix seconds; `reserved` is what it may cost at worst, None where that is not known.
    """

    id: str
    at: float
    key: str
    task: str
    asked: str
    model: str
    backend: str
    surface: str
    kind: str
    inferred: int
    streamed: int
    tokens_in: int
    decision_id: str
    day: int
    reserved: float | None = None
    tier_asked: str = ""
    tier_served: str = ""


read_head = msgspec.msgpack.Decoder(Head).decode
read_begin = msgspec.msgpack.Decoder(Begin).decode
read_entry = msgspec.msgpack.Decoder(Entry).decode
