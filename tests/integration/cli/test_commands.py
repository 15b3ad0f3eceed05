"""Every command that talks to an engine, against a scripted one over a real socket."""

import io
import json
import re
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from orchestra_core.cli.program import execute
from orchestra_core.domain.budgets import BudgetView
from tests.fakes.command import run
from tests.fakes.scripted_engine import Answer, error, model, scripted, snapshot

HEALTH = {
    "status": "healthy",
    "version": "0.1.0",
    "services": {"database": "connected", "redis": "disabled"},
    "system": {"uptime": "2h 45m", "memory_usage": "245MB", "available_models": 3},
}
CHOICE = {
    "selected_model": "m:1",
    "task": "code_generation",
    "reasoning": "fast enough",
    "alternatives": ["n:2", {"model": "o:3"}],
}
ROUTE = ("POST", "/api/v1/route")
ANSWER = {"response": "Hi", "model_used": "m:1", "metrics": {"response_time_ms": 12.3, "tokens_generated": 2}}
LISTING = {
    "models": [
        {"name": "m:1", "status": "running", "capabilities": ["chat"], "size": "4.9GB", "backend": "local"}
    ],
    "total": 1,
    "active": 1,
}

pytestmark = pytest.mark.usefixtures("home")


def test_health_tells_status_services_and_system(capsys: pytest.CaptureFixture[str]) -> None:
    """A healthy engine is code 0 and a few lines of text."""
    ran = run(capsys, {("GET", "/api/v1/health"): (200, HEALTH)}, "health")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "healthy  version 0.1.0",
        "services  database connected, redis disabled",
        "system    uptime 2h 45m, memory usage 245MB, available models 3",
    ]


def test_an_unhealthy_engine_is_code_4_and_still_tells_why(capsys: pytest.CaptureFixture[str]) -> None:
    """A 503 of the health path is an answer, not a failure of the command."""
    ran = run(
        capsys, {("GET", "/api/v1/health"): (503, {**HEALTH, "status": "unhealthy"})}, "health", "--json"
    )
    assert ran.code == 4
    assert json.loads(ran.out)["status"] == "unhealthy"


def test_health_verbose_adds_what_the_snapshot_knows(capsys: pytest.CaptureFixture[str]) -> None:
    """--verbose shows the engine's process and its backends."""
    answers: dict[tuple[str, str], Answer] = {
        ("GET", "/api/v1/health"): (200, HEALTH),
        ("GET", "/api/v1/snapshot"): (200, snapshot()),
    }
    assert "engine    pid 1 at http://127.0.0.1:1" in run(capsys, answers, "health", "--verbose").out


def test_best_for_prints_a_name_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    """`models --best-for T --format json` has the name at .model; as text the name alone is on stdout."""
    answers: dict[tuple[str, str], Answer] = {("POST", "/api/v1/select-model"): (200, CHOICE)}
    ran = run(capsys, answers, "models", "--best-for", "code_generation", "--format", "json")
    assert json.loads(ran.out)["model"] == "m:1"
    assert ran.asked[0][2]["task"] == "code_generation"
    ran = run(capsys, answers, "models", "--best-for", "code")
    assert (ran.out, ran.err) == ("m:1\n", "fast enough\n")


def test_models_lists_and_adds_metrics_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """Text is a table; --include-metrics joins what the snapshot measured."""
    answers: dict[tuple[str, str], Answer] = {
        ("GET", "/api/v1/models"): (200, LISTING),
        ("GET", "/api/v1/snapshot"): (200, snapshot(model("ready"))),
    }
    head, row = run(capsys, answers, "models", "--include-metrics").out.splitlines()
    assert head.split()[:4] == ["MODEL", "STATUS", "BACKEND", "SIZE"]
    assert row.split() == ["m:1", "running", "local", "4.9GB", "-", "unknown", "chat", "7", "1", "41.5", "-"]
    listed = json.loads(run(capsys, answers, "models", "--include-metrics", "--json").out)
    assert listed["total"] == 1
    assert listed["models"][0]["metrics"]["calls"] == 7


@pytest.mark.parametrize(
    ("price", "told"),
    [
        ({"input": 0.25, "output": 2.0, "currency": "EUR", "source": "published"}, "0.25/2 EUR"),
        ({"input": 0.0, "output": 0.0, "source": "local"}, "free"),
        ({"input": 0.0, "output": 0.0, "hour": 0.5, "source": "local"}, "0.5 an hour USD"),
        ({"input": None, "output": None, "source": "unknown"}, "unknown"),
        ({"input": 1.0, "output": 1.0, "request": 0.01, "hour": 0.0}, "1/1 + 0.01 a request USD"),
    ],
)
def test_models_tell_their_prices(
    capsys: pytest.CaptureFixture[str], price: dict[str, object], told: str
) -> None:
    """Tokens in and out, per million; what nobody knows is called unknown and not free."""
    (entry,) = LISTING["models"]
    answers: dict[tuple[str, str], Answer] = {
        ("GET", "/api/v1/models"): (200, {**LISTING, "models": [{**entry, "price": price}]})
    }
    head, row = run(capsys, answers, "models").out.splitlines()
    assert row[head.index("PRICE") : head.index("CAPABILITIES")].strip() == told


