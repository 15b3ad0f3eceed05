"""What an engine with keys writes down of who asked for what."""

import json
import stat
from hashlib import sha256

import pytest

from tests.fakes.engine_process import EngineProcess
from tests.integration.engine.keyed import ADMIN, KEYS, NOTHING, OPERATE, ROUTE, SERVER, USE, ask


@pytest.fixture
def engine(keyed: EngineProcess) -> EngineProcess:
    return keyed


def test_what_operators_do_is_written_down() -> None:
    """One line each with who, what and the end of it, refusals too, in a file for the owner alone."""
    with EngineProcess(SERVER + NOTHING + KEYS) as engine:
        ask(engine, "POST", "/api/v1/models/audited%0d%0a%e2%80%a8/load", OPERATE)
        beyond = ask(engine, "POST", "/api/v1/models/nothing/load", USE)
        done = ask(engine, "POST", "/api/v1/models/nothing/load", OPERATE, {"backend": "b"})
        stranger = ask(engine, "POST", "/api/v1/models/nothing/load")
        used = ask(engine, "GET", "/v1/models", USE)
        file = engine.home / ".local/state/ai-orchestra/audit.log"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        told = file.read_text()
    lines = {line["request_id"]: line for line in map(json.loads, told.splitlines())}
    first, second, third = (lines[answer.headers["x-request-id"]] for answer in (beyond, done, stranger))
    assert used.headers["x-request-id"] not in lines
    assert (first["who"], first["status"]) == ("user", 403)
    assert (second["who"], second["status"]) == ("operator", 404)
    assert second["path"] == "/api/v1/models/nothing/load"
    assert json.loads(second["body"]) == {"backend": "b"}
    assert second["peer"] == "127.0.0.1"
    assert (third["who"], third["status"]) == ("anonymous", 401)
    assert told.replace("\n", "").isascii()
    for token in (USE, OPERATE, ADMIN):
        assert token not in told


def test_strangers_do_not_fill_what_is_written_down() -> None:
    """Of what is refused without a key a few lines, of what was left out one; what an operator does is all there."""
    with EngineProcess(SERVER + NOTHING + KEYS) as engine:
        for _ in range(60):
            refused = ask(engine, "POST", f"/api/v1/models/{'x' * 200}/load", body={"backend": "y" * 400})
            assert refused.status_code == 401
        assert ask(engine, "POST", "/api/v1/models/nothing/load", OPERATE).status_code == 404
        assert engine.stop() == 0
        told = (engine.home / ".local/state/ai-orchestra/audit.log").read_text()
    lines = [json.loads(one) for one in told.splitlines()]
    strangers = [one for one in lines if one.get("status") == 401]
    assert 10 <= len(strangers) <= 20
    assert {(len(one["path"]), one["body"]) for one in strangers} == {(64, "")}
    assert lines[-1]["refused"] == 60 - len(strangers)
    assert lines[-1]["most"].startswith("127.0.0.1: ")
    assert lines[-2]["who"] == "operator"


def test_requests_are_logged_where_that_is_wanted(engine: EngineProcess) -> None:
    """A line each, without the query and without the key."""
    one, two = (
        answer.headers["x-request-id"]
        for answer in (
            ask(engine, "GET", f"/v1/models?secret={USE}", OPERATE),
            ask(engine, "POST", "/api/v1/route", "wrong", ROUTE),
        )
    )
    file = engine.home / ".local/state/ai-orchestra/access.log"
    with engine.listening_with(OPERATE) as happening:
        happening.until(lambda *_: two in file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = {line["request_id"]: line for line in map(json.loads, file.read_text().splitlines())}
    assert lines[one]["path"] == "/v1/models"
    assert (lines[one]["status"], lines[two]["status"]) == (200, 401)
    assert lines[one]["key"] == sha256(OPERATE.encode()).hexdigest()[:8]
    assert USE not in file.read_text()
