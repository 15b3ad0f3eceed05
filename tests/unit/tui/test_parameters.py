"""The parameters of a playground prompt: what is typed, what is wrong with it, what is sent."""

import pytest

from orchestra_core.wire.native import read_route
from orchestra_tui.present.form import mistakes
from orchestra_tui.present.parameters import FIELDS, told, wish


def test_nothing_typed_is_nothing_sent() -> None:
    """The engine's own defaults hold for all that is left empty."""
    assert wish("Why?", "auto", {}) == {"prompt": "Why?"}
    assert wish("Why?", "m", {"temperature": "  "}) == {"model": "m", "prompt": "Why?"}


def test_all_of_it_is_understood_by_the_engine() -> None:
    """Every field reaches the call that the engine makes of the body."""
    import msgspec

    typed = {
        "system": "Be short.",
        "temperature": "0.7",
        "max_tokens": "200",
        "task": "code",
        "quality": "high",
        "speed": "l",
        "max_cost": "0.01",
        "priority": "high",
        "deadline": "1.5",
    }
    assert mistakes(FIELDS, typed) == {}
    call = read_route(msgspec.json.encode(wish("Why?", "m", typed)), "r1", 0.0)
    assert call.task == "code_generation"
    assert (call.requirements.quality, call.requirements.speed) == ("high", "low")
    assert call.requirements.max_cost == 0.01
    assert (call.fields["temperature"], call.fields["max_tokens"]) == (0.7, 200)
    assert call.deadline == pytest.approx(1.5)
    assert call.priority == 1
    assert {field.name for field in FIELDS} == set(typed)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("temperature", "2.1", "from 0 to 2"),
        ("temperature", "nan", "from 0 to 2"),
        ("temperature", "warm", "from 0 to 2"),
        ("max_tokens", "0", "whole number from 1"),
        ("max_tokens", "1.5", "whole number from 1"),
        ("max_tokens", "9" * 5000, "whole number from 1"),
        ("task", "poetry", "one of code_generation"),
        ("quality", "best", "one of low, medium, high"),
        ("deadline", "0", "from 0.001"),
        ("max_cost", "-1", "from 0"),
    ],
)
def test_what_is_wrong_says_what_is_right(name: str, text: str, words: str) -> None:
    """A value out of its range is named with the range."""
    assert words in mistakes(FIELDS, {name: text})[name]


def test_what_differs_from_the_defaults_is_told() -> None:
    """Fields that are empty are not mentioned."""
    assert told({"temperature": "0.2", "max_tokens": "", "task": "code"}) == "temperature 0.2, task code"
