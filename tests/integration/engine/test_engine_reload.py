"""A new configuration for a running engine: what changes at once, what is refused, and that nothing is dropped."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from tests.fakes.engine_process import PLAIN, EngineProcess
from tests.fakes.gated_backend import TOKENS, GatedBackend

BASE = "[discovery]\nenabled = false\n[embedded]\nenabled = false\n"


class Scene:
    """An engine over scripted backends, and its clients over TCP and over the owner's socket."""

    def __init__(
        self, engine: EngineProcess, tcp: httpx.AsyncClient, unix: httpx.AsyncClient, *backends: GatedBackend
    ) -> None:
        self.engine, self.tcp, self.unix = engine, tcp, unix
        self.backends = backends

    def write(self, text: str) -> None:
        self.engine.config.write_text(BASE + text)

    async def reload(self) -> dict[str, Any]:
        answer = await self.unix.post("/api/v1/reload")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def snapshot(self) -> dict[str, Any]:
        return dict((await self.tcp.get("/api/v1/snapshot")).json())

    async def names(self) -> list[str]:
        """Backends, as the engine has them now; snapshots may be 0.2 s old, the model list comes from one."""
        return [view["name"] for view in (await self.unix.get("/api/v1/snapshot")).json()["backends"]]

    async def chat(self, model: str = "gated", **fields: object) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}
        return await self.tcp.post("/v1/chat/completions", json=body)

    def event(self, kind: str) -> None:
        """Waits until the engine has said so in its log, where all its events are."""
        self.engine.log.wait_for(f" {kind} ", 15)


@asynccontextmanager
async def scene(number: int = 1) -> AsyncIterator[Scene]:
    """`number` backends named b0, b1, …, of which the configuration names the first."""
    async with AsyncExitStack() as stack:
        backends = [await stack.enter_async_context(GatedBackend()) for _ in range(number)]
        engine = EngineProcess(BASE + backends[0].config("b0"))
        stack.push_async_callback(asyncio.to_thread, engine.close)
        await asyncio.to_thread(engine.start)
        tcp = httpx.AsyncClient(base_url=engine.url, timeout=30, **PLAIN)
        local = httpx.AsyncHTTPTransport(uds=str(engine.socket), verify=False)
        unix = httpx.AsyncClient(base_url="http://engine", transport=local, timeout=30, **PLAIN)
        yield Scene(
            engine,
            await stack.enter_async_context(tcp),
            await stack.enter_async_context(unix),
            *backends,
        )
        assert await asyncio.to_thread(engine.stop) == 0
        assert "Traceback" not in engine.log.text, engine.log.text


async def test_a_removed_backend_finishes_what_runs_there() -> None:
    """Its models are gone at once for new requests, and the stream that ran goes on to its end."""
    async with scene(2) as now, asyncio.TaskGroup() as tasks:
        old, new = now.backends
        old.gate.clear()
        running = tasks.create_task(now.chat(stream=True))
        await old.until_asked(1)
        now.write(new.config("b1"))
        done = await now.reload()
        assert (done["added"], done["removed"], done["leaving"]) == (["b1"], ["b0"], ["b0"])
        assert done["file"] == str(now.engine.config)
        elsewhere = await now.chat()
        assert elsewhere.status_code == 200, elsewhere.text
        assert elsewhere.headers["x-orchestra-backend"] == "b1"
        old.gate.set()
        answer = await running
    assert answer.headers["x-orchestra-backend"] == "b0"
    assert answer.text.count("token ") == TOKENS
    assert answer.text.endswith("data: [DONE]\n\n")


async def test_a_backend_that_moves_is_replaced_without_a_gap() -> None:
    """The new server is looked at before it takes over; what runs on the old one finishes there."""
    async with scene(2) as now, asyncio.TaskGroup() as tasks:
        old, new = now.backends
        old.gate.clear()
        running = tasks.create_task(now.chat(stream=True))
        await old.until_asked(1)
        now.write(new.config("b0"))
        done = await now.reload()
        assert (done["changed"], done["added"], done["removed"]) == (["b0"], [], [])
        assert (await now.chat()).status_code == 200
        assert (old.asked, new.asked) == (1, 1)
        old.gate.set()
        assert (await running).text.endswith("data: [DONE]\n\n")


async def test_facts_and_sections_take_effect_without_a_restart() -> None:
    """Slots and overrides of a model are in use at once; unchanged backends are left alone."""
    async with scene() as now:
        (backend,) = now.backends
        more = (
            '[models.gated]\nquality = "high"\n[server]\ngrace_seconds = 7\n[alerts]\nmemory_warning = 0.5\n'
        )
        now.write(more + backend.config("b0", slots=3))
        done = await now.reload()
        assert done["changed"] == ["b0"]
        assert sorted(done["applied"]) == ["alerts.memory_warning", "models", "server.grace_seconds"]
        assert done["restart"] == []
        (model,) = (await now.snapshot())["models"]
        assert (model["slots"], model["tier"]) == (3, "high")
        again = await now.reload()
        assert not any(again[what] for what in ("added", "removed", "changed", "applied", "restart"))


