"""The control side of servers that speak OpenAI's API, against scripted ones."""

from collections.abc import Mapping

import httpx
import pytest

from orchestra_core.domain.catalog import ModelInfo, Residency
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.control.openai import OpenAI
from tests.fakes.scripted_http import Reply, ScriptedHttp

VLLM = {"id": "Qwen/Qwen3-8B", "object": "model", "owned_by": "vllm", "max_model_len": 40960, "parent": None}
STUDIO: list[Mapping[str, object]] = [
    {
        "id": "qwen2.5-7b",
        "object": "model",
        "type": "llm",
        "arch": "qwen2",
        "quantization": "Q4_K_M",
        "state": "loaded",
        "max_context_length": 32768,
        "loaded_context_length": 4096,
        "capabilities": ["tool_use"],
    },
    {"id": "nomic", "type": "embeddings", "state": "not-loaded", "max_context_length": 2048},
    {"id": "gemma-3", "type": "vlm", "state": "not-loaded", "quantization": "4bit"},
]


def listed(*models: Mapping[str, object]) -> Reply:
    return Reply({"object": "list", "data": list(models)})


def studio(server: ScriptedHttp) -> None:
    server.at("GET", "/v1/models", listed({"id": "qwen2.5-7b", "owned_by": "organization_owner"}))
    server.at("GET", "/api/v0/models", listed(*STUDIO))


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
async def test_the_url_may_end_in_v1_or_not(client: httpx.AsyncClient, path: str) -> None:
    """Both ways of writing the address reach the same list and the same address."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", listed(VLLM))
        control = OpenAI(f"{server.url}{path}", client, {})
        models = await control.models()

    assert models == [ModelInfo(name="Qwen/Qwen3-8B", context=40960, loadable=False)]
    assert control.address("Qwen/Qwen3-8B").label == f"{server.url}/v1"


async def test_another_base_path_is_kept(client: httpx.AsyncClient) -> None:
    """Gateways have paths of their own."""
    async with ScriptedHttp() as server:
        server.at("GET", "/api/openai/models", listed({"id": "a", "context_length": 1000}))
        control = OpenAI(f"{server.url}/api/openai", client, {})
        models = await control.models()

    assert [(model.name, model.context) for model in models] == [("a", 1000)]
    assert control.address("a").prefix == "/api/openai"


async def test_a_vllm_tells_its_version(client: httpx.AsyncClient) -> None:
    """The version is asked for once."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", listed(VLLM))
        server.at("GET", "/version", Reply({"version": "0.11.0"}))
        control = OpenAI(server.url, client, {})
        first, second = await control.probe(), await control.probe()

        assert server.paths().count("/version") == 1
    assert first.version == second.version == "vLLM 0.11.0"
    assert 0 < first.latency < 5


async def test_configured_names_stand_in_for_a_list_there_is_not(client: httpx.AsyncClient) -> None:
    """A server without /models is used for the models named in the configuration."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", Reply({"detail": "Not Found"}, 404))
        control = OpenAI(server.url, client, {}, models=("a", "b"))

        assert [model.name for model in await control.models()] == ["a", "b"]
        assert (await control.probe()).version == ""
        with pytest.raises(ControlError, match="404"):
            await OpenAI(server.url, client, {}).models()


async def test_a_key_that_is_refused_says_what_to_check(client: httpx.AsyncClient) -> None:
    """Names configured do not hide it, and the key itself is not shown."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", Reply({"error": {"message": "Incorrect API key: sk-s3cret"}}, 401))
        control = OpenAI(server.url, client, {"authorization": "Bearer sk-s3cret"}, models=("a",))

        with pytest.raises(ControlError, match="api_key_env") as caught:
            await control.models()

    assert "s3cret" not in caught.value.message


async def test_lm_studio_tells_more_than_a_list(client: httpx.AsyncClient) -> None:
    """What is loaded, how it is quantised and what it is for come from its own API."""
    async with ScriptedHttp() as server:
        studio(server)
        models = await OpenAI(server.url, client, {}).models()

    assert models == [
        ModelInfo(
            name="qwen2.5-7b",
            residency=Residency.READY,
            context=4096,
            quantization="Q4_K_M",
            family="qwen2",
            capabilities=frozenset({"chat", "completion", "tools"}),
            loadable=True,
        ),
        ModelInfo(
            name="nomic",
            residency=Residency.ABSENT,
            context=2048,
            capabilities=frozenset({"embedding"}),
            loadable=True,
        ),
        ModelInfo(
            name="gemma-3",
            residency=Residency.ABSENT,
            quantization="4bit",
            capabilities=frozenset({"chat", "completion", "vision"}),
            loadable=True,
        ),
    ]


async def test_other_servers_are_asked_for_lm_studios_api_once(client: httpx.AsyncClient) -> None:
    """One refusal settles it."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", listed({"id": "m", "owned_by": "me"}))
        control = OpenAI(server.url, client, {})
        await control.models()
        await control.models()

        assert server.paths() == ["/v1/models", "/api/v0/models", "/v1/models"]


async def test_lm_studio_loads_and_unloads(client: httpx.AsyncClient) -> None:
    """Loading waits for its answer; unloading ends each loaded instance of that model."""
    instances = [{"id": "qwen2.5-7b"}, {"id": "qwen2.5-7b:2"}]
    catalog = {
        "models": [
            {"key": "nomic", "loaded_instances": [{"id": "nomic"}]},
            {"key": "qwen2.5-7b", "loaded_instances": instances},
        ]
    }
    async with ScriptedHttp() as server:
        studio(server)
        server.at("POST", "/api/v1/models/load", Reply({"instance_id": "nomic", "status": "loaded"}))
        server.at("GET", "/api/v1/models", Reply(catalog))
        server.at("POST", "/api/v1/models/unload", lambda asked: Reply(asked.json))
        control = OpenAI(server.url, client, {})
        await control.load("nomic", lambda _: None)
        await control.unload("qwen2.5-7b")

        assert [asked.json for asked in server.asked if asked.method == "POST"] == [
            {"model": "nomic"},
            {"instance_id": "qwen2.5-7b"},
            {"instance_id": "qwen2.5-7b:2"},
        ]


async def test_an_older_lm_studio_says_that_it_cannot(client: httpx.AsyncClient) -> None:
    """It answers 200 to anything, so its words are read."""
    async with ScriptedHttp() as server:
        studio(server)
        words = {"error": "Unexpected endpoint or method. (POST /api/v1/models/load)"}
        server.at("POST", "/api/v1/models/load", Reply(words))

        with pytest.raises(ControlError, match=r"version 0\.4") as caught:
            await OpenAI(server.url, client, {}).load("nomic", lambda _: None)

    assert caught.value.code == "not_supported"


@pytest.mark.parametrize("act", ["load", "unload"])
async def test_a_server_that_cannot_load_says_so(client: httpx.AsyncClient, act: str) -> None:
    """vLLM serves what it was started with, and the message explains that."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", listed(VLLM))
        server.at("GET", "/version", Reply({"version": "0.11.0"}))
        control = OpenAI(server.url, client, {})
        await control.probe()
        work = control.load("Qwen/Qwen3-8B", lambda _: None) if act == "load" else control.unload("x")

        with pytest.raises(ControlError, match=f"cannot {act} models over its API: vLLM") as caught:
            await work

    assert caught.value.code == "not_supported"
