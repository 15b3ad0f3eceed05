"""llama-server: one model per process, or a router that loads and unloads models in child processes.

Source: tools/server/README.md of llama.cpp, and measured. A single-model server answers any model name with
200, so the catalog may only hold the names it lists. A router loads a model for any request that names it,
even `GET /props?model=`, unless it is told `autoload=false`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

import httpx
import msgspec

from orchestra_core.domain.catalog import ModelInfo, Residency
from orchestra_core.upstream.address import Address, from_url
from orchestra_core.upstream.control import LOAD_SECONDS, UNLOAD_SECONDS, ControlError, Probe
from orchestra_core.upstream.control.remote import Answer, Ignored, Remote, positive, until, usable
from orchestra_core.upstream.control.router_presets import Weights, read_preset
from orchestra_core.upstream.deaths import OUT_OF_MEMORY, speaks_of_memory

_HERE = ("127.0.0.1", "localhost", "::1")
_RESIDENCIES = {
    "loaded": Residency.READY,
    "sleeping": Residency.READY,  # its next call wakes it
    "loading": Residency.LOADING,
    "downloading": Residency.LOADING,
}


# How a router may tell that its child was ended by SIGKILL, which only the kernel is likely to have sent.
_KILLED = (-9, 9, 137)


class _Meta(msgspec.Struct):
    n_ctx: int | None = None
    n_params: int | None = None
    size: int | None = None
    ftype: str | None = None


class _Status(msgspec.Struct):
    value: str = ""
    failed: bool = False
    exit_code: int | None = None
    last_error: str | None = None
    args: list[str] | None = None


class _Architecture(msgspec.Struct):
    input_modalities: list[str] | None = None


class _Model(msgspec.Struct):
    id: str
    meta: _Meta | None = None
    status: _Status | None = None
    architecture: _Architecture | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


class _Settings(msgspec.Struct):
    n_ctx: int | None = None


class _Props(msgspec.Struct):
    role: str = ""
    build_info: str = ""
    total_slots: int | None = None
    default_generation_settings: _Settings | None = None
    modalities: dict[str, bool] | None = None
    chat_template_caps: dict[str, bool] | None = None


class LlamaCpp:
    """One llama-server; which of the two modes it is in is seen at each look, since it can be restarted."""

    def __init__(self, url: str, client: httpx.AsyncClient, headers: Mapping[str, str]) -> None:
        address = from_url(url, headers)
        root = address.prefix.removesuffix("/v1")
        self._remote = Remote("llama-server", url.rstrip("/").removesuffix("/v1"), client, headers)
        self._address = msgspec.structs.replace(address, prefix=f"{root}/v1")
        self._known: dict[str, ModelInfo] = {}
        self._embeds: dict[str, bool] = {}
        self._weights = Weights() if address.host in _HERE else None

    async def models(self) -> Sequence[ModelInfo]:
        """While a single-model server starts it names no model: what it served before is then `loading`."""
        answer = await self._remote.ask("GET", "/v1/models")
        if _starting(answer):
            found = [_with(info, Residency.LOADING) for info in self._known.values()]
        else:
            listed = [model for model in self._remote.decode(answer, _Models).data if usable(model.id)]
            router = any(model.status is not None for model in listed)
            found = [await self._routed(model) if router else await self._single(model) for model in listed]
        self._known = {info.name: info for info in found}
        self._embeds = {name: embeds for name, embeds in self._embeds.items() if name in self._known}
        return found

    async def _single(self, model: _Model) -> ModelInfo:
        props = await self._props("/props")
        return _info(model, props, Residency.READY, embeds=await self._embedding(model.id), loadable=False)

    async def _routed(self, model: _Model) -> ModelInfo:
        return await self._sized(model, await self._found(model))

    async def _sized(self, model: _Model, info: ModelInfo) -> ModelInfo:
        """With what it is or will be started with; the shape of its weights where they are on this machine."""
        preset = read_preset((model.status.args if model.status else None) or ())
        shape = info.shape
        if shape is None and preset.path and self._weights is not None:
            shape = await asyncio.to_thread(self._weights.shape, preset.path)
        return msgspec.structs.replace(
            info,
            context=info.context or preset.context,
            parallel=info.slots or preset.parallel,
            size_bytes=info.size_bytes or (shape.weights if shape else None),
            shape=shape,
        )

    async def _found(self, model: _Model) -> ModelInfo:
        """Of a model that is not loaded a router says little: what was seen while it was is still true."""
        residency = _RESIDENCIES.get(model.status.value if model.status else "", Residency.ABSENT)
        known = self._known.get(model.id)
        if residency is not Residency.READY:
            bare = _info(model, _Props(), residency, embeds=None, loadable=True)
            return _with(known or bare, residency)
        if known is not None and known.slots is not None:
            return _with(known, residency)
        props = await self._props(f"/props?model={quote(model.id, safe='')}&autoload=false")
        return _info(model, props, residency, embeds=await self._embedding(model.id), loadable=True)

    async def _props(self, path: str) -> _Props:
        """Details only: a server that does not tell them is used without."""
        try:
            return await self._remote.get(path, _Props)
        except ControlError as error:
            if error.answered is None:
                raise
            return _Props()

    async def _embedding(self, model: str) -> bool | None:
        """Whether it was started with --embeddings, which nothing it reports says: others answer 501.

        None when it is too busy to say.
        """
        if model not in self._embeds:
            body = {"model": model, "input": "x"}
            try:
                answer = await self._remote.ask("POST", "/v1/embeddings?autoload=false", body)
            except ControlError:
                return None
            self._embeds[model] = answer.status == 200
        return self._embeds[model]

    async def probe(self) -> Probe:
        """A server that is still loading its model lives."""
        answer = await self._remote.ask("GET", "/health")
        if _starting(answer):
            return Probe("", answer.seconds)
        self._remote.decode(answer, Ignored)
        props = await self._props("/props")
        return Probe(props.build_info[:40], answer.seconds)

    async def load(self, model: str, progress: Callable[[str], None]) -> None:
        status = await self._status(model)
        if status.value not in _RESIDENCIES:
            await self._remote.post("/models/load", {"model": model}, Ignored, seconds=UNLOAD_SECONDS)
        progress("llama-server is loading it")

        async def ready() -> bool:
            now = await self._status(model)
            residency = _RESIDENCIES.get(now.value, Residency.ABSENT)
            if residency is Residency.ABSENT:
                reason = _reason(now)
                exhausted = now.exit_code in _KILLED or speaks_of_memory([reason])
                raise ControlError(
                    f"llama-server could not load {model}: {reason}",
                    code=OUT_OF_MEMORY if exhausted else None,
                )
            return residency is Residency.READY

        if not await until(ready, seconds=LOAD_SECONDS):
            raise ControlError(f"llama-server has not loaded {model} within {LOAD_SECONDS:g} s")

    async def unload(self, model: str) -> None:
        if (await self._status(model)).value not in _RESIDENCIES:
            return
        await self._remote.post("/models/unload", {"model": model}, Ignored, seconds=UNLOAD_SECONDS)

        async def gone() -> bool:
            return (await self._status(model)).value not in _RESIDENCIES

        if not await until(gone, seconds=UNLOAD_SECONDS):
            raise ControlError(f"llama-server still holds {model} after {UNLOAD_SECONDS:g} s")

    async def _status(self, model: str) -> _Status:
        """What a router says of a model; raises for a single-model server and for an unknown name."""
        listed = (await self._remote.get("/v1/models", _Models)).data
        if listed and all(entry.status is None for entry in listed):
            message = (
                f"llama-server at {self._remote.url} serves the one model it was started with: restart it"
                " with another, or start it as a router (--models-dir) to load and unload over its API"
            )
            raise ControlError(message, code="not_supported")
        for entry in listed:
            if entry.id == model and entry.status is not None:
                return entry.status
        message = f"llama-server at {self._remote.url} has no model {model}: add it to its --models-dir"
        raise ControlError(message, code="model_not_found")

    def address(self, model: str) -> Address:  # noqa: ARG002  a router tells models apart by the body
        return self._address

    async def close(self) -> None:
        """Nothing is held: the client belongs to the engine."""


def _starting(answer: Answer) -> bool:
    return answer.status == 503 and b"oading model" in answer.body


def _reason(status: _Status) -> str:
    if status.last_error:
        return status.last_error[:200]
    if status.exit_code is not None:
        return f"its process ended with exit code {status.exit_code}; llama-server's log says why"
    return "it was unloaded meanwhile"


def _with(info: ModelInfo, residency: Residency) -> ModelInfo:
    return msgspec.structs.replace(info, residency=residency)


def _info(
    model: _Model, props: _Props, residency: Residency, *, embeds: bool | None, loadable: bool
) -> ModelInfo:
    """`n_ctx` is of one slot. llama.cpp reports no memory; the size of the weights only once loaded."""
    meta = model.meta or _Meta()
    settings = props.default_generation_settings or _Settings()
    return ModelInfo(
        name=model.id,
        residency=residency,
        size_bytes=positive(meta.size),
        parameters=positive(meta.n_params),
        context=positive(settings.n_ctx) or positive(meta.n_ctx),
        quantization=_quantization(meta.ftype),
        capabilities=frozenset() if embeds is None else _capabilities(model, props, embeds),
        slots=positive(props.total_slots),
        loadable=loadable,
    )


def _quantization(ftype: str | None) -> str | None:
    """`Q4_K - Medium`, as llama.cpp describes it, is `Q4_K_M` to everybody."""
    if not ftype:
        return None
    kind, _, size = ftype.partition(" - ")
    return f"{kind}_{size[0]}"[:32] if size else kind[:32]


def _capabilities(model: _Model, props: _Props, embeds: bool) -> frozenset[str]:
    """Who starts a server with --embeddings means it: an encoder cannot generate, whatever it answers."""
    if embeds:
        return frozenset({"embedding"})
    found = {"chat", "completion"}
    inputs = (model.architecture.input_modalities if model.architecture else None) or ()
    if (props.modalities or {}).get("vision") or "image" in inputs:
        found.add("vision")
    if (props.chat_template_caps or {}).get("supports_tool_calls"):
        found.add("tools")
    return frozenset(found)
