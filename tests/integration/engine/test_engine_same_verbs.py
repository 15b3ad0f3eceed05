"""One pair of verbs for whatever loads models: llama-server as a router, and an Ollama server."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes.chaos import ChaosBackend
from tests.fakes.engine_here import EngineHere
from tests.fakes.scripted_http import Asked, Reply, ScriptedHttp
from tests.fakes.turns import until


class Router(ScriptedHttp):
    """llama-server started without a model: it lists what it could load and loads what it is told to."""

    name, kind = "box", "llamacpp"

    def __init__(self, model: str = "m") -> None:
        super().__init__()
        self.model = model
        self.resident: set[str] = set()
        self.at("GET", "/health", Reply({"status": "ok"}))
        self.at("GET", "/v1/models", self._list)
        self.at("POST", "/models/load", lambda asked: self._turn(asked, self.resident.add))
        self.at("POST", "/models/unload", lambda asked: self._turn(asked, self.resident.discard))

    def _list(self, _: Asked) -> Reply:
        status = "loaded" if self.model in self.resident else "unloaded"
        return Reply(
            {"object": "list", "data": [{"id": self.model, "status": {"value": status, "args": []}}]}
        )

    @staticmethod
    def _turn(asked: Asked, turn: object) -> Reply:
        assert callable(turn)
        turn(asked.json["model"])
        return Reply({"success": True})


@pytest.mark.parametrize("kind", ["llamacpp", "ollama"])
async def test_a_model_is_loaded_and_unloaded_by_the_same_verbs(kind: str, tmp_path: Path) -> None:
    """The plan first, then 202, then the model is where it was told to be, at the server and in the snapshot."""
    async with (
        Router() if kind == "llamacpp" else ChaosBackend("box", "ollama") as server,
        EngineHere(tmp_path, [server]) as engine,
    ):
        server.resident.clear()
        engine.engine.members.suspect("box")
        async with asyncio.timeout(20):
            await until(lambda: engine.endpoint("box").residency == "absent")
            path = "/api/v1/models/m"
            planned = await engine.post(f"{path}/load", {"dry_run": True})
            assert (planned.status, planned.json["plan"]["fits"]) == (200, True)
            assert server.resident == set()
            assert (await engine.post(f"{path}/load", {})).status == 202
            await until(lambda: engine.endpoint("box").residency == "ready")
            assert server.resident == {"m"}
            assert (await engine.post(f"{path}/unload", {})).status == 202
            await until(lambda: engine.endpoint("box").residency == "absent")
            assert server.resident == set()
