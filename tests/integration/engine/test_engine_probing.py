"""An endpoint that failed is found well again by probes that generate, without a client in between."""

import asyncio

import httpx

from tests.fakes.engine_process import PLAIN, EngineProcess
from tests.fakes.gated_backend import GatedBackend

BASE = "[discovery]\nenabled = false\n[embedded]\nenabled = false\n"
ASKED = {"model": "gated", "messages": [{"role": "user", "content": "Hi"}]}


async def test_a_breaker_is_closed_by_probes_and_not_by_the_next_client() -> None:
    """After five failures nobody asks any more, and still it closes: the backend was asked for one token, twice.

    Listing its models had worked all the time, so that says nothing of whether a backend can serve.
    """
    async with GatedBackend() as backend:
        engine = EngineProcess(BASE + backend.config())
        try:
            await asyncio.to_thread(engine.start)
            backend.refuse = True
            async with httpx.AsyncClient(base_url=engine.url, timeout=30, **PLAIN) as client:
                while "breaker.open gated/gated" not in engine.log.text:
                    answer = await client.post("/v1/chat/completions", json=ASKED)
                    assert answer.status_code in (502, 503)
                    assert backend.asked < 20
                backend.refuse = False
                by_clients = backend.asked
                await asyncio.to_thread(engine.log.wait_for, "breaker.closed gated/gated", 20)
                assert (await client.get("/api/v1/snapshot")).json()["totals"]["inflight"] == 0
            probes = backend.bodies[by_clients:]
            assert [probe["max_tokens"] for probe in probes] == [1, 1]
            assert await asyncio.to_thread(engine.stop) == 0
        finally:
            await asyncio.to_thread(engine.close)
