"""Ollama's control side against a scripted Ollama."""

import asyncio

import httpx
import pytest

from orchestra_core.domain.catalog import ModelInfo, Residency
from orchestra_core.domain.errors import ConfigError
from orchestra_core.domain.memory import Shape
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.control.ollama import Ollama
from tests.fakes.scripted_http import Reply, ScriptedHttp
from tests.fakes.turns import until

LLAMA = {
    "name": "llama3.2:3b",
    "model": "llama3.2:3b",
    "size": 2019393189,
    "digest": "a80c4f17acd5",
    "details": {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "3.2B",
        "quantization_level": "Q4_K_M",
    },
}
NOMIC = {
    "name": "nomic-embed-text:latest",
    "model": "nomic-embed-text:latest",
    "size": 274302450,
    "digest": "0a109f422b47",
    "details": {"family": "nomic-bert", "parameter_size": "137M", "quantization_level": "F16"},
}
CLOUD = {
    "name": "gpt-oss:120b-cloud",
    "model": "gpt-oss:120b-cloud",
    "size": 384,
    "digest": "569662207105",
    "remote_host": "https://ollama.com:443",
    "details": {"family": "gptoss", "parameter_size": "116.8B", "quantization_level": "MXFP4"},
}
SHOWN = {
    "llama3.2:3b": {
        "capabilities": ["completion", "tools"],
        "parameters": 'stop    "<|eot_id|>"\nnum_ctx    8192',
        "model_info": {
            "general.architecture": "llama",
            "general.parameter_count": 3212749888,
            "llama.context_length": 131072,
        },
    },
    "nomic-embed-text:latest": {
        "capabilities": ["embedding"],
        "model_info": {"general.architecture": "nomic-bert", "nomic-bert.context_length": 2048},
    },
    "gpt-oss:120b-cloud": {"capabilities": ["completion", "thinking"], "model_info": None},
}


def running(*names: str) -> Reply:
    entry = {"size": 3000000000, "size_vram": 0, "context_length": 4096, "expires_at": "2318-01-01T00:00:00Z"}
    return Reply({"models": [{"name": name, "model": name, **entry} for name in names]})


def script(server: ScriptedHttp) -> None:
    server.at("GET", "/api/tags", Reply({"models": [LLAMA, NOMIC, CLOUD]}))
    server.at("GET", "/api/ps", running("llama3.2:3b"))
    server.at("POST", "/api/show", lambda asked: Reply(SHOWN[asked.json["model"]]))
    server.at("GET", "/api/version", Reply({"version": "0.12.6"}))


async def test_models_are_merged_from_what_is_installed_running_and_shown(client: httpx.AsyncClient) -> None:
    """A running model has the context and memory it runs with, an absent one what it would get."""
    async with ScriptedHttp() as server:
        script(server)
        models = await Ollama(server.url, client, {}).models()

    assert models == [
        ModelInfo(
            name="llama3.2:3b",
            residency=Residency.READY,
            size_bytes=2019393189,
            parameters=3212749888,
            context=4096,
            quantization="Q4_K_M",
            family="llama",
            capabilities=frozenset({"chat", "completion", "tools"}),
            memory_bytes=3000000000,
            loadable=True,
            pin=4096,
        ),
        ModelInfo(
            name="nomic-embed-text:latest",
            residency=Residency.ABSENT,
            size_bytes=274302450,
            parameters=137000000,
            context=2048,
            quantization="F16",
            family="nomic-bert",
            capabilities=frozenset({"embedding"}),
            loadable=True,
            pin=2048,
        ),
        ModelInfo(
            name="gpt-oss:120b-cloud",
            residency=Residency.READY,
            parameters=116800000000,
            quantization="MXFP4",
            family="gptoss",
            capabilities=frozenset({"chat", "completion", "thinking"}),
            loadable=False,
        ),
    ]


