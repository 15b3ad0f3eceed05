"""What was said, kept with the ledger where that is switched on, and nowhere else."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import end, finish, head, token, well
from tests.fakes.engine_here import EngineHere

ON = "\n[storage]\nkeep_texts = true\n"
SECRET = "sk-abcdefghijklmnop1234"


async def texts(here: EngineHere, request_id: str) -> tuple[str | None, str | None]:
    """Prompt and answer of a request as the ledger has them."""
    assert await asyncio.to_thread(here.engine.accounts.ledger.flush)
    found = await asyncio.to_thread(here.engine.accounts.ledger.queries.recorded, request_id)
    assert found is not None
    return found.prompt, found.answer


@pytest.mark.parametrize("kind", ["openai", "llamacpp", "ollama"])
@pytest.mark.parametrize("stream", [False, True])
async def test_texts_are_kept_without_secrets(tmp_path: Path, kind: str, stream: bool) -> None:
    """Each message after its role, and the whole answer, of every kind of backend, in one piece or streamed."""
    async with ChaosBackend("box", kind) as backend, EngineHere(tmp_path, [backend], ON) as here:
        backend.well = [head(), token("Use "), token(SECRET), finish(), end()] if stream else well(2)
        answer = await here.chat(text=f"My key is {SECRET}, what now?", stream=stream)
        assert answer.status == 200
        prompt, said = await texts(here, answer.headers["x-request-id"])
        assert prompt == "user: My key is sk-…1234, what now?"
        assert said == answer.content.replace(SECRET, "sk-…1234")


async def test_texts_of_the_other_surface_are_kept(tmp_path: Path) -> None:
    """A native request is a prompt like any other."""
    async with ChaosBackend("box", "llamacpp") as backend, EngineHere(tmp_path, [backend], ON) as here:
        backend.well = well(3)
        answer = await here.post("/api/v1/route", {"prompt": "Write a line.", "task": "creative"})
        prompt, said = await texts(here, answer.json["request_id"])
        assert prompt is not None
        assert "Write a line." in prompt
        assert said == answer.json["response"]


async def test_texts_are_cut_at_the_limit(tmp_path: Path) -> None:
    """At a whole character, and a secret that the limit would cut in two is cut as one."""
    more = ON + "text_bytes = 26\n"
    async with ChaosBackend("box", "llamacpp") as backend, EngineHere(tmp_path, [backend], more) as here:
        backend.well = [head(), token("é" * 100), finish(), end()]
        answer = await here.chat(text=f"See {SECRET} and {'x' * 100}", stream=True)
        prompt, said = await texts(here, answer.headers["x-request-id"])
        assert prompt == "user: See sk-…1234 and x"[:24]
        assert said == "é" * 13


async def test_what_is_not_switched_on_is_not_kept(tmp_path: Path) -> None:
    """Neither in the database nor in the journal."""
    async with ChaosBackend("box", "llamacpp") as backend, EngineHere(tmp_path, [backend]) as here:
        backend.well = well(3)
        answer = await here.chat(text="xyzzy-4711", stream=True)
        assert await texts(here, answer.headers["x-request-id"]) == (None, None)
        (file,) = (tmp_path / ".local/state/ai-orchestra/journal").glob("*.journal")
        written = await asyncio.to_thread(file.read_bytes)
        assert answer.headers["x-request-id"].encode() in written
        assert b"xyzzy-4711" not in written
        assert answer.content.split()[0].encode() not in written


async def test_an_answer_that_was_cut_is_kept_as_far_as_it_came(tmp_path: Path) -> None:
    """What the client had of it when the connection broke."""
    alone = ON + "[resilience]\ncontinuation = false\n"
    async with ChaosBackend("box", "llamacpp") as backend, EngineHere(tmp_path, [backend], alone) as here:
        backend.script(head(), token("Once "), token("upon"))
        async with here.client() as client:
            client.chat(stream=True)
            await client.until("upon")
            for talk in tuple(backend.talks):
                talk.reset()
            answer = await client.answer()
        prompt, said = await texts(here, answer.headers["x-request-id"])
        assert (prompt, said) == ("user: Hi", "Once upon")