BUDGET = BudgetView(
    "team", "everything", "month", "hard", "degrade", "USD", 50.0, 1.25, 42.5, 6.25,
    "2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z", 90_000.0, 0.85, 0.966, 0.88, 1.0, alert=0.8, refused=3,
)  # fmt: skip


def test_budgets_tell_what_is_reserved_settled_and_left(capsys: pytest.CaptureFixture[str]) -> None:
    """A table with when each starts anew and what needs to be known; JSON as the engine answers; a hint if none."""
    view = json.loads(msgspec.json.encode(BUDGET))
    asked = ("GET", "/api/v1/budgets")
    head, row = run(capsys, {asked: (200, {"budgets": [view]})}, "budgets").out.splitlines()
    cells = re.split(r" {2,}", row)
    assert dict(zip(head.split(), cells, strict=True)) == {
        "BUDGET": "team",
        "OF": "everything",
        "LIMIT": "50 USD a month, hard",
        "RESERVED": "1.25",
        "SETTLED": "42.5",
        "LEFT": "6.25",
        "RESETS": "2026-12-01T00:00:00.000Z (in 1d 1h)",
        "PACE": "88%",
        "NOTE": "80% reached, 3 refused",
    }
    told = json.loads(run(capsys, {asked: (200, {"budgets": [view]})}, "budgets", "--json").out)
    assert told == {"budgets": [view]}
    none = run(capsys, {asked: (200, {"budgets": []})}, "budgets")
    assert (none.code, none.out) == (0, "")
    assert "[[budgets]]" in none.err


def test_a_budget_is_given_another_limit_and_its_own_again(capsys: pytest.CaptureFixture[str]) -> None:
    """What it has from now on, what is configured, and what is left; of a budget for each key, of each key."""
    there = "/api/v1/budgets/my%20team"
    lowered = structs.replace(BUDGET, name="my team", limit=45.0, left=1.25, configured=50.0)
    answer = json.loads(msgspec.json.encode({"name": "my team", "budgets": [lowered]}))
    done = run(capsys, {("POST", there): (200, answer)}, "budgets", "set", "my team", "45")
    assert done.out == "my team has 45 USD a month; configured is 50; 1.25 are left\n"
    own = [structs.replace(BUDGET, name="my team", scope=f"key {key}") for key in ("ann", "bob")]
    answer = json.loads(msgspec.json.encode({"name": "my team", "budgets": own}))
    done = run(capsys, {("POST", f"{there}/reset"): (200, answer)}, "budgets", "reset", "my team")
    assert done.out.splitlines() == [
        f"my team of key {key} has 50 USD a month, as configured; 6.25 are left" for key in ("ann", "bob")
    ]
    assert run(capsys, {}, "budgets", "set", "my team", "-1").code == 2
    shown = run(
        capsys, {("GET", "/api/v1/budgets"): (200, {"budgets": [msgspec.to_builtins(lowered)]})}, "budgets"
    )
    assert "set by an operator, configured 50" in shown.out


@pytest.mark.parametrize(
    ("unknown", "told"), [(0, "0.5 EUR"), (2, "0.5 EUR, and 2 requests of unknown cost")]
)
def test_metrics_tell_what_is_not_in_the_cost(
    capsys: pytest.CaptureFixture[str], unknown: int, told: str
) -> None:
    """The known part is never told as if it were all."""
    report = {"requests": {"total": 3}, "cost": 0.5, "cost_unknown_requests": unknown, "currency": "EUR"}
    out = run(capsys, {("GET", "/api/v1/metrics"): (200, report)}, "metrics").out
    assert f"cost        {told}" in out.splitlines()


def test_query_prints_the_answer_on_stdout_and_the_rest_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Off a terminal the whole answer comes at once, and only wishes that were given are sent."""
    ran = run(capsys, {ROUTE: (200, ANSWER)}, "query", "--prompt", "Hello", "--max-tokens", "5")
    assert (ran.code, ran.out, ran.err) == (0, "Hi\n", "[m:1, 2 tokens, 12 ms]\n")
    assert ran.asked[0][2] == {"prompt": "Hello", "max_tokens": 5}


def test_query_reads_standard_input_for_a_dash(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`--prompt -` takes the prompt from a pipe."""
    (tmp_path / "prompt").write_text("from a pipe")
    with (tmp_path / "prompt").open() as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        ran = run(capsys, {ROUTE: (200, ANSWER)}, "query", "--prompt", "-")
    assert ran.asked[0][2] == {"prompt": "from a pipe"}


