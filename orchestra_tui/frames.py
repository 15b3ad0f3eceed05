"""Server-sent events out of a byte stream."""

from orchestra_tui.engine import EngineError

MAX_FRAME = 16 * 1024 * 1024


class Frames:
    """Splits a server-sent event stream; lines end in LF only, since JSON text may hold any other break."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """The events completed by `data`. Raises EngineError when one grows beyond all reason."""
        *blocks, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n\n")
        if len(self._rest) > MAX_FRAME:
            raise EngineError("the engine sent an event without an end")
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
