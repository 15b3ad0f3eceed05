"""What Ollama is told about how long to keep a model: it would unload a pinned one after five idle minutes."""

from pathlib import Path

import pytest

from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import well
from tests.fakes.engine_here import EngineHere


@pytest.mark.parametrize(
    ("settings", "kept"),
    [("pinned = true", -1), ("ttl_seconds = 90", 90), ("pinned = true\nttl_seconds = 90", -1), ("", None)],
)
async def test_every_call_names_how_long_the_model_stays(
    tmp_path: Path, settings: str, kept: float | None
) -> None:
    """A call that names none resets it to the server's own, so each has to; without a wish it is Ollama's affair."""
    async with ChaosBackend("one", "ollama") as backend:
        backend.well = well()
        more = f'[models.m]\nmemory = "4GB"\n{settings}\n'
        async with EngineHere(tmp_path, [backend], more) as here, here.client() as client:
            client.chat(model="m")
            answer = await client.answer()
    (call,) = [seen for seen in backend.calls if not seen.is_order]

    assert answer.status == 200
    assert call.json.get("keep_alive") == kept


async def test_a_reload_tells_it_from_the_next_call_on(tmp_path: Path) -> None:
    """Pinning a model of a running engine takes effect without a restart."""
    async with ChaosBackend("one", "ollama") as backend:
        backend.well = well()
        async with EngineHere(tmp_path, [backend]) as here, here.client() as client:
            client.chat(model="m")
            await client.answer()
            text = here.file.read_text(encoding="utf-8")
            await here.reload(text.replace("[models.m]\n", "[models.m]\npinned = true\n"))
            client.chat(model="m")
            await client.answer()
    calls = [seen.json.get("keep_alive") for seen in backend.calls if not seen.is_order]

    assert calls == [None, -1]


async def test_a_client_has_no_say_in_it(tmp_path: Path) -> None:
    """Whoever may ask may not unload what others use."""
    async with ChaosBackend("one", "ollama") as backend:
        backend.well = well()
        async with EngineHere(tmp_path, [backend]) as here, here.client() as client:
            client.chat(model="m", keep_alive=0)
            answer = await client.answer()
    told = [seen.json.get("keep_alive") for seen in backend.calls if not seen.is_order]

    assert (answer.status, told) == (400, [])
