"""`cache show|clear`: what is answered again without being asked again."""

import click
import msgspec

from orchestra_core.cli.client import connect
from orchestra_core.cli.figures import cost
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.cli.spelling import size
from orchestra_core.domain.caching import CacheView
from orchestra_core.domain.snapshot import Snapshot


@click.group()
def cache() -> None:
    """Show or clear the cache of answers."""


@cache.command()
@talks_to_engine
def show(session: Session) -> None:
    """What is kept, how often it was of use, and what that saved."""
    with connect(session) as engine:
        snapshot = msgspec.json.decode(engine.raw("/api/v1/snapshot"), type=Snapshot)
    view, out = snapshot.cache, session.out
    if out.as_json:
        out.data({**msgspec.structs.asdict(view), "hit_rate": _rate(view), "currency": snapshot.currency})
        return
    out.line(f"answers  {_place(view)}")
    rate = _rate(view)
    out.line(
        f"asked    {view.hits} hits, {view.shared} shared, {view.misses} misses"
        + ("" if rate is None else f", {rate:.0%} answered without a backend")
    )
    out.line(
        f"kept     {view.kept}, {view.dropped} dropped for others, {view.expired} too old, {view.lost} lost"
    )
    unknown = f", and what {view.unpriced} without a known price cost" if view.unpriced else ""
    out.line(f"saved    {cost(view.saved)} {snapshot.currency}{unknown}")


@cache.command()
@talks_to_engine
def clear(session: Session) -> None:
    """Drop every answer that is kept; in Redis those of all engines."""
    with connect(session) as engine:
        dropped = engine.post("/api/v1/cache/clear", {})
    taken = dropped.get("bytes")
    room = "" if taken is None else f", {size(taken)}"
    session.out.result(dropped, f"{dropped['entries']} answers dropped{room}")


def _rate(view: CacheView) -> float | None:
    answered = view.hits + view.shared
    return answered / (answered + view.misses) if answered + view.misses else None


def _place(view: CacheView) -> str:
    if view.place == "off":
        return "none: switched off by [cache] enabled"
    if view.place == "redis":
        return f"in Redis, unavailable: {view.problem}" if view.problem else "in Redis"
    return f"{view.entries} in memory, {size(view.bytes)} of {size(view.limit)}"
