"""The reports of the last fault drills. They outlive the engine."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from orchestra_core.background import kept
from orchestra_core.domain.drills import DrillReport

Publish = Callable[[str, str, str, str], None]
_decoder = msgspec.json.Decoder(list[DrillReport])


class DrillReports:
    """In the file at `path`, which is replaced as a whole."""

    def __init__(self, path: Path, say: Publish) -> None:
        self._path = path
        self._say = say
        self._writing = asyncio.Lock()

    def load(self) -> list[DrillReport]:
        """Newest first; none where the file cannot be read, which is said."""
        try:
            return _decoder.decode(self._path.read_bytes())
        except FileNotFoundError:
            return []
        except OSError as error:
            self._complain(f"{self._path}: {error.strerror}; reports of earlier drills are not known")
        except msgspec.MsgspecError as error:
            aside = kept.put_aside(self._path)
            self._complain(f"{self._path}: {error}; it was put aside as {aside}")
        return []

    async def keep(self, reports: Iterable[DrillReport]) -> None:
        """Writes them down, one write at a time; where that cannot be done it is said."""
        content = msgspec.json.encode(list(reports))
        async with self._writing:
            await asyncio.to_thread(self._write, content)

    def last(self, reports: Iterable[DrillReport]) -> None:
        """As the engine ends, when nothing runs beside it any more. Blocking."""
        self._write(msgspec.json.encode(list(reports)))

    def _write(self, content: bytes) -> None:
        try:
            kept.replace(self._path, content)
        except OSError as error:
            self._complain(f"{self._path}: {error.strerror}; a restart would forget the last reports")

    def _complain(self, what: str) -> None:
        self._say("drill.reports", "drills", what, "error")
