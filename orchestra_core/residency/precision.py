"""Whether what was loaded on suspicion was used: a model that is foretold badly is left alone for an hour."""

from collections import deque

import msgspec

from orchestra_core.domain.catalog import Endpoint, Residency

# Below a fifth of at least five it is off for an hour (routing.md 4.7: poor precision); the last ten count.
LEAST = 5
POOR = 0.2
OFF_SECONDS = 3600.0
_LAST = 10
# What the scheduler has not begun by then is not worth waiting for: more may be wanted by now.
BEGIN_SECONDS = 30.0
# Longer than any load; what is still not there is not about foresight.
_LOST_SECONDS = 900.0
_GIB = 1024**3
_UP = (Residency.LOADING, Residency.READY)


class Foresight(msgspec.Struct, frozen=True):
    """How well one model was foretold. `disabled_until` is monotonic seconds, None while it may be preloaded.

    `preloads` have come to an end: the `hits` among them were used within their horizon. `wasted` are the
    GiB-seconds of memory the others held until they were gone or their time was over.
    """

    model: str
    preloads: int
    hits: int
    wasted: float
    disabled_until: float | None


class _Trial:
    __slots__ = ("begun", "calls", "endpoint", "horizon", "ready_at", "started")

    def __init__(self, endpoint: Endpoint, horizon: float, now: float) -> None:
        self.endpoint = endpoint
        self.calls = endpoint.calls
        self.horizon = horizon
        self.started = now
        self.begun = False
        self.ready_at: float | None = None


class _Record:
    __slots__ = ("hits", "off_until", "preloads", "recent", "wasted")

    def __init__(self) -> None:
        self.preloads = self.hits = 0
        self.wasted = 0.0
        self.recent: deque[bool] = deque(maxlen=_LAST)
        self.off_until = float("-inf")


class Precision:
    """Follows each preload until it was used, or was not. Call `look` every second."""

    def __init__(self) -> None:
        self._trials: dict[str, _Trial] = {}
        self._records: dict[str, _Record] = {}

    def begin(self, endpoint: Endpoint, horizon: float, now: float) -> None:
        """A preload was asked for; it pays if there is a call within `horizon` seconds of its being ready."""
        self._trials[endpoint.id] = _Trial(endpoint, horizon, now)

    @property
    def loading(self) -> bool:
        """Whether a preload has not come to its end: there is one at a time."""
        return any(trial.ready_at is None for trial in self._trials.values())

    def look(self, now: float) -> list[Endpoint]:
        """Brings all up to date. Returns those whose load was never begun: they are to be withdrawn."""
        never = []
        for key, trial in tuple(self._trials.items()):
            if trial.endpoint.residency is Residency.READY and trial.ready_at is None:
                trial.ready_at = now
            trial.begun = trial.begun or trial.endpoint.residency is not Residency.ABSENT
            verdict = _verdict(trial, now)
            if verdict is None:
                continue
            del self._trials[key]
            if not trial.begun:
                if verdict == "over":  # else a request has come for it, whose load it is now
                    never.append(trial.endpoint)
            elif verdict == "hit" or trial.ready_at is not None:
                self._note(trial, verdict == "hit", now)
        return never

    def _note(self, trial: _Trial, hit: bool, now: float) -> None:
        record = self._records.setdefault(trial.endpoint.spec.model, _Record())
        record.preloads += 1
        record.hits += hit
        record.recent.append(hit)
        if not hit and trial.ready_at is not None:
            record.wasted += _size(trial.endpoint) / _GIB * (now - trial.ready_at)
        if len(record.recent) >= LEAST and sum(record.recent) < POOR * len(record.recent):
            record.off_until = now + OFF_SECONDS
            record.recent.clear()  # five new chances after that

    def allows(self, model: str, now: float) -> bool:
        record = self._records.get(model)
        return record is None or now >= record.off_until

    def view(self, now: float) -> tuple[Foresight, ...]:
        return tuple(
            Foresight(model, r.preloads, r.hits, r.wasted, r.off_until if r.off_until > now else None)
            for model, r in sorted(self._records.items())
        )


def _verdict(trial: _Trial, now: float) -> str | None:
    """ "hit", "miss", or "over" without having been tried; None while that is open."""
    endpoint = trial.endpoint
    if endpoint.calls != trial.calls or endpoint.inflight or endpoint.waiting:
        return "hit"
    if not trial.begun:
        return "over" if now - trial.started >= BEGIN_SECONDS else None
    if endpoint.residency not in _UP and endpoint.residency is not Residency.RESERVED:
        return "miss"
    if trial.ready_at is not None:
        return "miss" if now - trial.ready_at >= trial.horizon else None
    return "over" if now - trial.started >= _LOST_SECONDS else None


def _size(endpoint: Endpoint) -> int:
    predicted = endpoint.need.bytes if endpoint.need is not None else endpoint.spec.size_bytes
    return endpoint.memory_bytes or predicted or 0
