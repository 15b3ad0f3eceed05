"""The client over a real Unix socket."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.asking.models import Operation
from orchestra_tui.asking.stopping import shutdown
from orchestra_tui.asking.usage import usage
from orchestra_tui.client import EngineClient
from orchestra_tui.engine import UNANSWERED, EngineError, Foreign, Nothing
from orchestra_tui.pieces import Done, Failed, Started, Token
from orchestra_tui.present.connection import Lost
from orchestra_tui.present.deeds.alerts import acknowledge, silence
from orchestra_tui.present.deeds.deed import path
from orchestra_tui.present.deeds.load import load
from orchestra_tui.present.picture import Picture
from tests.fakes.fake_engine import FakeEngine, World
from tests.fakes.turns import one_turn


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    fake = FakeEngine(str(tmp_path / "engine.sock"), period=0.01)
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def client(engine: FakeEngine) -> AsyncIterator[EngineClient]:
    made = EngineClient(engine.path, delays=(0.01, 0.02))
    yield made
    await made.close()


async def test_snapshots_and_events_arrive(client: EngineClient) -> None:
    """The stream begins with the whole state; what happens comes between the snapshots."""
    found: list[object] = []
    async for update in client.watch(1.0):
        found.append(update)
        if isinstance(update, Event):
            break
    assert isinstance(found[0], Snapshot)
    assert found[0].simulated
    assert isinstance(found[-1], Event)


async def test_a_lost_difference_is_noticed(engine: FakeEngine, client: EngineClient) -> None:
    """The stream is opened anew, and begins with the whole state; nobody is told of a loss, and no state is wrong."""
    seen: list[Snapshot] = []
    async with asyncio.timeout(20):
        async for update in client.watch(1.0):
            if isinstance(update, Snapshot):
                seen.append(update)
                engine.lost = len(seen) == 3
                if len(seen) == 6:
                    break
            else:
                assert isinstance(update, Event)
    assert len(engine.streams) == 2
    ticks = [snapshot.uptime for snapshot in seen]
    assert ticks == sorted(ticks)
    assert seen[1].models[-1] is seen[0].models[-1]


@pytest.mark.parametrize("knows", [False, True], ids=["knows none", "tells nonsense"])
async def test_an_engine_without_differences_tells_everything(
    engine: FakeEngine, client: EngineClient, knows: bool
) -> None:
    """An engine that is older than differences, or whose differences never fit, is asked for whole snapshots."""
    engine.differences, engine.lost = knows, 99
    seen = 0
    async with asyncio.timeout(20):
        async for update in client.watch(1.0):
            assert not isinstance(update, Lost)
            seen += isinstance(update, Snapshot)
            if seen == 8:
                break
    asked = ["differences" in query for query in engine.streams]
    assert asked == ([True, True, True, False] if knows else [True, False])


async def test_a_broken_stream_is_tried_again_for_ever(engine: FakeEngine, client: EngineClient) -> None:
    """Every failure is told with its number and the delay; success counts from the beginning again."""
    seen: list[tuple[int, bool]] = []
    async with asyncio.timeout(10):
        async for update in client.watch(1.0):
            if isinstance(update, Snapshot) and not seen:
                await engine.stop()
            elif isinstance(update, Lost):
                seen.append((update.attempt, update.absent))
                if update.attempt == 3:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(engine.path)
                    again = FakeEngine(engine.path, period=0.01)
                    await again.start()
            elif isinstance(update, Snapshot):
                await again.stop()
                break
    assert [attempt for attempt, _ in seen] == [1, 2, 3]
    assert seen[-1][1]


async def test_a_load_is_planned_and_begun(engine: FakeEngine, client: EngineClient) -> None:
    """Names with slashes and colons are quoted in the path; a dry run is told as one; the plan comes back."""
    deed = load(["box1/mistral-nemo:12b"], Picture(snapshot=await client.fetch()))
    planned = await client.post(deed.dry[0].path, deed.dry[0].body, Operation)
    assert (planned.operation, planned.plan.fits) == ("", True)
    assert engine.world.residency["box1/mistral-nemo:12b"] == "absent"
    done = await client.post(deed.calls[0].path, deed.calls[0].body, Operation)
    assert (done.action, done.model, done.backend) == ("load", "mistral-nemo:12b", "box1")
    assert engine.wished == [{"backend": "box1", "dry_run": True}, {"backend": "box1"}]
    with pytest.raises(EngineError, match="no /api/v1/models/org/model:x/unload here"):
        await client.post(path("models", "org/model:x", "unload"), {"backend": "box1"}, Operation)
    assert engine.asked[-1] == "POST /api/v1/models/org%2Fmodel%3Ax/unload"


async def test_an_answer_is_streamed_to_its_end(client: EngineClient) -> None:
    """Start, tokens, done, in this order."""
    pieces = [piece async for piece in client.route({"prompt": "hi"})]
    assert isinstance(pieces[0], Started)
    assert all(isinstance(piece, Token) for piece in pieces[1:-1])
    assert isinstance(pieces[-1], Done)
    assert pieces[-1].metrics.tokens_generated == len(pieces) - 2


async def test_leaving_an_answer_closes_its_connection(engine: FakeEngine, client: EngineClient) -> None:
    """The engine sees that nobody listens any more."""
    pieces = client.route({"prompt": "a long one"})
    await anext(pieces)
    await anext(pieces)
    await pieces.aclose()
    await asyncio.wait_for(engine.cancelled.wait(), 20)


async def test_nobody_there_is_told_as_such(tmp_path: Path) -> None:
    """A missing socket is an error in words, for each verb."""
    client = EngineClient(str(tmp_path / "none.sock"))
    with pytest.raises(EngineError, match="nothing listens there"):
        await client.fetch()
    assert [piece async for piece in client.route({"prompt": "x"})] == [Failed("nothing listens there")]
    await client.close()


async def test_shutdown_is_asked_for(engine: FakeEngine, client: EngineClient) -> None:
    """The engine is asked to stop, and stops."""
    await shutdown(client)
    await asyncio.wait_for(engine.stopped.wait(), 20)
    assert "POST /api/v1/shutdown" in engine.asked


async def test_a_closed_client_watches_no_more(tmp_path: Path) -> None:
    """Closed while it waits for the next try, it does not try: that would fail, and the console with it."""
    client = EngineClient(str(tmp_path / "nobody.sock"), delays=(600.0,))
    updates = client.watch(1.0)
    assert isinstance(await anext(updates), Lost)
    waiting = asyncio.ensure_future(anext(updates, None))
    await one_turn()
    await client.close()
    assert await asyncio.wait_for(waiting, 10) is None


async def test_alerts_are_spoken_to_by_name(engine: FakeEngine, client: EngineClient) -> None:
    """Names are quoted in the path; a time is sent where there is one."""
    name = "latency:gpu-a/llama-3.3-70b-instruct-fp8"
    for call in (*acknowledge([name]).calls, *silence("silence", ["memory"], 900.0).calls):
        await client.post(call.path, call.body, Nothing)
    quoted = "latency%3Agpu-a%2Fllama-3.3-70b-instruct-fp8"
    assert engine.asked == [f"POST /api/v1/alerts/{quoted}/ack", "POST /api/v1/alerts/memory/silence"]
    assert engine.wished == [{}, {"seconds": 900.0}]
    views = {view.id: view for view in (await client.fetch()).alerts}
    assert views[name].acknowledged == "owner"
    assert views["memory:host"].silenced


async def test_usage_is_read_with_its_types(engine: FakeEngine, client: EngineClient) -> None:
    """What is not known stays None; names are those that were asked for."""
    report = await usage(client, "model", "7d")
    assert [row.model for row in report.rows] == ["llama-3.3-70b-instruct-fp8", "gpt-5-mini", None]
    assert (report.rows[1].cost, report.rows[2].cost) == (1.5, None)
    assert report.rows[1].seconds.p95 is not None
    assert engine.asked == ["GET /api/v1/usage"]


class Newer(World):
    """A world of an engine that has other words for its state."""

    def snapshot(self) -> Snapshot:
        return {"version": "9.0.0", "state": {}}  # type: ignore[return-value]  # an engine of another version


async def test_an_engine_that_cannot_be_read_is_told_with_its_version(tmp_path: Path) -> None:
    """The stream breaks with the engine's version and what is missing; asking says the same."""
    engine = FakeEngine(str(tmp_path / "engine.sock"), Newer(), period=0.05)
    await engine.start()
    client = EngineClient(engine.path, delays=(0.01,))
    try:
        update = await anext(client.watch(1.0))
        assert isinstance(update, Lost)
        assert (update.attempt, update.foreign) == (1, "9.0.0")
        assert "missing required field" in update.reason
        with pytest.raises(Foreign, match="missing required field"):
            await client.fetch()
    finally:
        await client.close()
        await engine.stop()


async def test_what_is_told_unasked_is_no_reason_to_hurry(tmp_path: Path) -> None:
    """An engine that tells of nothing but changes, whatever it is asked for, is lost as any other, with a delay."""

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\n\r\nevent: difference\ndata: {"after": 1}\n\n')
        writer.close()

    path = str(tmp_path / "odd.sock")
    client = EngineClient(path)
    async with await asyncio.start_unix_server(tell, path):
        update = await asyncio.wait_for(anext(client.watch(1.0)), 20)
    await client.close()
    assert isinstance(update, Lost)
    assert "a difference is missing" in update.reason


async def test_a_question_without_an_answer_is_told_from_one_that_never_went_out(tmp_path: Path) -> None:
    """Who changes something has to know whether it may have been done."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    path = str(tmp_path / "mute.sock")
    server = await asyncio.start_unix_server(swallow, path)
    client = EngineClient(path)
    async with server:
        with pytest.raises(EngineError, match="closed the connection") as unanswered:
            await client.post("/api/v1/intake/pause", {}, Nothing)
    with pytest.raises(EngineError) as never:
        await client.post("/api/v1/intake/pause", {}, Nothing)
    await client.close()
    assert (unanswered.value.code, never.value.code) == (UNANSWERED, "")
