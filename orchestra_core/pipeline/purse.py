"""Budgets where requests meet them: which routes they leave, money set aside before an attempt, settled after it.

Nothing here is asked of a request while there are no budgets (`on`), and nothing but that of one whose first attempt
costs nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from orchestra_core.accounting.account import BILLION, at_most
from orchestra_core.accounting.budget import Book, obstacle_in, weight_of
from orchestra_core.accounting.line import Line, Want
from orchestra_core.accounting.pacing import steered
from orchestra_core.accounting.reservation import Hold, Refusal, Reservation, Wait, Who
from orchestra_core.accounting.standing import views
from orchestra_core.accounting.worst import Bound, bound_of, worst_cost
from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.budgets import Budget, BudgetView
from orchestra_core.domain.call import Call, Task
from orchestra_core.domain.catalog import Endpoint, EndpointSpec
from orchestra_core.domain.decision import Candidate, Decision
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.reply import Usage
from orchestra_core.domain.result import Tried
from orchestra_core.domain.sink import Sink
from orchestra_core.pipeline.completion import paid, with_prompt
from orchestra_core.pipeline.patience import Patience, Waiting
from orchestra_core.resilience.retry import Option

# A reset that is no further away is worth waiting for: 429 with Retry-After instead of 402. Seconds.
NEAR = 3600.0
# What is tried again while others hold the money, seconds, and how many may wait for it.
_AGAIN = 5.0
_MOST_WAITING = 1024

Refused = tuple[Candidate, Refusal]


class Stake:
    """What is set aside for one attempt; `sent` is set before it is sent, `tried` when it has ended.

    `costs` are the worst cases by endpoint; `beside` are the places it is enough for besides the one it was asked for,
    which are all of them where it is not `bounded`.
    """

    __slots__ = ("beside", "costs", "reservation", "sent", "tried")

    def __init__(
        self,
        reservation: Reservation,
        beside: Sequence[Option],
        costs: Mapping[str, int | None],
        bounded: bool,
    ) -> None:
        enough = reservation.amount
        fits = {name for name, cost in costs.items() if cost is not None and cost <= enough}
        self.reservation = reservation
        self.costs = costs
        self.beside = [one for one in beside if not bounded or one.endpoint.id in fits]
        self.sent = False
        self.tried: Tried | None = None

    @property
    def most(self) -> float:
        """What the request may have cost at worst when this attempt has ended."""
        return (self.reservation.hold.spent + self.reservation.amount) / BILLION


class Purse:
    """`find` gives a live endpoint. Nobody waits for money for longer than `seconds`."""

    def __init__(
        self,
        book: Book,
        clock: Clock,
        find: Callable[[str], Endpoint | None],
        patience: Patience,
        seconds: float,
    ) -> None:
        self.book = book
        self.on = bool(book.budgets)
        self._line = Line(book)
        self._clock = clock
        self._find = find
        self._patience = patience
        self._seconds = seconds
        # How long an answer in one piece, and a streamed one, may take where the request does not say; seconds.
        self.longest = (600.0, 3600.0)
        self._waiting: dict[Want, asyncio.Future[None]] = {}

    def configure(self, budgets: Sequence[Budget]) -> None:
        self.book.configure(budgets, self._clock.wall())
        self.on = bool(self.book.budgets)
        self.tick()

    def views(self) -> tuple[BudgetView, ...]:
        now = self._clock.wall()
        return views(self.book, now, rfc3339, lambda account: self._line.waiting_for(account, now))

    # -- before the choice -----------------------------------------------------------------------------

    def concerns(self, ranked: Sequence[Candidate]) -> bool:
        """Whether any of them may cost anything."""
        endpoints = (self._find(candidate.endpoint) for candidate in ranked)
        return any(endpoint is not None and not free(endpoint.spec) for endpoint in endpoints)

    def sift(
        self, call: Call, task: Task, ranked: Sequence[Candidate]
    ) -> tuple[tuple[Candidate, ...], list[Refused]]:
        """The candidates that the budgets leave, ranked by what cost weighs now, and those that they bar.

        What only waits for others to settle is left: it will wait.
        """
        worst_of, now = self._worst_of(call, call.deadline), self._clock.wall()
        accounts = {
            model: self.book.of(Who(call.key, task.value, model), now)
            for model in dict.fromkeys(candidate.model for candidate in ranked)
        }
        if not any(accounts.values()):
            return tuple(ranked), []
        left, refused = [], []
        for candidate in ranked:
            endpoint = self._find(candidate.endpoint)
            worst = None if endpoint is None else worst_of(endpoint.spec)
            obstacle = obstacle_in(accounts[candidate.model], worst)
            if isinstance(obstacle, Refusal):
                refused.append((candidate, obstacle))
            else:
                left.append(candidate)
        return steered(left, lambda model: weight_of(accounts[model], now)), refused

    # -- around an attempt -----------------------------------------------------------------------------

    async def take(
        self,
        call: Call,
        task: Task,
        sink: Sink,
        hold: Hold,
        option: Option,
        beside: Sequence[Option],
        deadline: float,
    ) -> Stake | Wait | Refusal:
        """Enough for the attempt: now, or when others have settled, or why not. `deadline` is monotonic seconds.

        It may be made at those of `beside` too that it is enough for; where there is money for all of them, it is.
        """
        now, spec = self._clock.wall(), option.endpoint.spec
        worst_of = self._worst_of(call, deadline)
        worst, others = worst_of(spec), [(one, worst_of(one.endpoint.spec)) for one in beside]
        who = Who(call.key, task.value, spec.model)
        want = Want(who, self._most(who, worst, [cost for _, cost in others], now), hold, now)
        wait = self._line.ask(want, now)
        if wait is not None and not await self._waits(want, call, sink, deadline):
            wait.account.refused += 1
            return wait
        if isinstance(want.answer, Refusal):
            want.answer.account.refused += 1
            return want.answer
        assert want.answer is not None
        costs = {one.endpoint.id: cost for one, cost in others} | {option.endpoint.id: worst}
        return Stake(want.answer, beside, costs, worst is not None)

    def _most(self, who: Who, worst: int | None, others: Sequence[int | None], now: float) -> int | None:
        """What to ask for: enough for the dearest place, unless that would have to wait."""
        if worst is None or not others or len(self._line):
            return worst
        most = max(worst, *(cost for cost in others if cost is not None), 0)
        return worst if obstacle_in(self.book.of(who, now), most) is not None else most

    async def _waits(self, want: Want, call: Call, sink: Sink, deadline: float) -> bool:
        """Whether it was decided in time."""
        limit = min(self._seconds, deadline - self._clock.monotonic())
        if len(self._line) > _MOST_WAITING or limit <= 0:
            return not self._line.withdraw(want)
        woken = self._waiting[want] = asyncio.get_running_loop().create_future()
        note = "waiting for money that other requests have reserved"
        self._patience.add(Waiting(call, sink, "budget", lambda _: note))
        try:
            async with asyncio.timeout(limit):
                await woken
        except TimeoutError:
            return not self._line.withdraw(want)
        except asyncio.CancelledError:
            if not self._line.withdraw(want) and isinstance(want.answer, Reservation):
                self.book.release(want.answer, self._clock.wall())
            self.tick()
            raise
        finally:
            del self._waiting[want]
            self._patience.discard(sink)
        return True

    def place(self, stake: Stake, endpoint: str) -> None:
        """It is made there: what another place would have cost is given back."""
        cost = stake.costs.get(endpoint)
        if cost is not None and cost < stake.reservation.amount:
            self.book.shrink(stake.reservation, cost, self._clock.wall())
            self.tick()

    def settle(self, stake: Stake, decision: Decision) -> None:
        """Whatever became of the attempt: not sent, ended, or ended in a way nobody knows, which may have cost all."""
        now = self._clock.wall()
        if not stake.sent:
            self.book.release(stake.reservation, now)
        elif stake.tried is None:
            self.book.settle(stake.reservation, None, now)
        else:
            self.book.settle(stake.reservation, paid(stake.tried, used(stake.tried.outcome, decision)), now)
        self.tick()

    def close(self, hold: Hold) -> None:
        """The request has ended, and is in the journal."""
        self.book.close(hold)

    def tick(self) -> None:
        """Wakes those whose turn it is, also because a new period began."""
        for want in self._line.look(self._clock.wall()):
            woken = self._waiting.get(want)
            if woken is not None and not woken.done():
                woken.set_result(None)

    def _worst_of(self, call: Call, deadline: float | None) -> Callable[[EndpointSpec], int | None]:
        """In billionths, of an attempt anywhere."""
        bound = bound_of(call)
        if deadline is None:
            deadline = call.received + self.longest[call.stream]
        seconds = max(0.0, deadline - self._clock.monotonic())
        return lambda spec: _worst(spec, bound, seconds)

    # -- words -----------------------------------------------------------------------------------------

    def explain(self, refusal: Refusal) -> str:
        reason = refusal.reason(self.book.currency)
        return f"{reason}; it starts anew at {rfc3339(refusal.account.span.end)}"

    def resets_in(self, refusal: Refusal) -> float | None:
        """Seconds until the period ends, where that is near and would help."""
        left = refusal.account.span.end - self._clock.wall()
        return left if refusal.worst is not None and left <= NEAR else None

    def outcome(self, option: Option, why: Wait | Refusal) -> Outcome:
        """Of an attempt that could not be made for want of money."""
        at = option.endpoint.id
        if isinstance(why, Wait):
            return Outcome(Verdict.OVER_BUDGET, at, 429, why.reason, retry_after=_AGAIN)
        wait = self.resets_in(why)
        return Outcome(
            Verdict.OVER_BUDGET, at, 402 if wait is None else 429, self.explain(why), retry_after=wait
        )


def free(spec: EndpointSpec) -> bool:
    """Whether nothing that it answers can cost anything."""
    price = spec.price
    return price is not None and price.unmetered and not price.second


def used(outcome: Outcome, decision: Decision) -> Usage:
    """As the ledger counts it."""
    usage = outcome.usage
    return usage if usage.prompt or not usage.estimated else with_prompt(usage, decision, outcome)


def _worst(spec: EndpointSpec, bound: Bound, seconds: float) -> int | None:
    cost = worst_cost(spec, bound, seconds)
    return None if cost is None else at_most(cost)
