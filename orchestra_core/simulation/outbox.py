"""What happened in a simulated backend and was not told yet."""

from orchestra_core.simulation.job import Job
from orchestra_core.simulation.trace import Event, Tokens


class Outbox:
    """Events in the order they happened; tokens of one request between two looks are one event."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._latest: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._events)

    def add(self, *events: Event) -> None:
        self._events += events

    def token(self, job: Job, now: float) -> None:
        """One more token of a streamed answer."""
        id = job.request.id
        place = self._latest.get(id)
        if place is None:
            self._latest[id] = len(self._events)
            self._events.append(Tokens(id, job.emitted - 1, 1, now))
        else:
            before = self._events[place]
            assert isinstance(before, Tokens)
            self._events[place] = Tokens(before.id, before.first, before.count + 1, now)

    def ended(self, id: str) -> None:
        """A request of the same id would be another one."""
        self._latest.pop(id, None)

    def take(self) -> list[Event]:
        events, self._events = self._events, []
        self._latest.clear()
        return events
