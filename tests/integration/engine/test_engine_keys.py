"""An engine with keys: who may do what, over which listener, and what everybody else is told."""

from datetime import datetime, timedelta
from hashlib import sha256

import httpx
import pytest

from orchestra_tui.client import EngineClient
from orchestra_tui.engine import EngineError
from tests.fakes.engine_process import PLAIN, EngineProcess, run_cli
from tests.integration.engine.keyed import ADMIN, CHAT, OPERATE, ROUTE, USE, ask, error

USED = [
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/api/v1/route"),
    ("POST", "/api/v1/select-model"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/auto"),
    ("GET", "/api/v1/models"),
    ("GET", "/api/v1/metrics"),
    ("GET", "/api/v1/usage"),
    ("GET", "/api/v1/requests"),
    ("GET", "/api/v1/requests/nothing"),
    ("GET", "/metrics"),
    ("GET", "/api/v1/snapshot"),
    ("HEAD", "/api/v1/events"),
]
OPERATED = [
    ("POST", "/api/v1/models/nothing/load"),
    ("POST", "/api/v1/models/nothing/unload"),
    ("POST", "/api/v1/backends/nothing/drain"),
    ("POST", "/api/v1/backends/nothing/resume"),
    ("POST", "/api/v1/breakers/nothing/trip"),
    ("POST", "/api/v1/breakers/nothing/reset"),
    ("POST", "/api/v1/drills/nothing/stop"),
]
ADMINISTRATED = [
    ("GET", "/api/v1/keys"),
    ("POST", "/api/v1/keys"),
    ("DELETE", "/api/v1/keys/00000000"),
    ("POST", "/api/v1/reload"),
    ("POST", "/api/v1/shutdown"),
]
OPEN = ["/livez", "/readyz", "/health", "/api/health", "/api/v1/health"]


@pytest.fixture
def engine(keyed: EngineProcess) -> EngineProcess:
    return keyed


# -- keys and scopes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), USED + OPERATED + ADMINISTRATED)
def test_without_a_key_nothing_is_answered(engine: EngineProcess, method: str, path: str) -> None:
    """401 in the surface's own shape, on every path that is not open to all."""
    answer = ask(engine, method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    if method != "HEAD":
        told = error(answer)
        assert (told["type"], told["code"]) == ("authentication_error", "invalid_api_key")
        assert told["request_id"] == answer.headers["x-request-id"]


def test_every_wrong_key_is_answered_alike(engine: EngineProcess) -> None:
    """Absent, malformed, unknown, nearly right, in the query, with another scheme: one answer, to the byte."""
    answers = [
        ask(engine, "GET", "/v1/models", None),
        ask(engine, "GET", "/v1/models", x_api_key=""),
        ask(engine, "GET", "/v1/models", "nonsense"),
        ask(engine, "GET", "/v1/models", USE[:-1] + "1"),
        ask(engine, "GET", "/v1/models", USE + "0"),
        ask(engine, "GET", "/v1/models", "x" * 4000),
        ask(engine, "GET", f"/v1/models?api_key={USE}&key={USE}"),
        ask(engine, "GET", "/v1/models", authorization=f"Basic {USE}"),
        ask(engine, "GET", "/v1/models", authorization=USE),
        ask(engine, "GET", "/v1/models", x_api_key="nonsense"),
    ]
    said = {answer.text.replace(answer.headers["x-request-id"], "ID") for answer in answers}
    assert ({answer.status_code for answer in answers}, len(said)) == ({401}, 1)


@pytest.mark.parametrize("token", [USE, OPERATE, ADMIN])
def test_a_key_may_use(engine: EngineProcess, token: str) -> None:
    """On every surface, in either header; what is asked is counted for the key."""
    assert ask(engine, "POST", "/v1/chat/completions", token, CHAT).status_code == 200
    assert ask(engine, "POST", "/api/v1/route", None, ROUTE, x_api_key=token).status_code == 200
    assert ask(engine, "GET", "/metrics", token).status_code == 200


@pytest.mark.parametrize(
    ("token", "may"),
    [(USE, (False, False)), (OPERATE, (True, False)), (ADMIN, (True, True))],
    ids=["use", "operate", "admin"],
)
def test_scopes_end_where_they_should(engine: EngineProcess, token: str, may: tuple[bool, bool]) -> None:
    """403 beyond them; within them whatever the path itself answers."""
    for method, path in OPERATED:
        status = ask(engine, method, path, token).status_code
        assert (status == 404) if may[0] else (status == 403), (path, status)
    for method, path in ADMINISTRATED[:3]:
        answer = ask(engine, method, path, token, {} if method == "POST" else None)
        assert (answer.status_code in (200, 400, 404)) if may[1] else (answer.status_code == 403), path
        if answer.status_code == 403:
            assert error(answer)["code"] == "insufficient_scope"
    if not may[1]:
        assert ask(engine, "POST", "/api/v1/shutdown", token).status_code == 403


def test_the_socket_needs_no_key(engine: EngineProcess) -> None:
    """The owner may do everything there, under any Host, and pages have no way to it."""
    assert engine.unix.get("/api/v1/snapshot").status_code == 200
    assert engine.unix.get("/api/v1/keys", headers={"host": "anything.at.all"}).status_code == 200
    assert engine.run("models").returncode == 0


@pytest.mark.parametrize("path", OPEN)
def test_what_load_balancers_ask_is_open(engine: EngineProcess, path: str) -> None:
    """Without a key the status alone; no name of a backend, model or version."""
    answer = ask(engine, "GET", path)
    assert answer.status_code == 200
    assert answer.json().keys() <= {"status", "timestamp", "ready", "reasons"}
    assert "sim-" not in answer.text


def test_health_tells_more_to_whoever_has_a_key(engine: EngineProcess) -> None:
    """With a key, or over the socket, it is what it always was; a wrong key is like none."""
    assert ask(engine, "GET", "/health", USE).json()["services"]["sim-small"] == "connected"
    assert "services" in engine.unix.get("/health").json()
    assert "services" not in ask(engine, "GET", "/health", "wrong").json()


def test_a_key_is_made_listed_and_revoked(engine: EngineProcess) -> None:
    """It works from the moment it is made to the moment it is revoked; its token is shown once."""
    made = ask(engine, "POST", "/api/v1/keys", ADMIN, {"name": "new one", "scopes": ["operate"]})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    key = made.json()
    token = key.pop("token")
    assert ask(engine, "GET", "/api/v1/models", token).status_code == 200
    listed = ask(engine, "GET", "/api/v1/keys", ADMIN)
    assert key in listed.json()["keys"]
    assert token not in listed.text
    assert sha256(token.encode()).hexdigest() not in listed.text
    gone = ask(engine, "DELETE", f"/api/v1/keys/{key['id']}", ADMIN)
    assert gone.json()["revoked"] is not None
    assert ask(engine, "GET", "/api/v1/models", token).status_code == 401
    assert ask(engine, "DELETE", f"/api/v1/keys/{key['id']}", ADMIN).status_code == 200


@pytest.mark.parametrize("query", ["", "?snapshots=1&interval=0.5"], ids=["silent", "with snapshots"])
def test_a_stream_of_events_ends_with_its_key(engine: EngineProcess, query: str) -> None:
    """Also one on which nothing happens; that of another key goes on, and tells that keys were changed."""
    made = ask(engine, "POST", "/api/v1/keys", ADMIN, {"name": "brief"}).json()
    url, bearer = f"{engine.url}/api/v1/events{query}", {"authorization": f"Bearer {made['token']}"}
    with (
        engine.listening_with(USE) as other,
        httpx.stream("GET", url, headers=bearer, timeout=20, **PLAIN) as answer,
    ):
        assert answer.status_code == 200
        assert ask(engine, "DELETE", f"/api/v1/keys/{made['id']}", ADMIN).status_code == 200
        last = ""
        for said in answer.iter_lines():
            last += said
            assert last.count("event: snapshot") < 10, "it goes on"
        assert "event: event" not in last, "told of the change that ended it"
        assert other.event("keys.changed")["subject"] == "keys"


def test_declared_keys_are_revoked_where_they_are_declared(engine: EngineProcess) -> None:
    """Not through the API: after the next start they would be back."""
    (user,) = [key for key in engine.unix.get("/api/v1/keys").json()["keys"] if key["name"] == "user"]
    assert user["source"] == "configuration"
    assert engine.unix.delete(f"/api/v1/keys/{user['id']}").status_code == 409
    assert engine.unix.delete("/api/v1/keys/nobody").status_code == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes[0]"),
        ({"name": "x", "requests_per_minute": -1}, "requests_per_minute"),
        ({"name": "x", "tokens_per_minute": 1.5}, "tokens_per_minute"),
        ({"name": "x", "expires": "90d"}, "expires"),
        ({"name": "x", "expires": "2020-01-01"}, "expires"),
        ({"name": "x", "token": "mine"}, "token"),
    ],
)
def test_a_key_that_cannot_be_is_refused(engine: EngineProcess, body: object, param: str) -> None:
    """400, naming the field."""
    answer = ask(engine, "POST", "/api/v1/keys", ADMIN, body)
    assert (answer.status_code, error(answer)["param"]) == (400, param)


