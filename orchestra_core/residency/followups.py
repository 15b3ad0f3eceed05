"""Which model somebody uses after another: agents go round the same few models (routing.md 4.7: session Markov).

A session is everything that one API key or address asks. What counts is the next *other* model and the time from
the first use of this one, so that ten questions to the planner before each one to the coder still foretell the
coder. The time until then is taken to be exponential: one mean for each model, nothing to be stored per gap.
"""

from math import exp

# Who is silent for so long has gone: what he would have used next was nothing.
SESSION_SECONDS = 900.0
SESSIONS = 256
SUCCESSORS = 8
# Sessions after which nothing came, seen or not: one pair of models is chance, two begin to be a habit.
_DOUBT = 2.0
# From here on the older half of what is known counts half.
_ENOUGH = 64.0
_SMOOTHING = 0.25
# What follows more seldom than that is no hint; where everything follows everything there are many of those.
_FAINT = 0.15


class _Session:
    __slots__ = ("model", "seen", "since")

    def __init__(self, model: str, now: float) -> None:
        self.model = model
        self.since = self.seen = now


class _After:
    """What came after one model: how often which, how often nothing, and the mean seconds until it came."""

    __slots__ = ("counts", "gap", "nothing", "total")

    def __init__(self) -> None:
        self.counts: dict[str, float] = {}
        self.total = 0.0
        self.nothing = 0.0
        self.gap = 0.0

    def add(self, model: str, seconds: float) -> None:
        self.gap += (seconds - self.gap) * (_SMOOTHING if self.total else 1.0)
        self.counts[model] = self.counts.get(model, 0.0) + 1.0
        self.total += 1.0
        if len(self.counts) > SUCCESSORS:
            self.drop(min((other for other in self.counts if other != model), key=self.counts.__getitem__))
        if self.total + self.nothing > _ENOUGH:
            self.counts = {other: count / 2 for other, count in self.counts.items()}
            self.total /= 2
            self.nothing /= 2

    def drop(self, model: str) -> None:
        self.total -= self.counts.pop(model, 0.0)

    def absorb(self, other: "_After") -> None:
        self.gap = self.gap if self.total else other.gap
        self.nothing += other.nothing
        for model, count in other.counts.items():
            if model in self.counts or len(self.counts) < SUCCESSORS:
                self.counts[model] = self.counts.get(model, 0.0) + count
                self.total += count


# The shares, of all sessions at this point, that go on to one model and to any; the mean gap; since when it is there.
_Hint = tuple[float, float, float, float]


class FollowUps:
    """At most so many sessions, and successors of each model; the oldest and the rarest give way."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}  # who was seen last is last
        self._after: dict[str, _After] = {}
        self._hints: dict[str, list[_Hint]] | None = None

    def used(self, session: str, model: str, now: float) -> None:
        """Somebody used a model."""
        known = self._sessions.pop(session, None)
        if known is not None and now - known.seen > SESSION_SECONDS:
            self._left(known)
            known = None
        if known is not None and known.model == model:
            known.seen = now
        else:
            if known is not None:
                self._after.setdefault(known.model, _After()).add(model, now - known.since)
            known = _Session(model, now)
            self._hints = None
        self._sessions[session] = known
        if len(self._sessions) > SESSIONS:
            del self._sessions[next(iter(self._sessions))]
            self._hints = None

    def expire(self, now: float) -> None:
        """Ends the sessions that have fallen silent."""
        while self._sessions:
            session, known = next(iter(self._sessions.items()))
            if now - known.seen <= SESSION_SECONDS:
                return
            del self._sessions[session]
            self._left(known)

    def _left(self, known: _Session) -> None:
        self._after.setdefault(known.model, _After()).nothing += 1.0
        self._hints = None

    def chance(self, model: str, horizon: float, now: float) -> float:
        """The probability, 0..1, that somebody who is at another model comes to this one within `horizon` seconds."""
        if self._hints is None:
            self._hints = self._give_hints()
        none = 1.0
        for this, any_, gap, since in self._hints.get(model, ()):
            # Given that none of them has come yet.
            waited = exp((since - now) / gap)
            none *= 1.0 - this * (waited - exp((since - now - horizon) / gap)) / (1.0 - any_ * (1.0 - waited))
        return 1.0 - none

    def _give_hints(self) -> dict[str, list[_Hint]]:
        hints: dict[str, list[_Hint]] = {}
        for session in self._sessions.values():
            after = self._after.get(session.model)
            if after is not None and after.counts:
                whole = after.total + after.nothing + _DOUBT
                any_, gap = after.total / whole, max(after.gap, 1.0)
                for following, count in after.counts.items():
                    if count > _FAINT * whole:
                        hint = (count / whole, any_, gap, session.since)
                        hints.setdefault(following, []).append(hint)
        return hints

    def forget(self, model: str) -> None:
        """Drops what is known of a model; where it is in use, it is learned anew."""
        self._after.pop(model, None)
        for after in self._after.values():
            after.drop(model)
        self._sessions = {name: one for name, one in self._sessions.items() if one.model != model}
        self._hints = None

    def absorb(self, other: "FollowUps") -> None:
        """Adds what another one has counted, not whom it has seen."""
        for model, theirs in other._after.items():
            self._after.setdefault(model, _After()).absorb(theirs)
        self._hints = None
