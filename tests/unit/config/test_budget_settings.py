"""[[budgets]]: what is taken, and what is refused with words."""

from pathlib import Path

import pytest

from orchestra_core.config import describe
from orchestra_core.domain.budgets import THRESHOLDS, Budget, Over, Period, Strictness
from tests.unit.config.reading import problems, read

GIVEN = """
[accounting]
currency = "EUR"

[[budgets]]
name = "team"
limit = 50
currency = "EUR"

[[budgets]]
name = "each"
limit = 0.5
per = "key"
period = "day"
over = "refuse"
alerts = [0.9]

[[budgets]]
name = "code"
limit = 2.5
task = "code"
period = "week"
kind = "soft"
alerts = []
"""


def test_budgets_are_taken_as_given(tmp_path: Path) -> None:
    """By default hard, a month, degrading, and told at 50, 80 and 100 %; an old name of a task is its new one."""
    config = read(tmp_path, GIVEN)
    assert config.budgets == (
        Budget("team", 50.0, Period.MONTH, Strictness.HARD, Over.DEGRADE, alerts=THRESHOLDS),
        Budget("each", 0.5, Period.DAY, over=Over.REFUSE, per_key=True, alerts=(0.9,)),
        Budget("code", 2.5, Period.WEEK, Strictness.SOFT, task="code_generation", alerts=()),
    )
    shown = {key: (value, source) for key, value, source in describe(config) if key.startswith("budgets.")}
    assert shown["budgets.each"][0] == "0.5 EUR a day, each key, hard, refuse when over"
    assert shown["budgets.code"][0] == "2.5 EUR a week, task code_generation, soft"
    assert all("ai-orchestra.toml" in source for _, source in shown.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("limit = -1", "FILE:3: budgets[0].limit is -1; it must be a number from 0 to"),
        ("limit = nan", "FILE:3: budgets[0].limit is nan; it must be a number from 0 to"),
        ("limit = inf", "FILE:3: budgets[0].limit is inf; it must be a number from 0 to"),
        ("limit = true", "FILE:3: budgets[0].limit is true; it must be a number"),
        ("limit = '5 USD'", "FILE:3: budgets[0].limit is '5 USD'; it must be a number"),
        ("limit = 1\ncurrency = 'XXX'", "FILE:4: budgets[0].currency is 'XXX'; it must be the ISO 4217 code"),
        (
            "limit = 1\ncurrency = 'EUR'",
            "FILE:4: this budget is in EUR and prices are in USD ([accounting] currency): nothing is converted",
        ),
        ("limit = 1\nperiod = 'year'", "FILE:4: budgets[0].period is 'year'; it must be one of day, week"),
        ("limit = 1\nper = 'task'", "FILE:4: budgets[0].per is 'task'; it must be \"key\""),
        ("limit = 1\ntask = 'cooking'", "FILE:4: budgets[0].task is 'cooking'; it must be one of analysis"),
        ("limit = 1\nkey = 'a'\nmodel = 'm'", "FILE:1: a budget is over one thing: keep one of key, model"),
        ("limit = 1\nkey = 'a'\nper = 'key'", "FILE:1: a budget is over one thing: keep one of key, per"),
        ("limit = 1\nkind = 'soft'\nover = 'refuse'", "FILE:5: a soft budget refuses nothing"),
        ("limit = 1\nalerts = [0.8, 0.5]", "FILE:4: budgets[0].alerts is [0.8, 0.5]; it must be a rising"),
        ("limit = 1\nalerts = [-0.5]", "FILE:4: budgets[0].alerts is [-0.5]; it must be a rising list"),
        ("limit = 1\nlimits = 2", "FILE:4: unknown key budgets[0].limits; did you mean"),
        ("", "FILE:1: this budget has no limit; it must be a number from 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_load(tmp_path: Path, text: str, expected: str) -> None:
    """One problem, with file and line, what is wrong and what to write."""
    (told,) = problems(tmp_path, f"[[budgets]]\nname = 'a'\n{text}")
    assert told.startswith(expected)


def test_names_of_budgets_are_needed_and_unique(tmp_path: Path) -> None:
    """Alerts and errors name them."""
    twice = "[[budgets]]\nname = 'a'\nlimit = 1\n[[budgets]]\nname = 'a'\nlimit = 2\n[[budgets]]\nlimit = 3"
    assert problems(tmp_path, twice) == [
        'FILE:5: there is already a budget named "a"',
        "FILE:7: this budget has no name; it must be a text that is not empty and has no control characters",
    ]
    assert problems(tmp_path, "budgets = 3") == [
        "FILE:1: budgets must be an array of tables, each written [[budgets]]"
    ]
