"""`budgets`: what may be spent, what is, and when it starts anew."""

import click
import msgspec

from orchestra_core.cli.client import connect
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.domain.budgets import BudgetView

_HEADS = ("BUDGET", "OF", "LIMIT", "RESERVED", "SETTLED", "LEFT", "RESETS", "PACE", "NOTE")
_DAY, _HOUR = 86_400, 3600


class _Answer(msgspec.Struct):
    budgets: tuple[BudgetView, ...]


@click.command()
@talks_to_engine
def budgets(session: Session) -> None:
    """Say how budgets stand: what is reserved, settled and left, and when each starts anew."""
    with connect(session) as engine:
        raw = engine.raw("/api/v1/budgets")
    found = msgspec.json.decode(raw, type=_Answer).budgets
    if session.out.as_json:
        session.out.data({"budgets": found})
    elif not found:
        session.out.talk("No budgets. Each is a [[budgets]] table of the configuration.")
    else:
        session.out.table(_HEADS, [_row(view) for view in found])


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