# -- the command line ------------------------------------------------------------------------------------


def test_commands_bring_a_key_to_an_address(engine: EngineProcess) -> None:
    """From the environment or the option; without one they say what is missing."""
    bare = run_cli("models", "--url", engine.url, home=engine.home)
    assert bare.returncode == 1
    assert "API key" in bare.stderr
    assert run_cli("models", "--url", engine.url, home=engine.home, ORCHESTRATOR_API_KEY=USE).returncode == 0
    assert run_cli("models", "--url", engine.url, "--api-key", USE, home=engine.home).returncode == 0


async def test_the_console_brings_a_key_to_an_address(engine: EngineProcess) -> None:
    """With it all is as over the socket; without it says what is missing."""
    client = EngineClient("", engine.url, api_key=USE)
    assert (await client.fetch()).address == engine.url
    await client.close()
    stranger = EngineClient("", engine.url)
    with pytest.raises(EngineError, match="API key"):
        await stranger.fetch()
    await stranger.close()


def test_keys_are_made_at_the_command_line(engine: EngineProcess) -> None:
    """Through the engine: the token alone on standard output, at once of use; then listed and revoked."""
    made = engine.run("keys", "create", "from the shell", "--scope", "operate", "--expires", "90d")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert ask(engine, "GET", "/v1/models", token).status_code == 200
    listed = engine.run("keys", "list")
    assert "from the shell" in listed.stdout
    assert token not in listed.stdout
    (key,) = [
        one for one in engine.unix.get("/api/v1/keys").json()["keys"] if one["name"] == "from the shell"
    ]
    assert key["expires"] in listed.stdout
    days = datetime.fromisoformat(key["expires"]) - datetime.fromisoformat(key["created"])
    assert (round(days / timedelta(days=1), 1), key["expired"]) == (90.0, False)
    assert engine.run("keys", "revoke", key["id"]).returncode == 0
    assert ask(engine, "GET", "/v1/models", token).status_code == 401
