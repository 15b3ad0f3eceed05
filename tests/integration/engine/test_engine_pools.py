"""Pools of memory as the engine has them when its backends change."""

import asyncio
from pathlib import Path

from orchestra_core.domain.snapshot import PoolView
from tests.fakes.engine_here import EngineHere
from tests.fakes.scripted_http import Reply
from tests.fakes.turns import until
from tests.integration.engine.test_engine_same_verbs import Router

ALONE = "[discovery]\nenabled = false\n[embedded]\nenabled = false\n"


def described(router: Router, name: str = "box", more: str = 'memory = "32GB"') -> str:
    return f'[[backends]]\nname = "{name}"\nkind = "llamacpp"\nurl = "{router.url}"\n{more}\n'


class Other(Router):
    """Has nothing of what the first one has."""

    def __init__(self) -> None:
        super().__init__("other")


def pools(here: EngineHere) -> dict[str, PoolView]:
    return {pool.name: pool for pool in here.engine.memory.view(here.engine.clock.monotonic())}


def reserved(here: EngineHere) -> dict[str, int]:
    return {name: pool.reserved for name, pool in pools(here).items()}


async def test_a_backend_that_moves_keeps_no_memory_for_what_it_had(tmp_path: Path) -> None:
    """The new server has other models: nothing is promised to those of the old one any more."""
    async with Router() as old, Other() as new, EngineHere(tmp_path, [], described(old)) as here:
        models = '[models.m]\nmemory = "4GB"\n'
        old.resident.add("m")
        await here.reload(ALONE + models + described(old))
        here.engine.members.suspect("box")
        async with asyncio.timeout(20):
            await until(lambda: reserved(here).get("box") == 4_000_000_000)
        planned = (await here.post("/api/v1/models/m/unload", {"dry_run": True})).json["plan"]
        (view,) = here.snapshot().models
        assert planned["frees_bytes"] == view.frees_bytes == 4_000_000_000
        await here.reload(ALONE + models + described(new))
        assert reserved(here)["box"] == 0


async def test_a_pool_that_only_the_configuration_named_goes_with_it(tmp_path: Path) -> None:
    """Of a backend that is removed, and of one whose memory is no longer told."""
    async with Router() as one, EngineHere(tmp_path, [], described(one)) as here:
        assert set(reserved(here)) == {"box", "host"}
        await here.reload(ALONE + described(one, more=""))
        assert set(reserved(here)) == {"host"}
        await here.reload(ALONE + described(one))
        assert set(reserved(here)) == {"box", "host"}
        await here.reload(ALONE)
        assert set(reserved(here)) == {"host"}


async def test_a_gpu_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    """As a notice for as long as it is so, and in the plan that is refused for it."""
    device = 'device = "gpu:7"'
    async with Router() as one, EngineHere(tmp_path, [], described(one, more=device)) as here:
        (notice,) = [text for text in here.snapshot().notices if "gpu:7" in text]
        answer = await here.post("/api/v1/models/m/load", {"dry_run": True})
        assert (answer.status, answer.json["plan"]["fits"]) == (200, None)
        async with asyncio.timeout(20):
            await until(lambda: here.endpoint("box").barred is not None)
        refused = await here.chat()
        assert refused.status == 503
        for text in (notice, refused.json["error"]["message"]):
            assert "no gpu:7 is seen here" in text
            assert 'set memory = "24GB"' in text
        await here.reload(ALONE)
        assert not [text for text in here.snapshot().notices if "gpu:7" in text]


async def test_memory_of_a_server_that_has_died_is_looked_for(tmp_path: Path) -> None:
    """What its models held is counted until it is measured to be back, not for as long as the server is down."""
    async with Router() as one:
        one.resident.add("m")
        async with EngineHere(tmp_path, [], described(one, more="")) as here:
            assert pools(here)["host"].reserved == 4_000_000_000
            member = here.engine.members.get("box")
            assert member is not None
            one.at("GET", "/health", Reply({"error": "broken"}, 500))
            for _ in range(3):
                await member.monitor.look()
            assert member.monitor.health == "down"
            assert pools(here)["host"].reserved == pools(here)["host"].returning
