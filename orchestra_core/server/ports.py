"""What the surfaces need of the engine; the composition root fills it in."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import tzinfo
from typing import Protocol

import msgspec

from orchestra_core.accounting import listing
from orchestra_core.accounting.usage import UsageQuery
from orchestra_core.clock import Clock
from orchestra_core.domain.alerts import AlertView, DeliveryView, SilenceView
from orchestra_core.domain.budgets import BudgetView
from orchestra_core.domain.caching import Cleared
from orchestra_core.domain.call import Call
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.drills import DrillPlan, DrillReport, DrillWish
from orchestra_core.domain.errors import OrchestraError
from orchestra_core.domain.events import Event
from orchestra_core.domain.principal import Scope
from orchestra_core.domain.result import Operation, Reloaded, Restarting, Result
from orchestra_core.domain.running import RunningView
from orchestra_core.domain.series import SeriesView
from orchestra_core.domain.sink import Serving, Sink
from orchestra_core.domain.snapshot import BackendView, BreakerView, IntakeView, ProbeView, Snapshot
from orchestra_core.server.audit_log import Page
from orchestra_core.server.exchange import Exchange, Request


class Operate(Protocol):
    """Starts a load or unload; raises UnknownModel or OperationFailed. `backend` None: the best place for it.

    A `dry_run` changes nothing and returns an Operation without a number; a plan that is not allowed says why in its
    `code` and `reason`. An unload of a model that is busy is refused (`busy`) unless `drain_seconds` or `force` is
    given. It takes no new requests and lets those that run finish for `drain_seconds` (0..600); if some still run
    then it fails and the model stays, or with `force` they are ended. `force` alone ends them at once.
    """

    def __call__(
        self,
        action: str,
        model: str,
        backend: str | None,
        *,
        dry_run: bool = False,
        drain_seconds: float | None = None,
        force: bool = False,
    ) -> Operation: ...


class Guard(Protocol):
    """Does `trip` or `reset` to the breaker of an endpoint, with a reason; raises NotFound. The new state.

    A trip is for `seconds`, None: until reset.
    """

    def __call__(
        self, action: str, endpoint_id: str, reason: str, seconds: float | None = None
    ) -> BreakerView: ...


class Keys(Protocol):
    """The API keys. Times in the views are RFC 3339; `expires` is Unix seconds."""

    def views(self) -> list[dict[str, object]]: ...

    async def create(
        self,
        name: str,
        scopes: tuple[Scope, ...],
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        expires: float | None = None,
    ) -> dict[str, object]:
        """The view of a new key with its `token`, which nobody can show again."""

    async def revoke(self, key_id: str) -> dict[str, object]:
        """The view of the key revoked; raises NotFound, or OperationFailed for one that is declared in a file."""


class Alerts(Protocol):
    """What fires, and what operators say to it. The verbs raise NotFound, `acknowledge` also OperationFailed.

    `name` is the id of an alert, or of a rule where that can be silenced as a whole; `by` is who says it.
    """

    @property
    def views(self) -> tuple[AlertView, ...]: ...

    @property
    def silences(self) -> tuple[SilenceView, ...]: ...

    @property
    def deliveries(self) -> tuple[DeliveryView, ...]: ...

    @property
    def acknowledge(self) -> Callable[[str, str, str], AlertView]:
        """Of an alert by id, who, and why."""

    @property
    def silence(self) -> Callable[[str, float, str, str], SilenceView]:
        """Of an alert or rule, for so many seconds, who, and why."""

    @property
    def unsilence(self) -> Callable[[str, str], SilenceView]:
        """Of an alert or rule, and who."""


class Live(Protocol):
    """A call that is being answered: what is kept of it while it runs."""

    @property
    def call(self) -> Call: ...

    @property
    def exchange(self) -> Exchange: ...

    @property
    def serving(self) -> Serving | None:
        """Who answers, once that is known to the client."""


class Running(Protocol):
    """The calls that are being answered. `live` is filled by the surfaces: every call, by its id, while it runs."""

    @property
    def live(self) -> dict[str, Live]: ...

    def views(self, limit: int, key: str | None) -> tuple[list[RunningView], int]:
        """Those that came first first, at most `limit`, and how many there are; of one key, if it is given."""

    def cancel(self, request_id: str, why: str) -> RunningView:
        """Ends one with the error `cancelled`; raises NotFound, or OperationFailed if that was asked for already.

        The view is the last one of it, by when it was cancelled.
        """


class Reports(Protocol):
    """The ledger. Every question raises Unavailable while the database cannot be read."""

    currency: str
    timezone: str
    zone: tzinfo

    @property
    def pending(self) -> int:
        """Requests that ended and are not in the database yet."""

    async def usage(self, query: UsageQuery, limit: int, *, advise: int | None) -> dict[str, object]:
        """At most `limit` rows, with totals, savings, efficiency; suggestions as of the local day `advise`, if any."""

    async def page(self, wanted: listing.Wanted) -> listing.Page: ...

    async def recorded(self, request_id: str) -> dict[str, object] | None:
        """`request` and `attempts` in the ledger's names, `decision`, `what_if`, `prompt` and `answer`."""


