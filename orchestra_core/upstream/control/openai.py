"""Any server that speaks OpenAI's API: vLLM, SGLang, LM Studio, cloud accounts.

Sources: platform.openai.com/docs/api-reference/models; vLLM's `max_model_len`; LM Studio's REST API, whose
/api/v0/models says what is loaded and whose /api/v1 loads and unloads.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import httpx
import msgspec

from orchestra_core.domain.catalog import ModelInfo, Residency
from orchestra_core.upstream.address import Address, from_url
from orchestra_core.upstream.control import LOAD_SECONDS, UNLOAD_SECONDS, ControlError, Probe
from orchestra_core.upstream.control.remote import Answer, Remote, positive, usable

T = TypeVar("T")
# A server without a list answers with one of these.
_NO_LIST = (404, 405, 501)
_STUDIO_TYPES = {
    "llm": frozenset({"chat", "completion"}),
    "vlm": frozenset({"chat", "completion", "vision"}),
    "embeddings": frozenset({"embedding"}),
    "embedding": frozenset({"embedding"}),
}


class _Meta(msgspec.Struct):
    n_ctx: int | None = None


class _Model(msgspec.Struct):
    """The context length has no name in OpenAI's API: vLLM and SGLang, OpenRouter, Groq, llama.cpp."""

    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    context_length: int | None = None
    context_window: int | None = None
    meta: _Meta | None = None


class _Models(msgspec.Struct):
    data: list[_Model] | None


class _StudioModel(msgspec.Struct):
    id: str
    type: str
    state: str
    arch: str | None = None
    quantization: str | None = None
    max_context_length: int | None = None
    loaded_context_length: int | None = None
    capabilities: list[str] | None = None


class _StudioModels(msgspec.Struct):
    data: list[_StudioModel]


class _Instance(msgspec.Struct):
    id: str


class _StudioEntry(msgspec.Struct):
    key: str
    loaded_instances: list[_Instance] = []


class _StudioCatalog(msgspec.Struct):
    models: list[_StudioEntry]


class _Loaded(msgspec.Struct):
    status: str


class _Unloaded(msgspec.Struct):
    instance_id: str


class _Version(msgspec.Struct):
    version: str = ""


class OpenAI:
    """One server or account. `url` is what goes before `/models`; without a path it is completed by `/v1`.

    `models` are the names to use where the server has no list of its own.
    """

    def __init__(
        self,
        url: str,
        client: httpx.AsyncClient,
        headers: Mapping[str, str],
        models: Sequence[str] = (),
    ) -> None:
        address = from_url(url, headers)
        stem = url.rstrip("/")
        if not address.prefix:
            address, stem = msgspec.structs.replace(address, prefix="/v1"), f"{stem}/v1"
        self._address = address
        self._api = Remote("the OpenAI-compatible server", stem, client, headers)
        self._root = Remote("the server", stem.removesuffix(address.prefix), client, headers)
        self._names = tuple(models)
        self._studio: bool | None = None if not address.tls else False
        self._version: str | None = None

    async def models(self) -> Sequence[ModelInfo]:
        answer = await self._api.ask("GET", "/models")
        if self._listless(answer):
            return [ModelInfo(name) for name in self._names]
        listed = self._api.decode(answer, _Models).data or []
        if self._may_be_studio(listed) and (studio := await self._studio_models()) is not None:
            return studio
        return [_info(model) for model in _unique(listed)]

    def _listless(self, answer: Answer) -> bool:
        return answer.status in _NO_LIST and bool(self._names)

    async def probe(self) -> Probe:
        answer = await self._api.ask("GET", "/models")
        if self._listless(answer):
            return Probe("", answer.seconds)
        listed = self._api.decode(answer, _Models).data or []
        if self._version is None:
            vllm = any(model.owned_by == "vllm" for model in listed)
            self._version = await self._vllm_version() if vllm else ""
        return Probe(self._version, answer.seconds)

    async def _vllm_version(self) -> str:
        answer = await self._root.ask("GET", "/version")
        return f"vLLM {self._root.decode(answer, _Version).version[:30]}" if answer.status == 200 else "vLLM"

    def _may_be_studio(self, listed: Sequence[_Model]) -> bool:
        """LM Studio is asked for once, on plain HTTP only: cloud accounts are not probed."""
        if self._studio is None and any(model.owned_by in ("vllm", "sglang") for model in listed):
            self._studio = False
        return self._studio is not False

    async def _studio_models(self) -> list[ModelInfo] | None:
        try:
            listed = (await self._root.get("/api/v0/models", _StudioModels)).data
        except ControlError as error:
            if self._studio:
                raise
            if error.answered is not None:
                self._studio = False
            return None
        self._studio = True
        return [_studio_info(model) for model in listed if usable(model.id)]

    async def load(self, model: str, progress: Callable[[str], None]) -> None:
        if not await self._is_studio():
            raise self._unable("load")
        progress("LM Studio is loading it")
        answer = await self._root.ask("POST", "/api/v1/models/load", {"model": model}, seconds=LOAD_SECONDS)
        self._studio_answer(answer, _Loaded)

    async def unload(self, model: str) -> None:
        if not await self._is_studio():
            raise self._unable("unload")
        listed = self._studio_answer(await self._root.ask("GET", "/api/v1/models"), _StudioCatalog).models
        for instance in (one for entry in listed if entry.key == model for one in entry.loaded_instances):
            body = {"instance_id": instance.id}
            answer = await self._root.ask("POST", "/api/v1/models/unload", body, seconds=UNLOAD_SECONDS)
            self._studio_answer(answer, _Unloaded)

    def _studio_answer(self, answer: Answer, kind: type[T]) -> T:
        """LM Studio answers 200 also where it has nothing to answer with, and says so in words."""
        if b"nexpected endpoint" in answer.body:
            message = "this LM Studio cannot load or unload over its API: that needs version 0.4 or later"
            raise ControlError(message, code="not_supported")
        return self._root.decode(answer, kind)

    async def _is_studio(self) -> bool:
        if self._studio is None:
            await self.models()
        return bool(self._studio)

    def _unable(self, action: str) -> ControlError:
        message = f"the server at {self._api.url} cannot {action} models over its API"
        if (self._version or "").startswith("vLLM"):
            message += ": vLLM serves the model it was started with (its sleep mode is not used here)"
        return ControlError(message, code="not_supported")

    def address(self, model: str) -> Address:  # noqa: ARG002  every model is behind one address
        return self._address

    async def close(self) -> None:
        """Nothing is held: the client belongs to the engine."""


def _unique(listed: Sequence[_Model]) -> list[_Model]:
    return list({model.id: model for model in listed if usable(model.id)}.values())


def _info(model: _Model) -> ModelInfo:
    """What it can do is not said anywhere in this API: the capabilities stay empty, for priors to fill."""
    contexts = (model.max_model_len, model.context_length, model.context_window)
    context = next((found for found in map(positive, contexts) if found), None)
    return ModelInfo(
        name=model.id,
        context=context or positive(model.meta.n_ctx if model.meta else None),
        loadable=False,
    )


def _studio_info(model: _StudioModel) -> ModelInfo:
    tools = {"tools"} if "tool_use" in (model.capabilities or ()) else set[str]()
    return ModelInfo(
        name=model.id,
        residency=Residency.READY if model.state == "loaded" else Residency.ABSENT,
        context=positive(model.loaded_context_length) or positive(model.max_context_length),
        quantization=model.quantization[:32] if model.quantization else None,
        family=model.arch[:64] if model.arch else None,
        capabilities=_STUDIO_TYPES.get(model.type, frozenset()) | tools,
        loadable=True,
    )
