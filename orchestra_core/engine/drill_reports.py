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
        found, problem = kept.load(self._path, _decoder, [], "reports of earlier drills are not known")
        self._complain(problem)
        return found

    async def keep(self, reports: Iterable[DrillReport]) -> None:
        """Writes them down, one write at a time; where that cannot be done it is said."""
        content = msgspec.json.encode(list(reports))
        async with self._writing:
            self._complain(await asyncio.to_thread(self._write, content))

    def last(self, reports: Iterable[DrillReport]) -> None:
        """As the engine ends, when nothing runs beside it any more. Blocking."""
        self._complain(self._write(msgspec.json.encode(list(reports))))

    def _write(self, content: bytes) -> str:
        """The problem; in a thread, where nothing may be said."""
        try:
            kept.replace(self._path, content)
        except OSError as error:
            return f"{self._path}: {error.strerror}; a restart would forget the last reports"
        return ""

    def _complain(self, problem: str) -> None:
        if problem:
            self._say("drill.reports", "drills", problem, "error")
