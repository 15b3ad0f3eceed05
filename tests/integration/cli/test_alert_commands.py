"""`alerts` and `audit` on the command line: what is shown, what is sent, and what is refused before it is sent."""

import json
from typing import Any

import pytest

from tests.fakes.command import run

pytestmark = pytest.mark.usefixtures("home")
LIST = ("GET", "/api/v1/alerts")
FIRING: dict[str, Any] = {
    "id": "memory:host", "rule": "memory", "subject": "host", "severity": "critical", "state": "firing",
    "since": "2026-11-23T08:15:07.123Z", "message": "95% used", "value": 0.95, "limit": 0.9,
    "fired": "2026-11-23T08:15:07.123Z", "times": 1, "acknowledged": "", "acknowledged_at": None,
    "acknowledged_reason": "", "silenced_until": None, "silenced_by": "", "silenced_reason": "",
}  # fmt: skip
SILENCE = {"target": "memory", "until": "2026-11-23T09:00:00.000Z", "by": "ann", "reason": "load test",
           "at": "2026-11-23T08:00:00.000Z"}  # fmt: skip
HOOK = {"name": "chat", "kind": "webhook", "state": "retrying", "queued": 2, "sent": 5, "failed": 0, "dropped": 0,
        "attempt": 3, "error": "it answered 503", "last_sent": None}  # fmt: skip


def listing(*alerts: Any, silences: Any = (), deliveries: Any = ()) -> tuple[int, Any]:
    return 200, {"alerts": alerts, "firing": len(alerts), "silences": silences, "deliveries": deliveries}


def test_what_fires_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each alert with its note, then silences, then deliveries in trouble."""
    quiet = {**FIRING, "id": "disk:state", "silenced_until": SILENCE["until"], "silenced_by": "ann"}
    noted = {**FIRING, "id": "models:all", "acknowledged": "bob", "acknowledged_reason": "on it"}
    answer = listing(FIRING, quiet, noted, silences=[SILENCE], deliveries=[HOOK, {**HOOK, "error": ""}])
    ran = run(capsys, {LIST: answer}, "alerts")
    assert ran.code == 0
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[1] == ["critical", "firing", "2026-11-23", "08:15:07Z", "memory:host", "95%", "used", "-"]
    assert "silenced by ann until 2026-11-23 09:00:00Z" in ran.out
    assert "acknowledged by bob: on it" in ran.out
    assert "memory    2026-11-23 09:00:00Z  ann  load test" in ran.out
    assert ran.out.count("chat") == 1
    assert "it answered 503" in ran.out


def test_nothing_fires(capsys: pytest.CaptureFixture[str]) -> None:
    """That is said, as talk."""
    ran = run(capsys, {LIST: listing()}, "alerts")
    assert (ran.code, ran.out, ran.err.strip()) == (0, "", "Nothing fires.")


def test_all_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """--all asks for what is pending and over too; --format json gives it as it is."""
    ran = run(capsys, {LIST: listing(FIRING)}, "alerts", "--all", "--format", "json")
    assert json.loads(ran.out)["alerts"] == [FIRING]
    assert ran.asked[0][1] == "/api/v1/alerts?all=1"


@pytest.mark.parametrize(
    ("words", "verb", "answer", "body", "said"),
    [
        (["ack", "memory:host", "--reason", "seen"], "memory%3Ahost/ack", {**FIRING, "acknowledged": "ann"},
         {"reason": "seen"}, "memory:host is acknowledged by ann"),
        (["ack", "memory:host"], "memory%3Ahost/ack", {**FIRING, "acknowledged": "ann"}, {},
         "memory:host is acknowledged by ann"),
        (["silence", "memory", "--for", "1h30m", "--reason", "r"], "memory/silence", SILENCE,
         {"seconds": 5400, "reason": "r"}, "memory is silenced until 2026-11-23 09:00:00Z"),
        (["silence", "memory", "--for", "90"], "memory/silence", SILENCE, {"seconds": 90, "reason": ""},
         "memory is silenced until 2026-11-23 09:00:00Z"),
        (["silence", "memory", "--for", "2d"], "memory/silence", SILENCE, {"seconds": 172800, "reason": ""},
         "memory is silenced until 2026-11-23 09:00:00Z"),
        (["unsilence", "memory"], "memory/unsilence", SILENCE, {}, "memory is no longer silenced"),
    ],
)  # fmt: skip
def test_verbs(
    words: list[str], verb: str, answer: Any, body: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is sent, and the new state in words."""
    path = f"/api/v1/alerts/{verb}"
    ran = run(capsys, {("POST", path): (200, answer)}, "alerts", *words)
    assert (ran.code, ran.out.strip()) == (0, said)
    assert ran.asked == [("POST", path, body)]


@pytest.mark.parametrize("time", ["", "-5m", "5x", "1h 30m", "1h3", "31d", "0s", "١h", "1e3"])
def test_a_wrong_time_is_refused_before_anything_is_sent(
    time: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage, with what a time looks like."""
    ran = run(capsys, {}, "alerts", "silence", "memory", "--for", time)
    assert ran.code == 2
    assert "such as 90s, 30m, 1h30m or 2d" in ran.err
    assert ran.asked == []


def test_the_audit_log_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Who, from where, what became of it and the command; what was counted; and where older ones are."""
    entries = [
        {"at": "2026-11-23T08:15:07.123Z", "key": "0a", "who": "ann", "peer": "10.0.0.1", "method": "POST",
         "path": "/x", "status": 200, "outcome": "done", "command": "ai-orchestra drain box"},
        {"at": "2026-11-23T08:14:07.123Z", "refused": 12, "most": "10.0.0.9: 12"},
        {"at": "2026-11-23T08:13:07.123Z", "key": "", "who": "owner", "peer": "", "method": "POST",
         "path": "/api/v1/reload", "status": 422},
    ]  # fmt: skip
    page = (200, {"entries": entries, "next": "77-12"})
    ran = run(capsys, {("GET", "/api/v1/audit"): page}, "audit", "--limit", "3", "--before", "77-99")
    assert ran.code == 0
    first, second, third = (line.split("  ") for line in ran.out.splitlines()[1:])
    assert [first[0], first[1], first[-1]] == ["2026-11-23 08:15:07Z", "ann (0a)", "ai-orchestra drain box"]
    assert "done 200" in ran.out
    assert second[-1].strip() == "12 more: 10.0.0.9: 12"
    assert third[-1].strip() == "POST /api/v1/reload"
    assert "older: ai-orchestra audit --before 77-12" in ran.err
    assert ran.asked[0][1] == "/api/v1/audit?limit=3&before=77-99"
