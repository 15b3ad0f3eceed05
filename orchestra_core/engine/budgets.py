"""Budgets of a running engine: whose keys they name, what was spent before it started, and other limits by a reload."""

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Mapping

from orchestra_core.accounting.budget import Book
from orchestra_core.accounting.reservation import Who
from orchestra_core.accounting.restoring import restore, state_of
from orchestra_core.accounting.usage import By, UsageQuery
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.clock import Clock
from orchestra_core.config import Config
from orchestra_core.domain.budgets import Budget
from orchestra_core.storage.failures import StoreError
from orchestra_core.storage.journal.replay import Replay
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.tables import RequestRow
from orchestra_core.trust.keys import ApiKey

_RETRY_SECONDS = 2.0
# For the database to take what is recorded already; a thread waits so long, also while the engine stops.
_STORED_SECONDS = 1.0
_FIELDS = tuple(RequestRow.model_fields)
_AT, _TOTAL_MS, _COST = _FIELDS.index("at"), _FIELDS.index("total_ms"), _FIELDS.index("cost")
_KEY, _TASK, _MODEL = _FIELDS.index("key"), _FIELDS.index("task"), _FIELDS.index("model_served")
Publish = Callable[[str, str, str, str], None]


class Budgets:
    """`book` knows nothing of what was spent before until `learn` has read it: hard budgets wait for that."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        *,
        budgets: tuple[Budget, ...],
        keys: Callable[[], tuple[ApiKey, ...]],
        ledger: Ledger,
        say: Publish,
    ) -> None:
        self._clock = clock
        self._keys = keys
        self._ledger = ledger
        self._say = say
        self._told = False
        self._named: tuple[tuple[ApiKey, ...], Mapping[str, str]] = ((), {})
        self._learning = asyncio.Lock()
        money = config.accounting
        self.book = Book(budgets, money.zone, money.currency, clock.wall(), name_of=self._name)

    def _name(self, key: str) -> str:
        """Asked for every request, answered anew only when the keys have changed."""
        keys = self._keys()
        if keys is not self._named[0]:
            self._named = (keys, {one.id: one.name for one in keys})
        return self._named[1].get(key, "")

    def state(self) -> bytes:
        """For the journal: what the requests that have ended so far amount to."""
        return state_of(self.book, self._clock.wall())

    def restore(self, left: Replay) -> None:
        """What the engine before this one left: what it knew, what ended since, and what it was killed at.

        Of requests it was killed at nobody knows the cost: the worst case counts, and is told as presumed.
        """
        book, now = self.book, self._clock.wall()
        restore(book, left.state, now)
        for row in left.ended:
            cost, ended = row[_COST], float(str(row[_AT])) + float(str(row[_TOTAL_MS])) / 1000
            who = Who(str(row[_KEY]), str(row[_TASK]), str(row[_MODEL]))
            book.spend(who, None if cost is None else float(str(cost)), at=ended, now=now)
        for begun in left.interrupted:
            if begun.reserved:
                who = Who(begun.key, begun.task, begun.model)
                book.spend(who, begun.reserved, at=begun.at, now=now, presumed=True)

    # -- what was spent before -------------------------------------------------------------------------

    def start(self, supervisor: Supervisor) -> None:
        """To be called when budgets or keys are others."""
        self._look_for_keys()
        if self.book.unknown:
            supervisor.start(self.learn(), "what was spent before")

    def _look_for_keys(self) -> None:
        """A budget over a key that nobody has limits nothing: rather a slip than a wish. Keys may be addresses, too."""
        known = {word for key in self._keys() for word in (key.id, key.name)}
        for budget in self.book.budgets:
            if budget.key is not None and budget.key not in known and not _is_address(budget.key):
                what = f'nobody has the key "{budget.key}", so the budget "{budget.name}" limits nothing yet'
                self._say("budgets.idle", budget.name, what, "warning")

    async def learn(self) -> None:
        """Until it is known of every budget; while the ledger cannot be read it is tried again."""
        async with self._learning:
            while self.book.unknown:
                for budget in self.book.unknown:
                    await self._learn(budget)

    async def _learn(self, budget: Budget) -> None:
        book = self.book
        stored = await asyncio.to_thread(self._ledger.flush, _STORED_SECONDS)
        now = self._clock.wall()
        first_day = book.first_day(budget, now)
        marks = book.marks(budget.name, now)
        try:
            found = await asyncio.to_thread(self._spent, budget, first_day)
        except StoreError as error:
            await self._later(budget, error.message)
            return
        if not stored:
            await self._later(budget, "the database does not take what was recorded last")
        elif book.first_day(budget, self._clock.wall()) == first_day:
            book.learn(budget.name, self._owned(budget, found), marks, self._clock.wall())

    async def _later(self, budget: Budget, why: str) -> None:
        """Told once; the ledger tells of its own trouble, too."""
        if not self._told:
            self._told = True
            what = f"what was spent is not known, so hard budgets let nothing pass that costs money: {why}"
            self._say("budgets.unknown", budget.name, what, "error")
        await asyncio.sleep(_RETRY_SECONDS)

    def _spent(self, budget: Budget, first_day: int) -> list[tuple[str, float]]:
        """Blocking. Keys, and the known cost of their requests that count, from this local day on."""
        scope = {By.TASK: budget.task, By.MODEL: budget.model}
        where = {by: value for by, value in scope.items() if value is not None}
        query = UsageQuery((By.KEY,), since=first_day, where=where)
        return [(row.names[0], row.cost) for row in self._ledger.queries.usage(query, latency=False)]

    def _owned(self, budget: Budget, found: Iterable[tuple[str, float]]) -> dict[str, float]:
        """By owner: each key, where it has a budget of its own, else "" for all that count."""
        if budget.per_key:
            return dict(found)
        counted = (cost for key, cost in found if budget.key is None or budget.key in (key, self._name(key)))
        return {"": sum(counted)}


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
