"""Requests while they run: what is told of them at each stage, and that an operator's cancel ends them properly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from orchestra_core.domain.errors import OperationFailed
from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import end, finish, head, refusal, token, wait, well
from tests.fakes.engine_here import EngineHere
from tests.fakes.plain_client import Answer, PlainClient
from tests.fakes.turns import until
from tests.integration.engine.keyed import ADMIN, KEYS, OPERATE, USE

HELD = [head(), token(), token(), wait("never")]


class Scene:
    """An engine with one slot on each of two backends; it prefers `first` by far."""

    def __init__(self, here: EngineHere, first: ChaosBackend, second: ChaosBackend) -> None:
        self.here, self.first, self.second = here, first, second

    async def running(self, query: str = "") -> list[dict[str, Any]]:
        answer = await self.here.get(f"/api/v1/requests?running=1{query}")
        assert answer.status == 200, answer.text
        assert answer.json["total"] == len(answer.json["requests"])
        return list(answer.json["requests"])

    async def when(self, *states: str) -> list[dict[str, Any]]:
        """What runs, once these are the states of all."""
        while True:
            rows = await self.running()
            if [row["state"] for row in rows] == list(states):
                return rows

    async def cancel(self, request_id: str, **body: str) -> Answer:
        return await self.here.post(f"/api/v1/requests/{request_id}/cancel", body)

    async def only_row(self) -> Any:
        (row,) = await self.here.rows()
        return row

    async def close_slots(self, clients: list[PlainClient]) -> None:
        """Both slots are held by streams that go on for ever."""
        for client, backend in zip(clients, (self.first, self.second), strict=True):
            backend.script(*HELD)
            client.chat(stream=True)
            await backend.reached("never")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        first, second = ChaosBackend("first", "openai"), ChaosBackend("second", "openai")
        for one in (first, second):
            one.well = well()
            await stack.enter_async_context(one)
        here = await stack.enter_async_context(EngineHere(tmp_path, [first, second], slots=1))
        yield Scene(here, first, second)


async def test_a_stream_is_told_with_its_place_and_its_tokens(scene: Scene) -> None:
    """First it waits for a token, then tokens are counted; when it has ended it is in the ledger and not here."""
    scene.first.script(wait("slow"), head(), token(), token(), wait("more"), finish(), end())
    async with scene.here.client() as client:
        client.chat(stream=True)
        (row,) = await scene.when("waiting")
        assert (row["endpoints"], row["attempts"], row["tokens_out"]) == (["first/m"], 1, None)
        assert (row["surface"], row["kind"], row["model_asked"]) == ("openai", "chat", "m")
        assert (row["key"], row["key_name"], row["stream"]) == ("127.0.0.1", None, True)
        assert row["first_token_ms"] is None
        scene.first.open("slow")
        await until(lambda: scene.first.calls[0].tokens[1:] != [])
        (row,) = await scene.when("streaming")
        assert (row["model"], row["backend"], row["task"]) == ("m", "first", "conversation")
        assert 0 <= row["first_token_ms"] <= row["age_ms"]
        assert await scene.running("&key=somebody") == []
        scene.first.open("more")
        assert (await client.answer()).whole
    assert await scene.running() == []
    assert (await scene.only_row()).id == row["id"]


async def test_who_has_no_slot_is_told_with_its_position_and_who_failed_with_where(scene: Scene) -> None:
    """In the order they came; a request that went on elsewhere names both endpoints."""
    async with scene.here.client() as a, scene.here.client() as b, scene.here.client() as c:
        scene.first.script(*refusal(500, "broken"))
        scene.second.script(*HELD)
        a.chat(stream=True)
        await scene.second.reached("never")
        (moved,) = await scene.when("streaming")
        assert (moved["endpoints"], moved["attempts"]) == (["first/m", "second/m"], 2)
        scene.first.script(*HELD)
        b.chat(stream=True)
        await scene.first.reached("never")
        c.chat()
        rows = await scene.when("streaming", "streaming", "queued")
        assert (rows[2]["position"], rows[2]["note"]) == (1, "queued, position 1")
        assert rows[2]["attempts"] == 0
        answer = await scene.here.get("/api/v1/requests?running=true&limit=1")
        assert (len(answer.json["requests"]), answer.json["total"]) == (1, 3)


async def test_a_request_that_waits_for_its_model_is_told_so(tmp_path: Path) -> None:
    """With its place among those that wait for the load, and cancelled it does not hold the load up."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        ollama = await stack.enter_async_context(ChaosBackend("box", "ollama"))
        ollama.resident.clear()
        ollama.ordered, ollama.well = [wait("load")], well()
        here = await stack.enter_async_context(EngineHere(tmp_path, [ollama], slots=4))
        scene = Scene(here, ollama, ollama)
        one, two = [await stack.enter_async_context(here.client()) for _ in range(2)]
        one.chat()
        await ollama.reached("load")
        two.chat(text="Ho")
        rows = await scene.when("loading", "loading")
        assert [row["position"] for row in rows] == [1, 2]
        assert rows[0]["note"].startswith("loading m")
        assert (await scene.cancel(rows[0]["id"])).status == 202
        assert (await one.answer()).error["code"] == "cancelled"
        ollama.open("load")
        assert (await two.answer()).status == 200


