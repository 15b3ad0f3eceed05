"""Fault drills: what may be asked for, what it would mean, how one stands, and the graded report of what it did."""

from enum import StrEnum
from typing import Annotated

import msgspec

SHORTEST, LONGEST = 5.0, 600.0
# As many as one person can watch.
MOST = 4


class DrillFault(StrEnum):
    LATENCY = "latency"
    ERRORS = "errors"
    SILENCE = "silence"
    CUT = "cut"


class DrillWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to inject at one endpoint, for how many `seconds`, into which `share` of the calls sent to it.

    `latency_ms` and `jitter_ms` belong to latency, `status` to errors, `after_tokens` to cut; None: as usual.
    `traffic` are requests a second of the engine's own. `confirm` is the endpoint's name again, which takes a drill
    on one that is not simulated. With `dry_run` nothing is begun.
    """

    endpoint: str
    fault: DrillFault
    seconds: Annotated[float, msgspec.Meta(ge=SHORTEST, le=LONGEST)] = 30.0
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    latency_ms: Annotated[float, msgspec.Meta(ge=1, le=60_000)] | None = None
    jitter_ms: Annotated[float, msgspec.Meta(ge=0, le=60_000)] | None = None
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    after_tokens: Annotated[int, msgspec.Meta(ge=0, le=100_000)] | None = None
    traffic: Annotated[float, msgspec.Meta(ge=0, le=20)] = 0.0
    confirm: str = ""
    dry_run: bool = False


class DrillPlan(msgspec.Struct, frozen=True):
    """What a drill would be. `what` is the fault in words; `confirm` the name to be typed, empty where none has to.

    `others` serve the same model, so requests can go there; `cost` says what it may cost, in words.
    """

    endpoint: str
    what: str
    seconds: float
    simulated: bool
    confirm: str = ""
    others: tuple[str, ...] = ()
    cost: str = ""


class DrillView(msgspec.Struct, frozen=True):
    """A drill that runs (`remaining` seconds), or whose endpoint is still recovering (`state`, 0 remaining).

    `requests` have been on the endpoint since it began, `struck` of them were hit.
    """

    id: str
    endpoint: str
    fault: str
    what: str
    state: str
    seconds: float
    remaining: float
    by: str = ""
    requests: int = 0
    struck: int = 0


class Criterion(msgspec.Struct, frozen=True):
    """One line of a report: `grade` A to F, or empty where too little was observed; `says` the numbers."""

    name: str
    grade: str
    says: str


class DrillReport(msgspec.Struct, frozen=True):
    """What was observed of one drill. Times are seconds, None: not observed.

    `requests` were on the endpoint while it ran and have ended: `answered` well for their clients, `left` by them, or
    `lost`; `pending` have not. `refused` found nothing to serve them while the endpoint's breaker was open.
    `failovers` are moves to another endpoint, `retries` attempts after the first, `continued` answers that another
    endpoint went on with. `failures` are attempts that failed there before the breaker opened, `opened_after` seconds
    of the drill; `closed_after` counts from its end, `circuit` is the breaker now.
    Times of answers are those clients saw, before it those of the endpoint's answers in the five minutes before.
    `spent` is the cost of attempts at other endpoints, `may_cost` what its plan said.
    `grade` is the worst of its criteria; empty: nothing could be graded, and `hint` says how.
    """

    id: str
    endpoint: str
    fault: str
    what: str
    share: float
    seconds: float
    state: str
    by: str
    started: str
    ended: str | None = None
    ran: float = 0.0
    ended_by: str = ""
    requests: int = 0
    struck: int = 0
    pending: int = 0
    answered: int = 0
    left: int = 0
    lost: int = 0
    lost_ids: tuple[str, ...] = ()
    refused: int = 0
    failovers: int = 0
    continued: int = 0
    attempts: int = 0
    retries: int = 0
    failures: int = 0
    probes: int = 0
    opened_after: float | None = None
    closed_after: float | None = None
    circuit: str = "closed"
    timed: int = 0
    p50: float | None = None
    p95: float | None = None
    before: int = 0
    before_p50: float | None = None
    before_p95: float | None = None
    spent: float | None = 0.0
    currency: str = "USD"
    grade: str = ""
    criteria: tuple[Criterion, ...] = ()
    hint: str = ""
    may_cost: str = ""
