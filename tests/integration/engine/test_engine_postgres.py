"""A whole engine on PostgreSQL: records, keys and commands, with the database away for a while."""

import json

from tests.fakes.engine_process import EngineProcess, run_cli
from tests.fakes.postgres_server import PostgresServer


def test_an_engine_on_postgresql_keeps_its_books(postgres: PostgresServer) -> None:
    """Named by DATABASE_URL. What is asked while the database is away is answered, and in it afterwards."""
    url = postgres.database()
    with EngineProcess(demo=True, more={"DATABASE_URL": url}) as engine:
        made = engine.unix.post("/api/v1/keys", json={"name": "ann", "scopes": ["use"]})
        assert made.status_code == 201, made.text
        key = {"authorization": f"Bearer {made.json()['token']}"}
        assert engine.post("/v1/chat/completions", _QUESTION, **key).status_code == 200
        postgres.stop()
        try:
            assert engine.post("/v1/chat/completions", _QUESTION, **key).status_code == 200
        finally:
            postgres.start()
        refused = engine.post("/v1/chat/completions", _QUESTION, authorization="Bearer nonsense")
        assert refused.status_code == 401
        environment = {"DATABASE_URL": url}
        home = engine.home
        assert engine.stop() == 0
        with postgres.connect(url) as outside:
            rows = outside.execute("SELECT key, verdict FROM ai_orchestra.requests").fetchall()
        assert rows == [(made.json()["id"], "success")] * 2
        listed = run_cli("keys", "list", "--json", home=home, **environment)
        assert [one["name"] for one in json.loads(listed.stdout)["keys"]] == ["ann"], listed.stderr


_QUESTION = {"model": "auto", "messages": [{"role": "user", "content": "Say something."}]}