@pytest.mark.parametrize("surface", ["openai", "native"])
async def test_a_cancelled_stream_ends_with_an_error_event(scene: Scene, surface: str) -> None:
    """Never with a cut and never as if it were whole; its backend feels it, and nobody else is asked instead."""
    scene.first.script(*HELD)
    async with scene.here.client() as client:
        if surface == "openai":
            client.chat(stream=True)
        else:
            client.send("/api/v1/route", {"prompt": "Hi", "stream": True, "model": "m"})
        await scene.first.reached("never")
        (row,) = await scene.when("streaming")
        asked = await scene.cancel(row["id"], reason="too long")
        assert (asked.status, asked.json["id"], asked.json["cancelling"]) == (202, row["id"], True)
        answer = await client.answer()
    assert (answer.status, answer.whole, answer.done) == (200, True, False)
    assert answer.error["code"] == "cancelled"
    assert answer.error["message"] == "cancelled by an operator: too long"
    assert answer.events[-1][0] == ("message" if surface == "openai" else "error")
    await scene.first.calls[0].gone.wait()
    assert scene.second.calls == []
    await scene.here.idle()
    assert scene.here.breaker("first").failures == 0
    done = await scene.only_row()
    assert (done.verdict, done.status, done.error) == ("cancelled", 499, "cancelled by an operator: too long")
    assert (done.tokens_out, done.backend) == (2, "first")
    assert scene.here.told("request.cancelled") == ["cancelled by an operator: too long"]


async def test_a_cancelled_request_without_a_stream_is_answered(scene: Scene) -> None:
    """With a status that no client library tries again by itself."""
    scene.first.script(wait("never"))
    async with scene.here.client() as client:
        client.chat()
        (row,) = await scene.when("waiting")
        assert (await scene.cancel(row["id"])).status == 202
        answer = await client.answer()
        assert (answer.status, answer.error["code"]) == (499, "cancelled")
        assert answer.headers["x-should-retry"] == "false"
        client.chat(text="and now?")
        assert (await client.answer()).status == 200
    assert {one.verdict for one in await scene.here.rows()} == {"cancelled", "success"}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_place_in_the_queue_is_the_next_ones(scene: Scene, stream: bool) -> None:
    """It was sent nowhere, cost nothing, and who came after it moves up."""
    async with AsyncExitStack() as stack:
        a, b, c, d = [await stack.enter_async_context(scene.here.client()) for _ in range(4)]
        await scene.close_slots([a, b])
        c.chat(stream=stream)
        await until(lambda: scene.here.busy()[1] == 1)
        d.chat()
        rows = await scene.when("streaming", "streaming", "queued", "queued")
        assert [row["position"] for row in rows[2:]] == [1, 2]
        assert (await scene.cancel(rows[2]["id"])).status == 202
        answer = await c.answer()
        assert (answer.status, answer.error["code"]) == (499, "cancelled")
        assert (await scene.running())[2]["position"] == 1
        done = await scene.only_row()
        assert (done.verdict, done.attempts, done.cost) == ("cancelled", 0, 0.0)


