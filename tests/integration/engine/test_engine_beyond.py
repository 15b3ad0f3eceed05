"""Listening beyond this machine, and keys that are made while no engine runs."""

import socket
import sqlite3
import stat
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from orchestra_core.domain.principal import Scope
from orchestra_core.storage.failures import StoreError
from orchestra_core.storage.keys import KeyTable, insert, revoke, stored_keys
from orchestra_core.trust.keys import ApiKey, digest_of
from tests.fakes.engine_process import PLAIN, EngineProcess, run_cli

EVERYWHERE = '[server]\nhost = "0.0.0.0"\n[discovery]\nenabled = false\n[embedded]\nenabled = false\n'
HERE = EVERYWHERE.replace("0.0.0.0", "127.0.0.1")


def database(home: Path) -> Path:
    return home / ".local/share/ai-orchestra/orchestra.db"


def url(file: Path) -> str:
    return f"sqlite:///{file}"


def get(engine: EngineProcess, path: str, token: str = "", host: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    headers |= {"host": host} if host else {}
    url = engine.url.replace("0.0.0.0", "127.0.0.1")
    return httpx.get(f"{url}{path}", headers=headers, timeout=20, **PLAIN)


def test_listening_everywhere_without_a_key_is_refused(tmp_path: Path) -> None:
    """The engine ends at once and says how to make a key, and a revoked one is none; nothing listened in between."""
    revoked = ApiKey("00000001", "gone", digest_of("x"), (Scope.ADMIN,), created=1.0)
    file = KeyTable(url(database(tmp_path)), 1.0)
    file.run(lambda connection: insert(connection, revoked))
    assert file.run(lambda connection: revoke(connection, revoked.id, 2.0))
    engine = EngineProcess(EVERYWHERE, home=tmp_path)
    engine.launch()
    assert engine.wait() == 1
    assert "ai-orchestra keys create" in engine.log.text
    assert "ready on" not in engine.log.text


def test_a_key_made_before_the_start_opens_it(tmp_path: Path) -> None:
    """Made in the database by the command line; every TCP request needs it, and only our names are answered."""
    (tmp_path / "config.toml").write_text(EVERYWHERE)
    arguments = ("keys", "create", "first", "--config", str(tmp_path / "config.toml"))
    made = run_cli(*arguments, home=tmp_path, API_PORT="1")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    with EngineProcess(EVERYWHERE, home=tmp_path) as engine:
        assert get(engine, "/v1/models").status_code == 401
        assert get(engine, "/v1/models", token).status_code == 200
        assert get(engine, "/v1/models", token, f"0.0.0.0:{engine.port}").status_code == 403
        assert get(engine, "/v1/models", token, "10.1.2.3").status_code == 403
        assert get(engine, "/api/v1/keys", token).status_code == 403
        assert engine.unix.get("/api/v1/keys").status_code == 200
    assert token not in database(tmp_path).read_bytes().decode("latin-1")
    (key,) = stored_keys(url(database(tmp_path)))
    assert key.last_used is not None, "when it was used last was not written down at the end"


def test_revoking_the_last_key_lets_nobody_in(tmp_path: Path) -> None:
    """On loopback too. And a database that others could read, and all that is beside it, is made private."""
    database(tmp_path).parent.mkdir(parents=True)
    with closing(sqlite3.connect(database(tmp_path))):
        database(tmp_path).chmod(0o644)
    with EngineProcess(HERE, home=tmp_path) as engine:
        assert get(engine, "/v1/models").status_code == 200
        made = engine.unix.post("/api/v1/keys", json={"name": "only", "scopes": ["admin"]}).json()
        assert get(engine, "/v1/models").status_code == 401
        assert get(engine, "/api/v1/keys", made["token"]).status_code == 200
        assert engine.unix.delete(f"/api/v1/keys/{made['id']}").status_code == 200
        assert get(engine, "/v1/models").status_code == 401
        assert get(engine, "/v1/models", made["token"]).status_code == 401
        state = tmp_path / ".local/state/ai-orchestra"
        found = [*database(tmp_path).parent.iterdir(), state / "audit.log", engine.socket]
        assert len(found) >= 4
        for file in found:
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


def test_a_stream_that_needed_no_key_ends_when_keys_are_needed(tmp_path: Path) -> None:
    """The first key closes the door behind those who came in without one, though nothing else happens."""
    with (
        EngineProcess(HERE, home=tmp_path) as engine,
        httpx.stream("GET", f"{engine.url}/api/v1/events", timeout=20, **PLAIN) as answer,
    ):
        assert answer.status_code == 200
        assert engine.unix.post("/api/v1/keys", json={"name": "first"}).status_code == 201
        assert "".join(answer.iter_text()) == ""


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


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_addresses_are_limited_where_there_are_no_keys(tmp_path: Path) -> None:
    """The general limit counts per address over TCP, IPv6 where there is one, never for the owner on the socket."""
    limited = HERE.replace("127.0.0.1", "::1" if has_ipv6() else "127.0.0.1")
    with EngineProcess(limited + "[limits]\nrequests_per_minute = 3\n", home=tmp_path) as engine:
        statuses = [get(engine, "/v1/models").status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        assert get(engine, "/livez").status_code == 200
        assert [engine.unix.get("/v1/models").status_code for _ in range(5)] == [200] * 5


def test_keys_of_a_damaged_file_are_not_taken_for_none(tmp_path: Path) -> None:
    """An engine that cannot read its keys does not start: it would let everybody in."""
    file = tmp_path / "x.db"
    assert stored_keys(url(file)) == []
    file.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(StoreError, match="API keys cannot be read"):
        stored_keys(url(file))
