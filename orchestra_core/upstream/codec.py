"""Which wire format a kind of backend is spoken to in, and how."""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.fault import Fault
from orchestra_core.domain.reply import Delta, Embeddings, Usage
from orchestra_core.wire import ollama
from orchestra_core.wire.openai import answers as openai_answers
from orchestra_core.wire.openai import requests as openai_requests
from orchestra_core.wire.openai import streams as openai_streams

_EMBEDDING = Kind.EMBEDDING


class Reader(Protocol):
    """One streamed answer being decoded; `done` turns true at the format's own clean end."""

    done: bool
    usage: Usage | None
    finish: str | None

    def feed(self, data: bytes) -> list[Delta]: ...


class Codec(msgspec.Struct, frozen=True):
    """One wire format as the data plane uses it.

    `format` names it for relaying. `always_stream`: llama-server does not stop a non-streamed generation when
    its client leaves (measured; ggml-org/llama.cpp 24496), so it is asked to stream whatever can be put together
    again from increments. `to_go_on` are the fields by which it is told that the last message is the beginning of
    its answer, where it needs telling.
    """

    format: str
    always_stream: bool
    render_request: Callable[..., tuple[str, bytes]]
    reader: Callable[[Kind], Reader]
    read_answer: Callable[[Kind, bytes], tuple[list[Delta], Usage]]
    read_embeddings: Callable[[bytes], Embeddings]
    read_error: Callable[[int, Mapping[str, str], bytes], Fault]
    to_go_on: Mapping[str, object] = {}

    def going_on(self, call: Call) -> Call:
        """A call that carries the beginning of its answer, as this server has to be told."""
        if not self.to_go_on or call.kind is not Kind.CHAT:
            return call
        return msgspec.structs.replace(call, fields={**call.fields, **self.to_go_on})

    def streams(self, call: Call) -> bool:
        """Whether the backend is asked to stream this call."""
        return call.kind is not _EMBEDDING and (call.stream or (self.always_stream and _joins(call)))


# What asks for more than one text, with the values that do not: increments carry none of it.
_MORE: dict[str, tuple[object, ...]] = {
    "n": (None, 1),
    "best_of": (None, 1),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "prompt_logprobs": (None,),
    "n_probs": (None, 0),
    "return_tokens": (None, False),
    "return_token_ids": (None, False),
}
_ASKS_FOR_MORE = frozenset(_MORE)


def _joins(call: Call) -> bool:
    """Whether its answer is one text, so that increments make the whole of it. Cheap: asked of every call."""
    fields = call.fields
    if call.kind is Kind.COMPLETION and not isinstance(_plain(fields.get("prompt")), str):
        return False
    return _ASKS_FOR_MORE.isdisjoint(fields) or all(
        _plain(fields[name]) in _MORE[name] for name in _ASKS_FOR_MORE & fields.keys()
    )


def _plain(value: object) -> object:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


OPENAI = Codec(
    "openai",
    False,
    openai_requests.render_request,
    openai_streams.StreamReader,
    openai_answers.read_answer,
    openai_answers.read_embeddings,
    openai_answers.read_error,
)
# vLLM's own words; without them it takes the last message as complete (docs.vllm.ai, chat API extra parameters).
VLLM = msgspec.structs.replace(
    OPENAI, to_go_on={"continue_final_message": True, "add_generation_prompt": False}
)
LLAMACPP = msgspec.structs.replace(OPENAI, always_stream=True)
OLLAMA = Codec(
    "ollama",
    False,
    ollama.render_request,
    ollama.StreamReader,
    ollama.read_answer,
    ollama.read_embeddings,
    ollama.read_error,
)

CODECS: dict[BackendKind, Codec] = {
    BackendKind.OLLAMA: OLLAMA,
    BackendKind.LLAMACPP: LLAMACPP,
    BackendKind.MANAGED: LLAMACPP,
    BackendKind.OPENAI: OPENAI,
    BackendKind.VLLM: VLLM,
}
