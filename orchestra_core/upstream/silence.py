"""Which endpoints have fallen silent under everybody who was reading from them.

A server that hangs ends nothing: until the first of its answers is given up, a minute later by default, it looks as
well as before, and requests go on being sent to it. But its streams stop all at once. That proves nothing, since a long
prompt that is being read may hold up all others for seconds; so nothing is ended for it. New requests had better go
elsewhere in both cases.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

# Silence is this many times the usual time between the tokens of an answer, and never less than so many seconds.
_GAPS = 20.0
_LEAST_SECONDS = 0.5
# One answer alone may pause for reasons of its own: a call of a tool that is held back until it is whole.
_READERS = 2
# Who has not looked for so long was held up itself, and whatever came meanwhile is still unread.
_HELD_UP_SECONDS = 1.0


class Reading(Protocol):
    """An attempt under way, of which tokens come one by one once `first_at` is set. Times in seconds."""

    @property
    def endpoint_id(self) -> str: ...
    @property
    def first_at(self) -> float | None: ...
    @property
    def heard_at(self) -> float: ...
    @property
    def tokens(self) -> int: ...


class Silence:
    """`told` hears of an endpoint and True when it falls silent, and False when it is heard again."""

    def __init__(self, told: Callable[[str, bool], None]) -> None:
        self._told = told
        self._silent: set[str] = set()
        self._looked_at = float("-inf")

    def look(self, active: Iterable[Reading], now: float) -> None:
        """To be called a few times a second."""
        late, self._looked_at = now - self._looked_at > _HELD_UP_SECONDS, now
        if late:
            return
        readers: dict[str, int] = {}
        heard: set[str] = set()
        for reading in active:
            if reading.first_at is None:
                continue
            name = reading.endpoint_id
            readers[name] = readers.get(name, 0) + 1
            if now - reading.heard_at <= _patience(reading, reading.first_at):
                heard.add(name)
        for name in self._silent & heard:
            self._told(name, False)
        silent = {name for name, count in readers.items() if count >= _READERS and name not in heard}
        for name in silent - self._silent:
            self._told(name, True)
        self._silent = silent | (self._silent & readers.keys() - heard)


def _patience(reading: Reading, first_at: float) -> float:
    gaps = max(1, reading.tokens - 1)
    return max(_LEAST_SECONDS, _GAPS * (reading.heard_at - first_at) / gaps)
