"""A hard budget under every order of events: never exceeded, and nobody is turned away for whom there is room."""

from datetime import UTC

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestra_core.accounting.account import BILLION, Account
from orchestra_core.accounting.budget import Book
from orchestra_core.accounting.line import PATIENCE, Line, Want
from orchestra_core.accounting.reservation import Hold, Refusal, Reservation, Who
from orchestra_core.domain.budgets import Budget, Period, Strictness

START = 1_800_000_000.0
BUDGETS = (
    Budget("all", 100.0, Period.MONTH),
    Budget("each", 60.0, Period.DAY, per_key=True),
    Budget("dear", 40.0, Period.WEEK, model="big"),
    Budget("wish", 30.0, Period.DAY, kind=Strictness.SOFT, task="reasoning"),
)
WHO = st.builds(
    Who,
    st.sampled_from(["ann", "bob"]),
    st.sampled_from(["reasoning", "creative"]),
    st.sampled_from(["big", "small"]),
)
WORST = st.one_of(st.just(0), st.integers(1, 70)).map(lambda units: units * BILLION)


class Spending(RuleBasedStateMachine):
    """`spent` is our own account of what was settled in which period, `taken` what is under way."""

    @initialize()
    def begin(self) -> None:
        self.now = START
        self.book = Book(BUDGETS, UTC, "USD", self.now)
        for budget in BUDGETS:
            self.book.learn(budget.name, {}, {}, self.now)
        self.line = Line(self.book)
        self.waiting: list[Want] = []
        self.taken: list[Reservation] = []
        self.spent: dict[tuple[str, str, float], int] = {}
        # How far "all" may be spent although its limit was lowered below that.
        self.over = 0

    def look(self) -> None:
        for want in self.line.look(self.now):
            self.waiting.remove(want)
            self.decided(want)

    def decided(self, want: Want) -> None:
        if isinstance(want.answer, Reservation):
            self.taken.append(want.answer)
            return
        assert isinstance(want.answer, Refusal)
        account = want.answer.account
        assert want.worst is not None
        assert account.settled + want.worst > account.limit, (
            "refused although it would fit once others settle"
        )

    @rule(who=WHO, worst=WORST)
    def ask(self, who: Who, worst: int) -> None:
        want = Want(who, worst, Hold(), self.now)
        if self.line.ask(want, self.now) is None:
            self.decided(want)
        else:
            assert worst
            self.waiting.append(want)

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), share=st.sampled_from([0.0, 0.3, 1.0, None]))
    def settle(self, data: st.DataObject, share: float | None) -> None:
        reservation = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        cost = None if share is None else reservation.amount * share / BILLION
        for account, start in reservation.shares:
            at = (account.budget.name, account.owner, start)
            spent = reservation.amount if cost is None else round(cost * BILLION)
            self.spent[at] = self.spent.get(at, 0) + spent
        self.book.settle(reservation, cost, self.now)
        self.look()

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), share=st.sampled_from([0.0, 0.5, 1.0]))
    def less_is_enough(self, data: st.DataObject, share: float) -> None:
        """It turned out to be sent to a cheaper place."""
        reservation = data.draw(st.sampled_from(self.taken))
        self.book.shrink(reservation, int(reservation.amount * share), self.now)
        self.look()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        want = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        assert self.line.withdraw(want)
        self.look()

    @rule(seconds=st.sampled_from([1.0, PATIENCE, 3600.0, 86_400.0, 20 * 86_400.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.look()

    @rule(limit=st.integers(0, 160))
    def limits_change(self, limit: int) -> None:
        """By a reload or an operator's word: what was spent stays, and so does what is under way."""
        other = Budget("all", float(limit), Period.MONTH)
        self.book.configure([other, *self.book.budgets[1:]], self.now)
        account = self.book.find("all", "", self.now)
        assert account is not None
        self.over = max(account.limit, account.settled + account.reserved)
        self.look()

    @invariant()
    def no_hard_budget_is_exceeded(self) -> None:
        for account in self.book.accounts(self.now):
            at = (account.budget.name, account.owner, account.span.start)
            assert account.settled == self.spent.get(at, 0)
            under_way = [one.amount for one in self.taken if (account, account.span.start) in one.shares]
            assert account.reserved == sum(under_way)
            if account.budget.hard and account.budget.name == "all":
                whole = account.settled + account.reserved
                assert whole <= max(account.limit, self.over)
                self.over = whole
            elif account.budget.hard:
                assert account.settled + account.reserved <= account.limit

    @invariant()
    def whoever_waits_has_somebody_to_wait_for(self) -> None:
        """Its budget is short by what is reserved; or it lets one before it go first that waited too long."""
        for place, want in enumerate(self.waiting):
            accounts = [one for one in self.book.of(want.who, self.now) if one.budget.hard]
            short = any(one.settled + one.reserved + (want.worst or 0) > one.limit for one in accounts)
            assert short or any(
                self.now - before.since >= PATIENCE and self.shares(before, accounts)
                for before in self.waiting[:place]
            )

    def shares(self, want: Want, accounts: list[Account]) -> bool:
        return any(one in accounts for one in self.book.of(want.who, self.now))

    def teardown(self) -> None:
        """When all that is under way has settled, nobody is left waiting."""
        if not hasattr(self, "book"):
            return
        while self.taken:
            self.book.settle(self.taken.pop(), 0.0, self.now)
            self.look()
        assert not self.waiting
        assert len(self.line) == 0


Spending.TestCase.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
TestSpending = Spending.TestCase
