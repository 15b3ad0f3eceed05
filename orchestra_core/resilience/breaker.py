"""The circuit breaker of one endpoint: closed, open, half_open.

    closed     everything is admitted. Opens at `consecutive` failures in a row, or at a share of `ratio`
               failures among at least `minimum` results within `window` seconds.
    open       nothing is admitted, for `open_for` seconds; each time it opens again without having closed in
               between, for twice as long, up to `open_max`; all of it with jitter, so that breakers of one
               fault do not probe together.
    half_open  at most `probes` attempts at a time are admitted. `successes` of them in a row close it, one
               failure opens it again.

Each change of state begins a new generation: what an attempt of an older one reports is ignored, so that late
failures cannot reopen and late successes cannot close. A probe that never reports (neither `record` nor
`release`) is given up after `patience` seconds and its place handed over.
`allowance` tells how much of the endpoint should be used: nothing but probes while it is half-open, and for `ramp`
seconds after it has closed a growing share, since recovery must not be drowned by everything that waited for it.
An operator's `trip` holds it open, without probes, until `reset`, or for a time after which it is half-open as usual;
`half_open` makes it that at once.
What counts as a failure is decided by `domain.outcome`; here it is a bool.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from orchestra_core.domain.catalog import Circuit
from orchestra_core.domain.snapshot import BreakerView, TripView
from orchestra_core.resilience.policy import Policy, Trip

if TYPE_CHECKING:
    from random import Random

_CLOSED: Final = Circuit.CLOSED
_HALF_OPEN: Final = Circuit.HALF_OPEN
_SHOWN: Final = 30
_TRIPS: Final = 5
_REQUESTS: Final = 10
# Seconds before the regular probe in which a forced one takes its place; health checks look every second.
_CLOSE_BEFORE: Final = 1.5
BY_OPERATOR: Final = "tripped by operator"


class Breaker:
    """Ask `admit` (or `force_probe`) before each attempt, and tell exactly one of `record` and `release` after it.

    `now` is monotonic seconds, that of the construction where its age is shown. Without `rng` no jitter.
    """

    def __init__(
        self,
        policy: Policy = Policy(),  # noqa: B008 - frozen
        rng: Random | None = None,
        now: float | None = None,
    ) -> None:
        self._policy = policy
        self._rng = rng
        self._state = Circuit.CLOSED
        self._token = 0
        self._oldest = 1
        self._failures = 0
        self._succeeded = 0
        self._streak = 0
        self._opened = 0
        self._since = now
        self._retry_at = 0.0
        self._reason = ""
        self._held = False
        self._ramping = False
        self._forced_at = float("-inf")
        self._probing: dict[int, float] = {}
        # Of each second when it began, its successes and its failures; when the latest ends.
        self._seconds: deque[list[int]] = deque()
        self._second_ends = float("-inf")
        self._recent: deque[bool] = deque(maxlen=_SHOWN)
        self._failing: deque[str] = deque(maxlen=_REQUESTS)
        self._trips: deque[Trip] = deque(maxlen=_TRIPS)

    def admit(self, now: float) -> int | None:
        """A token for one attempt, or None: refused. An open breaker whose time is over becomes half-open."""
        if self._state is not _CLOSED and not self._place_for_probe(now):
            return None
        self._token += 1
        if self._state is _HALF_OPEN:
            self._probing[self._token] = now
        return self._token

    def force_probe(self, now: float) -> int | None:
        """A token although it is open, or None: for the last endpoint of a model, so that one request finds out.

        One at a time and one in `force_every` seconds; never against an operator's `trip`. Its success counts as
        the first of a half-open breaker. Its failure changes nothing, unless the time of the regular probe has all
        but come: then it was that probe.
        """
        if self._state is not Circuit.OPEN:
            return self.admit(now)
        if self._holding(now) or now - self._forced_at < self._policy.force_every or not self._place(now):
            return None
        self._forced_at = now
        self._token += 1
        self._probing[self._token] = now
        return self._token

    def record(
        self, token: int, failure: bool, now: float, reason: str = "", request_id: str = ""
    ) -> Circuit | None:
        """The result of an attempt; the new state if that changed it. `reason` is shown while it is open."""
        if self._state is not _CLOSED:
            if self._probing.pop(token, None) is None:
                return None
            self._recent.append(failure)
            return self._probed(failure, now, reason, request_id)
        if token < self._oldest or token > self._token:
            return None
        self._recent.append(failure)
        if now >= self._second_ends:
            self._begin_second(now)
        counts = self._seconds[-1]
        if not failure:
            counts[1] += 1
            self._failures = 0
            return None
        counts[2] += 1
        self._failures += 1
        self._failing.append(request_id)
        return self._open(now, reason) if self._tripped(now) else None

    def release(self, token: int) -> None:
        """The attempt ended without telling anything of the endpoint: a probe's place is free again."""
        self._probing.pop(token, None)

    def trip(self, now: float, reason: str = "", seconds: float | None = None) -> Circuit | None:
        """An operator opens it, until `reset` or for so many seconds; the new state if that changed it."""
        was = self._state
        self._held = True
        self._reason = f"{BY_OPERATOR}: {reason}" if reason else BY_OPERATOR
        self._trips.append(Trip(now, self._reason, ()))
        if was is not Circuit.OPEN:
            self._opened += 1
        self._retry_at = now + (float("inf") if seconds is None else seconds)
        self._become(Circuit.OPEN, now)
        return None if was is Circuit.OPEN else Circuit.OPEN

    def reset(self, now: float) -> Circuit | None:
        """An operator closes it and what it counted is forgotten; the new state if that changed it."""
        if self._state is not Circuit.CLOSED:
            return self._close(now)
        self._failures = 0
        self._forget_all()
        self._failing.clear()
        return None

    def half_open(self, now: float) -> Circuit | None:
        """An operator lets the next probe through now, whoever opened it; the new state if that changed it."""
        if self._state is not Circuit.OPEN:
            return None
        self._succeeded = 0
        return self._become(Circuit.HALF_OPEN, now)

    def allowance(self, now: float) -> float:
        """The share of its slots an endpoint should get now: 0.0 while it is half-open, when whoever comes beside
        the probe had better wait for what it finds; rises to 1.0 during `ramp` seconds after closing.
        """
        if self.state(now) is Circuit.HALF_OPEN:
            return 0.0
        if not self._ramping:
            return 1.0
        assert self._since is not None
        share = (now - self._since) / self._policy.ramp
        if share >= 1.0:
            self._ramping = False
            return 1.0
        return max(self._policy.least, share)

    def state(self, now: float) -> Circuit:
        """As `admit` would find it at `now`; changes nothing."""
        if self._state is Circuit.OPEN and now >= self._retry_at:
            return Circuit.HALF_OPEN
        return self._state

    def retry_at(self) -> float | None:
        """Monotonic second of the next probe while it is open; None when it is not, or is held until `reset`."""
        return self._retry_at if self._state is Circuit.OPEN and self._retry_at != float("inf") else None

    @property
    def failures(self) -> int:
        """Failures in a row so far; 0 after a success."""
        return self._failures

    @property
    def held(self) -> bool:
        """Whether an operator tripped it."""
        return self._held

    def view(self, endpoint_id: str, now: float) -> BreakerView:
        """For the snapshot."""
        state = self.state(now)
        since = now if self._since is None else self._since
        if state is not self._state:
            since = self._retry_at
        held = self._holding(now)
        return BreakerView(
            endpoint=endpoint_id,
            state=state.value,
            since=max(0.0, now - since),
            failures=self._failures,
            opened=self._opened,
            next_probe=self._retry_at - now if state is Circuit.OPEN and not held else None,
            reason="" if state is Circuit.CLOSED else self._reason,
            recent="".join("x" if failure else "+" for failure in self._recent),
            tripped=held,
            held_for=self._retry_at - now if held and self._retry_at != float("inf") else None,
            allowance=self.allowance(now),
            history=tuple(
                TripView(max(0.0, now - trip.at), trip.reason, trip.requests) for trip in self._trips
            ),
        )

    def _holding(self, now: float) -> bool:
        return self._held and now < self._retry_at

    def _place_for_probe(self, now: float) -> bool:
        if self._state is Circuit.OPEN:
            if now < self._retry_at:
                return False
            # A forced probe that is still out takes the place of one.
            probing = dict(self._probing)
            self._become(Circuit.HALF_OPEN, now)
            self._probing.update(probing)
            self._succeeded = 0
        return self._place(now)

    def _place(self, now: float) -> bool:
        """Whether a probe may start beside those that are out; a lost one gives its place away."""
        allowed = 1 if self._state is Circuit.OPEN else self._policy.probes
        if len(self._probing) < allowed:
            return True
        oldest = min(self._probing, key=self._probing.__getitem__)
        if now - self._probing[oldest] < self._policy.patience:
            return False
        del self._probing[oldest]
        return True

    def _probed(self, failure: bool, now: float, reason: str, request_id: str) -> Circuit | None:
        if failure:
            self._failures += 1
            self._failing.append(request_id)
            if self._state is Circuit.HALF_OPEN:
                return self._open(now, reason)
            if self._retry_at - now <= _CLOSE_BEFORE:
                self._open(now, reason)
            self._reason = reason
            return None
        self._failures = 0
        forced = self._state is Circuit.OPEN
        self._succeeded = 1 if forced else self._succeeded + 1
        if self._succeeded >= self._policy.successes:
            return self._close(now)
        return self._become(Circuit.HALF_OPEN, now) if forced else None

    def _close(self, now: float) -> Circuit:
        self._ramping = True
        self._failures = self._streak = 0
        self._forget_all()
        self._failing.clear()
        return self._become(Circuit.CLOSED, now)

    def _open(self, now: float, reason: str) -> Circuit:
        policy = self._policy
        # The exponent is bounded because 2.0**1024 overflows.
        seconds = min(policy.open_for * 2.0 ** min(self._streak, 64), policy.open_max)
        if self._rng is not None:
            seconds *= 1.0 + policy.jitter * (2.0 * self._rng.random() - 1.0)
        self._streak += 1
        self._opened += 1
        self._retry_at = now + min(seconds, policy.open_max)
        self._reason = reason
        self._held = False
        self._trips.append(Trip(now, reason, tuple(filter(None, self._failing))))
        self._failing.clear()
        return self._become(Circuit.OPEN, now)

    def _become(self, state: Circuit, now: float) -> Circuit:
        """Begins a generation: tokens given before it are no longer heard."""
        self._state = state
        self._since = now
        if state is not Circuit.OPEN:
            self._held = False
        self._oldest = self._token + 1
        self._probing.clear()
        return state

    def _begin_second(self, now: float) -> None:
        """Counted by whole seconds, so that memory is bounded at any rate of calls."""
        self._forget(now)
        self._seconds.append([int(now), 0, 0])
        self._second_ends = int(now) + 1.0

    def _forget_all(self) -> None:
        self._seconds.clear()
        self._second_ends = float("-inf")

    def _forget(self, now: float) -> None:
        while self._seconds and self._seconds[0][0] <= now - self._policy.window:
            self._seconds.popleft()

    def _tripped(self, now: float) -> bool:
        if self._failures >= self._policy.consecutive:
            return True
        self._forget(now)
        failed = sum(second[2] for second in self._seconds)
        results = failed + sum(second[1] for second in self._seconds)
        return results >= self._policy.minimum and failed >= self._policy.ratio * results
