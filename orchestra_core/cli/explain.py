"""`explain REQUEST_ID`: why a request went where it went, exactly as it was decided, and what would have changed it."""

from typing import Any
from urllib.parse import quote

import click

from orchestra_core.cli.client import EngineClient, connect
from orchestra_core.cli.failure import Failure
from orchestra_core.cli.figures import cost, count, duration, milliseconds, points, text
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.cli.output import Printer
from orchestra_core.cli.tables import paragraph, show

_TERMS = {
    "quality": "QUAL",
    "time": "TIME",
    "slo": "LATE",
    "cost": "COST",
    "failure": "FAIL",
    "external": "OTHERS",
    "preference": "WEIGHT",
}
_SHOWN_CHANGES = 40


@click.command()
@click.argument("request_id", metavar="[REQUEST_ID]", required=False)
@talks_to_engine
def explain(session: Session, request_id: str | None) -> None:
    """Say why a request went where it went, and what would have changed that; without an id, of the latest one.

    The id is in the header x-request-id of every answer; `ai-orchestra requests` lists them. Points are what each
    term added to an endpoint's utility; the highest sum was chosen.
    """
    with connect(session) as engine:
        found = engine.get(f"/api/v1/requests/{quote(request_id or _latest(engine), safe='')}")
    if session.out.as_json:
        session.out.data(found)
        return
    out = session.out
    _print_request(out, found["request"], found["currency"])
    _print_attempts(out, found["attempts"])
    if found["request"]["cache"]:
        first = found["request"]["decision_id"]
        out.line()
        out.line(f"Nothing was decided: the answer was made for {first}, and `explain {first}` tells how.")
    elif found["decision"] is None:
        out.line()
        out.line("Its decision was not kept: there is nothing to explain.")
    else:
        _print_decision(out, found["decision"])
        _print_changes(out, found["decision"], found["what_if"])
    for name in ("prompt", "answer"):
        if found[name] is not None:
            out.line()
            out.line(f"{name}:")
            out.line(found[name])


def _latest(engine: EngineClient) -> str:
    newest = engine.get("/api/v1/requests?limit=1")["requests"]
    if not newest:
        raise Failure("there are no requests yet to explain")
    return str(newest[0]["id"])


def _print_request(out: Printer, row: dict[str, Any], currency: str) -> None:
    served = f"{row['model']} on {row['backend'] or 'no backend'}" if row["model"] else "nobody"
    flags = [word for word in ("degraded", "continued") if row[word]]
    cached = [f"from the cache ({row['cache']})"] if row["cache"] else []
    inferred = " (inferred)" if row["task_inferred"] else ""
    estimated = " (estimated)" if row["tokens_estimated"] else ""
    out.line(f"{row['id']}  {', '.join([row['verdict'], *flags, *cached])}  {row['at']}")
    paragraph(
        out, f"served by {served}; asked for {text(row['model_asked'])}, task {row['task']}{inferred}, "
        f"key {text(row['key'])}"
    )  # fmt: skip
    out.line(
        f"{row['tokens_in']} tokens in, {row['tokens_out']} out{estimated}; "
        f"cost {cost(row['cost'])}{'' if row['cost'] is None else ' ' + currency}"
    )
    out.line(
        f"{milliseconds(row['total_ms'])} s in all, first token {milliseconds(row['first_token_ms'])}, "
        f"queued {milliseconds(row['queued_ms'])}, loading {milliseconds(row['loading_ms'])}"
    )
    if row["error"]:
        paragraph(out, f"told: {row['error']}")


def _print_attempts(out: Printer, attempts: list[dict[str, Any]]) -> None:
    if len(attempts) < 2:
        return
    heads = ("ATTEMPT", "VERDICT", "SEC", "FIRST", "IN", "OUT", "COST")
    rows = [
        (
            f"{one['n']} {one['endpoint']}",
            one["verdict"],
            duration(one["seconds"]),
            duration(one["first_token"]),
            count(one["tokens_in"]),
            count(one["tokens_out"]),
            cost(one["cost"]),
        )
        for one in attempts
    ]
    out.line()
    show(out, heads, rows, 2)


def _print_decision(out: Printer, decision: dict[str, Any]) -> None:
    out.line()
    paragraph(out, decision["sentence"])
    wishes = [f"{name}={value}" for name, value in decision["requirements"].items() if value is not None]
    if wishes:
        out.line(f"wanted: {', '.join(wishes)}")
    candidates = decision["candidates"]
    if candidates:
        terms = [term["name"] for term in candidates[0]["terms"]]
        heads = ("POINTS", "UTILITY", *(_TERMS.get(name, name.upper()[:6]) for name in terms))
        rows = [
            (one["endpoint"], f"{one['utility']:.3f}", *(points(term["points"]) for term in one["terms"]))
            for one in candidates
        ]
        out.line()
        show(out, heads, rows, 1)
        heads = ("EXPECTED", "SEC", "FIRST", "WAIT", "OUT", "COST", "FROM")
        out.line()
        show(out, heads, [_expected(one) for one in candidates], 1)
    if decision["rejected"]:
        out.line()
        out.line("could not take it:")
        for no in decision["rejected"]:
            paragraph(out, f"  {no['endpoint']}: {no['reason']}, {no['detail']}", "    ")


def _expected(candidate: dict[str, Any]) -> tuple[str, ...]:
    expected = candidate["predicted"]
    return (
        candidate["endpoint"] + (" (overloaded)" if candidate["overloaded"] else ""),
        duration(expected["seconds"]),
        duration(expected["first_token"]),
        duration(expected["wait"]),
        count(expected["output_tokens"]),
        cost(expected["cost"]),
        expected["source"],
    )


def _print_changes(out: Printer, decision: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    if not changes:
        if decision["margin"] is not None:
            out.line()
            out.line(
                f"No single fact would have changed it: it was ahead by {decision['margin']:.2f} points."
            )
        return
    out.line()
    out.line("what would have changed it, everything else as it was:")
    for one in changes[:_SHOWN_CHANGES]:
        paragraph(out, f"  {one['endpoint']}: {one['sentence']}", "    ")
    if len(changes) > _SHOWN_CHANGES:
        out.line(f"  and {len(changes) - _SHOWN_CHANGES} more: --format json has them")
