"""What an engine that starts finds of the one before it."""

import msgspec

from orchestra_core.storage.journal.files import Files
from orchestra_core.storage.journal.records import BEGIN, END, Begin, read_begin, read_entry
from orchestra_core.storage.journal.scan import Found, read_segment, scan
from orchestra_core.storage.journal.segments import Directory, Segment
from orchestra_core.storage.store import Row


class Replay(msgspec.Struct, frozen=True):
    """What became of the requests since `state` was written, the latest there is; None where there is none.

    `ended` are request rows in order; `interrupted` had begun, before `state` or after it, and have no end.
    """

    state: bytes | None = None
    ended: tuple[Row, ...] = ()
    interrupted: tuple[Begin, ...] = ()


class Left(msgspec.Struct, frozen=True):
    """`unfinished` are all that have no end, also those that an earlier start has told of already."""

    segments: list[Segment]
    replay: Replay
    unfinished: tuple[Begin, ...]
    flaws: list[str]


def look_back(directory: Directory, files: Files) -> Left:
    """Claims the journal and reads all of it. OSError, or StoreUnusable where this engine must not write to it."""
    history = _History()
    kept, flaws = list[Segment](), list[str]()
    for segment in directory.claim():
        head, found = scan(segment, read_segment(segment, files))
        if segment.flaw:
            flaws.append(
                f"{segment.path.name}: {segment.flaw}; what follows byte {segment.sound} is set aside"
            )
        if head is None:
            # Of one without a beginning nothing can be told; older ones must not be given up for it.
            directory.remove(segment)
            continue
        segment.journal = head.journal
        kept.append(segment)
        history.begin(head.state)
        for record in found:
            history.add(record)
    return Left(kept, history.replay(), tuple(history.unfinished.values()), flaws)


class _History:
    def __init__(self) -> None:
        self.unfinished: dict[str, Begin] = {}
        self._state: bytes | None = None
        self._ended: list[Row] = []
        self._open: dict[str, Begin] = {}

    def begin(self, state: bytes) -> None:
        """A new segment: it repeats what was open."""
        self._state = state
        self._ended.clear()
        self._open.clear()

    def add(self, record: Found) -> None:
        kind, body, _ = record
        try:
            if kind == BEGIN:
                begin = read_begin(body)
                self.unfinished[begin.id] = self._open[begin.id] = begin
            elif kind == END:
                request = read_entry(body).request
                name = str(request[0])
                self.unfinished.pop(name, None)
                self._open.pop(name, None)
                self._ended.append(request)
        except (msgspec.MsgspecError, IndexError):
            # Whole, and yet not one of ours: the writer meets it again, and counts it.
            return

    def replay(self) -> Replay:
        return Replay(self._state, tuple(self._ended), tuple(self._open.values()))