async def test_a_modelfile_decides_the_context_of_a_model_that_is_not_running(
    client: httpx.AsyncClient,
) -> None:
    """`num_ctx` of the Modelfile counts before what the model was trained for."""
    async with ScriptedHttp() as server:
        script(server)
        server.at("GET", "/api/ps", running())
        models = await Ollama(server.url, client, {}).models()

    assert models[0].context == 8192


@pytest.mark.parametrize(
    ("parameters", "trained", "wish", "planned"),
    [
        ("num_ctx 8192", 131072, None, 8192),
        ("num_ctx 8192", 131072, 16384, 16384),
        ("", 131072, None, 4096),
        ("", 2048, None, 2048),
        ("", 2048, 8192, 2048),
        ("", None, None, None),
        ("num_ctx 1024", None, None, 1024),
    ],
)
async def test_the_context_of_a_load_is_planned_and_named(
    client: httpx.AsyncClient, parameters: str, trained: int | None, wish: int | None, planned: int | None
) -> None:
    """The operator's wish, else the Modelfile's, else Ollama's own 4096, and never more than was trained."""
    info = {"general.architecture": "llama", "llama.context_length": trained}
    async with ScriptedHttp() as server:
        script(server)
        server.at("GET", "/api/tags", Reply({"models": [LLAMA]}))
        server.at("GET", "/api/ps", running())
        server.at("POST", "/api/show", Reply({"parameters": parameters, "model_info": info}))
        server.at("POST", "/api/generate", Reply({"done": True, "done_reason": "load"}))
        control = Ollama(server.url, client, {}, lambda _: wish)
        (model,) = await control.models()
        await control.load("llama3.2:3b", lambda _: None)
        named = server.asked[-1].json.get("options", {}).get("num_ctx")

    assert (model.pin, model.context) == (planned, planned)
    assert named == planned


@pytest.mark.parametrize("stays", [-1, 600, None])
async def test_a_load_says_how_long_the_model_stays(client: httpx.AsyncClient, stays: float | None) -> None:
    """Else Ollama would unload it by its own clock before anybody asked it anything."""
    async with ScriptedHttp() as server:
        script(server)
        server.at("POST", "/api/generate", Reply({"done": True, "done_reason": "load"}))
        await Ollama(server.url, client, {}, stays=lambda _: stays).load("llama3.2:3b", lambda _: None)

    assert server.asked[-1].json.get("keep_alive") == stays


async def test_a_running_model_keeps_the_context_it_runs_with(client: httpx.AsyncClient) -> None:
    """What is loaded is named in calls, whatever would be loaded."""
    async with ScriptedHttp() as server:
        script(server)
        models = await Ollama(server.url, client, {}, lambda _: 16384).models()

    assert [(model.pin, model.context) for model in models[:2]] == [(4096, 4096), (2048, 2048)]
    assert models[2].pin is None  # of Ollama's cloud


async def test_the_shape_comes_from_the_metadata_shown(client: httpx.AsyncClient) -> None:
    """What a model needs can be predicted before it was ever loaded."""
    info = {
        "general.architecture": "llama",
        "llama.block_count": 28,
        "llama.embedding_length": 3072,
        "llama.vocab_size": 128256,
        "llama.attention.head_count": 24,
        "llama.attention.head_count_kv": 8,
        "tokenizer.ggml.tokens": None,
    }
    async with ScriptedHttp() as server:
        script(server)
        server.at("GET", "/api/tags", Reply({"models": [LLAMA]}))
        server.at("POST", "/api/show", Reply({"model_info": info}))
        (model,) = await Ollama(server.url, client, {}).models()

    assert model.shape == Shape(
        2019393189, cache_per_token=28 * 8 * 256 * 2, layers=28, embedding=3072, vocabulary=128256
    )


