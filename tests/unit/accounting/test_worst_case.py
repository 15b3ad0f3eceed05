"""No answer costs more than what is set aside for it."""

from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import example, given

from orchestra_core.accounting.pacing import MOST, weight
from orchestra_core.accounting.worst import bound_of, worst_cost
from orchestra_core.domain.call import Call, Kind, Level
from orchestra_core.domain.catalog import BackendKind, EndpointSpec
from orchestra_core.domain.price import Price

PRICES = st.builds(
    Price,
    input=st.floats(0, 100),
    output=st.floats(0, 100),
    cached=st.one_of(st.none(), st.floats(0, 150)),
    second=st.floats(0, 1),
    request=st.floats(0, 1),
)


def spec(price: Price | None, context: int = 8000) -> EndpointSpec:
    return EndpointSpec(
        "b", "m", BackendKind.OPENAI, frozenset(), frozenset(), context, 0.5, Level.HIGH, price=price
    )


def call(fields: dict[str, object] | None = None, **more: Any) -> Call:
    return Call("r", Kind.CHAT, fields or {}, 0.0, **more)


@given(
    price=PRICES,
    dearer=st.one_of(st.none(), st.tuples(st.integers(0, 9000), PRICES)),
    text=st.text(max_size=400),
    cap=st.one_of(st.none(), st.integers(1, 9000)),
    choices=st.integers(1, 4),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
@example(Price(1.0, 2.0), None, "a" * 400, 10, 2, (1.0, 1.0, 0.0, 0.0))
@example(Price(1.0, 1.0, cached=3.0), None, "a" * 400, 1, 1, (1.0, 1.0, 1.0, 0.0))
@example(Price(1.0, 1.0), (100, Price(9.0, 9.0)), "a" * 400, None, 1, (1.0, 1.0, 0.0, 0.0))
def test_whatever_is_read_and_written_costs_no_more(
    price: Price,
    dearer: tuple[int, Price] | None,
    text: str,
    cap: int | None,
    choices: int,
    shares: tuple[float, float, float, float],
) -> None:
    """A token for each byte, each choice as long as it may be, nothing from the cache, all the time there is."""
    if dearer is not None:
        price = msgspec.structs.replace(price, above=(dearer,))
    asked = call({"messages": [{"role": "user", "content": text}], "n": choices}, max_tokens=cap)
    where, seconds = spec(price), 60.0
    worst = worst_cost(where, bound_of(asked), seconds)
    assert worst is not None
    read = min(int(shares[0] * (len(text.encode("utf-8", "surrogatepass")) + 250)), where.context)
    longest = min(where.context - read, where.context if cap is None else cap)
    written = int(shares[1] * longest) * choices
    cached = int(shares[2] * read)
    assert price.charge(read, written, cached, shares[3] * seconds) <= worst * (1 + 1e-12) + 1e-15


def test_pictures_are_bounded_by_the_context_alone() -> None:
    """The bytes of a picture's address say nothing of the tokens it is turned into."""
    price = Price(10.0, 10.0)
    assert bound_of(call(needs=frozenset({"vision"}), max_tokens=5)).prompt is None
    assert worst_cost(spec(price), bound_of(call(needs=frozenset({"vision"}))), 1.0) == pytest.approx(0.08)


def test_the_bytes_of_the_body_bound_the_prompt_in_whatever_form_they_came() -> None:
    """Raw as the client sent them or as values; tools and what is predicted of the answer add to it."""
    said = [{"role": "user", "content": "Tell me a tale" * 20}]
    raw = msgspec.Raw(msgspec.json.encode(said))
    plain = bound_of(call({"messages": said}, max_tokens=5))
    assert bound_of(call({"messages": raw}, max_tokens=5)) == plain
    assert plain.prompt is not None
    assert plain.prompt >= len(raw)
    tools = bound_of(call({"messages": raw, "tools": []}))
    assert tools.prompt is not None
    assert tools.prompt > plain.prompt + 500
    predicted = bound_of(call({"messages": raw, "prediction": msgspec.Raw(b"x" * 100)}, max_tokens=5))
    assert predicted.output == 105


def test_an_embedding_writes_nothing() -> None:
    """Whatever the price of output."""
    asked = Call("r", Kind.EMBEDDING, {"input": "x"}, 0.0)
    assert worst_cost(spec(Price(0.0, 1000.0)), bound_of(asked), 1.0) == 0.0


def test_an_unknown_price_has_no_bound() -> None:
    """It is not zero."""
    assert worst_cost(spec(None), bound_of(call()), 1.0) is None


def test_several_choices_and_raw_values_are_read() -> None:
    """`n` may come as the client's own bytes; nonsense counts as one, the backend refuses it."""
    assert bound_of(call({"n": msgspec.Raw(b"3")})).choices == 3
    assert bound_of(call({"best_of": 4, "n": 2})).choices == 4
    assert bound_of(call({"n": msgspec.Raw(b'"many"')})).choices == 1
    assert bound_of(call({"n": 10**9})).choices == 128


@pytest.mark.parametrize(
    ("spent", "elapsed", "expected"),
    [(0.0, 0.0, 1.0), (0.5, 0.5, 1.0), (0.2, 0.5, 1.0), (0.5, 0.25, 1.5), (0.9, 0.5, 5.0), (1.2, 0.9, MOST)],
)
def test_cost_weighs_as_much_more_as_spending_must_slow_down(
    spent: float, elapsed: float, expected: float
) -> None:
    """The share of the time that is left by the share of the money that is left."""
    assert weight(spent, elapsed) == pytest.approx(expected)


@given(a=st.floats(0, 2), b=st.floats(0, 2), elapsed=st.floats(0, 1))
def test_more_spent_never_makes_cost_weigh_less(a: float, b: float, elapsed: float) -> None:
    """And it always weighs something between as usual and the most."""
    low, high = sorted((a, b))
    assert 1.0 <= weight(low, elapsed) <= weight(high, elapsed) <= MOST
