"""Giving a budget another limit, or the configured one again: a name must be typed where much follows from it."""

from collections.abc import Sequence

from orchestra_core.domain.budgets import BudgetView
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.budgets import money
from orchestra_tui.present.deeds.deed import Call, Deed, Question, Refusal, Risk, path
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.plans import Fact

MOST = 1e12
# So many times as much as before is a decision about money.
_MUCH_MORE = 2.0


def named(snapshot: Snapshot | None, name: str) -> Sequence[BudgetView]:
    """How it stands; one for each key where each has one."""
    return [view for view in snapshot.budgets if view.name == name] if snapshot else []


def set_limit(name: str, limit: float) -> Deed:
    def asked(picture: Picture) -> Question | Refusal:
        return _asked(name, limit, picture)

    call = Call(path("budgets", name), {"limit": limit}, name)
    return Deed("budget", (name,), asked, (call,), f"budget {name} has {limit:.12g} now")


def reset_limit(name: str) -> Deed:
    def asked(picture: Picture) -> Question | Refusal:
        found = named(picture.snapshot, name)
        if found and found[0].configured is None:
            return Refusal(f"budget: {name} has the configured limit already")
        return _asked(name, (found[0].configured if found else None) or 0.0, picture)

    call = Call(path("budgets", name, "reset"), {}, name)
    return Deed("budget", (name,), asked, (call,), f"budget {name} has its configured limit again")


def _asked(name: str, limit: float, picture: Picture) -> Question | Refusal:
    found = named(picture.snapshot, name)
    if not found:
        return Refusal(f"budget: there is no budget {name!r}")
    first, glyphs = found[0], picture.glyphs
    if limit == first.limit:
        return Refusal(f"budget: {name} has {money(limit, glyphs)} {first.currency} already")
    stopped = [view for view in found if view.kind == "hard" and limit <= view.settled + view.reserved]
    facts: list[Fact] = [
        (
            "limit",
            f"{money(first.limit, glyphs)} {glyphs.arrow} {money(limit, glyphs)} {first.currency} a {first.period}",
            "",
        ),
        ("over", first.scope if len(found) == 1 else f"{len(found)} keys", ""),
        ("spent", f"{money(first.settled, glyphs)}, {money(first.reserved, glyphs)} reserved", ""),
    ]
    if stopped:
        what = f"nothing new that costs money passes until {stopped[0].resets[:16]} UTC; nothing under way is cut"
        facts.append(("then", what, "bad"))
    much = limit > first.limit * _MUCH_MORE
    if much:
        facts.append(("more", "more than twice as much may be spent", "warn"))
    risk = Risk.HIGH if stopped or much else Risk.SOME
    return Question(
        f"Budget {name}: {money(limit, glyphs)} {first.currency} a {first.period}?",
        tuple(facts),
        risk=risk,
        typed=name if risk is Risk.HIGH else "",
        yes="Set",
    )
