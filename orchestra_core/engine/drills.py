"""Fault drills of a running engine: begun, ended in time whatever happens, watched until all is well, and reported.

No drill outlives the engine: they are in memory only, and an engine that starts again has none. Their reports do.
"""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from orchestra_core.accounting.listing import Page, Wanted
from orchestra_core.background.probing import NAME as PROBE
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Circuit, Endpoint
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.drills import DrillPlan, DrillReport, DrillView, DrillWish
from orchestra_core.domain.errors import NotFound, OperationFailed, OrchestraError
from orchestra_core.domain.outcome import Outcome
from orchestra_core.domain.result import Tried
from orchestra_core.engine.drill_reports import DrillReports
from orchestra_core.engine.drill_traffic import Traffic
from orchestra_core.engine.drill_words import costs, fate
from orchestra_core.engine.members import Member
from orchestra_core.engine.steering import no_endpoint
from orchestra_core.engine.tidings import Tidings
from orchestra_core.pipeline.service import Service
from orchestra_core.resilience.drill import Drill, Strike, complete, words
from orchestra_core.resilience.drill_board import Board
from orchestra_core.resilience.drill_grades import graded
from orchestra_core.routing.catalog import Catalog
from orchestra_core.upstream.injection import Injection

if TYPE_CHECKING:
    from orchestra_core.engine.build import Engine

_BEFORE_SECONDS = 300.0
_COMPARED = 1000
_TIME = "its time was over"
STOPPING = "the engine stopped"


def drills(engine: "Engine", state: Path) -> "Drills":
    """Those of this engine, whose pipeline is there already; their reports are kept in the directory `state`."""
    return Drills(
        clock=engine.clock,
        catalog=engine.catalog,
        service=engine.pipeline.service,
        injections=engine.execution.drills,
        supervisor=engine.supervisor,
        tidings=engine.tidings,
        member=engine.members.get,
        page=engine.accounts.reports.page,
        currency=lambda: engine.config.accounting.currency,
        kept=DrillReports(state / "drills.json", engine.tidings.publish),
    )


class _Injected:
    """A drill as the attempts at its endpoint meet it: an Injection."""

    def __init__(self, drill: Drill, clock: Clock, rng: random.Random) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended = drill.tried
        self._drill = drill
        self._clock = clock
        self._rng = rng

    def strike(self, call: Call) -> Strike | None:
        chance, spread = self._rng.random(), self._rng.random()
        return self._drill.meet(call.id, self._clock.monotonic(), chance, spread, probe=call.id == PROBE)


class _Running(msgspec.Struct):
    """What belongs to a drill beside itself. Unix seconds."""

    injected: _Injected
    timer: asyncio.TimerHandle
    may_cost: str
    began: float
    ended: float | None = None


