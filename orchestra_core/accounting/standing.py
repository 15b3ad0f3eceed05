"""How each budget stands, for people and alerts."""

from collections.abc import Callable

from orchestra_core.accounting.account import BILLION, Account
from orchestra_core.accounting.budget import Book
from orchestra_core.domain.budgets import BudgetView

# Of a period less than this is over: too early to say whether spending is ahead.
_EARLY = 0.001


def views(
    book: Book,
    now: float,
    stamp: Callable[[float], str],
    waiting: Callable[[Account], int] = lambda _: 0,
) -> tuple[BudgetView, ...]:
    """In the order of the configuration; where each key has a budget, of the keys that have asked for something.

    `stamp` writes Unix seconds as RFC 3339.
    """
    return tuple([_view(book, one, now, stamp, waiting(one)) for one in book.accounts(now)])


def _view(
    book: Book, account: Account, now: float, stamp: Callable[[float], str], waiting: int
) -> BudgetView:
    budget, span, limit = account.budget, account.span, account.limit
    used = account.settled / limit if limit else 1.0
    elapsed = span.elapsed(now)
    return BudgetView(
        name=budget.name,
        scope=budget.scope(book.name_of(account.owner) or account.owner),
        period=budget.period.value,
        kind=budget.kind.value,
        over=budget.over.value,
        currency=book.currency,
        limit=budget.limit,
        reserved=account.reserved / BILLION,
        settled=account.settled / BILLION,
        left=max(0, limit - account.settled - account.reserved) / BILLION,
        starts=stamp(span.start),
        resets=stamp(span.end),
        resets_in=span.end - now,
        used=used,
        elapsed=elapsed,
        pace=used / elapsed if elapsed > _EARLY else None,
        weight=account.weight(now),
        thresholds=budget.alerts,
        alert=max((share for share in budget.alerts if used >= share), default=None),
        presumed=account.presumed / BILLION,
        unpriced=account.unpriced,
        waiting=waiting,
        refused=account.refused,
        overruns=account.overruns,
        known=account.known,
        key=account.owner or budget.key,
        task=budget.task,
        model=budget.model,
        configured=budget.configured,
    )