async def test_new_timeouts_hold_for_what_runs() -> None:
    """A stream that has gone silent is ended by a limit of its backend that was set after it had begun."""
    async with scene() as now, asyncio.TaskGroup() as tasks:
        (backend,) = now.backends
        backend.gate.clear()
        running = tasks.create_task(now.chat(stream=True))
        await backend.until_asked(1)
        now.write(backend.config("b0") + "[timeouts]\nbetween_tokens = 50\n")
        assert (await now.reload())["applied"] == ["timeouts.between_tokens"]
        now.write(
            backend.config("b0") + "timeouts = { between_tokens = 1 }\n[timeouts]\nbetween_tokens = 50\n"
        )
        done = await now.reload()
        assert (done["applied"], done["changed"]) == ([], ["b0"])
        answer = await running
    assert "no token for 1 s" in answer.text
    assert "[DONE]" not in answer.text


async def test_what_needs_a_restart_is_named_and_left_as_it_is() -> None:
    """The engine goes on listening where it did; the answer says which settings wait."""
    async with scene() as now:
        now.write(now.backends[0].config("b0") + '[storage]\nurl = "sqlite:///other.db"\n')
        done = await now.reload()
        assert done["restart"] == ["storage.url"]
        assert (await now.reload())["restart"] == ["storage.url"]
        assert (await now.chat()).status_code == 200


async def test_an_invalid_file_changes_nothing() -> None:
    """422 with the file, the line and the nearest key; everything is as before, and an event says so."""
    async with scene() as now:
        now.write('[servr]\nport = 1\n[[backends]]\nname = "x"\nknd = "vllm"\n')
        before = await now.snapshot()
        answer = await now.unix.post("/api/v1/reload")
        assert answer.status_code == 422
        error = answer.json()["error"]
        assert error["code"] == "invalid_config"
        for part in (f"{now.engine.config}:5", "server", "kind", "nothing was changed"):
            assert part in error["message"]
        await asyncio.to_thread(now.event, "config.invalid")
        after = await now.snapshot()
        assert [view["name"] for view in after["backends"]] == [view["name"] for view in before["backends"]]
        assert (await now.chat()).headers["x-orchestra-backend"] == "b0"


async def test_a_backend_that_cannot_be_made_changes_nothing_either() -> None:
    """A command with an unknown placeholder is found before anything is applied."""
    async with scene() as now:
        broken = (
            '[[backends]]\nname = "mine"\nkind = "managed"\nmodels = ["m"]\ncommand = ["serve", "{prot}"]\n'
        )
        now.write("[server]\ngrace_seconds = 3\n" + broken)
        answer = await now.unix.post("/api/v1/reload")
        assert answer.status_code == 422
        assert "{prot}" in answer.json()["error"]["message"]
        assert await now.names() == ["b0"]
        now.write(now.backends[0].config("b0"))
        assert (await now.reload())["applied"] == []


async def test_reloading_is_for_the_owner_and_works_by_signal_and_command() -> None:
    """403 over TCP without an administrator's key; SIGHUP and `config reload` do the same as the request."""
    async with scene(2) as now:
        assert (await now.tcp.post("/api/v1/reload")).status_code == 403
        first, second = now.backends
        now.write(first.config("b0") + second.config("b1"))
        assert now.engine.process is not None
        now.engine.process.send_signal(signal.SIGHUP)
        await asyncio.to_thread(now.event, "config.reloaded")
        assert await now.names() == ["b0", "b1"]
        now.write(second.config("b1") + "[fallbacks]\nanalysis = ['gated']\n")
        told = await asyncio.to_thread(now.engine.run, "config", "reload")
        assert (told.returncode, told.stdout) == (0, "removed: b0\napplied: fallbacks\n")
        shown = await asyncio.to_thread(now.engine.run, "config", "reload", "--json")
        assert json.loads(shown.stdout)["file"] == str(now.engine.config)
        now.write("nonsense")
        failed = await asyncio.to_thread(now.engine.run, "config", "reload")
        assert failed.returncode == 1
        assert "nothing was changed" in failed.stderr


async def test_a_drained_backend_finishes_what_runs_and_stays_drained_over_a_reload() -> None:
    """Draining takes nothing from who is being served, and outlives a change of the backend's facts."""
    async with scene() as now, asyncio.TaskGroup() as tasks:
        (backend,) = now.backends
        backend.gate.clear()
        running = tasks.create_task(now.chat(stream=True))
        await backend.until_asked(1)
        state = (await now.unix.post("/api/v1/backends/b0/drain")).json()
        assert (state["draining"], state["inflight"]) == (True, 1)
        now.write(backend.config("b0", weight=2.0, region="west"))
        assert (await now.reload())["changed"] == ["b0"]
        assert (await now.chat()).status_code == 503
        backend.gate.set()
        assert (await running).text.endswith("data: [DONE]\n\n")
        await asyncio.to_thread(now.event, "backend.drained")
        await now.unix.post("/api/v1/backends/b0/resume")
        assert (await now.chat()).status_code == 200
