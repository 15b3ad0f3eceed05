"""One fault drill: what it does to the attempts at its endpoint while it runs, and what it sees of them.

    running     from its start for as long as was asked, never longer: `meet` says what is done to an attempt
    recovering  it has ended and injects nothing; the endpoint's breaker and requests under way are still watched
    done        the breaker is closed and all requests have ended, or nobody asks a half-open endpoint for `UNASKED`
                seconds, or all of that took longer than `PATIENCE`

Whatever does not tell it the time in time (a timer that is late) cannot make it longer: `meet` looks at the clock.
"""

from collections.abc import Sequence

import msgspec

from orchestra_core.domain.catalog import Circuit
from orchestra_core.domain.drills import DrillFault, DrillReport, DrillView, DrillWish
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.domain.outcome import Outcome

# An open breaker lets a probe through after a minute at most; judgement.
PATIENCE = 180.0
# Health probes come within seconds, but never where asking costs money: there only requests close a breaker.
UNASKED = 30.0
# More are counted, but their times are not kept: half a megabyte is enough.
_MOST_TIMES = 20_000
_MOST_IDS = 5
_STATUSES = (429, 500, 502, 503, 504)
_OWN = {
    "latency_ms": DrillFault.LATENCY,
    "jitter_ms": DrillFault.LATENCY,
    "status": DrillFault.ERRORS,
    "after_tokens": DrillFault.CUT,
}
_COUNTED = (
    *("requests", "struck", "answered", "left", "lost", "refused"),
    *("failovers", "continued", "attempts", "failures", "probes"),
)
_USUAL = {"latency_ms": 500.0, "jitter_ms": 0.0, "status": 500, "after_tokens": 5}


class Strike(msgspec.Struct, frozen=True):
    """What is done to one attempt. `delay` seconds before it is sent, None: as long as the drill runs."""

    fault: DrillFault
    drill: str
    delay: float | None = 0.0
    status: int = 0
    after_tokens: int = 0

    @property
    def mark(self) -> str:
        """For whoever reads how the attempt ended: nothing of it was real."""
        return f"injected by drill {self.drill}"


class Ended(msgspec.Struct, frozen=True):
    """What became of one request. `seconds` its client waited, `spent` at other endpoints (None: not known)."""

    id: str
    ok: bool
    left: bool
    seconds: float
    attempts: int
    failovers: int
    continued: bool
    spent: float | None


def complete(wish: DrillWish) -> DrillWish:
    """With what was not said as usual; raises InvalidRequest for what does not fit together."""
    for name, fault in _OWN.items():
        if getattr(wish, name) is not None and wish.fault is not fault:
            raise InvalidRequest(f"`{name}` belongs to a drill of {fault.value}", param=name)
    if wish.status is not None and wish.status not in _STATUSES:
        allowed = ", ".join(map(str, _STATUSES))
        raise InvalidRequest(
            f"field `status`: {wish.status} is not injected; allowed: {allowed}", param="status"
        )
    usual = {
        name: _USUAL[name]
        for name, fault in _OWN.items()
        if wish.fault is fault and getattr(wish, name) is None
    }
    wish = msgspec.structs.replace(wish, **usual)
    if wish.jitter_ms is not None and wish.latency_ms is not None and wish.jitter_ms > wish.latency_ms:
        raise InvalidRequest("`jitter_ms` may not be more than `latency_ms`", param="jitter_ms")
    return wish


def words(wish: DrillWish) -> str:
    """A complete wish as people say it: `HTTP 500 to half of the calls`."""
    share = "every call" if wish.share == 1 else f"{wish.share:.0%} of the calls"
    if wish.fault is DrillFault.LATENCY:
        jitter = f", give or take {wish.jitter_ms:g}," if wish.jitter_ms else ""
        return f"{wish.latency_ms:g} ms{jitter} added to {share}"
    if wish.fault is DrillFault.ERRORS:
        return f"HTTP {wish.status} to {share}"
    if wish.fault is DrillFault.SILENCE:
        return f"silence for {share}"
    return f"{share} cut after {wish.after_tokens} tokens"


