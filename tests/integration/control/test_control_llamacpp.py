"""llama-server's control side against scripted answers recorded from one, in both of its modes."""

from collections.abc import Mapping

import httpx
import pytest

from orchestra_core.domain.catalog import ModelInfo, Residency
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.control.llamacpp import LlamaCpp
from tests.fakes.scripted_http import Asked, Reply, ScriptedHttp

LOADING = Reply({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, 503)
NOT_FOUND = Reply({"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}, 404)
NO_EMBEDDINGS = Reply({"error": {"code": 501, "message": "no", "type": "not_supported_error"}}, 501)
META = {"n_vocab": 262144, "n_ctx": 2048, "n_ctx_train": 32768, "n_params": 268098176, "size": 246587904}
PROPS = {
    "default_generation_settings": {"params": {}, "n_ctx": 2048},
    "total_slots": 4,
    "model_alias": "gemma",
    "modalities": {"vision": True, "audio": False},
    "chat_template_caps": {"supports_tool_calls": True, "supports_system_role": True},
    "build_info": "b11434-abcdef",
    "is_sleeping": False,
}


def listed(*models: Mapping[str, object]) -> Reply:
    return Reply({"object": "list", "data": list(models)})


def single() -> Reply:
    return listed({"id": "gemma", "owned_by": "llamacpp", "meta": {**META, "ftype": "Q4_K - Medium"}})


def routed(value: str, **status: object) -> Reply:
    other = {"id": "other", "owned_by": "llamacpp", "status": {"value": "unloaded", "args": []}}
    model: dict[str, object] = {"id": "gemma", "owned_by": "llamacpp", "status": {"value": value, **status}}
    if value == "loaded":
        model["meta"] = {**META, "ftype": "Q8_0"}
    return listed(other, model)


async def test_a_single_model_is_described_by_list_and_props(client: httpx.AsyncClient) -> None:
    """Context and slots come from /props, sizes from the list, abilities from both."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", single())
        server.at("GET", "/props", Reply(PROPS))
        server.at("POST", "/v1/embeddings", NO_EMBEDDINGS)
        control = LlamaCpp(server.url, client, {})
        models = await control.models()
        await control.models()

        assert server.paths().count("/v1/embeddings") == 1
    assert models == [
        ModelInfo(
            name="gemma",
            residency=Residency.READY,
            size_bytes=246587904,
            parameters=268098176,
            context=2048,
            quantization="Q4_K_M",
            capabilities=frozenset({"chat", "completion", "vision", "tools"}),
            slots=4,
            loadable=False,
        )
    ]
    assert control.address("gemma").prefix == "/v1"


async def test_a_server_without_props_is_used_without_them(client: httpx.AsyncClient) -> None:
    """Details may be forbidden to us; the model is still there."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", single())
        server.at("GET", "/props", NOT_FOUND)
        server.at("POST", "/v1/embeddings", NO_EMBEDDINGS)
        models = await LlamaCpp(server.url, client, {}).models()

    assert [(model.name, model.context, model.slots) for model in models] == [("gemma", 2048, None)]


async def test_a_server_that_is_still_loading_lives(client: httpx.AsyncClient) -> None:
    """It is probed as alive; before its first list it has no models, after a restart its last are loading."""
    async with ScriptedHttp() as server:
        server.at("GET", "/health", LOADING, Reply({"status": "ok"}))
        server.at("GET", "/v1/models", LOADING, single(), LOADING)
        server.at("GET", "/props", Reply(PROPS))
        server.at("POST", "/v1/embeddings", NO_EMBEDDINGS)
        control = LlamaCpp(server.url, client, {})
        starting, started = await control.probe(), await control.probe()
        before, ready, after = [await control.models() for _ in range(3)]

    assert (starting.version, started.version) == ("", "b11434-abcdef")
    assert before == []
    assert [model.residency for model in ready] == [Residency.READY]
    assert [(model.name, model.residency, model.context) for model in after] == [
        ("gemma", Residency.LOADING, 2048)
    ]


@pytest.mark.parametrize("act", ["load", "unload"])
async def test_a_single_model_is_neither_loaded_nor_unloaded(client: httpx.AsyncClient, act: str) -> None:
    """The message says what to do instead, and nothing was tried."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", single())
        control = LlamaCpp(server.url, client, {})
        work = control.load("gemma", lambda _: None) if act == "load" else control.unload("gemma")

        with pytest.raises(ControlError, match="--models-dir") as caught:
            await work

        assert server.paths() == ["/v1/models"]
    assert caught.value.code == "not_supported"


async def test_a_router_lists_what_is_loaded_and_what_is_not(client: httpx.AsyncClient) -> None:
    """Looking at a model must not load it; what was seen of a loaded one is kept once it is not."""

    def props(asked: Asked) -> Reply:
        assert asked.query == "model=gemma&autoload=false"
        return Reply(PROPS)

    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", routed("loaded"), routed("loaded"), routed("unloaded"))
        server.at("GET", "/props", props)
        server.at("POST", "/v1/embeddings", NO_EMBEDDINGS)
        control = LlamaCpp(server.url, client, {})
        first, _, last = [await control.models() for _ in range(3)]

        assert server.paths().count("/props") == 1
        assert all("autoload=false" in asked.query for asked in server.asked if asked.path != "/v1/models")
    assert [(model.name, model.residency, model.loadable) for model in first] == [
        ("other", Residency.ABSENT, True),
        ("gemma", Residency.READY, True),
    ]
    assert (first[1].context, first[1].slots, first[1].quantization) == (2048, 4, "Q8_0")
    assert (last[1].residency, last[1].context, last[1].size_bytes) == (Residency.ABSENT, 2048, 246587904)


@pytest.mark.parametrize(
    ("value", "residency"),
    [
        ("unloaded", Residency.ABSENT),
        ("loading", Residency.LOADING),
        ("downloading", Residency.LOADING),
        ("sleeping", Residency.READY),
        ("something new", Residency.ABSENT),
    ],
)
async def test_states_of_a_router_are_residencies(
    client: httpx.AsyncClient, value: str, residency: Residency
) -> None:
    """A sleeping model wakes by itself, so it is ready."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", routed(value))
        server.at("GET", "/props", Reply(PROPS))
        server.at("POST", "/v1/embeddings", NO_EMBEDDINGS)
        models = await LlamaCpp(server.url, client, {}).models()

    assert models[1].residency is residency


async def test_a_router_loads_and_says_so_when_it_has(client: httpx.AsyncClient) -> None:
    """The router answers at once, so loading waits for the status."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", routed("unloaded"), routed("loading"), routed("loaded"))
        server.at("POST", "/models/load", Reply({"success": True}))
        await LlamaCpp(server.url, client, {}).load("gemma", lambda _: None)

        assert [asked.json for asked in server.asked if asked.method == "POST"] == [{"model": "gemma"}]
        assert server.paths().count("/v1/models") == 3


async def test_a_load_under_way_is_joined(client: httpx.AsyncClient) -> None:
    """A model that somebody else is loading is waited for, not asked for again."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", routed("loading"), routed("loaded"))
        await LlamaCpp(server.url, client, {}).load("gemma", lambda _: None)

        assert set(server.paths()) == {"/v1/models"}


