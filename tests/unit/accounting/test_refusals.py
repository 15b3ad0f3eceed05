"""What a client is told whose request does not fit into a budget."""

from datetime import UTC

from orchestra_core.accounting.account import BILLION, Account
from orchestra_core.accounting.reservation import Refusal
from orchestra_core.domain.budgets import Budget


def test_amounts_are_spelled_out_in_any_currency() -> None:
    """Wons come in millions: nobody reads 1.25e+06, and it would not be what was set."""
    account = Account(Budget("team", 1_250_000.5), UTC, 0.0)
    account.settled = 1_249_999 * BILLION
    assert Refusal(account, 2_000_000 * BILLION).reason("KRW") == (
        'the budget "team" (1250000.5 KRW a month, everything) leaves no room: 1249999 KRW is spent, '
        "this may cost up to 2000000"
    )
