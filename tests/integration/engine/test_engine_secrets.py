"""Canaries in every place that holds a secret: none is found in anything the engine says or writes."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from orchestra_core.config import load
from tests.fakes.engine_process import PLAIN, EngineProcess, run_cli
from tests.fakes.scripted_http import Asked, Reply, ScriptedHttp

BACKEND_KEY = "canary-of-the-backend-7f3a9c"
ADMIN_TOKEN = "ork-aaaaaaaa-canaryofadmin00000000000000000000000000000000000000"
STRANGER = "ork-bbbbbbbb-canaryofastranger0000000000000000000000000000000"
IN_QUERY = "canary-in-the-query-90bd"
COOKIE = "canary-in-a-cookie-1c1c"
IN_COMMAND = "canary-in-a-command-0d0d"
CANARIES = (BACKEND_KEY, ADMIN_TOKEN, STRANGER, IN_QUERY, COOKIE, IN_COMMAND)
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def echo(asked: Asked) -> Reply:
    """A backend that repeats all it was sent in its refusal, and adds headers of its own."""
    words = f"wrong key {asked.headers.get('authorization')}; got {json.dumps(asked.headers)}"
    headers = {
        "set-cookie": "a=b",
        "access-control-allow-origin": "*",
        "x-powered-by": "curiosity",
        "location": "http://169.254.169.254/",
        "retry-after": "3",
    }
    return Reply({"error": {"message": words, "type": "t", "code": "c"}}, 401, headers)


def cut(asked: Asked) -> Reply:
    words = json.dumps({"error": {"message": f"broke with {asked.headers.get('authorization')}"}})
    first = json.dumps({"choices": [{"index": 0, "delta": {"content": "a"}}]})
    body = f"data: {first}\n\ndata: {words}\n\n".encode()
    return Reply(body, 200, {"content-type": "text/event-stream"})


def configuration(backend: ScriptedHttp) -> str:
    digest = sha256(ADMIN_TOKEN.encode()).hexdigest()
    return f"""
[discovery]
enabled = false
[logging]
access = "access.log"
[[keys]]
name = "boss"
digest = "sha256:{digest}"
scopes = ["admin"]
[[backends]]
name = "echo"
kind = "openai"
url = "{backend.url}"
api_key_env = "ECHO_KEY"
models = ["m"]
[[backends]]
name = "mine"
kind = "managed"
command = ["/bin/false", "--api-key", "{IN_COMMAND}", "--port", "{{port}}"]
models = ["own"]
[[backends]]
name = "closed"
kind = "openai"
url = "{backend.url}/closed"
api_key_env = "ECHO_KEY"
"""


def provoke(engine: EngineProcess) -> list[httpx.Response]:
    """Every sort of request that a secret travels with."""
    answers: list[httpx.Response] = []
    secrets = {"cookie": COOKIE, "x-forwarded-for": "6.6.6.6", "forwarded": "for=6.6.6.6", "x-evil": "1"}
    with httpx.Client(base_url=engine.url, timeout=20, **PLAIN) as client:
        for token in (ADMIN_TOKEN, STRANGER):
            headers = {"authorization": f"Bearer {token}", **secrets}
            for path, body in (
                ("/v1/chat/completions", CHAT),
                ("/v1/chat/completions", {**CHAT, "stream": True}),
                ("/v1/chat/completions", {"model": token}),
                ("/api/v1/route", {"prompt": "Hi"}),
                ("/api/v1/route", {"prompt": "Hi", "stream": True}),
                (f"/api/v1/models/{token}/load", {}),
                ("/api/v1/models/m/load", {"backend": token}),
                ("/api/v1/models/own/load", {}),
                ("/api/v1/breakers/echo%2Fm/reset", {}),
            ):
                answers.append(client.post(f"{path}?key={IN_QUERY}", json=body, headers=headers))
            answers.extend(
                client.get(f"{path}?api_key={IN_QUERY}", headers=headers)
                for path in ("/health", "/api/v1/models", "/api/v1/snapshot", "/metrics", "/api/v1/metrics")
            )
            answers.append(client.get("/api/v1/keys", headers=headers))
    return answers


def written(home: Path) -> Iterator[tuple[str, bytes]]:
    for file in home.rglob("*"):
        if file.is_file():
            yield file.name, file.read_bytes()


async def test_no_secret_is_said_or_written() -> None:
    """Answers, events, log at debug, ledger, audit, access log, configuration shown: not one canary."""
    async with ScriptedHttp() as backend:
        backend.at("GET", "/v1/models", Reply({"data": [{"id": "m"}]}))
        backend.at("GET", "/closed/v1/models", echo)
        backend.at("POST", "/v1/chat/completions", echo, cut, echo, cut, echo)
        environment = {"ECHO_KEY": BACKEND_KEY, "ORCHESTRATOR_DEBUG": "1"}
        engine = EngineProcess(configuration(backend), more=environment)
        try:
            await asyncio.to_thread(engine.start)
            with await asyncio.to_thread(engine.listening_with, ADMIN_TOKEN) as happening:
                answers = await asyncio.to_thread(provoke, engine)
                await asyncio.to_thread(happening.until, lambda name, _: name == "snapshot")
            shown = run_cli("config", "show", "--config", str(engine.config), home=engine.home, **environment)
            assert await asyncio.to_thread(engine.stop) == 0
            database = engine.home / ".local/share/ai-orchestra/orchestra.db"
            with closing(sqlite3.connect(database)) as connection:
                counted = [row[0] for row in connection.execute("SELECT DISTINCT key FROM requests")]
            settings = load({"config": str(engine.config)}, {**engine.environment}, engine.home)
            said: dict[str, Any] = {
                "answers": " ".join(f"{answer.headers} {answer.text}" for answer in answers),
                "events": json.dumps(happening.seen),
                "log": engine.log.text,
                "config show": shown.stdout + shown.stderr,
                "repr": repr(settings),
                **{
                    name: data.decode("latin-1")
                    for name, data in written(engine.home)
                    if name != "config.toml"
                },
            }
        finally:
            engine.close()
        received = [asked for asked in backend.asked if asked.method == "POST"]
    assert counted == [sha256(ADMIN_TOKEN.encode()).hexdigest()[:8]], "requests are counted for their key"
    # The proof that there was something to be found.
    assert any(asked.headers.get("authorization") == f"Bearer {BACKEND_KEY}" for asked in received)
    assert any("wrong key" in answer.text for answer in answers)
    assert {"orchestra.db", "audit.log", "access.log"} <= said.keys()
    found = [(name, canary) for name, text in said.items() for canary in CANARIES if canary in text]
    # A client that names a model or a backend so reads its own words again; nobody else does.
    assert [pair for pair in found if pair[0] != "answers"] == []
    assert not [pair for pair in found if pair[1] in (BACKEND_KEY, IN_QUERY, COOKIE)]
    for asked in received:
        assert asked.headers.keys() <= {
            "host",
            "accept",
            "accept-encoding",
            "authorization",
            "content-type",
            "content-length",
        }
    for answer in answers:
        kept = ("x-request-id", "x-orchestra-", "x-should-retry", "x-ratelimit-", "retry-after")
        common = (
            "date",
            "server",
            "content-",
            "cache-control",
            "transfer-encoding",
            "connection",
            "allow",
            "www-authenticate",
        )
        assert [name for name in answer.headers if not name.startswith((*kept, *common))] == []
