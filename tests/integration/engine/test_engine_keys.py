"""An engine with keys: who may do what, over which listener, and what everybody else is told."""

import json
import stat
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import httpx
import openai
import pytest

from orchestra_tui.client import EngineClient, EngineError
from tests.fakes.engine_process import PLAIN, EngineProcess, FleetProcess, run_cli

USE, OPERATE, ADMIN, SLOW, DEAR = (f"ork-{name:0>8}-{'0' * 48}" for name in ("1", "2", "3", "4", "5"))
APP = "https://app.example.com"
MODEL = "sim-small:1b"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
ROUTE = {"prompt": "Hi", "max_tokens": 4}
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
]
ADMINISTRATED = [
    ("GET", "/api/v1/keys"),
    ("POST", "/api/v1/keys"),
    ("DELETE", "/api/v1/keys/00000000"),
    ("POST", "/api/v1/reload"),
    ("POST", "/api/v1/shutdown"),
]
OPEN = ["/livez", "/readyz", "/health", "/api/health", "/api/v1/health"]


def declared(name: str, token: str, scope: str, **more: int) -> str:
    limits = "".join(f"{key} = {value}\n" for key, value in more.items())
    digest = sha256(token.encode()).hexdigest()
    return f'[[keys]]\nname = "{name}"\ndigest = "sha256:{digest}"\nscopes = ["{scope}"]\n{limits}'


KEYS = "\n".join(
    (
        declared("user", USE, "use"),
        declared("operator", OPERATE, "operate"),
        declared("administrator", ADMIN, "admin"),
        declared("slow", SLOW, "use", requests_per_minute=2),
        declared("dear", DEAR, "use", tokens_per_minute=1),
    )
)
SERVER = (
    f'[server]\ncors_origins = ["{APP}"]\nallowed_hosts = ["gateway.lan"]\n[logging]\naccess = "access.log"\n'
)
NOTHING = "[discovery]\nenabled = false\n[embedded]\nenabled = false\n"


@pytest.fixture(scope="module")
def engine(fleet: FleetProcess) -> Iterator[EngineProcess]:
    fleet.repair()
    fleet.load("sim-small", MODEL)
    with EngineProcess(SERVER + fleet.config() + KEYS) as running:
        yield running


def ask(
    engine: EngineProcess,
    method: str,
    path: str,
    token: str | None = None,
    body: object = None,
    **headers: str,
) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        names["authorization"] = f"Bearer {token}"
    given: dict[str, Any] = {} if body is None else {"json": body}
    return httpx.request(method, engine.url + path, headers=names, timeout=30, **given, **PLAIN)


def error(answer: httpx.Response) -> dict[str, Any]:
    return dict(answer.json()["error"])


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
        ({"name": "x", "token": "mine"}, "token"),
    ],
)
def test_a_key_that_cannot_be_is_refused(engine: EngineProcess, body: object, param: str) -> None:
    """400, naming the field."""
    answer = ask(engine, "POST", "/api/v1/keys", ADMIN, body)
    assert (answer.status_code, error(answer)["param"]) == (400, param)


# -- limits ----------------------------------------------------------------------------------------------


def test_requests_beyond_a_keys_limit_are_refused(engine: EngineProcess) -> None:
    """429 with OpenAI's headers and when to come again; other keys do not notice."""
    first = ask(engine, "GET", "/v1/models", SLOW)
    assert first.status_code == 200
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert ask(engine, "GET", "/v1/models", SLOW).status_code == 200
    refused = ask(engine, "POST", "/api/v1/route", SLOW, ROUTE)
    assert refused.status_code == 429
    assert error(refused)["type"] == "rate_limit_error"
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    client = openai.OpenAI(
        base_url=f"{engine.url}/v1",
        api_key=SLOW,
        max_retries=0,
        http_client=openai.DefaultHttpxClient(**PLAIN),
    )
    with client, pytest.raises(openai.RateLimitError):
        client.models.list()
    plain = ask(engine, "GET", "/v1/models", USE)
    assert plain.status_code == 200
    assert "x-ratelimit-limit-requests" not in plain.headers


def test_tokens_are_debited_when_they_are_known(engine: EngineProcess) -> None:
    """The call that overdraws is answered, the next one is not; looking costs no tokens."""
    assert ask(engine, "POST", "/v1/chat/completions", DEAR, CHAT).status_code == 200
    refused = ask(engine, "POST", "/v1/chat/completions", DEAR, CHAT)
    assert refused.status_code == 429
    assert refused.headers["x-ratelimit-limit-tokens"] == "1"
    assert int(refused.headers["retry-after"]) > 60
    assert ask(engine, "GET", "/v1/models", DEAR).status_code == 200


