"""Reading the audit log back: newest first, in pages, over rotation and torn lines; and the commands in it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.cli.program import COMMANDS as CLI
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.domain.principal import Scope
from orchestra_core.server import audit_log
from orchestra_core.server.audit_log import read_page
from orchestra_core.server.equivalents import COMMANDS, equivalent
from orchestra_core.server.gate import Gate, Rules
from orchestra_core.server.ports import Ports
from orchestra_core.server.routes import Routes
from tests.fakes.clock import ManualClock


def write(file: Path, *numbers: int, pad: int = 0) -> None:
    file.write_text("".join(json.dumps({"n": number, "pad": "x" * pad}) + "\n" for number in numbers))


def pages(file: Path, limit: int) -> list[list[int]]:
    """All pages, each by the numbers of its entries."""
    found, before = [], ""
    while True:
        page = read_page(file, before, limit)
        found.append([entry["n"] for entry in page.entries])
        if page.next is None:
            return found
        before = page.next


@given(number=st.integers(0, 40), old=st.integers(0, 40), limit=st.integers(1, 50), pad=st.integers(0, 400))
def test_every_entry_is_on_exactly_one_page(
    tmp_path_factory: pytest.TempPathFactory, number: int, old: int, limit: int, pad: int
) -> None:
    """Newest first, whatever the size of pages, files and lines; all pages but the last are full."""
    file = tmp_path_factory.mktemp("audit") / "audit.log"
    write(file, *range(old, old + number), pad=pad)
    write(file.with_name("audit.log.1"), *range(old), pad=pad)
    found = pages(file, limit)
    assert [each for page in found for each in page] == list(reversed(range(old + number)))
    assert all(len(page) == limit for page in found[:-1])
    assert found[-1] or number + old == 0


def test_lines_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    """They are put together again."""
    file = tmp_path / "audit.log"
    write(file, *range(40), pad=audit_log._BLOCK // 7)
    assert pages(file, 7) == [list(range(40))[::-1][at : at + 7] for at in range(0, 40, 7)]


def test_a_place_is_true_after_the_file_was_renamed(tmp_path: Path) -> None:
    """The log is full between two pages; nothing is left out or said twice."""
    file = tmp_path / "audit.log"
    write(file, *range(10))
    page = read_page(file, "", 4)
    file.replace(tmp_path / "audit.log.1")
    write(file, 10, 11)
    assert page.next is not None
    assert [entry["n"] for entry in read_page(file, page.next, 9).entries] == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("before", ["x", "1", "1-", "99999999999999999999-5", "-1-1", "1-1-1"])
def test_a_place_that_is_none_is_refused(tmp_path: Path, before: str) -> None:
    """With what to do."""
    file = tmp_path / "audit.log"
    write(file, 1)
    with pytest.raises(InvalidRequest):
        read_page(file, before, 5)


def test_a_line_that_a_crash_has_cut_is_left_out(tmp_path: Path) -> None:
    """And those around it are not; without a file there are none."""
    file = tmp_path / "audit.log"
    assert read_page(file, "", 5).entries == []
    file.write_text('{"n": 1}\n{"n": 2, "wh\n[3]\n{"n": 4}\n{"n": 5')
    assert pages(file, 5) == [[4, 1]]


@pytest.mark.parametrize(
    ("method", "path", "body", "command"),
    [
        ("POST", "models/llama3.2:3b/load", '{"backend": "box 1"}', "load llama3.2:3b --backend 'box 1'"),
        ("POST", "models/a%2Fb/load", "", "load a/b"),
        ("POST", "models/m/unload", '{"drain_seconds": 30.0, "force": true}', "unload m --drain 30 --force"),
        ("POST", "models/m/unload", '{"dry_run": true}', "unload m --dry-run"),
        ("POST", "backends/box/drain", "", "drain box"),
        ("POST", "backends/box/resume", "", "resume box"),
        ("POST", "breakers/b%2Fm/trip", '{"reason": "new disk"}', "breaker trip b/m --reason 'new disk'"),
        ("POST", "breakers/b%2Fm/reset", "", "breaker reset b/m"),
        ("POST", "alerts/memory:host/ack", '{"reason": "seen"}', "alerts ack memory:host --reason seen"),
        ("POST", "alerts/memory/silence", '{"seconds": 5400.0}', "alerts silence memory --for 5400s"),
        ("POST", "alerts/memory/unsilence", "", "alerts unsilence memory"),
        ("GET", "keys", "", "keys list"),
        ("POST", "keys", '{"name": "ann", "scopes": ["use"]}', "keys create ann --scope use"),
        ("POST", "keys", '{"name": "a", "expires": "2027-01-31"}', "keys create a --expires 2027-01-31"),
        ("DELETE", "keys/0000000a", "", "keys revoke 0000000a"),
        (
            "POST",
            "drills",
            '{"endpoint": "b/m", "fault": "cut", "share": 0.5, "after_tokens": 3, "confirm": "b/m"}',
            "drill start b/m --fault cut --share 0.5 --after 3 --confirm b/m",
        ),
        ("POST", "drills/d-1/stop", "", "drill stop d-1"),
        ("GET", "audit", "", "audit"),
        ("POST", "cache/clear", "", "cache clear"),
        ("POST", "shutdown", "", "shutdown"),
        ("POST", "reload", "", "config reload"),
        ("POST", "models/$(rm -rf)/load", "", "load '$(rm -rf)'"),
        ("POST", "models/m/load", "{not json", "load m"),
        ("POST", "cache/clear", "{}", "cache clear"),
        (
            "POST",
            "breakers/x/trip",
            '{"reason": "ork-0011223344556677"}',
            "breaker trip x --reason ork-…6677",
        ),
    ],
)
def test_the_command_for_what_was_asked(method: str, path: str, body: str, command: str) -> None:
    """As one would type it in a shell, without secrets."""
    assert equivalent(method, f"/api/v1/{path}", body.encode()) == f"ai-orchestra {command}"


def test_everything_an_operator_does_has_a_command() -> None:
    """Whatever the router asks the scope operate or admin for, the command line can do, and the log says how."""
    ports = cast(Ports, SimpleNamespace(**dict.fromkeys(Ports.__struct_fields__)))
    routes = Routes(ports, Gate(Rules(), ManualClock()))
    asked = [
        (method, path)
        for path, methods in routes._exact.items()
        for method, (_, scope) in methods.items()
        if scope in (Scope.OPERATE, Scope.ADMIN)
    ]
    asked += [
        (method, pattern.pattern.strip("^$").replace("(.+)", "x"))
        for pattern, method, _, scope in routes._named
        if scope in (Scope.OPERATE, Scope.ADMIN)
    ]
    assert len(asked) > 10
    words = {(method, path): equivalent(method, path, b"") for method, path in asked}
    assert [each for each, command in words.items() if not command] == []
    commands = {command.split()[1] for command in words.values()}
    assert commands <= set(CLI)


def test_what_has_no_command_has_none() -> None:
    """Nothing is made up."""
    assert equivalent("GET", "/api/v1/snapshot", b"") == ""
    assert equivalent("GET", "/api/v1/models/m/load", b"") == ""


ODD = [None, True, 3, -2.5, float("nan"), 1e308, "x y", "\x00\u202e", "", [], ["a", 3], {"a": 1}]
KEYS = ["backend", "seconds", "reason", "scopes", "name", "force", "drain_seconds"]


@given(
    st.sampled_from(COMMANDS),
    st.binary(max_size=60)
    | st.dictionaries(st.sampled_from(KEYS), st.sampled_from(ODD)).map(
        lambda value: json.dumps(value).encode()
    ),
)
def test_no_body_breaks_it(wanted: tuple[str, str, object], body: bytes) -> None:
    """Whatever somebody sends: the audit log has a line for it."""
    method, path, _ = wanted
    assert equivalent(method, f"/api/v1/{path.replace('(.+)', 'x')}", body).startswith("ai-orchestra ")
