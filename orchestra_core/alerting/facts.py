"""What rules read: the snapshot, and what is not in it."""

import msgspec

from orchestra_core.domain.snapshot import Snapshot


class Disk(msgspec.Struct, frozen=True):
    """A place the engine writes to: what it keeps there, and the bytes free and in all of its file system."""

    name: str
    path: str
    free: int
    total: int


class Backlog(msgspec.Struct, frozen=True):
    """Records that wait for the database: bytes, of those there is room for; `dropped` were not kept at all."""

    waiting: int
    limit: int
    dropped: int = 0


class Facts(msgspec.Struct, frozen=True):
    """All of one moment. What nobody tells is absent."""

    snapshot: Snapshot
    disks: tuple[Disk, ...] = ()
    backlog: Backlog | None = None
