"""Commands that look: health, models, metrics."""

from typing import Any

import click
import msgspec

from orchestra_core.cli.ask import choose
from orchestra_core.cli.client import EngineClient, connect
from orchestra_core.cli.failure import Code
from orchestra_core.cli.figures import cost
from orchestra_core.cli.options import TASK, Session, talks_to_engine
from orchestra_core.cli.spelling import amount, join, pairs, seconds
from orchestra_core.domain.price import PriceView, in_words
from orchestra_core.domain.snapshot import ModelView, Snapshot


@click.command()
@click.option("--verbose", "-v", is_flag=True, help="Add backends, breakers and what needs attention.")
@talks_to_engine
def health(session: Session, verbose: bool) -> int:
    """Say whether the engine and what it uses are well; exits with 4 when it is unhealthy."""
    out = session.out
    with connect(session) as engine:
        report = engine.get("/api/v1/health", also=503)
        snapshot = _snapshot(engine) if verbose else None
    if out.as_json:
        out.data({**report, "details": _details(snapshot)} if snapshot else report)
    else:
        _print_health(session, report)
        if snapshot:
            _print_details(session, snapshot)
    return Code.UNHEALTHY if report.get("status") == "unhealthy" else Code.DONE


def _print_health(session: Session, report: dict[str, Any]) -> None:
    out = session.out
    click.echo(f"{out.state(str(report.get('status', 'unknown')))}  version {report.get('version', '?')}")
    if "services" not in report:
        out.talk("This engine tells the rest to whoever has a key: ORCHESTRATOR_API_KEY or --api-key.")
        return
    out.line(f"services  {pairs(report['services'])}")
    out.line(f"system    {pairs(report.get('system', {}))}")
    for notice in report.get("notices", ()):
        out.line(f"! {notice}")


def _details(snapshot: Snapshot) -> dict[str, object]:
    return {
        "backends": snapshot.backends,
        "breakers": snapshot.breakers,
        "notices": snapshot.notices,
        "address": snapshot.address,
        "pid": snapshot.pid,
        "simulated": snapshot.simulated,
    }


def _print_details(session: Session, snapshot: Snapshot) -> None:
    out = session.out
    simulated = " (simulated fleet)" if snapshot.simulated else ""
    out.line(f"engine    pid {snapshot.pid} at {snapshot.address}{simulated}")
    out.line()
    out.table(
        ("BACKEND", "KIND", "HEALTH", "MODELS", "LATENCY", "ADDRESS", "ERROR"),
        [
            (b.name, b.kind, b.health, f"{b.ready}/{b.models}", seconds(b.latency), b.address, b.error)
            for b in snapshot.backends
        ],
    )
    tripped = [breaker for breaker in snapshot.breakers if breaker.state != "closed"]
    if tripped:
        out.line()
        out.table(("BREAKER", "STATE", "REASON"), [(b.endpoint, b.state, b.reason) for b in tripped])


def _snapshot(engine: EngineClient) -> Snapshot:
    return msgspec.json.decode(engine.raw("/api/v1/snapshot"), type=Snapshot)


@click.command()
@click.option("--include-metrics", is_flag=True, help="Add calls, failures and measured speed.")
@click.option(
    "--best-for", "task", type=TASK, metavar="TASK", help="Name the model that is best for a task now."
)
@talks_to_engine
def models(session: Session, include_metrics: bool, task: str | None) -> None:
    """List models, or name the best one for a task (`--best-for code_generation`)."""
    out = session.out
    with connect(session) as engine:
        if task is not None:
            best = choose(engine, task, {})
            if out.as_json:
                out.data({"model": best["selected_model"], **best})
            else:
                out.line(str(best["selected_model"]))
                out.talk(str(best.get("reasoning", "")))
            return
        listing = engine.get("/api/v1/models")
        measured = {view.id: view for view in _snapshot(engine).models} if include_metrics else {}
    entries = [_entry(entry, measured) for entry in listing.get("models", [])]
    if out.as_json:
        out.data({**listing, "models": entries})
    elif not entries:
        out.talk("No models. `ai-orchestra doctor` says what can be done about it.")
    else:
        heads = ("MODEL", "STATUS", "BACKEND", "SIZE", "CONTEXT", "PRICE", "CAPABILITIES")
        more = ("CALLS", "FAILED", "TOK/S", "FIRST TOKEN") if include_metrics else ()
        out.table((*heads, *more), [_row(entry, include_metrics) for entry in entries])


def _entry(entry: dict[str, Any], measured: dict[str, ModelView]) -> dict[str, Any]:
    view = measured.get(f"{entry.get('backend')}/{entry.get('name')}")
    if view is None:
        return entry
    metrics = {
        "calls": view.calls,
        "failed": view.failed,
        "inflight": view.inflight,
        "waiting": view.waiting,
        "tokens_per_second": view.tokens_per_second,
        "first_token_seconds": view.first_token_seconds,
    }
    return {**entry, "metrics": metrics}


def _row(entry: dict[str, Any], include_metrics: bool) -> tuple[str, ...]:
    row = (
        str(entry.get("name", "")),
        str(entry.get("status", "")),
        str(entry.get("backend", "")),
        str(entry.get("size") or "-"),
        str(entry.get("context") or "-"),
        in_words(msgspec.convert(entry.get("price", {}), PriceView)),
        join(entry.get("capabilities")),
    )
    if not include_metrics:
        return row
    metrics = entry.get("metrics", {})
    return (
        *row,
        amount(metrics.get("calls")),
        amount(metrics.get("failed")),
        amount(metrics.get("tokens_per_second")),
        seconds(metrics.get("first_token_seconds")),
    )


@click.command()
@talks_to_engine
def metrics(session: Session) -> None:
    """Requests, times and the most used model since the engine started."""
    with connect(session) as engine:
        report = engine.get("/api/v1/metrics")
    if session.out.as_json:
        session.out.data(report)
        return
    for name in ("requests", "performance", "models"):
        session.out.line(f"{name:<12}{pairs(report.get(name, {}))}")
    session.out.line(f"{'cost':<12}{_cost(report)}")


def _cost(report: dict[str, Any]) -> str:
    """What is known, and of how many requests nothing is: their sum is never told as if it were all."""
    unknown = report.get("cost_unknown_requests", 0)
    known = f"{cost(report.get('cost', 0))} {report.get('currency', 'USD')}"
    return f"{known}, and {unknown} requests of unknown cost" if unknown else known
