"""What the same tokens would have cost on the best and on the first model."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.accounting.counterfactual import Counterfactuals
from orchestra_core.accounting.elsewhere import Elsewhere
from orchestra_core.accounting.pricing import cost_of
from orchestra_core.domain.call import Kind, Level, Task
from orchestra_core.domain.catalog import BackendKind, EndpointSpec
from orchestra_core.domain.price import FREE, Price
from orchestra_core.domain.reply import Usage

CHATS = frozenset({"chat", "completion"})
NONE: frozenset[str] = frozenset()
CHEAP, DEAR = Price(1.0, 2.0), Price(10.0, 30.0)


def spec(endpoint: str, quality: float, price: Price | None, **facts: Any) -> EndpointSpec:
    backend, _, model = endpoint.partition("/")
    known = {
        "capabilities": CHATS,
        "tasks": frozenset(Task),
        "context": 4096,
        "tier": Level.LOW,
        "qualities": dict.fromkeys(Task, quality),
        "prefill_rate": 1000.0,
        "decode_rate": 100.0,
        "rtt": 0.5,
    }
    return EndpointSpec(backend, model, BackendKind.OPENAI, quality=quality, price=price, **(known | facts))


def compared(*specs: EndpointSpec, declared: str | None = None, **prices: Price) -> Counterfactuals:
    return Counterfactuals(lambda: specs, declared, prices.get)


def pair(
    made: Counterfactuals, task: str = "conversation", kind: str = "chat", needs: frozenset[str] = NONE
) -> Any:
    return tuple(one and one.endpoint for one in made.at(task, kind, needs))


def test_the_best_is_of_the_highest_quality_and_the_first_comes_first() -> None:
    """Whatever they cost."""
    made = compared(spec("b/small", 0.3, FREE), spec("c/large", 0.9, DEAR), spec("a/middle", 0.6, CHEAP))
    assert pair(made) == ("c/large", "b/small")


def test_quality_is_that_at_the_task() -> None:
    """An expert is the best at its own; a model that was not made for a task is worse at it."""
    expert = spec("a/expert", 0.5, FREE, qualities={Task.CODE_GENERATION: 0.8, Task.CREATIVE: 0.2})
    general = spec("b/general", 0.6, FREE)
    made = compared(expert, general)
    assert pair(made, "code_generation")[0] == "a/expert"
    assert pair(made, "creative")[0] == "b/general"
    unfit = spec("a/unfit", 0.9, FREE, qualities={}, tasks=frozenset({Task.CREATIVE}))
    assert pair(compared(unfit, general), "code_generation")[0] == "b/general"
    assert pair(compared(unfit, general), "creative")[0] == "a/unfit"


def test_of_equal_ones_the_cheapest_is_compared_with() -> None:
    """So that a saving is never made larger by what it is compared with; an unknown price is no cheap one."""
    equal = [spec("a/m", 0.9, DEAR), spec("b/m", 0.9, None), spec("c/m", 0.9, CHEAP), spec("d/m", 0.5, FREE)]
    assert pair(compared(*equal)) == ("c/m", "a/m")
    assert pair(compared(spec("a/m", 0.9, None), spec("b/m", 0.1, FREE))) == ("a/m", "a/m")


@pytest.mark.parametrize(
    ("task", "kind", "needs", "able"),
    [
        ("conversation", "chat", NONE, "a/text"),
        ("vision", "chat", NONE, "b/sees"),
        ("conversation", "chat", frozenset({"vision"}), "b/sees"),
        ("embedding", "embedding", NONE, "c/embeds"),
        ("conversation", "chat", frozenset({"tools"}), None),
    ],
)
def test_only_what_can_do_it_counts(task: str, kind: str, needs: frozenset[str], able: str | None) -> None:
    """By the capabilities that the request needs."""
    made = compared(
        spec("a/text", 0.9, FREE),
        spec("b/sees", 0.5, FREE, capabilities=CHATS | {"vision"}),
        spec("c/embeds", 0.95, FREE, capabilities=frozenset({"embedding"})),
    )
    assert pair(made, task, kind, needs) == (able, able)


def test_a_declared_model_takes_the_place_of_the_best() -> None:
    """The cheapest endpoint of it, or its price alone where nobody serves it."""
    specs = spec("a/best", 0.9, DEAR), spec("b/mine:latest", 0.4, DEAR), spec("c/mine:latest", 0.4, CHEAP)
    assert pair(compared(*specs, declared="mine")) == ("c/mine:latest", "a/best")
    assert pair(compared(*specs, declared="mine"), needs=frozenset({"vision"}))[0] is None
    best, _ = compared(*specs, declared="other", other=CHEAP).at("conversation", "chat", NONE)
    assert best is not None
    assert best.charge(Usage(10**6, 10**6)) == pytest.approx(3.0)
    assert pair(compared(*specs, declared="nobody"))[0] is None


def test_what_is_not_known_is_unknown() -> None:
    """Without a price, and where it would not have fitted; a context that is just enough is."""
    assert Elsewhere("a/m", None, 4096).charge(Usage(1, 1)) is None
    assert Elsewhere("a/m", CHEAP, 100).charge(Usage(60, 41)) is None
    assert Elsewhere("a/m", CHEAP, 100).charge(Usage(60, 40)) == pytest.approx(140e-6)


def test_seconds_are_those_of_the_prior() -> None:
    """Half a second there, a thousandth for each token read, a hundredth for each written; nothing for nothing."""
    best, _ = compared(spec("a/m", 0.9, Price(second=2.0))).at("conversation", "chat", NONE)
    assert best is not None
    assert best.charge(Usage(1000, 100)) == pytest.approx(2 * (0.5 + 1.0 + 1.0))
    assert best.charge(Usage()) == 0.0


def test_what_was_found_holds_until_something_changes() -> None:
    """A look at the same endpoints keeps it; another price, another endpoint or another declaration does not."""
    specs = [spec("a/m", 0.5, CHEAP)]
    looked: list[int] = []

    def endpoints() -> list[EndpointSpec]:
        looked.append(1)
        return list(specs)

    listed = {"other": CHEAP}
    made = Counterfactuals(endpoints, None, listed.get)
    before = made.at("conversation", "chat", NONE)
    assert made.at("conversation", "chat", NONE) is before
    assert len(looked) == 1
    made.refresh()
    assert made.at("conversation", "chat", NONE) is before
    specs.append(spec("b/n", 0.9, DEAR))
    assert made.at("conversation", "chat", NONE) is before
    made.refresh()
    assert pair(made) == ("b/n", "a/m")
    made.declare("other")
    assert [one and one.price for one in made.at("conversation", "chat", NONE)] == [CHEAP, CHEAP]
    listed["other"] = DEAR
    made.refresh()
    assert [one and one.price for one in made.at("conversation", "chat", NONE)] == [DEAR, CHEAP]


@given(
    price=st.builds(Price, st.floats(0, 100), st.floats(0, 100), st.none() | st.floats(0, 10)),
    prompt=st.integers(0, 2000),
    completion=st.integers(0, 2000),
    cached=st.integers(0, 2000),
)
def test_the_same_tokens_cost_the_same_there_as_here(
    price: Price, prompt: int, completion: int, cached: int
) -> None:
    """By the same rules, the cache of the server included."""
    usage = Usage(prompt, completion, cached)
    assert Elsewhere("a/m", price, 4096).charge(usage) == cost_of(price, usage, 0.0)


prices = st.none() | st.builds(
    Price, st.floats(0, 100), st.floats(0, 100), st.none() | st.floats(0, 10), st.just(0.0) | st.floats(0, 1)
)
endpoints = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([0.2, 0.9]), prices, st.sampled_from([500, 4096]))
)


@given(
    offered=endpoints,
    task=st.sampled_from(list(Task)),
    kind=st.sampled_from(list(Kind)),
    needs=st.sampled_from([NONE, frozenset({"vision"})]),
    served=st.sampled_from(["a/m0", "b/m1", ""]),
    usage=st.builds(Usage, st.integers(0, 3000), st.integers(0, 3000), st.sampled_from([0, 0, 10])),
    own=st.none() | st.just(0.125),
)
def test_the_short_way_and_the_long_way_agree_on_other_places(
    offered: list[Any],
    task: Task,
    kind: Kind,
    needs: frozenset[str],
    served: str,
    usage: Usage,
    own: float | None,
) -> None:
    """Twice, since the second time it is at hand; where it was served it costs what it cost."""
    specs = [
        spec(f"{backend}/m{place}", quality, price, context=context)
        for place, (backend, quality, price, context) in enumerate(offered)
    ]
    made = compared(*specs)
    expected = [
        None if one is None else own if one.endpoint == served else one.charge(usage)
        for one in compared(*specs).at(task.value, kind.value, needs)
    ]
    for _ in range(2):
        assert list(made(task.value, kind, needs, served, usage, own)) == expected


def test_the_short_way_is_for_what_it_holds_of() -> None:
    """Not for input from a cache, nor for what would not fit, nor after another model was declared."""
    price = Price(1.0, 2.0, cached=0.5)
    made = compared(spec("a/m", 0.9, price, context=100), declared=None, other=DEAR)

    def ask(usage: Usage) -> Any:
        return made("conversation", Kind.CHAT, NONE, "z/z", usage, None)

    assert ask(Usage(40, 60)) == pytest.approx((160e-6, 160e-6))
    assert ask(Usage(40, 60)) == pytest.approx((160e-6, 160e-6))
    assert ask(Usage(40, 60, 20)) == pytest.approx((150e-6, 150e-6))
    assert ask(Usage(41, 60)) == (None, None)
    made.declare("other")
    assert ask(Usage(40, 60)) == pytest.approx((2200e-6, 160e-6))
