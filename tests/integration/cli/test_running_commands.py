"""`requests --running` and `cancel` against a scripted engine."""

import json
from typing import Any

import pytest

from tests.fakes.command import run
from tests.fakes.scripted_engine import Answer, error

pytestmark = pytest.mark.usefixtures("home")

LIST = ("GET", "/api/v1/requests")
ROW: dict[str, Any] = {
    "id": "req-1a20789a127-00000c",
    "key": "0000000a",
    "key_name": "team",
    "model_asked": "auto",
    "endpoints": ["first/m", "box/a-model-with-a-very-long-name:70b-instruct-q4_k_m"],
    "state": "streaming",
    "position": None,
    "age_ms": 12_345.0,
    "attempts": 2,
    "tokens_out": 34_567,
    "cancelling": False,
}
QUEUED = ROW | {
    "id": "req-1a20789a127-00000d",
    "key": "127.0.0.1",
    "key_name": None,
    "endpoints": [],
    "state": "queued",
    "position": 3,
    "attempts": 0,
    "tokens_out": None,
}


def test_what_runs_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Within 80 columns with whole ids; what is not known yet is a dash, and how many more there are is said."""
    page = {"requests": [ROW, QUEUED], "total": 9}
    ran = run(capsys, {LIST: (200, page)}, "requests", "--running", "--key", "0000000a")
    assert ran.code == 0
    head, first, second = ran.out.splitlines()
    assert head.split() == ["REQUEST", "WHERE", "KEY", "STATE", "SEC", "TRIES", "OUT"]
    assert first.split()[0] == ROW["id"]
    assert first.split()[-4:] == ["streaming", "12.35", "2", "34.6k"]
    assert second.split() == [QUEUED["id"], "auto", "127.0.0.1", "queued", "#3", "12.35", "0", "-"]
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "7 more are running: --limit 9" in ran.err
    assert ran.asked[0][1] == "/api/v1/requests?key=0000000a&limit=20&running=true"


def test_nothing_that_runs_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, so that a pipe gets nothing; as JSON it is an empty list."""
    empty = {"requests": [], "total": 0}
    ran = run(capsys, {LIST: (200, empty)}, "requests", "--running")
    assert (ran.code, ran.out, ran.err) == (0, "", "Nothing is running.\n")
    ran = run(capsys, {LIST: (200, empty)}, "requests", "--running", "--json")
    assert json.loads(ran.out) == empty


def test_cancel_names_what_it_ended_and_what_it_could_not(capsys: pytest.CaptureFixture[str]) -> None:
    """Each id once; one that has ended does not keep the others from being cancelled, and the code says that."""
    path = "/api/v1/requests/{}/cancel"
    answers: dict[tuple[str, str], Answer] = {
        ("POST", path.format("a")): (202, ROW | {"id": "a"}),
        ("POST", path.format("b")): (409, error("not_running", "request b has ended already")),
        ("POST", path.format("c")): (202, QUEUED | {"id": "c"}),
    }
    ran = run(capsys, answers, "cancel", "a", "b", "c", "a", "--reason", "too long")
    assert ran.code == 1
    assert ran.out.splitlines() == ["a is cancelled, it was streaming", "c is cancelled, it was queued"]
    assert "request b has ended already" in ran.err
    assert [(target, body) for _, target, body in ran.asked] == [
        (path.format(name), {"reason": "too long"}) for name in ("a", "b", "c")
    ]


def test_cancel_says_it_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With the last view of each, and the words of those that were refused."""
    answers: dict[tuple[str, str], Answer] = {("POST", "/api/v1/requests/a/cancel"): (202, ROW)}
    ran = run(capsys, answers, "cancel", "a", "--json")
    assert (ran.code, json.loads(ran.out)) == (0, {"cancelled": [ROW], "refused": []})
