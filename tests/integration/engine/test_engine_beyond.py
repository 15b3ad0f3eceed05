"""Listening beyond this machine, and keys that are made while no engine runs."""

import socket
import sqlite3
import stat
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from tests.fakes.engine_process import PLAIN, EngineProcess, run_cli

EVERYWHERE = '[server]\nhost = "0.0.0.0"\n[discovery]\nenabled = false\n[embedded]\nenabled = false\n'
HERE = EVERYWHERE.replace("0.0.0.0", "127.0.0.1")


def keys(home: Path, *arguments: str) -> str:
    done = run_cli("keys", *arguments, "--config", str(home / "config.toml"), home=home, API_PORT="1")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def get(engine: EngineProcess, path: str, token: str = "", host: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    headers |= {"host": host} if host else {}
    return httpx.get(f"http://127.0.0.1:{engine.port}{path}", headers=headers, timeout=20, **PLAIN)


def test_listening_everywhere_without_a_key_is_refused(tmp_path: Path) -> None:
    """The engine ends at once and says how to make a key; nothing was listening in between."""
    engine = EngineProcess(EVERYWHERE, home=tmp_path)
    engine.launch()
    assert engine.wait(20) == 1
    assert "ai-orchestra keys create" in engine.log.text
    assert "ready on" not in engine.log.text


def test_a_revoked_key_does_not_open_the_world_either(tmp_path: Path) -> None:
    """One key, revoked: the same refusal."""
    (tmp_path / "config.toml").write_text(EVERYWHERE)
    token = keys(tmp_path, "create", "gone")
    keys(tmp_path, "revoke", token.split("-")[1])
    engine = EngineProcess(EVERYWHERE, home=tmp_path)
    engine.launch()
    assert engine.wait(20) == 1


def test_a_key_made_before_the_start_opens_it(tmp_path: Path) -> None:
    """Made in the database by the command line; every TCP request needs it, and only our names are answered."""
    (tmp_path / "config.toml").write_text(EVERYWHERE)
    token = keys(tmp_path, "create", "first")
    with EngineProcess(EVERYWHERE, home=tmp_path) as engine:
        assert get(engine, "/v1/models").status_code == 401
        assert get(engine, "/v1/models", token).status_code == 200
        assert get(engine, "/v1/models", token, f"0.0.0.0:{engine.port}").status_code == 403
        assert get(engine, "/v1/models", token, "10.1.2.3").status_code == 403
        assert get(engine, "/api/v1/keys", token).status_code == 403
        assert engine.unix.get("/api/v1/keys").status_code == 200
    assert token not in (tmp_path / ".local/share/ai-orchestra/orchestra.db").read_bytes().decode("latin-1")
    (listed,) = [line for line in keys(tmp_path, "list").splitlines() if "first" in line]
    assert "T" in listed, "when it was used last was not written down at the end"


def test_revoking_the_last_key_lets_nobody_in(tmp_path: Path) -> None:
    """On loopback too: what was behind a key stays behind one until that is configured otherwise."""
    with EngineProcess(HERE, home=tmp_path) as engine:
        assert get(engine, "/v1/models").status_code == 200
        made = engine.unix.post("/api/v1/keys", json={"name": "only", "scopes": ["admin"]}).json()
        assert get(engine, "/v1/models").status_code == 401
        assert get(engine, "/api/v1/keys", made["token"]).status_code == 200
        assert engine.unix.delete(f"/api/v1/keys/{made['id']}").status_code == 200
        assert get(engine, "/v1/models").status_code == 401
        assert get(engine, "/v1/models", made["token"]).status_code == 401


def test_keys_are_needed_where_that_is_configured(tmp_path: Path) -> None:
    """require_key: closed over TCP until a key is declared, and again without it; false: open in spite of keys.

    An administrator's key stops the engine over TCP.
    """
    required = HERE.replace("[discovery]", "require_key = true\n[discovery]")
    with EngineProcess(required, home=tmp_path) as engine:
        assert get(engine, "/v1/models").status_code == 401
        assert get(engine, "/livez").status_code == 200
        declared = "ork-00000000-" + "7" * 48
        digest = sha256(declared.encode()).hexdigest()
        table = f'[[keys]]\nname = "b"\ndigest = "sha256:{digest}"\n'
        engine.config.write_text(required + table)
        assert engine.unix.post("/api/v1/reload").status_code == 200
        assert get(engine, "/v1/models", declared).status_code == 200
        engine.config.write_text(required)
        assert engine.unix.post("/api/v1/reload").status_code == 200
        assert get(engine, "/v1/models", declared).status_code == 401
        boss = engine.unix.post("/api/v1/keys", json={"name": "one", "scopes": ["admin"]}).json()["token"]
        headers = {"authorization": f"Bearer {boss}"}
        assert httpx.post(f"{engine.url}/api/v1/shutdown", headers=headers, **PLAIN).status_code == 202
        assert engine.wait() == 0
    with EngineProcess(required.replace("= true", "= false", 1), home=tmp_path) as engine:
        assert get(engine, "/v1/models").status_code == 200
        assert get(engine, "/api/v1/keys").status_code == 403


def test_addresses_are_limited_where_there_are_no_keys(tmp_path: Path) -> None:
    """The general limit counts per address over TCP, never for the owner on the socket."""
    limited = HERE + "[limits]\nrequests_per_minute = 3\n"
    with EngineProcess(limited, home=tmp_path) as engine:
        statuses = [get(engine, "/v1/models").status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        assert get(engine, "/livez").status_code == 200
        assert [engine.unix.get("/v1/models").status_code for _ in range(5)] == [200] * 5


def test_files_of_the_engine_are_its_owners_alone(tmp_path: Path) -> None:
    """A database others may read is made private at the start; socket, logs and directories are so anyway."""
    data = tmp_path / ".local/share/ai-orchestra"
    data.mkdir(parents=True)
    with closing(sqlite3.connect(data / "orchestra.db")):
        (data / "orchestra.db").chmod(0o644)
    with EngineProcess(HERE, home=tmp_path) as engine:
        assert get(engine, "/v1/models").status_code == 200
        engine.unix.post("/api/v1/keys", json={"name": "one"})
        found = [*data.iterdir(), tmp_path / ".local/state/ai-orchestra/audit.log", engine.socket]
        assert len(found) >= 4
        for file in found:
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


def test_keys_of_a_damaged_file_are_not_taken_for_none(tmp_path: Path) -> None:
    """An engine that cannot read its keys does not start: it would let everybody in."""
    data = tmp_path / ".local/share/ai-orchestra"
    data.mkdir(parents=True)
    (data / "orchestra.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    engine = EngineProcess(HERE, home=tmp_path)
    engine.launch()
    assert engine.wait(20) == 1
    assert "orchestra.db" in engine.log.text


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_the_ipv6_loopback_address_is_written_in_brackets(tmp_path: Path) -> None:
    """What the engine says of itself is a URL one can use."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with EngineProcess(HERE.replace("127.0.0.1", "::1"), home=tmp_path) as engine:
        assert engine.url.startswith("http://[::1]:")
        assert engine.get("/livez").status_code == 200
