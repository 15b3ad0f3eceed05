"""Servers found on this machine, told apart by what they answer."""

import asyncio

import httpx
import pytest

from orchestra_core.domain.catalog import BackendKind
from orchestra_core.upstream.discovery import Found, discover
from tests.fakes.scripted_http import Reply, ScriptedHttp


def listed(owner: str | None, **headers: str) -> Reply:
    return Reply({"object": "list", "data": [{"id": "m", "owned_by": owner}]}, headers=headers)


@pytest.mark.parametrize(
    ("answer", "usual", "kind", "path", "name"),
    [
        (listed("llamacpp"), "vllm", BackendKind.LLAMACPP, "", "llamacpp"),
        (Reply({"error": {}}, 503, {"server": "llama.cpp"}), "x", BackendKind.LLAMACPP, "", "llamacpp"),
        (listed("vllm"), "llamacpp", BackendKind.VLLM, "/v1", "vllm"),
        (listed("sglang"), "vllm", BackendKind.OPENAI, "/v1", "sglang"),
        (listed("organization_owner"), "vllm", BackendKind.OPENAI, "/v1", "lmstudio"),
        (listed("somebody"), "llamacpp", BackendKind.OPENAI, "/v1", "openai"),
        (listed(None), "lmstudio", BackendKind.OPENAI, "/v1", "lmstudio"),
    ],
)
async def test_a_server_is_recognised_by_its_answer(
    client: httpx.AsyncClient, answer: Reply, usual: str, kind: BackendKind, path: str, name: str
) -> None:
    """The port only hints; an unusual port becomes part of the name."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", answer)
        found = await discover(client, ports={server.port: usual})

    assert found == [Found(kind, f"{server.url}{path}", f"{name}-{server.port}")]


@pytest.mark.parametrize("answer", [listed("library"), Reply({"data": None}), Reply({}, 404)])
async def test_ollama_is_recognised_by_its_greeting(client: httpx.AsyncClient, answer: Reply) -> None:
    """Also with no model in it, and where it is too old for a list."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", answer)
        server.at("GET", "/", Reply(b"Ollama is running"))
        found = await discover(client, ports={}, extra=(server.port,))

    assert found == [Found(BackendKind.OLLAMA, server.url, f"ollama-{server.port}")]


@pytest.mark.parametrize(
    "answer",
    [
        listed("ai-orchestra"),
        Reply({"data": []}, headers={"X-Orchestra-Version": "1"}),
        Reply({"data": []}),
        Reply(b"<html>", headers={"content-type": "text/html"}),
        Reply({"error": {"message": "no key"}}, 401),
        Reply({"data": "no"}),
        Reply(status=302, headers={"location": "/login"}),
        Reply(raw=b""),
    ],
)
async def test_what_is_no_backend_is_left_alone(client: httpx.AsyncClient, answer: Reply) -> None:
    """Neither an engine like this one, nor a server that wants a key, nor just any web server."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", answer)
        found = await discover(client, ports={server.port: "llamacpp"})

    assert found == []


async def test_ports_to_skip_are_not_touched(client: httpx.AsyncClient) -> None:
    """The engine does not look at itself."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", listed("vllm"))
        found = await discover(client, ports={server.port: "vllm"}, skip=(server.port,))

        assert found == []
        assert server.asked == []


async def test_silent_servers_do_not_hold_up_the_others(client: httpx.AsyncClient) -> None:
    """All ports are looked at at once, each for half a second at most."""
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with ScriptedHttp() as first, ScriptedHttp() as second, ScriptedHttp() as alive:
        for silent in (first, second):
            silent.at("GET", "/v1/models", Reply({}, gate=gate))
        alive.at("GET", "/v1/models", listed("vllm"))
        started = loop.time()
        found = await discover(client, ports=dict.fromkeys((first.port, second.port, alive.port), "vllm"))
        seconds = loop.time() - started
        gate.set()

    assert [one.kind for one in found] == [BackendKind.VLLM]
    assert seconds < 3
