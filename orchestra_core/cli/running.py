"""What runs, and `cancel`: ending it."""

from typing import Any
from urllib.parse import urlencode

import click

from orchestra_core.cli.client import connect, named_path
from orchestra_core.cli.failure import Code, Failure
from orchestra_core.cli.figures import count, milliseconds, text
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.cli.tables import show


def list_running(session: Session, asked: dict[str, Any]) -> None:
    """`requests --running`; what else may be asked for with it, the engine says."""
    wanted = {name: value for name, value in asked.items() if value is not None}
    with connect(session) as engine:
        page = engine.get(f"/api/v1/requests?{urlencode({**wanted, 'running': 'true'})}")
    out, rows = session.out, page["requests"]
    if out.as_json:
        out.data(page)
        return
    if not rows:
        out.talk("Nothing is running.")
        return
    heads = ("REQUEST", "WHERE", "KEY", "STATE", "SEC", "TRIES", "OUT")
    show(out, heads, [_row(row) for row in rows], 4, whole=1)
    if page["total"] > len(rows):
        out.talk(f"{page['total'] - len(rows)} more are running: --limit {min(500, page['total'])}")


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    place = "" if row["position"] is None else f" #{row['position']}"
    return (
        row["id"],
        row["endpoints"][-1] if row["endpoints"] else row["model_asked"],
        row["key_name"] or row["key"],
        "cancelling" if row["cancelling"] else row["state"] + place,
        milliseconds(row["age_ms"]),
        count(row["attempts"]),
        text(count(row["tokens_out"])),
    )


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--reason", default="", help="Why; its client and the ledger are told.")
@talks_to_engine
def cancel(session: Session, ids: tuple[str, ...], reason: str) -> int:
    """End running requests; their clients get the error `cancelled`. `requests --running` lists them."""
    body = {"reason": reason} if reason else {}
    ended: list[dict[str, Any]] = []
    refused: list[str] = []
    with connect(session) as engine:
        for one in dict.fromkeys(ids):
            try:
                ended.append(engine.post(named_path("requests", one, "cancel"), body))
            except Failure as failure:
                if failure.code is not Code.FAILED:
                    raise
                refused.append(failure.message)
    if session.out.as_json:
        session.out.data({"cancelled": ended, "refused": refused})
    for view in ended:
        if not session.out.as_json:
            session.out.line(f"{view['id']} is cancelled, it was {view['state']}")
    if refused:
        raise Failure("\n".join(refused))
    return Code.DONE
