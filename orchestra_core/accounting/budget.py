"""Every budget and what counts for it: money is set aside before a request is sent and settled once when it has ended.

Pure: `now` is Unix seconds, amounts inside are whole billionths of the currency. For each hard budget and period

    settled + reserved <= limit

holds by construction, as long as no answer costs more than its worst case, which is counted as an overrun. A refusal
means that `settled + worst > limit`; while only what others have reserved is in the way, the answer is `Wait`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo

from orchestra_core.accounting.account import Account, amount
from orchestra_core.accounting.periods import span
from orchestra_core.accounting.reservation import Answer, Hold, Refusal, Reservation, Wait, Who
from orchestra_core.domain.budgets import Budget

# So many accounts more, and those that are of no use any more are looked for.
_MANY = 1024


class Book:
    """`name_of` gives the name of a key by its id, "" if it has none.

    Of new budgets it is not known at first what was spent on them in their period, see `learn`.
    """

    def __init__(
        self,
        budgets: Sequence[Budget],
        zone: tzinfo,
        currency: str,
        now: float,
        *,
        name_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        self.currency = currency
        self.zone = zone
        self.name_of = name_of
        self.budgets: tuple[Budget, ...] = ()
        self._accounts: dict[tuple[str, str], Account] = {}
        self._reservations: set[Reservation] = set()
        self._holds: set[Hold] = set()
        self._unknown: set[str] = set()
        self.configure(budgets, now)

    # -- budgets and accounts --------------------------------------------------------------------------

    def configure(self, budgets: Sequence[Budget], now: float) -> None:
        """Other budgets from now on. One that counts the same things keeps what was spent; the others are unknown.

        What is under way counts for new ones as well.
        """
        signatures = {budget.name: budget.signature for budget in self.budgets}
        fresh = [one for one in budgets if signatures.get(one.name) != one.signature]
        kept = {one.name: one for one in budgets if one not in fresh}
        self.budgets = tuple(budgets)
        self._unknown = (self._unknown & kept.keys()) | {budget.name for budget in fresh}
        before, self._accounts = self._accounts, {}
        for (name, owner), account in before.items():
            if name in kept:
                account.change(kept[name])
                self._accounts[name, owner] = account
        for budget in fresh:
            if not budget.per_key:
                self._account(budget, "", now)
            for reservation in self._reservations:
                if self._applies(budget, reservation.who):
                    reservation.join(self._account(budget, reservation.who.key, now))

    def _account(self, budget: Budget, key: str, now: float) -> Account:
        owner = key if budget.per_key else ""
        account = self._accounts.get((budget.name, owner))
        if account is None:
            if owner and len(self._accounts) % _MANY == 0:
                self._forget(now)
            account = Account(budget, self.zone, now, owner, known=budget.name not in self._unknown)
            self._accounts[budget.name, owner] = account
        account.roll(now)
        return account

    def _forget(self, now: float) -> None:
        """Keys, and addresses, that asked for nothing in the present period: there is no end of them."""
        gone = [at for at, one in self._accounts.items() if one.owner and now >= one.span.end]
        for at in gone:
            del self._accounts[at]

    def of(self, who: Who, now: float) -> tuple[Account, ...]:
        """The accounts that an attempt counts for, in their present period."""
        return tuple([self._account(one, who.key, now) for one in self.budgets if self._applies(one, who)])

    def _applies(self, budget: Budget, who: Who) -> bool:
        if budget.key is not None:
            return budget.key in (who.key, self.name_of(who.key))
        if budget.task is not None:
            return budget.task == who.task
        return budget.model is None or budget.model == who.model

    def accounts(self, now: float) -> Iterator[Account]:
        """In the order of the configuration, then by key."""
        order = {budget.name: place for place, budget in enumerate(self.budgets)}
        for name, owner in sorted(self._accounts, key=lambda at: (order[at[0]], at[1])):
            account = self._accounts[name, owner]
            account.roll(now)
            yield account

    # -- reserve and settle ----------------------------------------------------------------------------

    def reserve(self, who: Who, worst: int | None, now: float, hold: Hold) -> Answer:
        """Sets `worst` (None: price unknown) aside in each account that applies, or in none."""
        accounts = self.of(who, now)
        obstacle = obstacle_in(accounts, worst)
        if obstacle is not None:
            return obstacle
        reservation = Reservation(who, accounts, worst or 0, hold)
        self._reservations.add(reservation)
        self._holds.add(hold)
        return reservation

    def shrink(self, reservation: Reservation, worst: int, now: float) -> None:
        """Less is enough, as turns out before it is sent."""
        less = reservation.amount - worst
        assert less >= 0, "a reservation never grows"
        reservation.amount = worst
        for account, start in reservation.shares:
            account.roll(now)
            if account.span.start == start:
                account.reserved -= less

    def settle(self, reservation: Reservation, cost: float | None, now: float) -> None:
        """Once for each reservation: `cost` instead of what was reserved; None: it may have been all of it.

        It counts in the period it was reserved in; one that has ended meanwhile is not looked at any more.
        """
        self._reservations.remove(reservation)  # a second time is an error: KeyError
        reserved = reservation.amount
        spent = reserved if cost is None else amount(cost)
        for account, start in reservation.shares:
            account.roll(now)
            if account.span.start != start:
                continue
            account.reserved -= reserved
            account.settled += spent
            account.overruns += spent > reserved and account.budget.hard
            account.unpriced += cost is None and not reserved
            if spent:
                reservation.hold.settled.append((account, start, spent))
        reservation.hold.spent += spent

    def release(self, reservation: Reservation, now: float) -> None:
        """Nothing was sent."""
        self.settle(reservation, 0.0, now)

    def close(self, hold: Hold) -> None:
        """The request has ended and is in the journal."""
        self._holds.discard(hold)

    # -- what was spent before -------------------------------------------------------------------------

    def spend(self, who: Who, cost: float | None, *, at: float, now: float, presumed: bool = False) -> None:
        """What a request of an earlier engine had cost when it ended `at`, or may have cost at most (`presumed`)."""
        for account in self.of(who, now):
            if at < account.span.start:
                continue
            account.unpriced += cost is None
            account.settled += amount(cost or 0.0)
            account.presumed += amount(cost or 0.0) if presumed else 0

    def first_day(self, budget: Budget, now: float) -> int:
        """The ordinal of the local day that the present period began with."""
        return span(budget.period, now, self.zone).first_day

    @property
    def unknown(self) -> tuple[Budget, ...]:
        """The budgets of which is not known what was spent before: hard ones let nothing pass that has a price."""
        return tuple(budget for budget in self.budgets if budget.name in self._unknown)

    def recall(self, name: str, now: float) -> None:
        """What was spent before on this budget is known, and nothing but what follows."""
        self.learn(name, {}, self.marks(name, now), now)

    def find(self, name: str, owner: str, now: float) -> Account | None:
        """One account; that of a key is made if there is none yet."""
        budget = next((one for one in self.budgets if one.name == name), None)
        return None if budget is None or budget.per_key != bool(owner) else self._account(budget, owner, now)

    def marks(self, name: str, now: float) -> dict[str, int]:
        """By owner what is settled now, to be given to `learn` with what the ledger says from now on."""
        return {one.owner: one.settled for one in self.accounts(now) if one.budget.name == name}

    def learn(self, name: str, spent: Mapping[str, float], marks: Mapping[str, int], now: float) -> None:
        """`spent` by owner, of the present period, instead of what was settled at `marks`; what is presumed stays."""
        budget = next((one for one in self.budgets if one.name == name), None)
        if budget is None:
            return
        self._unknown.discard(name)
        for owner in spent:
            self._account(budget, owner, now)
        for account in self.accounts(now):
            if account.budget.name == name:
                before = account.settled - marks.get(account.owner, 0)
                account.settled = before + account.presumed + amount(spent.get(account.owner, 0.0))
                account.known = True

    def journaled(self, account: Account) -> int:
        """Settled, without what requests have settled that have not ended: their rows will say it."""
        shares = (share for hold in self._holds for share in hold.settled)
        under_way = sum(s for one, at, s in shares if one is account and at == account.span.start)
        return account.settled - under_way


def obstacle_in(accounts: Iterable[Account], worst: int | None) -> Wait | Refusal | None:
    """What stands in the way; of several budgets without room the one that starts anew last. Nothing is always free."""
    wait: Wait | None = None
    refusal: Refusal | None = None
    for account in accounts:
        if not account.budget.hard or worst == 0:
            continue
        if worst is None or account.settled + worst > account.limit:
            if refusal is None or account.span.end > refusal.account.span.end:
                refusal = Refusal(account, worst)
        elif not account.known or account.settled + account.reserved + worst > account.limit:
            wait = wait or Wait(account)
    return refusal or wait


def weight_of(accounts: Iterable[Account], now: float) -> float:
    """What cost weighs, by the budget that is shortest."""
    return max((account.weight(now) for account in accounts), default=1.0)
