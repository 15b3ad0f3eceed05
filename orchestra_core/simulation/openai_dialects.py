"""Where OpenAI-compatible servers differ: error shapes, model lists, versions. All say "simulated"."""

from orchestra_core.domain.catalog import BackendKind
from orchestra_core.simulation.spec import BackendSpec, ModelSpec
from orchestra_core.simulation.trace import Why

_CREATED = 1767225600
_STATUS = {
    Why.UNKNOWN_MODEL: 404,
    Why.UNSUPPORTED: 400,
    Why.NOT_LOADED: 404,
    Why.LOADING: 503,
    Why.UNAVAILABLE: 503,
    Why.QUEUE_FULL: 429,
    Why.CONTEXT: 400,
}
_VLLM_TYPES = {400: "BadRequestError", 404: "NotFoundError", 429: "TooManyRequestsError"}
_LLAMA_TYPES = {400: "invalid_request_error", 404: "not_found_error", 501: "not_supported_error"}
_OPENAI_CODES = {
    Why.UNKNOWN_MODEL: "model_not_found",
    Why.CONTEXT: "context_length_exceeded",
    Why.QUEUE_FULL: "rate_limit_exceeded",
}


def status_of(kind: BackendKind, why: Why) -> int:
    if kind is BackendKind.LLAMACPP and why is Why.UNSUPPORTED:
        return 501
    return _STATUS.get(why, 500)


def error(kind: BackendKind, status: int, message: str, why: Why | None = None) -> dict[str, object]:
    """The error body as that kind of server words it; vLLM and llama-server put a number in `code`."""
    if kind is BackendKind.VLLM:
        name = _VLLM_TYPES.get(status, "InternalServerError")
        return {"error": {"message": message, "type": name, "param": None, "code": status}}
    if kind is BackendKind.LLAMACPP:
        name = _LLAMA_TYPES.get(status, "unavailable_error" if status == 503 else "server_error")
        if why is Why.CONTEXT:
            name = "exceed_context_size_error"
        return {"error": {"code": status, "message": message, "type": name}}
    name = (
        "invalid_request_error" if status < 429 else "rate_limit_error" if status == 429 else "server_error"
    )
    return {
        "error": {"message": message, "type": name, "param": None, "code": why and _OPENAI_CODES.get(why)}
    }


def models(spec: BackendSpec) -> dict[str, object]:
    """The answer of `/v1/models`."""
    return {"object": "list", "data": [_model(spec.kind, model) for model in spec.models]}


def _model(kind: BackendKind, model: ModelSpec) -> dict[str, object]:
    entry: dict[str, object] = {
        "id": model.name,
        "object": "model",
        "created": _CREATED,
        "owned_by": "simulated",
        "max_model_len": model.context,
    }
    if kind is BackendKind.VLLM:
        return {**entry, "root": model.name, "parent": None, "permission": []}
    if kind is BackendKind.LLAMACPP:
        meta = {
            "n_ctx": model.context,
            "n_ctx_train": model.context,
            "n_embd": model.embedding_length,
            "n_params": model.parameters,
            "size": model.weights,
            "ftype": model.quantization,
        }
        return {**entry, "aliases": [], "tags": ["simulated"], "meta": meta}
    return entry


def version() -> dict[str, object]:
    return {"version": "0.99.0+simulated"}


def props(spec: BackendSpec) -> dict[str, object]:
    """llama-server's `/props` of a single-model server."""
    model = spec.models[0]
    return {
        "build_info": "b0-simulated",
        "model_path": f"/simulated/{model.name}.gguf",
        "model_alias": model.name,
        "total_slots": model.parallel,
        "default_generation_settings": {"n_ctx": model.context},
        "modalities": {"vision": "vision" in model.capabilities, "audio": False},
        "chat_template": "simulated",
        "chat_template_caps": {"supports_tools": "tools" in model.capabilities},
        "is_sleeping": False,
    }


def slots(spec: BackendSpec, running: int) -> list[dict[str, object]]:
    """llama-server's `/slots`."""
    model = spec.models[0]
    return [
        {"id": number, "n_ctx": model.context, "is_processing": number < running}
        for number in range(model.parallel)
    ]


def metrics(spec: BackendSpec, running: int, waiting: int) -> bytes:
    """The two gauges of vLLM's `/metrics` that tell its load."""
    name = spec.models[0].name
    return (
        f"# simulated\n"
        f'vllm:num_requests_running{{model_name="{name}"}} {running}\n'
        f'vllm:num_requests_waiting{{model_name="{name}"}} {waiting}\n'
    ).encode()
