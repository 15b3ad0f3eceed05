"""The display held still, and stepped through what was; the feed goes on meanwhile."""

from collections.abc import Callable

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.history import History
from orchestra_tui.present.position import position
from orchestra_tui.present.replay import Span, day_time, meant, moment_of


class Pausing:
    """What is shown instead of the newest state. `newest` gives that state."""

    # For the header and the gate: this is no recording.
    badge = ""
    read_only = ""

    def __init__(
        self,
        history: History,
        newest: Callable[[], Snapshot | None],
        say: Callable[[str, str], None],
        change_interval: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._history = history
        self._change_interval = change_interval
        self._newest = newest
        self._say = say
        self._place = 0
        self._held: Snapshot | None = None

    @property
    def paused(self) -> bool:
        return self._held is not None

    @property
    def past(self) -> bool:
        """Whether what is shown is not the newest."""
        return self.paused

    def shown(self) -> Snapshot | None:
        """The snapshot to draw: the held one, or the newest."""
        return self._newest() if self._held is None else self._held

    @property
    def position(self) -> str:
        """How far behind the newest state the display is, and its time of day; empty while it is live."""
        return "" if self._held is None else position(self._held, self._newest())

    @property
    def latest(self) -> Event | None:
        """The last thing that had happened at the held moment."""
        events = self._held.events if self._held is not None else ()
        return max(events, key=lambda each: each.at, default=None)

    def events(self) -> tuple[Event, ...]:
        """What had happened until the moment that is shown, as far as it is remembered; oldest first."""
        return self._history.events(self._place if self.paused else self._history.newest)

    def goto(self, text: str) -> None:
        """Shows the moment that is meant by a time of day, or by so much before or after what is shown."""
        oldest, newest = (
            self._history.moment(place) for place in (self._history.oldest, self._history.newest)
        )
        here = self.shown()
        if oldest is None or newest is None or here is None:
            self._say("nothing to go to yet", "warn")
            return
        first, last = moment_of(oldest.snapshot), moment_of(newest.snapshot)
        at = meant(text, Span(first, last, moment_of(here)))
        if at is None:
            self._say(f"what is kept goes from {day_time(first)} to {day_time(last)}", "warn")
            return
        self._place = self._before(at)
        found = self._history.moment(self._place)
        self._held = None if found is None else found.snapshot

    def _before(self, at: float) -> int:
        """The last place whose moment is not after `at` (Unix seconds)."""
        low, high = self._history.oldest, self._history.newest
        while low < high:
            middle = (low + high + 1) // 2
            found = self._history.moment(middle)
            if found is not None and moment_of(found.snapshot) <= at:
                low = middle
            else:
                high = middle - 1
        return low

    def pace(self, by: int) -> None:
        """Updates more often, or less where `by` is above 0."""
        self._change_interval(by)

    def toggle(self) -> None:
        if self.paused:
            self.resume()
        elif self._newest() is None:
            self._say("nothing to pause yet", "warn")
        else:
            self._place = self._history.newest
            self._held = self._newest()

    def begin(self) -> None:
        """Nothing to say: it is as always."""

    def resume(self) -> None:
        """Shows the newest state again."""
        self._held = None

    def step(self, by: int) -> None:
        """So many snapshots forward, or back where negative; the first step back pauses."""
        if not self.paused:
            if by > 0:
                self._say("this is live; , steps back", "warn")
                return
            self.toggle()
        moment = self._history.moment(self._place + by) if self.paused else None
        if moment is None:
            return
        if moment.snapshot == self._held and moment.place == self._place:
            self._say("this is the oldest that is kept" if by < 0 else "this is the newest", "warn")
        self._place, self._held = moment.place, moment.snapshot