async def test_a_model_is_shown_once_per_digest(client: httpx.AsyncClient) -> None:
    """Looking again asks only for what has changed."""
    async with ScriptedHttp() as server:
        script(server)
        control = Ollama(server.url, client, {})
        await control.models()
        await control.models()
        server.at("GET", "/api/tags", Reply({"models": [{**LLAMA, "digest": "new"}, NOMIC, CLOUD]}))
        await control.models()

        assert [asked.json["model"] for asked in server.asked if asked.path == "/api/show"] == [
            *SHOWN,
            "llama3.2:3b",
        ]


async def test_a_model_that_cannot_be_shown_is_listed_and_asked_for_again(client: httpx.AsyncClient) -> None:
    """A failing /api/show costs detail, not the model, and is not remembered."""
    async with ScriptedHttp() as server:
        script(server)
        server.at("GET", "/api/tags", Reply({"models": [LLAMA]}))
        server.at("GET", "/api/ps", Reply({"models": None}))
        server.at("POST", "/api/show", Reply({"error": "boom"}, 500), Reply(SHOWN["llama3.2:3b"]))
        control = Ollama(server.url, client, {})
        first, second = await control.models(), await control.models()

    assert (first[0].parameters, first[0].context, first[0].capabilities) == (3200000000, None, frozenset())
    assert second[0].capabilities == frozenset({"chat", "completion", "tools"})


async def test_a_probe_tells_version_and_latency(client: httpx.AsyncClient) -> None:
    """The version is the server's own."""
    async with ScriptedHttp() as server:
        script(server)
        probe = await Ollama(f"{server.url}/", client, {"authorization": "Bearer k"}).probe()

        assert probe.version == "0.12.6"
        assert 0 < probe.latency < 5
        assert server.asked[0].headers["authorization"] == "Bearer k"


async def test_loading_is_an_empty_generate(client: httpx.AsyncClient) -> None:
    """Loading returns when Ollama says that it is done."""
    steps: list[str] = []
    async with ScriptedHttp() as server:
        server.at("POST", "/api/generate", Reply({"done": True, "done_reason": "load"}))
        await Ollama(server.url, client, {}).load("llama3.2:3b", steps.append)

        assert [asked.json for asked in server.asked] == [{"model": "llama3.2:3b", "stream": False}]
    assert steps


async def test_an_embedding_model_is_loaded_by_embedding_nothing(client: httpx.AsyncClient) -> None:
    """A model that does not generate is loaded all the same."""
    async with ScriptedHttp() as server:
        server.at("POST", "/api/generate", Reply({"error": '"nomic" does not support generate'}, 400))
        server.at("POST", "/api/embed", Reply({"model": "nomic", "embeddings": []}))
        await Ollama(server.url, client, {}).load("nomic", lambda _: None)

        assert server.asked[-1].json == {"model": "nomic", "input": ""}


async def test_unloading_waits_until_the_model_is_gone(client: httpx.AsyncClient) -> None:
    """Ollama's yes comes before the memory is free, so /api/ps decides; `latest` is implied in names."""
    async with ScriptedHttp() as server:
        server.at("POST", "/api/generate", Reply({"done": True, "done_reason": "unload"}))
        server.at("GET", "/api/ps", running("nomic:latest"), running("nomic:latest", "x:1"), running("x:1"))
        await Ollama(server.url, client, {}).unload("nomic")

        assert server.asked[0].json == {"model": "nomic", "keep_alive": 0, "stream": False}
        assert server.paths().count("/api/ps") == 3


async def test_a_load_that_is_aborted_is_over_before_its_unload_is(client: httpx.AsyncClient) -> None:
    """Ollama does not list what it has not loaded yet, and would go on loading it; so our call is ended first."""
    async with ScriptedHttp() as server:
        never = asyncio.Event()
        server.at("POST", "/api/generate", Reply(gate=never), Reply({"done": True, "done_reason": "unload"}))
        server.at("GET", "/api/ps", running())
        control = Ollama(server.url, client, {})
        load = asyncio.ensure_future(control.load("x", lambda _: None))
        await until(lambda: bool(server.asked))
        await asyncio.wait_for(control.unload("x"), 20)
        assert load.done()
        with pytest.raises(ControlError, match="x was to be unloaded while it was being loaded"):
            await load


