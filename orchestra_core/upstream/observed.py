"""What a running server says of the model it serves, where it says anything."""

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec


class Observed(msgspec.Struct, frozen=True):
    """None is "not reported". `context` is what one request may use, in tokens."""

    context: int | None = None
    slots: int | None = None
    parameters: int | None = None


async def observe(client: httpx.AsyncClient) -> Observed:
    """Asks llama-server's /props and the list of models; a server without them leaves everything open."""
    props = await _object(client, "/props")
    models = await _object(client, "/v1/models")
    return read(props, models)


def read(props: Mapping[str, Any], models: Mapping[str, Any]) -> Observed:
    """`n_ctx` of llama-server is one slot's; vLLM says `max_model_len`."""
    settings = _within(props, "default_generation_settings")
    listed = models.get("data")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    return Observed(
        context=_count(settings.get("n_ctx")) or _count(first.get("max_model_len")),
        slots=_count(props.get("total_slots")),
        parameters=_count(_within(first, "meta").get("n_params")),
    )


def _within(outer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = outer.get(key)
    return inner if isinstance(inner, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


async def _object(client: httpx.AsyncClient, path: str) -> Mapping[str, Any]:
    try:
        answer = await client.get(path)
        found = msgspec.json.decode(answer.content) if answer.is_success else {}
    except (httpx.HTTPError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