class Drill:
    """`now` is monotonic seconds throughout. `wish` is complete."""

    def __init__(self, id: str, wish: DrillWish, by: str, now: float, *, closed: bool = True) -> None:
        """`closed`: the breaker was, when it began."""
        self.id = id
        self.wish = wish
        self.by = by
        self.began = now
        self.until = now + wish.seconds
        self.what = words(wish)
        self.ended_at: float | None = None
        self.ended_by = ""
        self.done = False
        self.closed_at: float | None = None
        self.baseline: Sequence[float] = ()
        self.circuit = Circuit.CLOSED if closed else Circuit.OPEN
        self._turned_at = now
        self._opened_at: float | None = None
        self._met: dict[str, bool] = {}
        self._times: list[float] = []
        self._lost: list[str] = []
        self._count = dict.fromkeys(_COUNTED, 0)
        self._spent: float | None = 0.0

    def active(self, now: float) -> bool:
        """Whether it injects anything."""
        return self.ended_at is None and self.began <= now < self.until

    @property
    def state(self) -> str:
        if self.done:
            return "done"
        return "running" if self.ended_at is None else "recovering"

    # -- attempts and requests -------------------------------------------------------------------------

    def meet(
        self, call_id: str, now: float, chance: float, spread: float, *, probe: bool = False
    ) -> Strike | None:
        """What is done to an attempt that begins now; `chance` and `spread` are random, from 0 to below 1."""
        if not self.active(now):
            return None
        hit = chance < self.wish.share
        if probe:
            self._count["probes"] += 1
        else:
            self._met[call_id] = self._met.get(call_id, False) or hit
        return self._strike(spread) if hit else None

    def _strike(self, spread: float) -> Strike:
        wish, fault = self.wish, self.wish.fault
        if fault is DrillFault.LATENCY:
            added = (wish.latency_ms or 0.0) + (wish.jitter_ms or 0.0) * (2 * spread - 1)
            return Strike(fault, self.id, max(0.0, added) / 1000)
        if fault is DrillFault.ERRORS:
            return Strike(fault, self.id, status=wish.status or 500)
        if fault is DrillFault.SILENCE:
            return Strike(fault, self.id, None)
        return Strike(fault, self.id, after_tokens=wish.after_tokens or 0)

    def tried(self, outcome: Outcome) -> None:
        """An attempt that was struck has ended."""
        if outcome.trips and self._opened_at is None:
            self._count["failures"] += 1

    def waits_for(self, call_id: str) -> bool:
        """Whether this request has been on the endpoint while it ran, and has not ended."""
        return call_id in self._met

    def ended(self, request: Ended) -> None:
        """A request has ended for its client; of others than those it waits for it does not want to know."""
        struck = self._met.pop(request.id, None)
        if struck is None:
            return
        count = self._count
        count["requests"] += 1
        count["struck"] += struck
        count["attempts"] += request.attempts
        count["failovers"] += request.failovers
        count["continued"] += request.continued and request.ok
        if self._spent is not None:
            self._spent = None if request.spent is None else self._spent + request.spent
        if request.ok:
            count["answered"] += 1
            if len(self._times) < _MOST_TIMES:
                self._times.append(request.seconds)
        elif request.left:
            count["left"] += 1
        else:
            self._lose(request.id, "lost")

    def refused(self, call_id: str, now: float) -> None:
        """A request was refused because nothing but this endpoint could have served it, and its breaker is open."""
        if self._opened_at is not None and (self.active(now) or self.circuit is not Circuit.CLOSED):
            self._lose(call_id, "refused")

    def _lose(self, call_id: str, how: str) -> None:
        self._count[how] += 1
        if len(self._lost) < _MOST_IDS:
            self._lost.append(call_id)

    def turned(self, circuit: Circuit, now: float) -> None:
        """The breaker of the endpoint changed."""
        self.circuit, self._turned_at = circuit, now
        closed = circuit is Circuit.CLOSED
        if circuit is Circuit.OPEN and self._opened_at is None and self.active(now):
            self._opened_at = now
        if self.ended_at is not None and (self.closed_at is None or not closed):
            self.closed_at = now if closed else None

    # -- its end ---------------------------------------------------------------------------------------

    def end(self, now: float, why: str) -> bool:
        """Stops injecting, for good; whether it had not ended before."""
        if self.ended_at is not None:
            return False
        self.ended_at, self.ended_by = min(max(now, self.began), self.until), why
        if self.circuit is Circuit.CLOSED:
            self.closed_at = self.ended_at
        return True

    def look(self, now: float) -> bool:
        """Whether it has just become done; call it every second or so."""
        if self.done or self.ended_at is None:
            return False
        unasked = self.circuit is Circuit.HALF_OPEN and now - max(self._turned_at, self.ended_at) >= UNASKED
        well = self._opened_at is None or self.circuit is Circuit.CLOSED or unasked
        self.done = (well and not self._met) or now - self.ended_at >= PATIENCE
        return self.done

    @property
    def recovering(self) -> bool:
        """It has ended, and the breaker that it opened is not closed yet."""
        opened = self._opened_at is not None and self.circuit is not Circuit.CLOSED
        return self.ended_at is not None and not self.done and opened

    def finish(self) -> None:
        """Nothing more is waited for."""
        self.done = True

    # -- what is shown ---------------------------------------------------------------------------------

    def view(self, now: float) -> DrillView:
        wish, struck = self.wish, self._count["struck"] + sum(self._met.values())
        return DrillView(
            self.id,
            wish.endpoint,
            wish.fault.value,
            self.what,
            self.state,
            wish.seconds,
            max(0.0, self.until - now) if self.ended_at is None else 0.0,
            self.by,
            self._count["requests"] + len(self._met),
            struck,
        )

    def report(self, now: float, started: str, ended: str | None, currency: str) -> DrillReport:
        """What was observed so far, not yet graded; `started` and `ended` are RFC 3339."""
        count, wish, end = self._count, self.wish, self.ended_at
        opened = self._opened_at
        closed = None if self.closed_at is None or end is None or opened is None else self.closed_at - end
        report = DrillReport(
            id=self.id,
            endpoint=wish.endpoint,
            fault=wish.fault.value,
            what=self.what,
            share=wish.share,
            seconds=wish.seconds,
            state=self.state,
            by=self.by,
            started=started,
            ended=ended,
            ran=(min(now, self.until) if end is None else end) - self.began,
            ended_by=self.ended_by,
            pending=len(self._met),
            lost_ids=tuple(self._lost),
            retries=max(0, count["attempts"] - count["requests"]),
            circuit=self.circuit.value,
            opened_after=None if opened is None else opened - self.began,
            closed_after=closed,
            timed=len(self._times),
            p50=quantile(self._times, 0.5),
            p95=quantile(self._times, 0.95),
            before=len(self.baseline),
            before_p50=quantile(self.baseline, 0.5),
            before_p95=quantile(self.baseline, 0.95),
            spent=self._spent,
            currency=currency,
        )
        return msgspec.structs.replace(report, **count)


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value that this share is not above; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