def test_a_streamed_answer_is_printed_piece_by_piece_and_sanitised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Tokens join to the text, and an escape sequence from a model does not reach the terminal."""
    stream: list[tuple[str, object]] = [
        ("start", {"model": "m:1"}),
        ("token", {"text": "a\x1b[2J"}),
        ("token", {"text": "b\nc"}),
        ("done", ANSWER),
    ]
    ran = run(capsys, {ROUTE: stream}, "query", "--prompt", "x", "--stream")
    assert (ran.code, ran.out) == (0, "a␛[2Jb\nc\n")
    ran = run(capsys, {ROUTE: stream}, "query", "--prompt", "x", "--stream", "--json")
    assert [json.loads(line)["event"] for line in ran.out.splitlines()] == ["start", "token", "token", "done"]


def test_an_answer_that_breaks_off_or_fails_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    """A stream without its end, or with an error event, is code 1."""
    half: list[tuple[str, object]] = [("token", {"text": "a"})]
    ran = run(capsys, {ROUTE: half}, "query", "--prompt", "x", "--stream")
    assert (ran.code, ran.err) == (1, "ai-orchestra: the answer broke off before its end\n")
    failed = [*half, ("error", error("upstream_failed", "the backend died"))]
    ran = run(capsys, {ROUTE: failed}, "query", "--prompt", "x", "--stream")
    assert (ran.code, ran.err) == (1, "ai-orchestra: the backend died\n")


class Watched(io.StringIO):
    """Standard error on a terminal."""

    def isatty(self) -> bool:
        return True


WAITING: list[tuple[str, object]] = [
    (":", "keep-alive, loading m:1 40 %, 12 s, position 1"),
    (":", "keep-alive"),
    ("start", {"model": "m:1"}),
    ("token", {"text": "a"}),
    (":", "keep-alive, loading m:1, 3 s, position 1"),
    ("token", {"text": "b"}),
    ("done", {**ANSWER, "response": "ab"}),
]


@pytest.mark.parametrize("more", [[], ["--stream"]])
def test_a_terminal_sees_what_is_waited_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    """In a line that goes before the answer comes, also where that is redirected; never over the answer."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stderr", seen := Watched())
    ran = run(capsys, {ROUTE: WAITING}, "query", "--prompt", "x", *more)
    assert (ran.code, ran.out) == (0, "ab\n")
    assert seen.getvalue() == ("\r\x1b[Kloading m:1 40 %, 12 s, position 1\r\x1b[K[m:1, 2 tokens, 12 ms]\n")


def test_what_was_waited_for_gives_way_to_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing else has come."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stderr", seen := Watched())
    ran = run(capsys, {ROUTE: WAITING[:1]}, "query", "--prompt", "x")
    assert (ran.code, ran.out) == (1, "")
    assert seen.getvalue().endswith("position 1\r\x1b[Kai-orchestra: the answer broke off before its end\n")


def test_nobody_is_told_what_is_waited_for_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in a log nor on a terminal that cannot take a line back."""
    ran = run(capsys, {ROUTE: WAITING}, "query", "--prompt", "x", "--stream")
    assert ran.err == "[m:1, 2 tokens, 12 ms]\n"
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stderr", seen := Watched())
    ran = run(capsys, {ROUTE: WAITING}, "query", "--prompt", "x", "--stream")
    assert (ran.out, seen.getvalue()) == ("ab\n", "[m:1, 2 tokens, 12 ms]\n")


def test_the_engines_own_words_are_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    """An error answer becomes code 1 with its message and code."""
    ran = run(capsys, {ROUTE: (404, error("model_not_found", "no model zz"))}, "query", "--prompt", "x")
    assert (ran.code, ran.err) == (1, "ai-orchestra: no model zz (HTTP 404, model_not_found)\n")


def test_select_sends_requirements_and_tells_alternatives(capsys: pytest.CaptureFixture[str]) -> None:
    """The choice is on stdout, reasons and alternatives on stderr."""
    answers: dict[tuple[str, str], Answer] = {("POST", "/api/v1/select-model"): (200, CHOICE)}
    ran = run(capsys, answers, "select", "--task", "reasoning", "--quality", "high", "--max-cost", "0.5")
    assert (ran.out, ran.err) == ("m:1\n", "fast enough\nalternatives: n:2, o:3\n")
    assert ran.asked[0][2] == {"task": "reasoning", "requirements": {"quality": "high", "max_cost": 0.5}}


def test_metrics_are_told_by_group(capsys: pytest.CaptureFixture[str]) -> None:
    """Each group of the report is one line."""
    report = {
        "requests": {"total": 3},
        "performance": {"avg_response_time_ms": 1.25},
        "models": {"most_used": "m"},
    }
    ran = run(capsys, {("GET", "/api/v1/metrics"): (200, report)}, "metrics")
    assert ran.out.splitlines()[0] == "requests    total 3"


def test_something_that_is_no_engine_is_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    """HTML from another server on the port is an error message, not a traceback."""
    ran = run(capsys, {("GET", "/api/v1/health"): (200, b"<html>")}, "health")
    assert ran.code == 1
    assert "not this engine's API" in ran.err


def test_no_engine_is_code_3_and_says_how_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing listening is its own exit code."""
    with scripted({}) as engine:
        url = engine.url
    assert execute(["health", "--url", url]) == 3
    assert "ai-orchestra serve" in capsys.readouterr().err
