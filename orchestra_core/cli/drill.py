"""`drill`: inject a fault at one endpoint for a while, watch it, and read what came of it."""

import time
from typing import Any

import click
import msgspec

from orchestra_core.cli.client import EngineClient, connect, named_path
from orchestra_core.cli.failure import Failure
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.cli.spelling import brief
from orchestra_core.domain.drills import DrillFault, DrillPlan, DrillReport

_PATH = "/api/v1/drills"
_LOOK_SECONDS = 1.0
_HEADS = ("DRILL", "STATE", "BEGAN", "ENDPOINT", "FAULT", "BY", "REQUESTS", "GRADE")


class _Listing(msgspec.Struct):
    running: list[DrillReport]
    reports: list[DrillReport]


@click.group()
def drill() -> None:
    """Fault drills: latency, errors, silence or cuts at one endpoint for a limited time, with a graded report.

    \b
    Examples:
      ai-orchestra drill start sim-a/llama3 --fault errors --share 0.5 --seconds 30 --wait
      ai-orchestra drill start box/qwen --fault silence --traffic 2 --confirm box/qwen
      ai-orchestra drill report d-3fa9c1
    """


@drill.command()
@click.argument("endpoint")
@click.option(
    "--fault", type=click.Choice([fault.value for fault in DrillFault]), required=True, help="What to inject."
)
@click.option("--seconds", type=click.FloatRange(5, 600), default=30, show_default=True, help="For how long.")
@click.option(
    "--share", type=click.FloatRange(0, 1), default=1, show_default=True, help="Of the calls sent there."
)
@click.option("--latency", "latency_ms", type=float, metavar="MS", help="Of latency: what is added; 500.")
@click.option("--jitter", "jitter_ms", type=float, metavar="MS", help="Of latency: so much more or less; 0.")
@click.option("--status", type=int, help="Of errors: 429, 500, 502, 503 or 504; 500.")
@click.option("--after", "after_tokens", type=int, metavar="TOKENS", help="Of cut: what still arrives; 5.")
@click.option("--traffic", type=click.FloatRange(0, 20), default=0, help="Requests a second of its own.")
@click.option("--confirm", default="", metavar="ENDPOINT", help="Its name again, where it is not simulated.")
@click.option("--dry-run", is_flag=True, help="Only say what it would be, and what it may cost.")
@click.option("--wait/--no-wait", default=False, help="Return with its report when it is done, or at once.")
@talks_to_engine
def start(session: Session, endpoint: str, dry_run: bool, wait: bool, **wish: Any) -> None:
    """Begin a drill on an endpoint, which is backend/model. It ends by itself."""
    body = {"endpoint": endpoint, **{name: value for name, value in wish.items() if value not in (None, "")}}
    with connect(session) as engine:
        if dry_run:
            plan = msgspec.convert(engine.post(_PATH, {**body, "dry_run": True}), DrillPlan)
            session.out.result(plan, *_planned(plan))
            return
        report = msgspec.convert(engine.post(_PATH, body), DrillReport)
        session.out.talk(
            f"drill {report.id} runs on {report.endpoint} for {report.seconds:g} s: {report.what}"
        )
        session.out.talk(f"may cost: {report.may_cost}")
        if wait:
            report = _awaited(engine, report.id)
    session.out.result(report, *(_lines(report) if wait else [report.id]))


@drill.command("list")
@talks_to_engine
def list_(session: Session) -> None:
    """Those that run, those whose endpoint is recovering, and the last that are done."""
    with connect(session) as engine:
        raw = engine.raw(_PATH)
    if session.out.as_json:
        session.out.data(msgspec.json.decode(raw))
        return
    listing = msgspec.json.decode(raw, type=_Listing)
    rows = [_row(report) for report in (*listing.running, *listing.reports)]
    if rows:
        session.out.table(_HEADS, rows)
    else:
        session.out.talk("No drills since the engine started. `ai-orchestra drill start --help` says how.")


@drill.command()
@click.argument("id")
@talks_to_engine
def stop(session: Session, id: str) -> None:
    """End a drill now."""
    with connect(session) as engine:
        state = engine.post(named_path("drills", id, "stop"), {})
    session.out.result(state, *_lines(msgspec.convert(state, DrillReport)))


@drill.command("report")
@click.argument("id")
@talks_to_engine
def report_(session: Session, id: str) -> None:
    """What came of a drill, in grades; of one that runs, so far."""
    with connect(session) as engine:
        found = _found(engine, id)
    session.out.result(found, *_lines(found))


def _found(engine: EngineClient, id: str) -> DrillReport:
    listing = msgspec.json.decode(engine.raw(_PATH), type=_Listing)
    for report in (*listing.running, *listing.reports):
        if report.id == id:
            return report
    raise Failure(f"there is no drill {id}; `ai-orchestra drill list` shows them")


def _awaited(engine: EngineClient, id: str) -> DrillReport:
    """Its report when it is done: some seconds, or minutes, after its end."""
    while (report := _found(engine, id)).state != "done":
        time.sleep(_LOOK_SECONDS)
    return report


def _row(report: DrillReport) -> tuple[str, ...]:
    return (
        report.id,
        report.state,
        brief(report.started),
        report.endpoint,
        report.what,
        report.by,
        str(report.requests),
        report.grade or "-",
    )


def _planned(plan: DrillPlan) -> list[str]:
    confirm = f"; it is real: --confirm {plan.confirm}" if plan.confirm else "; it is simulated"
    others = ", ".join(plan.others) or "none: clients will notice"
    return [
        f"{plan.endpoint}: {plan.what} for {plan.seconds:g} s{confirm}",
        f"others of the same model: {others}",
        f"may cost: {plan.cost}",
    ]


def _lines(report: DrillReport) -> list[str]:
    until = f", {report.ended_by}" if report.ended_by else ""
    head = f"drill {report.id} on {report.endpoint}: {report.what}, {report.ran:.0f} s{until}; {report.state}"
    rows = [f"  {one.grade or '-'}  {one.name:<9} {one.says}" for one in report.criteria]
    grade = [f"  {report.grade}  in all"] if report.grade else []
    lost = [f"     not answered: {', '.join(report.lost_ids)}"] if report.lost_ids else []
    return [head, *rows, *grade, *lost, *([report.hint] if report.hint else [])]
