"""The audit log of a whole engine: everything an operator did, read back by an administrator only."""

from pathlib import Path
from typing import Any

import httpx

from tests.fakes.engine_here import EngineHere


def owner(home: Path) -> httpx.AsyncClient:
    """On the private socket, where everything is allowed."""
    transport = httpx.AsyncHTTPTransport(uds=str(home / "engine.sock"))
    return httpx.AsyncClient(transport=transport, base_url="http://engine")


async def test_what_operators_did_is_read_back(tmp_path: Path) -> None:
    """Newest first, with who, the outcome and the command; the page after it goes on where it ended."""
    async with EngineHere(tmp_path, []) as here, owner(tmp_path) as client:
        body = {"seconds": 60, "reason": "moving house"}
        assert (await client.post("/api/v1/alerts/disk/silence", json=body)).status_code == 200
        assert (await here.post("/api/v1/backends/nowhere/drain", {})).status == 404
        assert (await client.post("/api/v1/reload", json={})).status_code == 200
        page: dict[str, Any] = (await client.get("/api/v1/audit?limit=2")).json()
        seen = [(one["who"], one["outcome"], one["command"]) for one in page["entries"]]
        assert seen == [
            ("owner", "done", "ai-orchestra config reload"),
            ("local", "failed", "ai-orchestra drain nowhere"),
        ]
        older = (await client.get(f"/api/v1/audit?limit=9&before={page['next']}")).json()
        assert [one["command"] for one in older["entries"]] == [
            "ai-orchestra alerts silence disk --for 60s --reason 'moving house'"
        ]
        assert older["next"] is None
        newest = (await client.get("/api/v1/audit?limit=1")).json()["entries"][0]
        assert newest["command"] == "ai-orchestra audit"


async def test_only_an_administrator_reads_it(tmp_path: Path) -> None:
    """Over TCP without a key one may operate, and not read what others did."""
    async with EngineHere(tmp_path, []) as here:
        assert (await here.get("/api/v1/audit")).status == 403


async def test_a_wrong_page_is_refused(tmp_path: Path) -> None:
    """With the name of what is wrong."""
    async with EngineHere(tmp_path, []), owner(tmp_path) as client:
        for query in ("limit=0", "limit=501", "limit=x", "limit=-1", "limit=99999", "before=x", "before=1-2"):
            answer = await client.get(f"/api/v1/audit?{query}")
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, query.partition("=")[0])
