"""`usage`, `requests` and `explain` against a scripted engine, and against a real one."""

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from orchestra_core.accounting.report import figures, named, savings
from orchestra_core.accounting.usage import By, Compared, UsageRow, bucket
from orchestra_core.cli.program import execute
from tests.fakes.command import Ran, run
from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.fakes.scripted_engine import Answer, error

pytestmark = pytest.mark.usefixtures("home")

BUSY = UsageRow(
    ("a-model-with-a-very-long-name-from-a-far-away-registry:70b-instruct-q4_k_m",),
    123_456,
    120_000,
    {"backend": 3456},
    tokens_in=9_876_543,
    tokens_out=1_234_567,
    cost=12.3456,
    cost_unknown=3,
    serving_ms=60_000.0,
    total={bucket(1500.0): 123_456},
    best=Compared(900, 1.5, 4.5),
)
IDLE = UsageRow(("m",), 1, 0, {"cancelled": 1}, cost_unknown=1)
USAGE: dict[str, Any] = {
    "by": ["model"],
    "since": "2026-11-17",
    "until": None,
    "where": {},
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "timestamp": "2026-11-23T08:00:00.000Z",
    "pending": 0,
    "rows": [named(BUSY, (By.MODEL,)), named(IDLE, (By.MODEL,))],
    "rows_left_out": 2,
    "totals": figures(BUSY),
    "savings": savings(BUSY) | {"compare_with": None},
    "efficiency": [],
    "suggestions": [
        {
            "rule": "over_served",
            "about": "X",
            "sentence": "X answered 412 text_generation requests at tier high that asked for low",
            "numbers": {"requests": 412},
            "act": "have a model of tier low for it; " + "and more words " * 8,
        }
    ],
}
ROW: dict[str, Any] = {
    "id": "req-1a20789a127-00000c",
    "at": "2026-11-23T07:58:00.000Z",
    "model": "m",
    "backend": "box",
    "verdict": "success",
    "cache": None,
    "degraded": True,
    "continued": False,
    "tokens_in": 12,
    "tokens_out": 34_567,
    "total_ms": 1234.0,
    "cost": None,
}


def asked(ran: Ran) -> list[dict[str, str]]:
    """The arguments of each request."""
    return [dict(parse_qsl(path.partition("?")[2])) for _, path, _ in ran.asked]


def page(*rows: dict[str, Any], after: str | None = None, pending: int = 0) -> dict[str, Any]:
    return {
        "requests": list(rows),
        "next": after,
        "pending": pending,
        "currency": "USD",
        "timestamp": "2026-11-23T08:00:00.000Z",
    }


def test_usage_fits_80_columns_and_shows_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    """Aligned numbers, a dash for unknown, a plus for a cost that is not all, savings and suggestions."""
    ran = run(capsys, {("GET", "/api/v1/usage"): (200, USAGE)}, "usage", "--since", "7d")
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "usage by model, since 2026-11-17 (Europe/Berlin), in EUR"
    assert lines[1].split() == ["MODEL", "REQS", "ERR%", "IN", "OUT", "TOK/S", "COST", "P50", "P95"]
    assert lines[2].split()[1:] == ["123k", "2.8", "9.9M", "1.2M", "20576.1", "12.35+", "1.72", "1.72"]
    assert lines[3].split() == ["m", "1", "-", "0", "0", "-", "-", "-", "-"]
    assert "2 more rows: --limit 4" in ran.out
    assert "always the best model: 4.5 EUR instead of 1.5, over 900 of 123456 requests" in ran.out
    assert "always the first model: not known what it would have cost" in ran.out
    assert "* X answered 412 text_generation requests at tier high that asked for low" in lines
    assert asked(ran) == [{"by": "model", "since": "7d"}]


