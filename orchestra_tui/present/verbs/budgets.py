"""budget set NAME AMOUNT, budget reset NAME."""

from collections.abc import Sequence
from math import isfinite

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.deeds.budget import MOST, named, reset_limit, set_limit
from orchestra_tui.present.verbs.verb import Command, Mistake, Verb

_USAGE = "budget set NAME AMOUNT, or budget reset NAME"


def amount(text: str) -> float | None:
    """What is typed as an amount of money; None where it is none."""
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return value if isfinite(value) and 0 <= value <= MOST else None


def _meant(rest: str, snapshot: Snapshot | None) -> Command | Mistake:
    what, _, more = rest.partition(" ")
    name, limit = more.strip(), None
    if what == "set":
        name, _, last = name.rpartition(" ")
        limit = amount(last)
        if not name or limit is None:
            return Mistake(f"budget: say {_USAGE}")
    elif what != "reset" or not name:
        return Mistake(f"budget: say {_USAGE}")
    name = name.strip()
    if not named(snapshot, name):
        return Mistake(f"budget: there is no budget {name!r}")
    deed = reset_limit(name) if limit is None else set_limit(name, limit)
    return Command("budget", name, deed=lambda _: deed)


def _completed(snapshot: Snapshot | None) -> Sequence[str]:
    names = dict.fromkeys(view.name for view in snapshot.budgets) if snapshot else ()
    return [*(f"set {name} " for name in names), *(f"reset {name}" for name in names)]


VERBS = (Verb("budget", _USAGE, _completed, _meant),)
