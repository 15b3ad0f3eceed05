"""`alerts`: what fires, and `ack`, `silence`, `unsilence`."""

from typing import Any

import click

from orchestra_core.cli.client import connect, named_path
from orchestra_core.cli.durations import duration
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.cli.spelling import brief

_DELIVERY = ("DELIVERY", "STATE", "SENT", "FAILED", "DROPPED", "WAITING", "WHY")


@click.group(invoke_without_command=True)
@click.option("--all", "every", is_flag=True, help="Also what may soon fire, and what is over.")
@talks_to_engine
def alerts(session: Session, every: bool) -> None:
    """List what fires, the worst first; with a command, say something to it.

    \b
    Examples:
      ai-orchestra alerts --all
      ai-orchestra alerts ack memory:host --reason "adding memory tonight"
      ai-orchestra alerts silence memory --for 2h --reason "load test"
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    with connect(session) as engine:
        listing = engine.get(f"/api/v1/alerts{'?all=1' if every else ''}")
    if session.out.as_json:
        session.out.data(listing)
        return
    _print(session, listing, every)


def _print(session: Session, listing: dict[str, Any], every: bool) -> None:
    out = session.out
    if listing["alerts"]:
        heads = ("SEVERITY", "STATE", "SINCE", "ALERT", "WHAT", "NOTE")
        out.table(heads, [_row(alert) for alert in listing["alerts"]])
    else:
        out.talk("Nothing fires." if not every else "Nothing fires, is about to, or has lately.")
    if listing["silences"]:
        out.line()
        out.table(
            ("SILENCED", "UNTIL", "BY", "REASON"),
            [
                (each["target"], brief(each["until"]), each["by"], each["reason"])
                for each in listing["silences"]
            ],
        )
    troubled = [each for each in listing["deliveries"] if each["error"] or each["dropped"]]
    if troubled:
        out.line()
        out.table(_DELIVERY, [_delivery(each) for each in troubled])


def _row(alert: dict[str, Any]) -> tuple[str, ...]:
    return (
        alert["severity"],
        alert["state"],
        brief(alert["since"]),
        alert["id"],
        alert["message"],
        _note(alert),
    )


def _note(alert: dict[str, Any]) -> str:
    if alert["silenced_until"] is not None:
        why = f": {alert['silenced_reason']}" if alert["silenced_reason"] else ""
        return f"silenced by {alert['silenced_by']} until {brief(alert['silenced_until'])}{why}"
    if alert["acknowledged"]:
        why = f": {alert['acknowledged_reason']}" if alert["acknowledged_reason"] else ""
        return f"acknowledged by {alert['acknowledged']}{why}"
    return "-"


def _delivery(each: dict[str, Any]) -> tuple[str, ...]:
    numbers = (str(each[name]) for name in ("sent", "failed", "dropped", "queued"))
    return (each["name"], each["state"], *numbers, each["error"] or "-")


@alerts.command()
@click.argument("id")
@click.option("--reason", default="", help="Why; shown beside it.")
@talks_to_engine
def ack(session: Session, id: str, reason: str) -> None:
    """Take note of an alert; it stays in the list, and says who did."""
    with connect(session) as engine:
        view = engine.post(named_path("alerts", id, "ack"), {"reason": reason} if reason else {})
    session.out.result(view, f"{view['id']} is {_note(view)}")


@alerts.command()
@click.argument("id")
@click.option(
    "--for", "seconds", callback=duration, required=True, metavar="TIME", help="How long, as 30m, 1h or 2d."
)
@click.option("--reason", default="", help="Why; shown beside it.")
@talks_to_engine
def silence(session: Session, id: str, seconds: float, reason: str) -> None:
    """Keep an alert quiet for a while, or all of a rule by its name: nobody is told of it.

    What still fires then is told.
    """
    with connect(session) as engine:
        made = engine.post(named_path("alerts", id, "silence"), {"seconds": seconds, "reason": reason})
    session.out.result(made, f"{made['target']} is silenced until {brief(made['until'])}")


@alerts.command()
@click.argument("id")
@talks_to_engine
def unsilence(session: Session, id: str) -> None:
    """End a silence."""
    with connect(session) as engine:
        ended = engine.post(named_path("alerts", id, "unsilence"), {})
    session.out.result(ended, f"{ended['target']} is no longer silenced")
