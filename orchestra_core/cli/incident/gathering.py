"""Piece by piece what there is of an incident; a piece that cannot be had is named and stops nobody."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from orchestra_core.cli.failure import Failure
from orchestra_core.cli.incident.living import DECISIONS
from orchestra_core.domain.errors import OrchestraError

T = TypeVar("T")
# What reading a file, a database or an engine may raise.
_TROUBLE = (Failure, OrchestraError, OSError, ValueError)


class Source(Protocol):
    """Somebody who can be asked for the pieces; every method may raise."""

    def recording(self) -> bytes: ...
    def requests(self) -> dict[str, Any]: ...
    def failures(self) -> list[str]: ...
    def decision(self, request_id: str) -> dict[str, Any]: ...
    def alerts(self) -> dict[str, Any]: ...
    def audit(self) -> list[dict[str, Any]]: ...


class Gathering:
    """Asks the sources one after another; `missing` are sentences about what none of them gave."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self.missing: list[str] = []

    def take(self, name: str, ask: Callable[[Source], T]) -> T | None:
        """What the first source gives that gives anything."""
        why = []
        for source in self._sources:
            try:
                return ask(source)
            except _TROUBLE as error:
                why.append(_words(error))
        self.missing.append(f"{name}: {'; '.join(dict.fromkeys(why)) or 'nobody could be asked'}")
        return None

    def read(self, name: str, read: Callable[[], T]) -> T | None:
        """What needs no source."""
        try:
            return read()
        except _TROUBLE as error:
            self.missing.append(f"{name}: {_words(error)}")
            return None

    def decisions(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Why requests went where they went: of those that failed first, then of the newest. Without their texts."""
        failed = self.take("which requests failed", lambda source: source.failures()) or []
        wanted = list(dict.fromkeys([*failed, *(row["id"] for row in rows)]))
        left, found, why = wanted[:DECISIONS], [], []
        for source in self._sources:
            for request_id in tuple(left):
                try:
                    found.append({**source.decision(request_id), "prompt": None, "answer": None})
                except _TROUBLE as error:
                    code = error.reason if isinstance(error, Failure) else ""
                    why.append(code or _words(error))
                    if not code:  # it does not answer any more
                        break
                else:
                    left.remove(request_id)
        if left:
            reasons = "; ".join(dict.fromkeys(why))
            self.missing.append(f"the decisions of {len(left)} requests, of {left[0]} first: {reasons}")
        if len(wanted) > DECISIONS:
            self.missing.append(f"the decisions of {len(wanted) - DECISIONS} more requests: too many")
        return found


def _words(error: Exception) -> str:
    message = getattr(error, "message", None) or getattr(error, "strerror", None) or str(error)
    return str(message).splitlines()[0] if message else type(error).__name__
