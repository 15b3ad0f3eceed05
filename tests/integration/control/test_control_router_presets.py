"""What a llama-server router tells of the size in which it starts its models."""

from pathlib import Path

import httpx
import pytest

from orchestra_core.domain.catalog import Residency
from orchestra_core.upstream.control.llamacpp import LlamaCpp
from orchestra_core.upstream.control.router_presets import Preset, Weights, read_preset
from tests.fakes.scripted_http import Reply, ScriptedHttp


@pytest.mark.parametrize(
    ("args", "preset"),
    [
        (["llama-server", "-m", "/m.gguf", "-c", "8192", "-np", "2"], Preset(4096, 2, "/m.gguf")),
        (
            ["--model", "/m.gguf", "--ctx-size", "8192", "--parallel", "4", "--jinja"],
            Preset(2048, 4, "/m.gguf"),
        ),
        (["-c", "0"], Preset()),
        (["-c", "many", "-np"], Preset()),
        ([], Preset()),
    ],
)
def test_a_command_line_tells_context_slots_and_weights(args: list[str], preset: Preset) -> None:
    """The context is divided among the slots; what is not a size is not taken for one."""
    assert read_preset(args) == preset


@pytest.mark.model
async def test_an_unloaded_model_of_a_router_here_is_sized_from_its_file(
    client: httpx.AsyncClient, gemma_path: Path
) -> None:
    """Its weights are on this machine, so what it will need can be predicted before it was ever loaded."""
    args = ["llama-server", "--model", str(gemma_path), "--ctx-size", "4096", "--parallel", "2"]
    status = {"value": "unloaded", "args": args}
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", Reply({"data": [{"id": "gemma", "status": status}]}))
        (model,) = await LlamaCpp(server.url, client, {}).models()

    assert (model.residency, model.context, model.parallel) == (Residency.ABSENT, 2048, 2)
    assert model.size_bytes == 253_113_024
    assert model.shape is not None
    assert model.shape.window == 512


@pytest.mark.parametrize("path", ["/nowhere/m.gguf", "", "/etc/hostname", "a\0b"])
def test_a_file_that_is_no_model_has_no_shape(path: str) -> None:
    """A router may name what is not there, or anything else."""
    assert Weights().shape(path) is None
