"""Ollama: models from /api/tags, /api/ps and /api/show, loaded and unloaded by keep_alive.

Source: docs/api.md of Ollama; an absent model is loaded by Ollama itself on first use, and again whenever a call
names another `num_ctx` than it is loaded with. So every load and every call names one: that of the loaded model, else
what the operator wishes, the Modelfile says or Ollama takes by itself.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence

import httpx
import msgspec

from orchestra_core.domain.catalog import ModelInfo, Residency
from orchestra_core.upstream.address import Address, from_url
from orchestra_core.upstream.control import LOAD_SECONDS, UNLOAD_SECONDS, ControlError, Probe
from orchestra_core.upstream.control.remote import Ignored, Remote, positive, until, usable
from orchestra_core.upstream.model_shape import shape_of

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMBT])$", re.IGNORECASE)
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
# OLLAMA_CONTEXT_LENGTH where nobody sets it (docs/faq.mdx).
DEFAULT_CONTEXT = 4096
_NUM_CTX = re.compile(r"^num_ctx\s+(\d{1,9})\s*$", re.MULTILINE)
_WORDS = {
    "completion": frozenset({"chat", "completion"}),
    "embedding": frozenset({"embedding"}),
    "vision": frozenset({"vision"}),
    "tools": frozenset({"tools"}),
    "thinking": frozenset({"thinking"}),
}


class _Details(msgspec.Struct):
    family: str | None = None
    parameter_size: str | None = None
    quantization_level: str | None = None


class _Tag(msgspec.Struct):
    name: str = ""
    model: str = ""
    size: int | None = None
    digest: str = ""
    details: _Details | None = None
    capabilities: list[str] | None = None
    remote_host: str | None = None


class _Tags(msgspec.Struct):
    models: list[_Tag] | None


class _Running(msgspec.Struct):
    name: str = ""
    model: str = ""
    size: int | None = None
    context_length: int | None = None


class _Ps(msgspec.Struct):
    models: list[_Running] | None


class _Show(msgspec.Struct):
    model_info: dict[str, object] | None = None
    parameters: str | None = None
    capabilities: list[str] | None = None


class _Version(msgspec.Struct):
    version: str


class Ollama:
    """One Ollama server. What /api/show says is kept per digest, since it cannot change under one."""

    def __init__(
        self,
        url: str,
        client: httpx.AsyncClient,
        headers: Mapping[str, str],
        context: Callable[[str], int | None] = lambda _: None,
        stays: Callable[[str], float | None] = lambda _: None,
    ) -> None:
        """`context` are the tokens an operator wishes a model to be loaded with, `stays` the seconds it is to be
        kept after its last call; None: no wish.
        """
        self._remote = Remote("Ollama", url, client, headers)
        self._address = from_url(url, headers)
        self._context = context
        self._stays = stays
        self._shown: dict[str, _Show] = {}
        self._planned: dict[str, int] = {}
        self._loads: dict[str, asyncio.Task[None]] = {}

    async def models(self) -> Sequence[ModelInfo]:
        tags = (await self._remote.get("/api/tags", _Tags)).models or []
        running = await self._running()
        known = {_name(tag): tag for tag in tags if usable(_name(tag))}
        shown = {name: await self._show(name, tag) for name, tag in known.items()}
        self._shown = {known[name].digest or name: show for name, show in shown.items() if show is not None}
        self._planned = {
            name: planned
            for name, show in shown.items()
            if (planned := _planned(show or _Show(), self._context(name))) is not None
        }
        return [
            _info(name, tag, shown[name] or _Show(), running.get(name), self._planned.get(name))
            for name, tag in known.items()
        ]

    async def _running(self) -> dict[str, _Running]:
        running = (await self._remote.get("/api/ps", _Ps)).models or []
        return {entry.name or entry.model: entry for entry in running}

    async def _show(self, name: str, tag: _Tag) -> _Show | None:
        """A model that cannot be shown may be served all the same: it is listed with less detail."""
        kept = self._shown.get(tag.digest or name)
        if kept is not None:
            return kept
        try:
            return await self._remote.post("/api/show", {"model": name}, _Show)
        except ControlError as error:
            if error.answered is None:
                raise
            return None

    async def probe(self) -> Probe:
        answer = await self._remote.ask("GET", "/api/version")
        return Probe(self._remote.decode(answer, _Version).version[:40], answer.seconds)

    async def load(self, model: str, progress: Callable[[str], None]) -> None:
        """Ollama gives up a load whose call is ended; `unload` does that."""
        progress("Ollama is loading it")
        load = self._loads[model] = asyncio.get_running_loop().create_task(self._load(model))
        try:
            await load
        except asyncio.CancelledError as error:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                raise
            raise ControlError(f"{model} was to be unloaded while it was being loaded") from error
        finally:
            if self._loads.get(model) is load:
                del self._loads[model]

    async def _load(self, model: str) -> None:
        """An embedding model refuses /api/generate, so it is loaded by embedding nothing."""
        planned = self._planned.get(model) or self._planned.get(_full(model))
        sized: dict[str, object] = {"model": model}
        if planned is not None:
            sized["options"] = {"num_ctx": planned}
        if (stays := self._stays(model)) is not None:
            sized["keep_alive"] = stays
        try:
            await self._ask_for(model, "/api/generate", {**sized, "stream": False}, LOAD_SECONDS)
        except ControlError as error:
            if error.answered != 400 or "does not support" not in error.message:
                raise
            await self._ask_for(model, "/api/embed", {**sized, "input": ""}, LOAD_SECONDS)

    async def unload(self, model: str) -> None:
        """Ollama says yes at once and waits for the calls still running; so this waits for it to be gone.

        What is still being loaded it does not list, and would go on to load: that is ended first.
        """
        if (load := self._loads.get(model)) is not None:
            load.cancel()
            await asyncio.wait([load])
        body = {"model": model, "keep_alive": 0, "stream": False}
        await self._ask_for(model, "/api/generate", body, UNLOAD_SECONDS)

        async def gone() -> bool:
            return _full(model) not in await self._running()

        if not await until(gone, seconds=UNLOAD_SECONDS):
            raise ControlError(f"Ollama still holds {model} after {UNLOAD_SECONDS:g} s: it may be answering")

    async def _ask_for(self, model: str, path: str, body: object, seconds: float) -> None:
        answer = await self._remote.ask("POST", path, body, seconds=seconds)
        if answer.status == 404:
            message = f"Ollama at {self._remote.url} does not have {model}: run `ollama pull {model}` there"
            raise ControlError(message, answered=404, code="model_not_found")
        self._remote.decode(answer, Ignored)

    def address(self, model: str) -> Address:  # noqa: ARG002  every model is behind one address
        return self._address

    async def close(self) -> None:
        """Nothing is held: the client belongs to the engine."""


def _name(tag: _Tag) -> str:
    return tag.name or tag.model


def _full(model: str) -> str:
    """Ollama lists a model named without a tag under `latest`."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _info(name: str, tag: _Tag, show: _Show, running: _Running | None, planned: int | None) -> ModelInfo:
    """A model of Ollama's cloud (`remote_host`) takes no memory here and is always ready."""
    details = tag.details or _Details()
    cloud = bool(tag.remote_host)
    words = show.capabilities or tag.capabilities or ()
    pin = None if cloud else positive(running.context_length if running else None) or planned
    size = None if cloud else positive(tag.size)
    return ModelInfo(
        name=name,
        residency=Residency.READY if running or cloud else Residency.ABSENT,
        size_bytes=size,
        parameters=_parameters(show, details),
        context=pin or _trained(show),
        quantization=_told(details.quantization_level),
        family=_told(details.family),
        capabilities=frozenset().union(*(_WORDS.get(word, frozenset[str]()) for word in words)),
        memory_bytes=positive(running.size) if running else None,
        loadable=not cloud,
        shape=shape_of(show.model_info or {}, size),
        pin=pin,
    )


def _told(value: str | None) -> str | None:
    return value[:64] if value and value != "unknown" else None


def _parameters(show: _Show, details: _Details) -> int | None:
    count = (show.model_info or {}).get("general.parameter_count")
    if isinstance(count, int) and positive(count):
        return count
    size = _SIZE.match(details.parameter_size or "")
    return int(float(size["number"]) * _UNITS[size["unit"].upper()]) if size else None


def _planned(show: _Show, wish: int | None) -> int | None:
    """The context it is to be loaded with: Ollama cuts what is more than it was trained for. None: not known."""
    trained = _trained(show)
    chosen = _NUM_CTX.search(show.parameters or "")
    named = wish or (positive(int(chosen[1])) if chosen else None) or (trained and DEFAULT_CONTEXT)
    return min(named, trained) if named and trained else named


def _trained(show: _Show) -> int | None:
    info = show.model_info or {}
    trained = info.get(f"{info.get('general.architecture')}.context_length")
    return positive(trained) if isinstance(trained, int) else None
