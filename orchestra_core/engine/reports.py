"""What the ledger tells: usage, pages of requests, one request with its decision. Read in threads, a few at a time."""

import asyncio
from collections.abc import Callable
from datetime import tzinfo
from typing import TypeVar

import msgspec

from orchestra_core.accounting.listing import Page, Wanted
from orchestra_core.accounting.report import Told, efficiency, figures, named, savings
from orchestra_core.accounting.suggestions import ENDPOINTS, TIERS, Evidence, Suggestion, suggestions
from orchestra_core.accounting.usage import By, UsageQuery, summed
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.errors import Unavailable
from orchestra_core.routing.catalog import Catalog
from orchestra_core.routing.explain import explain
from orchestra_core.routing.whatif import whatif
from orchestra_core.storage.failures import StoreEmpty, StoreUnavailable
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.queries import Recorded

T = TypeVar("T")
# Beyond this many at once, questions wait for each other: they share the disk, and the engine has work to do.
_AT_ONCE = 2
# What was just answered is nearly always stored within this time; what is not is told as pending.
_CATCH_UP_SECONDS = 0.3
_LOOK_AGAIN_SECONDS = 2.0
_RETRY_SECONDS = 5.0
_ADVISED_DAYS = 30
_decision = msgspec.msgpack.Decoder(Decision)


class Reports:
    """Implements what the surfaces need of the ledger (server/ports.py)."""

    def __init__(
        self,
        ledger: Ledger,
        catalog: Catalog,
        *,
        currency: str,
        zone: tzinfo,
        timezone: str,
        compare_with: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`compare_with` is the model that costs are compared with in place of the best one, if there is one."""
        self._ledger = ledger
        self._compare_with = compare_with
        self._catalog = catalog
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self.currency = currency
        self.zone = zone
        self.timezone = timezone

    @property
    def pending(self) -> int:
        """Requests that ended and are not in the database yet."""
        return self._ledger.stats().pending

    async def usage(self, query: UsageQuery, limit: int, *, advise: int | None) -> Told:
        """Suggestions as of the local day `advise`, if any. Raises Unavailable while the database cannot be read."""
        local = frozenset(one.spec.backend for one in self._catalog.all if not one.spec.hosted)
        return await self._read(lambda: self._usage(query, limit, local, advise))

    async def page(self, wanted: Wanted) -> Page:
        """Raises Unavailable while the database cannot be read."""
        return await self._read(lambda: self._page(wanted))

    async def recorded(self, request_id: str) -> Told | None:
        """One request as stored; None if it is not there.

        Raises Unavailable while the database cannot be read, or what is on its way into it may be what is asked for.
        """
        return await self._read(lambda: self._recorded(request_id))

    async def _read(self, work: Callable[[], T]) -> T:
        await self._turn.acquire()
        reading = asyncio.get_running_loop().run_in_executor(None, work)
        # Whoever asked may leave: the thread reads on, and only its end makes room for another.
        reading.add_done_callback(lambda _: self._turn.release())
        try:
            return await asyncio.shield(reading)
        except StoreUnavailable as error:
            message = f"the ledger cannot be read now: {error.message}"
            raise Unavailable(message, code="ledger_unavailable", retry_after=_RETRY_SECONDS) from error

    def _usage(self, query: UsageQuery, limit: int, local: frozenset[str], advise: int | None) -> Told:
        self._ledger.flush(_CATCH_UP_SECONDS)
        ask = self._ledger.queries.usage
        rows = ask(query)
        whole = summed(rows)
        backends = msgspec.structs.replace(query, by=(By.BACKEND,))
        told: Told = {
            "rows": [named(row, query.by) for row in rows[:limit]],
            "rows_left_out": max(0, len(rows) - limit),
            "totals": figures(whole),
            "savings": savings(whole) | {"compare_with": self._compare_with()},
            # Not summed by everything: null where it cannot be told.
            "efficiency": None
            if backends.cube is None
            else [efficiency(row) for row in (rows if query == backends else ask(backends, latency=False))],
            "suggestions": None,
        }
        if advise is not None:
            told["suggestions"] = self._suggestions(query, local, advise)
        return told

    def _suggestions(self, query: UsageQuery, local: frozenset[str], today: int) -> list[Suggestion]:
        """Of what was asked for the last thirty days: what was long ago needs no advice."""
        until = min(query.until or today, today)
        since = max(query.since or 0, until - _ADVISED_DAYS + 1)
        tiers, endpoints = (
            tuple(self._ledger.queries.usage(UsageQuery(by, since, query.until), latency=False))
            for by in (TIERS, ENDPOINTS)
        )
        return suggestions(Evidence(tiers, endpoints, local))

    def _page(self, wanted: Wanted) -> Page:
        if wanted.after is None:
            self._ledger.flush(_CATCH_UP_SECONDS)
        return self._ledger.queries.page(wanted)

    def _recorded(self, request_id: str) -> Told | None:
        found = self._find(request_id)
        if found is None and self.pending:
            caught_up = self._ledger.flush(_LOOK_AGAIN_SECONDS)
            found = self._find(request_id)
            if found is None and not caught_up:
                raise Unavailable(
                    f"the ledger does not have {request_id!r} yet; {self.pending} requests are on their way into it",
                    code="not_recorded_yet",
                    retry_after=_RETRY_SECONDS,
                )
        return None if found is None else whole(found)

    def _find(self, request_id: str) -> Recorded | None:
        try:
            return self._ledger.queries.recorded(request_id)
        except StoreEmpty:
            return None


def whole(found: Recorded) -> Told:
    """All there is of one request, as GET /api/v1/requests/{id} tells it."""
    decision = None if found.decision is None else _read_decision(found.decision)
    return {
        "request": found.request.model_dump(),
        "attempts": [row.model_dump(exclude={"request_id"}) for row in found.attempts],
        "decision": None if decision is None else explain(decision),
        "what_if": [] if decision is None else whatif(decision),
        "prompt": found.prompt,
        "answer": found.answer,
    }


def _read_decision(stored: bytes) -> Decision | None:
    try:
        return _decision.decode(stored)
    except msgspec.DecodeError:
        # Of a version whose decisions had another shape; the row is worth telling without it.
        return None
