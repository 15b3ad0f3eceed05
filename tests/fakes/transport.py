"""A transport that keeps what is written, so that a protocol can be tested as bytes in, bytes out."""

import asyncio
from typing import Any


class FakeTransport(asyncio.Transport):
    def __init__(self, peer: tuple[str, int] | None = ("127.0.0.1", 5000)) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.aborted = False
        self.eof = False
        self.reading = True
        self.unsent = 0
        self._peer = peer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._peer if name == "peername" else default

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Accepted: nothing is buffered here."""
