"""The budgets of a configuration: `[[budgets]]`."""

from collections.abc import Mapping
from typing import Any

from orchestra_core.config.accounting import CURRENCY
from orchestra_core.config.document import Document
from orchestra_core.config.fields import TEXT, Field, number, one_of
from orchestra_core.config.lines import Path
from orchestra_core.domain.budgets import Budget, Over, Period, Strictness
from orchestra_core.domain.call import TASK_ALIASES, Task

_TASKS = {
    **{task.value: task.value for task in Task},
    **{old: task.value for old, task in TASK_ALIASES.items()},
}
_SCOPES = ("key", "task", "model", "per")
# Amounts are counted in billionths; a trillion of any currency is not a budget but a slip.
_MOST = 1e12
_MOST_ALERTS = 16


def _task(value: object) -> str:
    if not isinstance(value, str) or value not in _TASKS:
        raise ValueError
    return _TASKS[value]


def _each(value: object) -> bool:
    if value != "key":
        raise ValueError
    return True


def _alerts(value: object) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) > _MOST_ALERTS:
        raise ValueError
    share = number(0, 10, above=True)
    shares = tuple(share.read(item) for item in value)
    if list(shares) != sorted(set(shares)):
        raise ValueError
    return shares


BUDGET: dict[str, Field] = {
    "name": TEXT,
    "limit": number(0, _MOST),
    "currency": CURRENCY,
    "period": one_of(Period),
    "kind": one_of(Strictness),
    "over": one_of(Over),
    "key": TEXT,
    "task": Field(_task, "one of " + ", ".join(sorted(_TASKS))),
    "model": TEXT,
    "per": Field(_each, '"key", for a budget of its own for each key'),
    "alerts": Field(_alerts, "a rising list of shares of the limit above 0, such as [0.5, 0.8, 1.0]"),
}


def read_budgets(document: Document, currency: str) -> tuple[Budget, ...]:
    """The configured budgets; names are unique. `currency` is what prices are in: nothing is converted."""
    entries = document.values.get("budgets", [])
    if not isinstance(entries, list):
        document.problem(("budgets",), "budgets must be an array of tables, each written [[budgets]]")
        return ()
    found: dict[str, Budget] = {}
    for position, entry in enumerate(entries):
        path: Path = ("budgets", position)
        values = document.table(path, entry, BUDGET)
        if not isinstance(entry, Mapping) or not _complete(document, path, entry, values, currency):
            continue
        if values["name"] in found:
            document.problem((*path, "name"), f'there is already a budget named "{values["name"]}"')
        values.pop("currency", None)
        found[values["name"]] = Budget(per_key=values.pop("per", False), **values)
    return tuple(found.values())


def _complete(
    document: Document, path: Path, entry: Mapping[str, Any], values: Mapping[str, Any], currency: str
) -> bool:
    for key in ("name", "limit"):
        if key not in entry:
            document.problem(path, f"this budget has no {key}; it must be {BUDGET[key].allowed}")
    if values.get("currency", currency) != currency:
        document.problem(
            (*path, "currency"),
            f"this budget is in {values['currency']} and prices are in {currency} ([accounting] currency): "
            f"nothing is converted, so give the limit in {currency}",
        )
    scopes = [key for key in _SCOPES if key in values]
    if len(scopes) > 1:
        document.problem(path, f"a budget is over one thing: keep one of {', '.join(scopes)}")
    if values.get("kind") is Strictness.SOFT and "over" in values:
        document.problem((*path, "over"), "a soft budget refuses nothing: leave `over` out, or make it hard")
    return "name" in values and "limit" in values
