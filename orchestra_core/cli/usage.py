"""Commands that account: usage, and the requests it is made of."""

from typing import Any
from urllib.parse import urlencode

import click

from orchestra_core.cli.client import EngineClient, connect
from orchestra_core.cli.figures import ago, bound, cost, count, milliseconds, percent, rate, text
from orchestra_core.cli.options import TASK, Session, talks_to_engine
from orchestra_core.cli.output import Printer
from orchestra_core.cli.running import list_running
from orchestra_core.cli.tables import paragraph, show
from orchestra_core.domain.outcome import Verdict

_GROUPS = ("model", "task", "key", "backend", "day")
_LONGEST_PAGE = 500
# Searching for what is rare ends sometimes; `next` says where to go on.
_TURNS = 40
_SINCE = "From when on: 7d, 2026-11-01, today."
_VERDICTS = click.Choice([verdict.value for verdict in Verdict])


def _columns(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """`model`, or two that were summed together, as in `day,model`."""
    unknown = [name for name in value.split(",") if name not in _GROUPS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not one of {', '.join(_GROUPS)}")
    return value


@click.command()
@click.option(
    "--by",
    default="model",
    callback=_columns,
    metavar="COLUMN",
    help="model, task, key, backend or day; day,model for both.",
)
@click.option("--since", metavar="DAY", help=_SINCE)
@click.option("--until", metavar="DAY", help="To which day, that day included.")
@click.option("--model", help="Only this model's.")
@click.option("--task", type=TASK, metavar="TASK", help="Only this task's.")
@click.option("--key", help="Only those with this key, by its id.")
@click.option("--backend", help="Only this backend's.")
@click.option("--limit", type=click.IntRange(1, 10_000), help="How many rows at most.")
@talks_to_engine
def usage(session: Session, **asked: Any) -> None:
    """What was asked, what it took and cost, what routing saved, and what could be better.

    P50 and P95 are seconds that so many requests took at most. A cost with a plus leaves out requests whose cost is
    not known.
    """
    with connect(session) as engine:
        report = engine.get(_path("/api/v1/usage", asked))
    if session.out.as_json:
        session.out.data(report)
        return
    _print_usage(session.out, report)


def _print_usage(out: Printer, report: dict[str, Any]) -> None:
    by, rows = report["by"], report["rows"]
    out.line(_title(report))
    if not rows:
        out.talk("No requests yet.")
        return
    heads = (*(name.upper() for name in by), "REQS", "ERR%", "IN", "OUT", "TOK/S", "COST", "P50", "P95")
    cells = [(*(text(row[name]) for name in by), *_figures(row)) for row in rows]
    whole = ("all", *[""] * (len(by) - 1), *_figures(report["totals"]))
    show(out, heads, [*cells, whole], len(by))
    if report["rows_left_out"]:
        out.line(f"{report['rows_left_out']} more rows: --limit {len(rows) + report['rows_left_out']}")
    _print_savings(out, report)
    for one in report["suggestions"] or ():
        out.line()
        paragraph(out, f"* {one['sentence']}", "  ")
        paragraph(out, f"  {one['act']}", "  ")


def _title(report: dict[str, Any]) -> str:
    since, until = report["since"], report["until"]
    days = f"since {since}" if since else "all days"
    days += f" until {until}" if until else ""
    where = "".join(f", {name} {value}" for name, value in report["where"].items())
    return f"usage by {' and '.join(report['by'])}{where}, {days} ({report['timezone']}), in {report['currency']}"


def _figures(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        count(row["requests"]),
        percent(row["error_rate"]),
        count(row["tokens_in"]),
        count(row["tokens_out"]),
        rate(row["tokens_per_second"]),
        cost(row["cost"], row["cost_unknown_requests"]),
        bound(row["seconds"]["p50"]),
        bound(row["seconds"]["p95"]),
    )


def _print_savings(out: Printer, report: dict[str, Any]) -> None:
    savings, currency = report["savings"], report["currency"]
    declared = savings["compare_with"]
    best = f"always {declared}" if declared else "always the best model"
    out.line()
    for name, said in (("best", best), ("first", "always the first model")):
        one = savings[name]
        if one["paid"] is None:
            paragraph(out, f"{said}: not known what it would have cost", "  ")
            continue
        paragraph(
            out,
            f"{said}: {cost(one['would_have_cost'])} {currency} instead of {cost(one['paid'])}, "
            f"over {one['requests']} of {one['of']} requests",
            "  ",
        )
    cache = savings["cache"]
    if cache["hits"]:
        out.line(
            f"cache: {cache['hits']} answers, {cost(cache['saved'], cache['unknown_requests'])} {currency} saved"
        )


@click.command()
@click.option("--model", help="Only those that this model served.")
@click.option("--backend", help="Only those that this backend served.")
@click.option("--key", help="Only those with this key, by its id.")
@click.option("--task", type=TASK, metavar="TASK", help="Only this task's.")
@click.option("--verdict", type=_VERDICTS, metavar="VERDICT", help="Only those that ended so.")
@click.option("--failed/--not-failed", default=None, help="Only those that failed, or did not.")
@click.option(
    "--degraded/--not-degraded", default=None, help="Only those answered by less than was asked for."
)
@click.option("--cache/--no-cache", default=None, help="Only those answered from the cache, or not.")
@click.option("--since", metavar="TIME", help="From when on: 30m, 2h, 7d, 2026-11-01, today.")
@click.option("--until", metavar="TIME", help="Until when.")
@click.option("--limit", type=click.IntRange(1, _LONGEST_PAGE), default=20, help="How many; 20 if not given.")
@click.option("--cursor", help="Where to go on: what the page before said.")
@click.option("--running", is_flag=True, help="Those that are being answered now; of all filters only --key.")
@talks_to_engine
def requests(session: Session, running: bool, **asked: Any) -> None:
    """List the latest requests, or those that are asked for."""
    if running:
        list_running(session, asked)
        return
    with connect(session) as engine:
        page = _searched(engine, asked)
    if session.out.as_json:
        session.out.data(page)
        return
    out, rows = session.out, page["requests"]
    if rows:
        heads = ("REQUEST", "MODEL", "VERDICT", "AGO", "IN", "OUT", "SEC", "COST")
        show(out, heads, [_request(row, page["timestamp"]) for row in rows], 3, whole=1)
    else:
        out.talk("No such requests.")
    if page["next"]:
        out.talk(f"more: --cursor {page['next']}")
    if page["pending"]:
        out.talk(f"{page['pending']} more are on their way into the ledger")


def _searched(engine: EngineClient, asked: dict[str, Any]) -> dict[str, Any]:
    """A page, gone on with where the engine stopped searching before it was full."""
    page = engine.get(_path("/api/v1/requests", asked))
    for _ in range(_TURNS):
        missing = asked["limit"] - len(page["requests"])
        if not page["next"] or missing <= 0:
            break
        more = engine.get(_path("/api/v1/requests", {**asked, "limit": missing, "cursor": page["next"]}))
        page = {**more, "requests": page["requests"] + more["requests"]}
    return page


def _request(row: dict[str, Any], now: str) -> tuple[str, ...]:
    marks = [word for word in ("degraded", "continued") if row[word]]
    verdict = "cached" if row["cache"] and row["verdict"] == "success" else row["verdict"]
    return (
        row["id"],
        text(row["model"]),
        "+".join((verdict, *marks)),
        ago(row["at"], now),
        count(row["tokens_in"]),
        count(row["tokens_out"]),
        milliseconds(row["total_ms"]),
        cost(row["cost"]),
    )


def _path(path: str, asked: dict[str, Any]) -> str:
    given = {name: _spelled(value) for name, value in asked.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
