"""What budgets have spent as bytes, for the journal: an engine that was killed begins where it was."""

from collections.abc import Iterable

import msgspec

from orchestra_core.accounting.budget import Book


class _Spent(msgspec.Struct, array_like=True, frozen=True):
    """One account in the period that began at `start` (Unix seconds); amounts in billionths."""

    name: str
    owner: str
    start: float
    settled: int
    presumed: int = 0
    unpriced: int = 0
    overruns: int = 0


class _State(msgspec.Struct, array_like=True, frozen=True):
    """`covered` are the budgets all of whose accounts are here: their names and what they count."""

    covered: tuple[tuple[str, str], ...]
    accounts: tuple[_Spent, ...]


_decoder = msgspec.msgpack.Decoder(_State)


def state_of(book: Book, now: float) -> bytes:
    """Without what requests have spent that are under way: the journal holds their rows afterwards."""
    covered = tuple((name, signature) for name, signature in _signatures(book).items())
    accounts = [
        _Spent(
            one.budget.name,
            one.owner,
            one.span.start,
            book.journaled(one),
            one.presumed,
            one.unpriced,
            one.overruns,
        )
        for one in book.accounts(now)
        if one.known
    ]
    return msgspec.msgpack.encode(_State(covered, tuple(accounts)))


def restore(book: Book, state: bytes | None, now: float) -> None:
    """Budgets that count something else than they did then, or were not there, stay unknown; so do all of nonsense."""
    if not state:
        return
    try:
        found = _decoder.decode(state)
    except msgspec.DecodeError:
        return
    signatures = dict(_unknown(book))
    for name, signature in found.covered:
        if signatures.get(name) == signature:
            book.recall(name, now)
            _fill(book, name, (one for one in found.accounts if one.name == name), now)


def _fill(book: Book, name: str, spent: Iterable[_Spent], now: float) -> None:
    for one in spent:
        account = book.find(name, one.owner, now)
        if account is not None and account.span.start == one.start:
            account.settled, account.presumed = one.settled, one.presumed
            account.unpriced, account.overruns = one.unpriced, one.overruns


def _signatures(book: Book) -> dict[str, str]:
    unknown = {budget.name for budget in book.unknown}
    return {one.name: f"{one.signature}|{book.zone}" for one in book.budgets if one.name not in unknown}


def _unknown(book: Book) -> Iterable[tuple[str, str]]:
    return ((one.name, f"{one.signature}|{book.zone}") for one in book.unknown)
