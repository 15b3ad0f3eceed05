"""A client that is imported at its first use."""

from pathlib import Path

import pytest

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.asking.models import Operation
from orchestra_tui.engine import EngineError, Nothing
from orchestra_tui.late import LateClient
from orchestra_tui.pieces import Started
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.turns import until


async def test_it_is_the_client_it_stands_for(tmp_path: Path) -> None:
    """It watches, reads, changes and streams; an answer that is left is a request that is closed."""
    engine = FakeEngine(str(tmp_path / "engine.sock"), period=0.01)
    await engine.start()
    client = LateClient(engine.path, None, api_key=None, read_only=True)
    client.retry_now()
    updates = client.watch(1.0)
    assert isinstance(await anext(updates), Snapshot)
    assert (await client.fetch()).simulated
    assert await client.get("/api/v1/usage", Nothing) == Nothing()
    done = await client.post("/api/v1/models/mistral-nemo%3A12b/load", {"backend": "box1"}, Operation)
    assert done.operation
    pieces = client.route({"prompt": "a long one"})
    assert isinstance(await anext(pieces), Started)
    await pieces.aclose()
    await until(engine.cancelled.is_set)
    assert client.target == engine.path
    await client.close()
    await engine.stop()


async def test_closed_before_its_first_use_it_asks_nothing(tmp_path: Path) -> None:
    """A console that is left before its client is there leaves nothing behind."""
    client = LateClient(str(tmp_path / "none.sock"), "http://127.0.0.1:9", api_key="k", read_only=False)
    await client.close()
    assert [update async for update in client.watch(1.0)] == []
    with pytest.raises((EngineError, RuntimeError)):
        await client.fetch()
