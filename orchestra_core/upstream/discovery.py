"""Model servers on this machine's usual ports, recognised by what they answer and not by the port."""

import asyncio
from collections.abc import Collection, Iterable, Mapping

import httpx
import msgspec

from orchestra_core.domain.catalog import BackendKind
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.control.remote import Answer, Remote

SECONDS = 0.5
PORTS: Mapping[int, str] = {
    11434: "ollama",
    8080: "llamacpp",
    8081: "llamacpp",
    8000: "vllm",
    1234: "lmstudio",
    30000: "sglang",
}
_USUAL = {"ollama": 11434, "llamacpp": 8080, "vllm": 8000, "lmstudio": 1234, "sglang": 30000}
# `owned_by` of /v1/models, as these servers fill it.
_OWNERS = {
    "llamacpp": "llamacpp",
    "vllm": "vllm",
    "sglang": "sglang",
    "organization_owner": "lmstudio",
    "library": "ollama",
}
_KINDS = {"ollama": BackendKind.OLLAMA, "llamacpp": BackendKind.LLAMACPP, "vllm": BackendKind.VLLM}
_OURSELVES = "ai-orchestra"


class Found(msgspec.Struct, frozen=True):
    """A server that answered; `name` is the same at every look, `url` fits its kind's control side."""

    kind: BackendKind
    url: str
    name: str


class _Model(msgspec.Struct):
    owned_by: str | None = None


class _Models(msgspec.Struct):
    data: list[_Model] | None


async def discover(
    client: httpx.AsyncClient,
    *,
    ports: Mapping[int, str] = PORTS,
    extra: Iterable[int] = (),
    skip: Collection[int] = (),
) -> list[Found]:
    """Who answers on loopback at `ports` and `extra`, except `skip`; within about a second, never raises.

    `ports` maps a port to what is usually there, for servers whose answers do not tell. An engine like this
    one is never taken for a backend, nor is a server that wants a key.
    """
    usual = {**dict.fromkeys(extra, "ollama"), **ports}
    looks = (_look(client, port, what) for port, what in usual.items() if port not in skip)
    return [found for found in await asyncio.gather(*looks) if found is not None]


async def _look(client: httpx.AsyncClient, port: int, usual: str) -> Found | None:
    root = f"http://127.0.0.1:{port}"
    remote = Remote("a model server", root, client, {})
    try:
        what = await _recognise(remote, usual)
    except ControlError:
        return None
    if what is None:
        return None
    kind = _KINDS.get(what, BackendKind.OPENAI)
    url = f"{root}/v1" if kind in (BackendKind.VLLM, BackendKind.OPENAI) else root
    return Found(kind, url, what if port == _USUAL.get(what) else f"{what}-{port}")


async def _recognise(remote: Remote, usual: str) -> str | None:
    answer = await remote.ask("GET", "/v1/models", seconds=SECONDS)
    if answer.headers.get("server") == "llama.cpp" and answer.status in (200, 503):
        return "llamacpp"
    owners = _owners(remote, answer)
    if (owners is None and answer.status != 404) or _is_engine(answer, owners or ()):
        return None
    known = [_OWNERS[owner] for owner in owners or () if owner in _OWNERS]
    if known and known[0] != "ollama":
        return known[0]
    greeting = await remote.ask("GET", "/", seconds=SECONDS)
    if greeting.body.strip() == b"Ollama is running":
        return "ollama"
    if not owners:
        return None
    return usual if usual in ("lmstudio", "sglang") else "openai"


def _is_engine(answer: Answer, owners: Collection[str]) -> bool:
    return _OURSELVES in owners or any(name.startswith("x-orchestra") for name in answer.headers)


def _owners(remote: Remote, answer: Answer) -> list[str] | None:
    """Who owns the models listed; None where there is no list."""
    try:
        return [model.owned_by or "" for model in remote.decode(answer, _Models).data or ()]
    except ControlError:
        return None
