"""What an attempt costs at a price."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.accounting.pricing import cost_of
from orchestra_core.domain.price import FREE, Price
from orchestra_core.domain.reply import Usage

amounts = st.floats(0, 1e3)


def test_an_unknown_price_makes_an_unknown_cost() -> None:
    """Never zero; only what brought no token was certainly not charged for any."""
    assert cost_of(None, Usage(1, 0), 1.0) is None
    assert cost_of(None, Usage(0, 1), 1.0) is None
    assert cost_of(None, Usage(), 1.0) == 0.0
    assert cost_of(FREE, Usage(10, 10), 1.0) == 0.0


def test_both_directions_are_charged_per_million() -> None:
    """Time is free where no second has a price."""
    assert cost_of(Price(3.0, 15.0), Usage(1000, 2000), 60.0) == pytest.approx(0.033)


@pytest.mark.parametrize(("cached", "cost"), [(0, 3.0), (400_000, 1.92), (2_000_000, 0.3)])
def test_cached_input_has_its_own_price(cached: int, cost: float) -> None:
    """It is part of the prompt, never more than all of it."""
    price = Price(3.0, 15.0, cached=0.3)
    assert cost_of(price, Usage(1_000_000, 0, cached), 0.0) == pytest.approx(cost)
    assert cost_of(Price(3.0, 15.0), Usage(1_000_000, 0, cached), 0.0) == pytest.approx(3.0)


def test_seconds_and_requests_are_charged_on_top() -> None:
    """A request that brought nothing pays its seconds, not its fee."""
    price = Price(1.0, 1.0, second=0.5, request=0.25)
    assert cost_of(price, Usage(500_000, 500_000), 4.0) == pytest.approx(1.0 + 2.0 + 0.25)
    assert cost_of(price, Usage(), 4.0) == pytest.approx(2.0)


@pytest.mark.parametrize(("prompt", "rate"), [(200_000, 1.0), (200_001, 2.0), (500_001, 4.0)])
def test_a_long_prompt_moves_the_whole_request_to_its_price(prompt: int, rate: float) -> None:
    """The price of the highest step that the prompt is above holds for every token, in and out."""
    price = Price(1.0, 10.0, above=((200_000, Price(2.0, 20.0)), (500_000, Price(4.0, 40.0))))
    assert cost_of(price, Usage(prompt, 1000), 0.0) == pytest.approx((prompt * rate + 1000 * rate * 10) / 1e6)


@given(
    price=st.builds(Price, amounts, amounts, st.none() | amounts, amounts, amounts),
    prompt=st.integers(0, 10**7),
    completion=st.integers(0, 10**6),
    cached=st.integers(0, 10**7),
    seconds=st.floats(0, 1e4),
)
def test_the_short_way_and_the_long_way_agree(
    price: Price, prompt: int, completion: int, cached: int, seconds: float
) -> None:
    """What most requests take is only faster; no price makes a cost negative."""
    usage = Usage(prompt, completion, cached)
    cost = cost_of(price, usage, seconds)
    assert cost is not None
    assert cost == pytest.approx(price.charge(prompt, completion, cached, seconds))
    assert cost >= -1e-9
