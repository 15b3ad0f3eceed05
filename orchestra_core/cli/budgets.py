"""`budgets`: what may be spent, what is, and when it starts anew; `set` another limit and `reset` it."""

from urllib.parse import quote

import click
import msgspec

from orchestra_core.cli.client import connect, named_path
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.domain.budgets import BudgetView

_HEADS = ("BUDGET", "OF", "LIMIT", "RESERVED", "SETTLED", "LEFT", "RESETS", "PACE", "NOTE")
_DAY, _HOUR = 86_400, 3600
# As in the configuration.
_MOST = 1e12


class _Answer(msgspec.Struct):
    budgets: tuple[BudgetView, ...]


@click.group(invoke_without_command=True)
@talks_to_engine
def budgets(session: Session) -> None:
    """Say how budgets stand: what is reserved, settled and left, and when each starts anew.

    \b
    Examples:
      ai-orchestra budgets set team 40
      ai-orchestra budgets reset team
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    with connect(session) as engine:
        raw = engine.raw("/api/v1/budgets")
    found = msgspec.json.decode(raw, type=_Answer).budgets
    if session.out.as_json:
        session.out.data({"budgets": found})
    elif not found:
        session.out.talk("No budgets. Each is a [[budgets]] table of the configuration.")
    else:
        session.out.table(_HEADS, [_row(view) for view in found])


@budgets.command("set")
@click.argument("name")
@click.argument("amount", type=click.FloatRange(0, _MOST))
@talks_to_engine
def set_limit(session: Session, name: str, amount: float) -> None:
    """Let a budget have another limit than the configured one, until it is reset; restarts keep it.

    What is spent or reserved already stays: below that, nothing that costs money passes until the budget starts anew.
    """
    _change(session, f"/api/v1/budgets/{quote(name, safe='')}", {"limit": amount}, name)


@budgets.command()
@click.argument("name")
@talks_to_engine
def reset(session: Session, name: str) -> None:
    """Let a budget have its configured limit again."""
    _change(session, named_path("budgets", name, "reset"), {}, name)


def _change(session: Session, path: str, body: dict[str, object], name: str) -> None:
    with connect(session) as engine:
        answer = engine.post(path, body)
    if session.out.as_json:
        session.out.data(answer)
        return
    found = msgspec.convert(answer, _Answer).budgets
    for view in found:
        whose = f"{name} of {view.scope}" if view.scope.startswith("key ") else name
        known = (
            f"; configured is {_money(view.configured)}" if view.configured is not None else ", as configured"
        )
        session.out.line(
            f"{whose} has {_money(view.limit)} {view.currency} a {view.period}{known}; {_money(view.left)} are left"
        )
    if not found:
        session.out.line(f"{name} is changed; no key has asked for anything in this period")


def _row(view: BudgetView) -> tuple[str, ...]:
    return (
        view.name,
        view.scope,
        f"{_money(view.limit)} {view.currency} a {view.period}, {view.kind}",
        _money(view.reserved),
        _money(view.settled),
        _money(view.left),
        f"{view.resets} (in {_span(view.resets_in)})",
        "-" if view.pace is None else f"{view.pace:.0%}",
        _note(view),
    )


def _note(view: BudgetView) -> str:
    """What needs somebody to know it, the most pressing first."""
    notes = [] if view.known else ["what was spent before is not known yet"]
    if view.configured is not None:
        notes.append(f"set by an operator, configured {_money(view.configured)}")
    if view.alert is not None:
        notes.append(f"{view.alert:.0%} reached")
    if view.weight > 1:
        notes.append(f"cost weighs {view.weight:.1f} times")
    if view.presumed:
        notes.append(f"{_money(view.presumed)} presumed, of requests a crash interrupted")
    for count, what in (
        (view.waiting, "waiting"),
        (view.refused, "refused"),
        (view.unpriced, "of unknown price"),
        (view.overruns, "dearer than was reserved"),
    ):
        if count:
            notes.append(f"{count} {what}")
    return ", ".join(notes)


def _money(value: float) -> str:
    """To a ten-thousandth: an answer costs less than a cent."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _span(seconds: float) -> str:
    if seconds >= _DAY:
        return f"{seconds // _DAY:.0f}d {seconds % _DAY // _HOUR:.0f}h"
    return f"{seconds // _HOUR:.0f}h {seconds % _HOUR // 60:.0f}m"
