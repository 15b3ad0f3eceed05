"""Reads the page of examples into every slot once, so that a first question need not wait for it."""

import contextlib
from itertools import product

import httpx

# Two, because the server keeps a checkpoint where a second prompt leaves the first (measured: 41 tokens of the
# page are found again after one, all 189 after two).
_QUESTIONS = ("Hi!", "Why is that so?")


async def warm(client: httpx.AsyncClient, slots: int) -> None:
    """A token or two from each slot of a llama.cpp child; it only saves time, so its failure is not an error.

    The embedded model needs 0.7 s for the page on two cores and 0.1 s once it is cached (measured).
    """
    with contextlib.suppress(httpx.HTTPError):
        for slot, question in product(range(slots), _QUESTIONS):
            messages = [{"role": "user", "content": question}]
            body = {"messages": messages, "max_tokens": 1, "id_slot": slot, "cache_prompt": True}
            await client.post("/v1/chat/completions", json=body)