# -- the official client ---------------------------------------------------------------------------------


def test_the_official_client_works_with_a_key(engine: EngineProcess) -> None:
    """Whole and streamed; with a wrong one it raises AuthenticationError, not after retries."""
    said: Any = [{"role": "user", "content": "Hi"}]
    with openai.OpenAI(
        base_url=f"{engine.url}/v1", api_key=USE, http_client=openai.DefaultHttpxClient(**PLAIN)
    ) as client:
        whole = client.chat.completions.create(model=MODEL, messages=said, max_tokens=4)
        assert whole.choices[0].message.content
        pieces = client.chat.completions.create(model=MODEL, messages=said, max_tokens=4, stream=True)
        assert sum(bool(piece.choices and piece.choices[0].delta.content) for piece in pieces) > 0
        with pytest.raises(openai.AuthenticationError) as caught:
            client.with_options(api_key="ork-wrong").models.list()
    assert caught.value.code == "invalid_api_key"


# -- browsers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/livez", "/health", "/v1/models", "/nope", "/api/v1/models/x/load", "/metrics"]
)
@pytest.mark.parametrize(
    "host", ["evil.com", "evil.com:{port}", "localhost:1", "127.0.0.1.evil.com:{port}", "0.0.0.0:{port}"]
)
def test_a_name_that_is_rebound_to_us_is_refused(engine: EngineProcess, path: str, host: str) -> None:
    """403 on every path, there or not, open or not, with a key or without."""
    for token in (None, ADMIN):
        answer = ask(engine, "GET", path, token, host=host.format(port=engine.port))
        assert (answer.status_code, error(answer)["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    "host", ["localhost:{port}", "localhost", "127.0.0.1:{port}", "[::1]:{port}", "gateway.lan"]
)
def test_our_own_names_are_answered(engine: EngineProcess, host: str) -> None:
    """This machine's and the configured ones."""
    assert ask(engine, "GET", "/livez", host=host.format(port=engine.port)).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.com", "null", "http://localhost:3000", f"{APP}.evil.com"])
@pytest.mark.parametrize("path", ["/livez", "/v1/chat/completions", "/nope"])
def test_pages_of_others_get_nothing(engine: EngineProcess, origin: str, path: str) -> None:
    """403 without a word to the browser, also to the preflight, also with a good key."""
    asked = ask(engine, "POST", path, USE, CHAT, origin=origin)
    wanted = {"access_control_request_method": "POST"}
    preflight = ask(engine, "OPTIONS", path, origin=origin, **wanted)
    for answer in (asked, preflight):
        assert (answer.status_code, error(answer)["code"]) == (403, "origin_not_allowed")
        assert not [name for name in answer.headers if name.startswith("access-control")]
    cross = ask(engine, "GET", "/livez", sec_fetch_site="cross-site")
    assert cross.status_code == 403


def test_pages_of_a_configured_origin_may_ask(engine: EngineProcess) -> None:
    """Preflight without a key, the request with one, errors readable; without an Origin no word of all that."""
    preflight = ask(
        engine,
        "OPTIONS",
        "/v1/chat/completions",
        origin=APP,
        access_control_request_method="POST",
        access_control_request_headers="authorization,content-type,x-stainless-lang",
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == APP
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    whole = ask(engine, "POST", "/v1/chat/completions", USE, CHAT, origin=APP, sec_fetch_site="cross-site")
    streamed = ask(engine, "POST", "/v1/chat/completions", USE, {**CHAT, "stream": True}, origin=APP)
    wrong = ask(engine, "POST", "/v1/chat/completions", "wrong", CHAT, origin=APP)
    for answer, status in ((whole, 200), (streamed, 200), (wrong, 401)):
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, APP)
        assert answer.headers["vary"] == "origin"
        assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-origin" not in ask(engine, "GET", "/v1/models", USE).headers


# -- what is written down --------------------------------------------------------------------------------


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
    made = engine.run("keys", "create", "from the shell", "--scope", "operate")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert ask(engine, "GET", "/v1/models", token).status_code == 200
    listed = engine.run("keys", "list")
    assert "from the shell" in listed.stdout
    assert token not in listed.stdout
    (key,) = [
        one for one in engine.unix.get("/api/v1/keys").json()["keys"] if one["name"] == "from the shell"
    ]
    assert engine.run("keys", "revoke", key["id"]).returncode == 0
    assert ask(engine, "GET", "/v1/models", token).status_code == 401
