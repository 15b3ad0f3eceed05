"""`intake`: whether the engine takes new requests."""

from typing import Any

import click

from orchestra_core.cli.client import connect
from orchestra_core.cli.options import Session, talks_to_engine


@click.group()
def intake() -> None:
    """Refuse new requests with 503 for a while; those that run finish."""


@intake.command()
@click.option("--reason", default="", help="Why; clients are told.")
@talks_to_engine
def pause(session: Session, reason: str) -> None:
    """Refuse new requests until `intake resume` or a restart."""
    _show(session, "pause", {"reason": reason} if reason else {})


@intake.command()
@talks_to_engine
def resume(session: Session) -> None:
    """Take new requests again."""
    _show(session, "resume", {})


def _show(session: Session, action: str, body: dict[str, Any]) -> None:
    with connect(session) as engine:
        state = engine.post(f"/api/v1/intake/{action}", body)
    why = f" ({state['reason']})" if state["reason"] else ""
    paused = f"intake is paused{why}: new requests get 503"
    session.out.result(state, paused if state["paused"] else "new requests are taken")
