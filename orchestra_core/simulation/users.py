"""Simulated users of an engine with a simulated fleet: people who ask, read the answer, think, and ask again."""

import asyncio
import contextlib
from collections.abc import Callable
from random import Random

import httpx

# What is asked of which model, and the longest answer in tokens: `auto` and hints more often than names.
_ASKED: tuple[tuple[str, str, int], ...] = (
    ("auto", "Why is the sky blue?", 120),
    ("auto", "Summarise this thread for somebody who was away.", 180),
    ("auto:speed=high", "Translate to French: good morning.", 24),
    ("auto:speed=high,quality=low", "Two names for a cat.", 30),
    ("auto:quality=high", "Compare TCP and QUIC.", 240),
    ("auto:code_generation", "Reverse a linked list in Go.", 200),
    ("auto:analysis", "What could explain a rise in the 95th percentile?", 160),
    ("auto:creative", "A haiku about packets.", 40),
    ("sim-llama3.1:8b", "Name three uses of a heap.", 90),
    ("sim-llama3.2:3b", "Is 91 a prime?", 40),
    ("sim-llama-3.3-70b-instruct", "Plan a week in Lisbon.", 260),
    ("sim-cloud-mini", "Shorten this sentence.", 50),
    ("sim-qwen2.5-coder:14b", "Write a regular expression for an IPv4 address.", 110),
)
THINKING_SECONDS = 6.0
# After a refusal: longer, so that an engine without its fleet is not asked for ever and ever.
REFUSED_SECONDS = 15.0


class Users:
    """So many of them at one address. Their questions and pauses follow from the seed."""

    def __init__(self, url: str, number: int, seed: int = 0, say: Callable[[str], None] = print) -> None:
        self._url = url
        self._seed = seed
        self._say = say
        self._number = number

    async def run(self) -> None:
        """Until it is cancelled, or the engine wants a key: they have none."""
        limits = httpx.Limits(max_connections=None)
        timeout = httpx.Timeout(300.0)
        async with (
            httpx.AsyncClient(base_url=self._url, timeout=timeout, limits=limits, trust_env=False) as http,
            asyncio.TaskGroup() as group,
        ):
            for number in range(self._number):
                group.create_task(self._user(http, Random(f"{self._seed} {number}")))

    async def _user(self, http: httpx.AsyncClient, random: Random) -> None:
        await asyncio.sleep(random.uniform(0, THINKING_SECONDS))
        while True:
            status = await self._ask(http, random)
            if status in (401, 403):
                self._say(f"a simulated user was refused ({status}) and leaves: users have no key")
                return
            await asyncio.sleep(
                random.expovariate(1 / (THINKING_SECONDS if status == 200 else REFUSED_SECONDS))
            )

    async def _ask(self, http: httpx.AsyncClient, random: Random) -> int:
        """The status of one answer, read to its end; 0 where there was none."""
        model, prompt, tokens = random.choice(_ASKED)
        body = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": tokens,
            "stream": random.random() < 0.8,
        }
        with contextlib.suppress(httpx.HTTPError):
            async with http.stream("POST", "/v1/chat/completions", json=body) as response:
                async for _ in response.aiter_bytes():
                    pass
                return response.status_code
        return 0
