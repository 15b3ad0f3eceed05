"""The bodies of every surface, and reading them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestra_core.domain.call import Call
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.wire.native import read_load, read_route, read_selection, read_unload
from orchestra_core.wire.openai.requests import read_chat, read_completion, read_embedding

SAID = [{"role": "user", "content": "Hi"}]
READERS: dict[str, tuple[Callable[[bytes, str, float], Call], dict[str, Any]]] = {
    "chat": (read_chat, {"model": "auto", "messages": SAID}),
    "completion": (read_completion, {"model": "auto", "prompt": "Hi"}),
    "embedding": (read_embedding, {"model": "auto", "input": "Hi"}),
    "route": (read_route, {"prompt": "Hi"}),
    "selection": (read_selection, {"task": "code_generation"}),
    "load": (lambda body, _id, _now: read_load(body), {"backend": "x"}),
    "unload": (lambda body, _id, _now: read_unload(body), {"backend": "x"}),
}
EVERY = sorted(READERS)


def read(surface: str, body: bytes) -> Call:
    return READERS[surface][0](body, "req-1", 0.0)


def refused(surface: str, body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(surface, body)
    assert caught.value.status == 400
    assert caught.value.type == "invalid_request_error"
    assert len(caught.value.message) < 2000
    return caught.value


def with_raw(surface: str, member: bytes, name: str = "") -> bytes:
    """A valid body of that surface, with a raw member more (in place of the field of that name)."""
    fields = {key: value for key, value in READERS[surface][1].items() if key != name}
    rest = json.dumps(fields)[:-1].encode()
    return rest + (b", " if fields else b"") + member + b"}"