class Drills:
    """`injections` is where attempts look, by endpoint. `member` finds a backend by its name, `page` reads the
    ledger. Requests are watched only while there is a drill that wants to know.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        catalog: Catalog,
        service: Service,
        injections: dict[str, Injection],
        supervisor: Supervisor,
        tidings: Tidings,
        member: Callable[[str], Member | None],
        page: Callable[[Wanted], Awaitable[Page]],
        currency: Callable[[], str],
        kept: DrillReports,
    ) -> None:
        self._clock = clock
        self._catalog = catalog
        self._service = service
        self._injections = injections
        self._supervisor = supervisor
        self._say = tidings.publish
        self._member = member
        self._page = page
        self._currency = currency
        self._rng = random.Random()
        self._kept = kept
        self._board = Board(kept.load())
        self._running: dict[str, _Running] = {}
        self._traffic = Traffic(clock, service, supervisor)
        self._usual = (service.complete, service.refused)
        tidings.turned = self._turned

    # -- what operators ask ----------------------------------------------------------------------------

    def plan(self, wish: DrillWish) -> DrillPlan:
        """What it would be; raises NotFound, InvalidRequest, or OperationFailed where it may not be begun now."""
        wish = complete(wish)
        endpoint = self._find(wish.endpoint)
        self._board.check(endpoint.id)
        model = endpoint.spec.model
        others = [one for one in self._catalog.all if one.spec.model == model and one is not endpoint]
        member = self._member(endpoint.spec.backend)
        simulated = member is not None and member.simulated
        return DrillPlan(
            endpoint.id,
            words(wish),
            wish.seconds,
            simulated,
            "" if simulated else endpoint.id,
            tuple(one.id for one in others),
            costs(wish, endpoint, self._catalog.all, self._currency()),
        )

    def start(self, wish: DrillWish, by: str) -> DrillReport:
        """Begins it; raises what `plan` does, and OperationFailed where its confirmation is missing or another."""
        plan, wish = self.plan(wish), complete(wish)
        if plan.confirm and wish.confirm != plan.confirm:
            given = "" if not wish.confirm else f", not {wish.confirm[:128]!r}"
            raise OperationFailed(
                f"{plan.endpoint} is real, and clients may notice: confirm with its name, {plan.confirm!r}{given}",
                param="confirm",
                code="confirmation_needed",
            )
        now, endpoint = self._clock.monotonic(), self._find(wish.endpoint)
        closed = endpoint.circuit is Circuit.CLOSED
        drill = Drill(f"d-{secrets.token_hex(3)}", wish, by, now, closed=closed)
        before = self._board.begin(drill)
        if before is not None:
            self._keep(before)
        self._inject(drill, plan.cost)
        self._supervisor.start(self._remember(drill), f"what was before drill {drill.id}")
        if wish.traffic:
            self._supervisor.start(self._traffic(drill, endpoint), f"traffic of drill {drill.id}")
        self._say(
            "drill.started",
            drill.wish.endpoint,
            f"{drill.id}: {drill.what} for {wish.seconds:g} s, by {by}",
            "warning",
        )
        return self.report(drill)

    def stop(self, id: str, by: str) -> DrillReport:
        """Ends it now; of one that has ended its report. Raises NotFound."""
        drill = self._board.find(id)
        if drill is not None:
            self._end(drill, f"stopped by {by}")
            return self.report(drill)
        for report in self._board.reports:
            if report.id == id:
                return report
        raise NotFound(
            f"there is no drill {id[:64]!r}; ai-orchestra drill list shows them",
            param="id",
            code="drill_not_found",
        )

    @property
    def views(self) -> tuple[DrillView, ...]:
        """Those that run, and those whose endpoint is recovering."""
        now = self._clock.monotonic()
        return tuple(drill.view(now) for drill in self._board.drills.values())

    def all(self) -> tuple[list[DrillReport], list[DrillReport]]:
        """Of those that run or recover, as far as they are; and the last that are done, newest first."""
        return [self.report(drill) for drill in self._board.drills.values()], list(self._board.reports)

    def notices(self) -> list[str]:
        """So that nobody takes it for a real fault."""
        return [
            f"fault drill {view.id} on {view.endpoint}: {view.what}, {view.remaining:.0f} s left, by {view.by}"
            for view in self.views
            if view.remaining
        ]

    def report(self, drill: Drill) -> DrillReport:
        running, now = self._running[drill.id], self._clock.monotonic()
        ended = None if running.ended is None else rfc3339(running.ended)
        report = drill.report(now, rfc3339(running.began), ended, self._currency())
        return graded(msgspec.structs.replace(report, may_cost=running.may_cost))

    def close(self) -> None:
        """The engine stops: requests that are held go on, and end in its grace."""
        for drill in tuple(self._board.drills.values()):
            self._end(drill, STOPPING)

    def conclude(self) -> None:
        """Nothing runs any more: what was observed until now is what is reported, and all of it is written down."""
        for drill in tuple(self._board.drills.values()):
            drill.finish()
            self._board.keep(drill, self.report(drill))
        if self._board.reports:
            self._kept.last(self._board.reports)

    def _find(self, name: str) -> Endpoint:
        endpoint = self._catalog.get(name)
        if endpoint is None:
            raise no_endpoint(name, self._catalog, "endpoint")
        return endpoint

    # -- from its beginning to its end -----------------------------------------------------------------

    def _inject(self, drill: Drill, may_cost: str) -> None:
        loop = asyncio.get_running_loop()
        injected = _Injected(drill, self._clock, self._rng)
        timer = loop.call_later(drill.wish.seconds, self._end, drill, _TIME)
        self._running[drill.id] = _Running(injected, timer, may_cost, self._clock.wall())
        self._service.complete, self._service.refused = self._ended, self._refused
        self._injections[drill.wish.endpoint] = injected

    def _end(self, drill: Drill, why: str) -> None:
        running = self._running[drill.id]
        if not drill.end(self._clock.monotonic(), why):
            return
        running.timer.cancel()
        running.ended = self._clock.wall()
        if self._injections.get(drill.wish.endpoint) is running.injected:
            del self._injections[drill.wish.endpoint]
        if not running.injected.over.done():
            running.injected.over.set_result(None)
        self._say("drill.ended", drill.wish.endpoint, f"{drill.id}: {why}", "info")

    def look(self) -> None:
        """What the timer missed, endpoints that are gone, and what is done; call it every second or so."""
        now = self._clock.monotonic()
        for drill in self._board.overdue(now):
            self._end(drill, _TIME)
        for drill in tuple(self._board.drills.values()):
            if drill.ended_at is None and self._catalog.get(drill.wish.endpoint) is None:
                self._end(drill, "its endpoint is gone")
            if drill.look(now):
                self._keep(drill)

    def _keep(self, drill: Drill) -> None:
        report = self.report(drill)
        self._board.keep(drill, report)
        del self._running[drill.id]
        if not self._board.drills:
            self._service.complete, self._service.refused = self._usual
        self._supervisor.start(self._kept.keep(self._board.reports), "keeping reports of drills")
        grade = f"grade {report.grade}" if report.grade else report.hint
        self._say("drill.reported", report.endpoint, f"{report.id}: {grade}", "info")

    async def _remember(self, drill: Drill) -> None:
        """How long answers of this endpoint took before; not known while the ledger cannot be read."""
        backend, _, model = drill.wish.endpoint.partition("/")
        now = self._clock.wall()
        since = now - _BEFORE_SECONDS
        wanted = Wanted(model, backend, verdict="success", since=since, until=now, limit=_COMPARED)
        try:
            found = await self._page(wanted)
        except OrchestraError:
            return
        drill.baseline = [float(str(row["total_ms"])) / 1000 for row in found.rows]

    # -- what it is told of ----------------------------------------------------------------------------

    def _ended(
        self, call: Call, decision: Decision, tried: tuple[Tried, ...], outcome: Outcome, seconds: float
    ) -> float | None:
        """In place of what is told of every request, for as long as there is a drill."""
        cost = self._usual[0](call, decision, tried, outcome, seconds)
        for drill in self._board.drills.values():
            if drill.waits_for(call.id):
                drill.ended(fate(call, tried, outcome, seconds, drill.wish.endpoint))
        return cost

    def _refused(self, call: Call, decision: Decision | None) -> None:
        ranked = () if decision is None else decision.ranked
        now = self._clock.monotonic()
        for drill in self._board.drills.values():
            if any(one.endpoint == drill.wish.endpoint for one in ranked):
                drill.refused(call.id, now)

    def _turned(self, endpoint: Endpoint, circuit: Circuit) -> None:
        drill = self._board.drills.get(endpoint.id)
        if drill is not None:
            drill.turned(circuit, self._clock.monotonic())