class Drills(Protocol):
    """Fault drills. `plan` and `start` raise NotFound, InvalidRequest and OperationFailed, `stop` NotFound."""

    def plan(self, wish: DrillWish) -> DrillPlan: ...

    def start(self, wish: DrillWish, by: str) -> DrillReport: ...

    def stop(self, id: str, by: str) -> DrillReport: ...

    def all(self) -> tuple[list[DrillReport], list[DrillReport]]:
        """Those that run or whose endpoint recovers; the last that are done, newest first."""


class Ports(msgspec.Struct, frozen=True):
    """The engine as the surfaces see it. `recall` is `answer` for what may be answered from the cache. `refusing` tells
    why new work is not taken: the engine stops, or its intake is paused. `intake` does `pause` or `resume`, with a
    reason, and returns the state.

    `steer` does `drain` or `resume` to a backend; it returns the new state and raises NotFound. So does `restart`,
    given the seconds that what runs there may take to finish; OperationFailed where it cannot be done. `probe` asks
    an endpoint for one token now, whatever its breaker thinks; OperationFailed where that makes no sense.
    `still_welcome` is asked for each item of an answer without an end: keys are revoked while it goes on. `audit` reads
    a page of the audit log: before which place, and how many.
    `recording` is what was recorded from a moment (Unix seconds) on, in pieces; raises NotFound where nothing was.
    `limit` sets what a budget may spend (None: what is configured) by whose word, and returns how it stands; raises
    NotFound. `series` is how traffic went: over which window, by what, and how many rows at most.
    """

    clock: Clock
    next_id: Callable[[], str]
    answer: Callable[[Call, Sink], Awaitable[Result]]
    recall: Callable[[Call, Sink], Awaitable[Result]]
    clear_cache: Callable[[], Awaitable[Cleared]]
    plan: Callable[[Call], Decision]
    snapshot: Callable[[], Snapshot]
    metrics_text: Callable[[], bytes]
    events: Callable[[float], AsyncGenerator[Snapshot | Event, None]]
    still_welcome: Callable[[Request], bool]
    operate: Operate
    shutdown: Callable[[], None]
    keys: Keys
    alerts: Alerts
    audit: Callable[[str, int], Awaitable[Page]]
    steer: Callable[[str, str], BackendView]
    guard: Guard
    probe: Callable[[str], Awaitable[ProbeView]]
    restart: Callable[[str, float | None], Restarting]
    reload: Callable[[], Awaitable[Reloaded]]
    refusing: Callable[[], OrchestraError | None]
    reports: Reports
    running: Running
    recording: Callable[[float], AsyncGenerator[bytes, None]]
    drills: Drills
    series: Callable[[str, str | None, int], SeriesView]
    intake: Callable[[str, str], IntakeView]
    limit: Callable[[str, float | None, str], Awaitable[tuple[BudgetView, ...]]]
    budgets: Callable[[], tuple[BudgetView, ...]] = tuple
