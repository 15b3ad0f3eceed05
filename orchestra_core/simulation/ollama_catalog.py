"""How simulated models look in Ollama's `/api/tags`, `/api/ps` and `/api/show`.

Their Modelfiles set `num_ctx`, so that they are loaded with the context they are declared with.
"""

from hashlib import sha256
from math import inf

from orchestra_core.clock import rfc3339
from orchestra_core.simulation.memory import Resident
from orchestra_core.simulation.spec import ModelSpec

# Clients take the version apart at dots and drop what follows a dash.
VERSION = "0.99.0-simulated"
_MODIFIED = "2026-01-01T00:00:00Z"
# Keys and values of one head of 128 in 16 bits.
_HEAD_BYTES = 512
_KV_HEADS = 8
_WIDTH = 2048
_FOREVER = 100 * 365 * 86400.0


def digest(model: ModelSpec) -> str:
    return sha256(f"simulated {model.name}".encode()).hexdigest()


def details(model: ModelSpec) -> dict[str, object]:
    return {
        "parent_model": "simulated",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": _billions(model.parameters),
        "quantization_level": model.quantization,
    }


def tag(model: ModelSpec) -> dict[str, object]:
    """One entry of `/api/tags`."""
    return {
        "name": model.name,
        "model": model.name,
        "modified_at": _MODIFIED,
        "size": model.weights,
        "digest": digest(model),
        "details": {**details(model), "context_length": model.context},
        "capabilities": capabilities(model),
    }


def loaded(model: Resident, now: float, time_scale: float, wall: float) -> dict[str, object]:
    """One entry of `/api/ps`; `now` in seconds of the simulation, which pass `time_scale` times as fast."""
    used = model.idle_since if model.idle else now
    until = max(0.0, used + model.keep_alive - now) / time_scale
    return {
        "name": model.spec.name,
        "model": model.spec.name,
        "size": model.spec.occupied,
        "size_vram": model.spec.occupied,
        "digest": digest(model.spec),
        "details": details(model.spec),
        "expires_at": rfc3339(wall + (_FOREVER if until == inf else until)),
        "context_length": model.spec.context,
    }


def show(model: ModelSpec) -> dict[str, object]:
    """The answer of `/api/show`; `model_info` adds up to the declared KV bytes per token."""
    family = model.family
    heads = 1 if model.kv_bytes_per_token % (_HEAD_BYTES * _KV_HEADS) else _KV_HEADS
    blocks = max(1, model.kv_bytes_per_token // (_HEAD_BYTES * heads))
    width = model.embedding_length if "embedding" in model.capabilities else _WIDTH
    return {
        "license": "simulated: there is no such model here",
        "modelfile": "# simulated: no weights stand behind this name",
        "parameters": f"num_ctx                        {model.context}",
        "template": "{{ .Prompt }}",
        "details": details(model),
        "model_info": {
            "general.architecture": family,
            "general.author": "simulated",
            "general.parameter_count": model.parameters,
            f"{family}.context_length": model.context,
            f"{family}.block_count": blocks,
            f"{family}.embedding_length": width,
            f"{family}.attention.head_count": 32,
            f"{family}.attention.head_count_kv": heads,
            f"{family}.attention.causal": model.kv_bytes_per_token > 0,
            f"{family}.attention.key_length": 128,
            f"{family}.attention.value_length": 128,
        },
        "capabilities": capabilities(model),
        "modified_at": _MODIFIED,
    }


def capabilities(model: ModelSpec) -> list[str]:
    """In Ollama's words, where one word stands for chat and completion both."""
    return sorted(model.capabilities - {"chat"})


def _billions(parameters: int) -> str:
    return f"{parameters / 1e9:.1f}B" if parameters >= 10**9 else f"{parameters / 1e6:.0f}M"
