"""`audit`: what operators did."""

from typing import Any
from urllib.parse import quote

import click

from orchestra_core.cli.client import connect
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.cli.spelling import brief


@click.command()
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many.")
@click.option("--before", default="", metavar="PLACE", help="Older ones; the place is said below a page.")
@talks_to_engine
def audit(session: Session, limit: int, before: str) -> None:
    """Who did what, when, how it ended and the command for it; newest first. Over TCP that takes an admin key."""
    place = f"&before={quote(before, safe='')}" if before else ""
    with connect(session) as engine:
        page = engine.get(f"/api/v1/audit?limit={limit}{place}")
    out = session.out
    if out.as_json:
        out.data(page)
        return
    out.table(("AT", "WHO", "FROM", "OUTCOME", "WHAT"), [_row(entry) for entry in page["entries"]])
    if page["next"]:
        out.talk(f"older: ai-orchestra audit --before {page['next']}")


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    at = brief(entry["at"])
    if "refused" in entry:
        return at, "-", "-", "refused", f"{entry['refused']} more: {entry.get('most', '')}"
    who = f"{entry['who']} ({entry['key']})" if entry.get("key") else str(entry.get("who", "-"))
    what = entry.get("command") or f"{entry.get('method', '')} {entry.get('path', '')}"
    # Lines of earlier versions have no outcome.
    outcome = entry.get("outcome") or "-"
    return at, who, str(entry.get("peer") or "-"), f"{outcome} {entry.get('status', '')}", what
