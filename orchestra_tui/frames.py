"""Server-sent events out of a byte stream."""

from orchestra_tui.engine import EngineError

MAX_FRAME = 16 * 1024 * 1024


class Frames:
    """Splits a server-sent event stream; lines end in LF only, since JSON text may hold any other break."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._tail = b""

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """The events completed by `data`. Raises EngineError when one grows beyond all reason."""
        # A snapshot comes in many pieces: they are put together, and looked through, once it may be complete.
        near = self._tail + data
        self._tail = near[-2:]
        self._parts.append(data)
        self._size += len(data)
        if self._size > MAX_FRAME:
            raise EngineError("the engine sent an event without an end")
        if b"\n\n" not in near and b"\n\r\n" not in near:
            return []
        whole = b"".join(self._parts)
        *blocks, rest = (whole.replace(b"\r\n", b"\n") if b"\r" in whole else whole).split(b"\n\n")
        self._parts, self._size = [rest], len(rest)
        return [event for event in map(_frame, blocks) if event[1]]


def _frame(block: bytes) -> tuple[str, bytes]:
    name, data = "message", []
    for row in block.split(b"\n"):
        field, _, value = row.partition(b":")
        if field == b"event":
            name = value.strip().decode("utf-8", "replace")
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return name, b"\n".join(data)
