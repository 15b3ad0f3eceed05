"""doctor against a machine that is well and against each thing that may be wrong."""

import json
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from orchestra_core.cli.program import execute
from tests.fakes.postgres_server import PostgresServer
from tests.fakes.redis_server import RedisServer
from tests.fakes.scripted_engine import scripted

QUIET = "[discovery]\nenabled = false\n[embedded]\nenabled = false\n"


def backend(url: str, models: str = "[]", kind: str = "ollama") -> str:
    return f"[[backends]]\nname = 'box'\nkind = '{kind}'\nurl = '{url}'\nmodels = {models}\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def examine(
    home: Path, capsys: pytest.CaptureFixture[str], text: str
) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code and the findings by name."""
    port = "" if "[server]" in text else f"[server]\nport = {free_port()}\n"
    (home / "ai-orchestra.toml").write_text(QUIET + port + text)
    code = execute(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    return code, {finding["name"]: finding for finding in report["checks"]}


def test_a_machine_that_is_well_is_code_0(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a reachable backend nothing fails, and each part has said so."""
    with scripted({("GET", "/api/tags"): (200, {"models": [{"name": "m:1"}]})}) as server:
        code, found = examine(home, capsys, backend(server.url, "['m:1']"))
    assert code == 0
    assert {finding["status"] for finding in found.values()} <= {"ok", "warn"}
    assert {"python", "httptools", "msgspec", "textual", "plotext", "configuration", "port", "socket"} <= set(
        found
    )
    assert {"database", "disk", "memory", "file limit", "encoding", "terminal", "file mode"} <= set(found)
    assert "1 models" in found["backend box"]["detail"]


def test_a_server_of_somebody_else_on_our_port_is_named(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The port check tells the process that holds the port and how to choose another."""
    with scripted({}) as server:
        port = server.url.rsplit(":", 1)[1]
        code, found = examine(home, capsys, f"[server]\nport = {port}\n")
    assert code == 1
    assert found["port"]["status"] == "fail"
    assert "(pid " in found["port"]["detail"]
    assert "--port" in found["port"]["fix"]


def test_our_own_engine_on_the_port_is_no_failure(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An engine that runs already is recognised by its health answer."""
    with scripted({("GET", "/api/v1/health"): (200, {"status": "healthy", "timestamp": "t"})}) as server:
        port = server.url.rsplit(":", 1)[1]
        _, found = examine(home, capsys, f"[server]\nport = {port}\n")
    assert found["port"]["status"] == "ok"


def test_each_way_a_backend_can_be_wrong_has_its_fix(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unreachable, refusing, of another kind, or without a model that was configured."""
    code, found = examine(home, capsys, backend(f"http://127.0.0.1:{free_port()}"))
    assert (code, found["backend box"]["status"]) == (1, "fail")
    assert "start the server" in found["backend box"]["fix"]
    with scripted({("GET", "/api/tags"): (401, {})}) as server:
        _, found = examine(home, capsys, backend(server.url))
        assert "api_key_env" in found["backend box"]["fix"]
        _, found = examine(home, capsys, backend(server.url, kind="openai"))
        assert "belong together" in found["backend box"]["fix"]
    with scripted({("GET", "/v1/models"): (200, {"data": [{"id": "a"}]})}) as server:
        code, found = examine(home, capsys, backend(f"{server.url}/v1", "['b']", "openai"))
    assert (code, found["backend box"]["status"]) == (0, "warn")
    assert "not there: b" in found["backend box"]["detail"]


def test_a_broken_configuration_is_a_finding_for_each_error(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest of the checks still run, with the defaults."""
    code, found = examine(home, capsys, "prot = 1\n")
    assert code == 1
    assert "unknown key" in found["configuration"]["detail"]
    assert "database" in found


def test_places_that_cannot_be_used_are_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A database that is none, and a socket directory others may write in."""
    (home / "x.db").write_text("not a database at all")
    (home / "open").mkdir()
    (home / "open").chmod(0o777)
    server = f"[server]\nport = {free_port()}\nsocket = '{home}/open/e.sock'\n"
    text = f"[storage]\nurl = 'sqlite:///{home}/x.db'\n{server}"
    _, found = examine(home, capsys, text)
    assert "not an SQLite database" in found["database"]["detail"]
    assert found["socket"]["fix"] == f"chmod 700 {home}/open"


def test_a_postgresql_is_asked(
    home: Path, capsys: pytest.CaptureFixture[str], postgres: PostgresServer
) -> None:
    """One that answers is named with what the ledger takes there, one that does not is a failure."""
    _, found = examine(home, capsys, f"[storage]\nurl = '{postgres.database()}'\n")
    assert found["database"]["status"] == "ok"
    assert found["database"]["detail"].endswith(", 0 B")
    code, found = examine(home, capsys, "[storage]\nurl = 'postgresql://u:hunter2@127.0.0.1:1/x'\n")
    assert (code, found["database"]["status"]) == (1, "fail")
    assert "127.0.0.1:1/x" in found["database"]["detail"]
    assert "hunter2" not in str(found)


def test_an_open_engine_without_a_key_is_found(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beyond this machine: no key is a failure with its mending, a wildcard without names something to look at."""
    server = f"[server]\nport = {free_port()}\nhost = '0.0.0.0'\n"
    _, found = examine(home, capsys, server)
    assert (found["entrance"]["status"], found["entrance"]["fix"]) == (
        "fail",
        "ai-orchestra keys create NAME",
    )
    key = "[[keys]]\nname = 'a'\ndigest = 'sha256:" + "ab" * 32 + "'\n"
    _, found = examine(home, capsys, server + key)
    assert found["entrance"]["status"] == "warn"
    _, found = examine(home, capsys, server + "allowed_hosts = ['gw.lan']\n" + key)
    assert found["entrance"]["status"] == "ok"
    _, found = examine(home, capsys, "")
    assert "entrance" not in found


def test_each_way_a_redis_can_be_wrong_has_its_fix(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not there, without a bound, or with one that keeps what is old; well it says its time and its bound."""
    redis = RedisServer(tmp_path)
    text = f'[storage]\nredis = "{redis.url}"\n'
    code, found = examine(home, capsys, text)
    assert (code, found["redis"]["status"], "start it" in found["redis"]["fix"]) == (1, "fail", True)
    redis.start()
    try:
        _, found = examine(home, capsys, text)
        assert (found["redis"]["status"], "no maxmemory" in found["redis"]["detail"]) == ("warn", True)
        redis.configure(maxmemory="100mb", maxmemory_policy="noeviction")
        _, found = examine(home, capsys, text)
        assert (found["redis"]["status"], "allkeys-lru" in found["redis"]["fix"]) == ("warn", True)
        redis.configure(maxmemory_policy="allkeys-lru")
        _, found = examine(home, capsys, text)
        assert (found["redis"]["status"], "104.9 MB at most" in found["redis"]["detail"]) == ("ok", True)
    finally:
        redis.stop()
    assert "redis" not in examine(home, capsys, "")[1]


def test_nothing_is_changed_by_looking(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """doctor makes no directory, no database, no socket."""
    examine(home, capsys, "")
    assert [path.name for path in home.iterdir()] == ["ai-orchestra.toml"]


def test_text_shows_the_fix_under_what_is_wrong(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People get a line a check, the fix below it, and a count on stderr."""
    (home / "ai-orchestra.toml").write_text(QUIET)
    (home / "ai-orchestra.toml").chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IWGRP)
    execute(["doctor"])
    out, err = capsys.readouterr()
    assert f"fix: chmod go-w {home}/ai-orchestra.toml" in out
    assert " checks, " in err
