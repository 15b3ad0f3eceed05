"""A recording in place of a live engine: the keys that stop and step the display move what is played."""

from collections.abc import Callable

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.player import Player
from orchestra_tui.present.replay import REFUSED, badge, day_time, meant


class Replaying:
    """Does for a recording what Pausing does for the last minutes of a live engine."""

    # What is shown is always what the recording tells, and everything of it is past.
    paused = False
    past = True
    position = ""
    read_only = REFUSED

    def __init__(self, player: Player, say: Callable[[str, str], None]) -> None:
        self._player = player
        self._say = say

    @property
    def badge(self) -> str:
        """Where it stands, for the header."""
        player = self._player
        return badge(player.span.here, player.speed, paused=player.paused, over=player.over)

    def shown(self) -> Snapshot | None:
        return self._player.snapshot

    @property
    def latest(self) -> Event | None:
        """The last thing that had happened by then."""
        return max(self._player.snapshot.events, key=lambda each: each.at, default=None)

    def events(self) -> tuple[Event, ...]:
        return self._player.tape.events(self._player.place)

    def toggle(self) -> None:
        self._player.toggle()

    def resume(self) -> None:
        """Nothing to come back to: a recording has no present."""

    def step(self, by: int) -> None:
        """So many moments on, or back where negative; that pauses."""
        self._player.paused = True
        if not self._player.head(self._player.heading + by):
            self._say(f"this is the {'beginning' if by < 0 else 'end'} of the recording", "warn")

    def pace(self, by: int) -> None:
        """Slower where `by` is above 0: the keys are those of the interval between updates."""
        if self._player.change_speed(-by):
            self._say(f"{self._player.speed:g} times as fast as it was", "accent")
        else:
            self._say(f"{self._player.speed:g} is the {'slowest' if by > 0 else 'fastest'} there is", "warn")

    def goto(self, text: str) -> None:
        span = self._player.span
        at = meant(text, span)
        if at is None:
            self._say(f"the recording goes from {day_time(span.first)} to {day_time(span.last)}", "warn")
        else:
            self._player.head(self._player.tape.place(at))

    def begin(self) -> None:
        """Says what it is that is shown, and what of it could not be read."""
        tape, span = self._player.tape, self._player.span
        told = f"{len(tape.times)} moments, {day_time(span.first)} to {day_time(span.last)}"
        if tape.flaws:
            more = f" (and {len(tape.flaws) - 1} more)" if len(tape.flaws) > 1 else ""
            self._say(f"{told}; {tape.flaws[0]}{more}", "warn")
        else:
            self._say(f"{told}; p pauses, , . step, + - speed, :goto 12:03", "accent")