def test_a_declared_model_is_what_costs_are_compared_with(capsys: pytest.CaptureFixture[str]) -> None:
    """By its name, as `accounting.compare_with` says it."""
    declared = USAGE | {"savings": savings(BUSY) | {"compare_with": "gpt-x"}}
    ran = run(capsys, {("GET", "/api/v1/usage"): (200, declared)}, "usage")
    assert "always gpt-x: 4.5 EUR instead of 1.5, over 900 of 123456 requests" in ran.out


def test_usage_as_json_is_the_apis(capsys: pytest.CaptureFixture[str]) -> None:
    """Unchanged, whatever was asked."""
    options = ("--by", "day,model", "--until", "today", "--key", "k/1", "--limit", "5", "--format", "json")
    ran = run(capsys, {("GET", "/api/v1/usage"): (200, USAGE)}, "usage", *options)
    assert json.loads(ran.out) == USAGE
    assert asked(ran) == [{"by": "day,model", "until": "today", "key": "k/1", "limit": "5"}]


def test_an_empty_ledger_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """No table without rows."""
    nothing = USAGE | {"rows": [], "rows_left_out": 0, "totals": figures(UsageRow())}
    ran = run(capsys, {("GET", "/api/v1/usage"): (200, nothing)}, "usage")
    assert (ran.code, ran.err.strip()) == (0, "No requests yet.")


@pytest.mark.parametrize(
    "command",
    [
        "usage --by colour",
        "usage --limit 0",
        "usage --task juggling",
        "requests --limit 501",
        "requests --verdict meh",
        "explain one two",
    ],
)
def test_wrong_usage_is_code_2(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anybody is asked."""
    assert execute([*command.split(), "--url", "http://127.0.0.1:1"]) == 2
    assert "Error" in capsys.readouterr().err


def test_what_the_engine_refuses_is_told_in_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and what is allowed."""
    refused: Answer = (400, error("invalid_request", "`since` is a day: 2026-11-01"))
    ran = run(capsys, {("GET", "/api/v1/usage"): refused}, "usage", "--since", "soon")
    assert ran.code == 1
    assert "`since` is a day" in ran.err


def test_requests_keep_their_ids_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """They are what `explain` is asked with; names give way, and what is not known is a dash."""
    long = ROW | {"model": "a-model-with-a-very-long-name:70b-instruct", "verdict": "context_overflow"}
    cached = ROW | {"cache": "hit", "degraded": False, "cost": 0.0, "model": None}
    answers: dict[tuple[str, str], Answer] = {
        ("GET", "/api/v1/requests"): (200, page(ROW, long, cached, after="abc", pending=3))
    }
    ran = run(capsys, answers, "requests", "--limit", "3", "--failed", "--no-cache", "--since", "2h")
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.startswith("req-1a20789a127-00000c ") for line in lines[1:])
    assert lines[1].split()[3:] == ["2m", "12", "34.6k", "1.23", "-"]
    assert lines[3].split()[1:] == ["-", "cached", "2m", "12", "34.6k", "1.23", "0"]
    assert "--cursor abc" in ran.err
    assert "3 more are on their way" in ran.err
    assert asked(ran) == [{"failed": "true", "cache": "false", "since": "2h", "limit": "3"}]


