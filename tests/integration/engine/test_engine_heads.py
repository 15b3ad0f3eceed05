"""Heads of requests that are kept so that equal ones need no parsing hold keys, and only while these are good."""

from pathlib import Path

from tests.fakes.engine_here import EngineHere
from tests.fakes.plain_client import PlainClient


async def test_a_changed_key_is_in_no_head_that_is_kept(tmp_path: Path) -> None:
    """Kept while nothing changes, also when it is noted that a key was used; gone as soon as one is revoked."""
    async with EngineHere(tmp_path, []) as here:
        engine = here.engine
        made = await engine.keys.create("brief", (), None, None)
        token = str(made["token"]).encode()
        listener = engine.listener
        assert listener is not None
        heads = listener._known._heads
        async with PlainClient(here.port) as client:
            for _ in range(2):
                client.send("/api/v1/route", {"prompt": "Hi"}, authorization=f"Bearer {made['token']}")
                assert (await client.answer()).status == 403
            (connection,) = listener.connections
            assert any(token in part for head in heads for part in head)
            assert token in connection._seen.before + connection._seen.after
            await engine.keys.note_used()
            assert any(token in part for head in heads for part in head)
            await engine.keys.revoke(str(made["id"]))
            assert not any(token in part for head in heads for part in head)
            assert connection._seen is None
        assert here.told("keys.changed") != []