async def test_a_load_whose_caller_leaves_is_ended(client: httpx.AsyncClient) -> None:
    """That is no failure of the load, and the next one is not mistaken for it."""
    async with ScriptedHttp() as server:
        server.at("POST", "/api/generate", Reply(gate=asyncio.Event()), Reply({"done": True}))
        control = Ollama(server.url, client, {})
        load = asyncio.ensure_future(control.load("x", lambda _: None))
        await until(lambda: bool(server.asked))
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            await load
        await control.load("x", lambda _: None)


@pytest.mark.parametrize("act", ["load", "unload"])
async def test_a_model_that_is_not_installed_says_how_to_get_it(client: httpx.AsyncClient, act: str) -> None:
    """The message names the command that helps."""
    async with ScriptedHttp() as server:
        server.at("POST", "/api/generate", Reply({"error": "model 'x' not found"}, 404))
        control = Ollama(server.url, client, {})
        work = control.load("x", lambda _: None) if act == "load" else control.unload("x")

        with pytest.raises(ControlError, match="ollama pull x") as caught:
            await work

    assert caught.value.code == "model_not_found"


async def test_a_load_that_fails_keeps_ollamas_words(client: httpx.AsyncClient) -> None:
    """Why it does not fit is Ollama's to say."""
    async with ScriptedHttp() as server:
        server.at(
            "POST", "/api/generate", Reply({"error": "model requires more system memory (9.9 GiB)"}, 500)
        )

        with pytest.raises(ControlError, match=r"requires more system memory \(9.9 GiB\)") as caught:
            await Ollama(server.url, client, {}).load("x", lambda _: None)

    assert caught.value.answered == 500
    assert caught.value.out_of_memory


async def test_names_that_could_forge_headers_are_not_listed(client: httpx.AsyncClient) -> None:
    """A model's name goes into headers, paths and logs, so only printable ASCII of sane length is taken."""
    names = ["good:1", "bad\r\nx: y", "", "a" * 300, "esc\x1b[2J", "\u202egnp"]
    async with ScriptedHttp() as server:
        server.at("GET", "/api/tags", Reply({"models": [{"name": name} for name in names]}))
        server.at("GET", "/api/ps", Reply({"models": []}))
        server.at("POST", "/api/show", Reply({}))
        models = await Ollama(server.url, client, {}).models()

    assert [model.name for model in models] == ["good:1"]


def test_addresses_come_from_the_url() -> None:
    """The data plane goes to the same place with the same key, which no text shows."""
    client = httpx.AsyncClient()
    address = Ollama("https://gpu.example:8443/ollama/", client, {"authorization": "Bearer s3cret"}).address(
        "m"
    )

    assert (address.host, address.port, address.tls, address.prefix) == ("gpu.example", 8443, True, "/ollama")
    assert address.headers == (("authorization", "Bearer s3cret"),)
    assert address.label == "https://gpu.example:8443/ollama"
    assert "s3cret" not in repr(address)


@pytest.mark.parametrize(
    ("url", "headers", "message"),
    [
        ("localhost:11434", {}, "write http://host:port"),
        ("ftp://h", {}, "write http://host:port"),
        ("http://", {}, "write http://host:port"),
        ("http://h:99999", {}, "is not a URL"),
        ("http://user:pw@h", {}, "use api_key_env"),
        ("http://h/?key=1", {}, "query"),
        ("http://h", {"authorization": "Bearer a\nb"}, "cannot carry"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str, headers: dict[str, str], message: str) -> None:
    """What is wrong is found when the backend is configured, and no secret is repeated."""
    with pytest.raises(ConfigError, match=message) as caught:
        Ollama(url, httpx.AsyncClient(), headers)

    assert "pw" not in caught.value.message