def test_a_search_goes_on_until_the_page_is_full(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the engine stops searching before it found enough, the command asks on."""
    pages = iter([page(after="one"), page(ROW, after="two"), page(ROW, ROW, after="three")])
    answers: dict[tuple[str, str], Answer] = {("GET", "/api/v1/requests"): lambda _: (200, next(pages))}
    ran = run(capsys, answers, "requests", "--limit", "3", "--json")
    told = json.loads(ran.out)
    assert (len(told["requests"]), told["next"]) == (3, "three")
    assert asked(ran) == [
        {"limit": "3"},
        {"limit": "3", "cursor": "one"},
        {"limit": "2", "cursor": "two"},
    ]


def test_the_commands_on_a_real_engine(mended: FleetProcess) -> None:
    """What was just asked is in all three, as text in 80 columns and as the API's JSON."""
    with EngineProcess(mended.config(weights={"sim-second": 10})) as engine:
        assert "no requests yet" in engine.run("explain").stderr
        mended.fault("sim-second", "error")
        name = engine.chat(model="sim-small:1b", max_tokens=5).headers["x-request-id"]
        assert name in engine.run("requests").stdout
        usage = engine.run("usage", "--by", "backend")
        assert (usage.returncode, usage.stderr) == (0, "")
        assert "sim-small" in usage.stdout
        told = json.loads(engine.run("usage", "--json").stdout)
        assert told["totals"]["requests"] == 1
        shown = engine.run("explain", name)
        whole = json.loads(engine.run("explain", name, "--json").stdout)
        unknown = engine.run("explain", "req-nobody")
        assert engine.run("explain").stdout == shown.stdout
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"{name}  success  20")
    assert any(line.startswith("1 sim-second/sim-small:1b") and "failed" in line for line in lines)
    assert any(line.startswith("POINTS") for line in lines)
    assert "what would have changed it" in shown.stdout
    assert whole["request"]["id"] == name
    assert whole["decision"]["sentence"] in " ".join(shown.stdout.split())
    for candidate in whole["decision"]["candidates"]:
        assert f"{candidate['utility']:.3f}" in shown.stdout
    assert (unknown.returncode, "has no request 'req-nobody'" in unknown.stderr) == (1, True)


WHOLE_ROW: dict[str, Any] = ROW | {
    "task": "analysis",
    "task_inferred": True,
    "tokens_estimated": True,
    "model_asked": "auto",
    "key": "",
    "first_token_ms": None,
    "queued_ms": 0.0,
    "loading_ms": 0.0,
    "error": "the backend said no",
}


def explained(capsys: pytest.CaptureFixture[str], **found: Any) -> str:
    whole = {
        "request": WHOLE_ROW,
        "attempts": [],
        "decision": None,
        "what_if": [],
        "prompt": None,
        "answer": None,
        "currency": "USD",
    }
    answers: dict[tuple[str, str], Answer] = {("GET", "/api/v1/requests/a%2Fb"): (200, whole | found)}
    ran = run(capsys, answers, "explain", "a/b")
    assert ran.code == 0, ran.err
    return ran.out


def test_a_request_without_decision_is_still_told(capsys: pytest.CaptureFixture[str]) -> None:
    """With texts where the engine gives them out, harmless to a terminal, and dashes for what is not known."""
    said = explained(capsys, prompt="Hi\x1b[2J\nyou", answer="Hello")
    assert "Its decision was not kept" in said
    assert "cost -\n" in said
    assert "34567 out (estimated)" in said
    assert "first token -" in said
    assert "told: the backend said no" in said
    assert "\x1b" not in said
    assert said.endswith("\nanswer:\nHello\n")


def test_an_answer_from_the_cache_names_the_request_it_was_made_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing was decided about it, and no backend had a part in it."""
    row = WHOLE_ROW | {"cache": "hit", "decision_id": "req-first", "backend": None}
    said = explained(capsys, request=row)
    assert "on no backend" in said
    assert "from the cache (hit)" in said
    assert "the answer was made for req-first, and `explain req-first` tells how" in said
    assert "not kept" not in said


def test_a_decision_that_no_single_fact_would_have_changed(capsys: pytest.CaptureFixture[str]) -> None:
    """Says by how much it was ahead; where there was one candidate only, nothing."""
    decision = {
        "sentence": "m on box: sooner done (+9.00) than m on far.",
        "requirements": {"speed": "high", "quality": None, "max_tokens": None, "max_cost": None},
        "margin": 9.0,
        "candidates": [],
        "rejected": [{"endpoint": "c/m", "reason": "quality", "detail": "its tier is low"}],
    }
    said = explained(capsys, decision=decision)
    assert "No single fact would have changed it: it was ahead by 9.00 points." in said
    assert "wanted: speed=high" in said
    assert "  c/m: quality, its tier is low" in said
    assert "No single fact" not in explained(capsys, decision=decision | {"margin": None})
