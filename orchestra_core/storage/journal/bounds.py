"""How much a journal takes, of the disk and of memory."""

import msgspec


class Bounds(msgspec.Struct, frozen=True):
    """Bytes of the whole journal on disk, bytes of one segment, requests kept in memory while the disk refuses, and
    the seconds after which it is tried again. `handed` are requests that are kept in memory for the writer, none
    of more bytes than `handed_bytes`; 16 MiB while the database is away.
    """

    total: int = 256 * 1024 * 1024
    segment: int = 4 * 1024 * 1024
    memory: int = 10_000
    retry: float = 1.0
    handed: int = 4096
    handed_bytes: int = 4096


def bounds(total: int) -> Bounds:
    """A journal of so many bytes has eight segments at least, so that what is stored is soon given back."""
    return Bounds(total=total, segment=min(Bounds().segment, total // 8))