@pytest.mark.parametrize(
    ("status", "reason", "exhausted"),
    [
        ({"failed": True, "exit_code": 137}, "exit code 137", True),
        ({"failed": True, "exit_code": 1, "last_error": "out of memory"}, "out of memory", True),
        ({"failed": True, "exit_code": 1}, "exit code 1", False),
        ({}, "unloaded meanwhile", False),
    ],
)
async def test_a_load_that_fails_says_why(
    client: httpx.AsyncClient, status: dict[str, object], reason: str, exhausted: bool
) -> None:
    """A child process that ends is reported with its exit code, and with whether it lacked memory."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", routed("unloaded"), routed("loading"), routed("unloaded", **status))
        server.at("POST", "/models/load", Reply({"success": True}))

        with pytest.raises(ControlError, match=reason) as failed:
            await LlamaCpp(server.url, client, {}).load("gemma", lambda _: None)

    assert failed.value.out_of_memory is exhausted


async def test_a_router_unloads_and_waits_for_it(client: httpx.AsyncClient) -> None:
    """Unloading returns when the status says so."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", routed("loaded"), routed("loaded"), routed("unloaded"))
        server.at("POST", "/models/unload", Reply({"success": True}))
        await LlamaCpp(server.url, client, {}).unload("gemma")

        assert server.paths() == ["/v1/models", "/models/unload", "/v1/models", "/v1/models"]


async def test_unloading_what_is_not_loaded_is_done_already(client: httpx.AsyncClient) -> None:
    """The goal is reached, so nothing is asked and nothing fails."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", routed("unloaded"))
        await LlamaCpp(server.url, client, {}).unload("gemma")

        assert server.paths() == ["/v1/models"]


async def test_a_name_a_router_does_not_list_is_refused_here(client: httpx.AsyncClient) -> None:
    """We check the name, since llama-server would not."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", routed("unloaded"))

        with pytest.raises(ControlError, match="has no model gpt-9") as caught:
            await LlamaCpp(server.url, client, {}).load("gpt-9", lambda _: None)

    assert caught.value.code == "model_not_found"