async def test_who_waits_for_anothers_answer_can_be_cancelled_and_so_can_the_other(scene: Scene) -> None:
    """The one that waits leaves the other alone; when that is cancelled, the next one is sent in its place."""
    async with AsyncExitStack() as stack:
        a, b, c = [await stack.enter_async_context(scene.here.client()) for _ in range(3)]
        scene.first.script(wait("never"))
        a.chat(temperature=0)
        await scene.first.called()
        for client in (b, c):
            client.chat(temperature=0)
        first, second, third = await scene.when("waiting", "shared", "shared")
        assert (await scene.cancel(second["id"])).status == 202
        assert (await b.answer()).error["code"] == "cancelled"
        await scene.when("waiting", "shared")
        assert (await scene.cancel(first["id"])).status == 202
        assert (await a.answer()).error["code"] == "cancelled"
        assert (await c.answer()).status == 200
        assert {row.id: row.verdict for row in await scene.here.rows()} == {
            first["id"]: "cancelled",
            second["id"]: "cancelled",
            third["id"]: "success",
        }


async def test_what_cannot_be_cancelled_is_told_apart(scene: Scene) -> None:
    """Cancelled already and ending, ended, and never heard of: each has its words, and no mark stays behind."""
    running = scene.here.engine.running
    scene.first.script(*HELD)
    async with scene.here.client() as client:
        client.chat(stream=True)
        (row,) = await scene.when("streaming")
        running.cancel(row["id"], "")
        with pytest.raises(OperationFailed) as twice:
            running.cancel(row["id"], "")
        assert twice.value.code == "cancelled_already"
        assert running.views(1)[0][0].cancelling
        await client.answer()
    again = await scene.cancel(row["id"])
    assert (again.status, again.error["code"]) == (409, "not_running")
    assert "has ended already" in again.error["message"]
    unknown = await scene.cancel("req-1-000001")
    assert (unknown.status, unknown.error["code"]) == (404, "not_running")
    assert scene.here.engine.pipeline.service.cancelled == {}
    assert running.live == {}
    assert (await scene.here.get("/api/v1/requests?running=1&model=m")).error["param"] == "model"


async def test_a_client_that_leaves_as_it_is_cancelled_is_counted_once(scene: Scene) -> None:
    """Both at the same moment: one row, nothing held, and the engine goes on."""
    scene.first.script(*HELD)
    async with scene.here.client() as client:
        client.chat(stream=True)
        (row,) = await scene.when("streaming")
        scene.here.engine.running.cancel(row["id"], "")
        live = scene.here.engine.running.live[row["id"]]
        assert live.exchange.task is not None
        live.exchange.task.cancel()
        await until(lambda: scene.here.engine.running.live == {})
    await scene.here.idle()
    assert (await scene.only_row()).verdict == "cancelled"
    assert (await scene.here.chat()).status == 200


async def test_a_key_sees_its_own_and_cancels_none(tmp_path: Path) -> None:
    """Cancelling takes the scope operate, and is in the audit log with the command for it."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        backend = await stack.enter_async_context(ChaosBackend("first"))
        here = await stack.enter_async_context(EngineHere(tmp_path, [backend], KEYS, slots=4))
        backend.script(*HELD, times=2)
        mine, theirs, other = [await stack.enter_async_context(here.client()) for _ in range(3)]
        body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        for client, token_ in ((mine, USE), (theirs, OPERATE)):
            client.send("/v1/chat/completions", body, authorization=f"Bearer {token_}")
        await until(lambda: len(here.engine.running.live) == 2)

        async def ask(method: str, path: str, key: str) -> Answer:
            lines = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n"
            other.write(f"{lines}content-length: 0\r\n\r\n".encode())
            return await other.answer()

        (own,) = (await ask("GET", "/api/v1/requests?running=1", USE)).json["requests"]
        every = (await ask("GET", "/api/v1/requests?running=1", OPERATE)).json["requests"]
        assert {row["key_name"] for row in every} == {"user", "operator"}
        assert own["key_name"] == "user"
        path = f"/api/v1/requests/{own['id']}/cancel"
        assert (await ask("POST", path, USE)).status == 403
        assert len(here.engine.running.live) == 2
        assert (await ask("POST", path, OPERATE)).status == 202
        assert (await mine.answer()).error["code"] == "cancelled"
        done = (await ask("GET", "/api/v1/audit?limit=2", ADMIN)).json["entries"]
        told = [(one["who"], one["status"], one["command"]) for one in done]
        assert told == [
            ("operator", 202, f"ai-orchestra cancel {own['id']}"),
            ("user", 403, f"ai-orchestra cancel {own['id']}"),
        ]
