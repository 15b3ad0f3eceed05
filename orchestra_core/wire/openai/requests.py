"""Requests in OpenAI's format: from clients into `Call`, from `Call` to a backend."""

from typing import Any, Final

import msgspec

from orchestra_core.domain.auto import read_model
from orchestra_core.domain.call import Call, Kind, Task
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.wire.bodies import decode, has_images, last_user_text, raw_object, refuse_many_parts
from orchestra_core.wire.openai.asked import chat_body, completion_body, embedding_body
from orchestra_core.wire.openai.fields import TEXTS, check_fields
from orchestra_core.wire.strict import LARGE, MOST_TOKENS, refuse_crowd, refuse_many, refuse_odd

_PATHS: Final = {
    Kind.CHAT: "/chat/completions",
    Kind.COMPLETION: "/completions",
    Kind.EMBEDDING: "/embeddings",
}
_WITH_USAGE: Final = {"include_usage": True}
_CHAT: Final = Kind.CHAT
NOTHING: Final = frozenset[str]()
_VISION: Final = frozenset({"vision"})
_TOOLS: Final = frozenset({"tools"})
_NO_TOOLS: Final = b"[] \t\r\n"


def _fields(kind: Kind, body: bytes, entries: int = 0) -> dict[str, Any]:
    fields: dict[str, Any] = decode(raw_object, body)
    check_fields(kind, body, fields)
    refuse_odd(body, fields, TEXTS, entries)
    del fields["model"]
    fields.pop("stream", None)
    fields.pop("stream_options", None)
    return fields


def read_chat(body: bytes, call_id: str, now: float, key: str = "") -> Call:
    """POST /v1/chat/completions. `now` is monotonic seconds, `key` whom it is counted for."""
    large = len(body) > LARGE
    if large:
        refuse_crowd(body)
    chat = decode(chat_body, body)
    if not chat.messages:
        raise InvalidRequest("field `messages` is required and must not be empty", param="messages")
    if large:
        refuse_many("messages", chat.messages)
        refuse_many_parts(chat.messages)
    fields = _fields(_CHAT, body, len(chat.messages))
    asked = read_model(chat.model)
    needs = _VISION if has_images(chat.messages) else NOTHING
    if chat.tools and bytes(chat.tools).strip(_NO_TOOLS) not in (b"", b"null"):
        needs |= _TOOLS
    # By place: by name each field would cost 40 ns (measured).
    return Call(
        call_id, _CHAT, fields, now, "openai", asked.model, asked.task, chat.stream is True,
        chat.stream_options is not None and chat.stream_options.include_usage,
        last_user_text(chat.messages), len(fields["messages"]),
        chat.max_completion_tokens or chat.max_tokens, needs, asked.requirements,
        None, 0, "messages", key, None, chat.temperature == 0,
    )  # fmt: skip


def read_completion(body: bytes, call_id: str, now: float, key: str = "") -> Call:
    """POST /v1/completions."""
    if len(body) > LARGE:
        refuse_crowd(body, MOST_TOKENS)
    wanted = decode(completion_body, body)
    refuse_many("prompt", wanted.prompt)
    fields = _fields(Kind.COMPLETION, body)
    if "prompt" not in fields:
        raise InvalidRequest("field `prompt` is required", param="prompt")
    asked = read_model(wanted.model)
    text = wanted.prompt if isinstance(wanted.prompt, str) else ""
    return Call(
        id=call_id,
        kind=Kind.COMPLETION,
        fields=fields,
        received=now,
        key=key,
        surface="openai",
        model=asked.model,
        task=asked.task or Task.TEXT_GENERATION,
        requirements=asked.requirements,
        stream=bool(wanted.stream),
        wants_usage=wanted.stream_options is not None and wanted.stream_options.include_usage,
        text=text[-2048:],
        characters=len(body),
        max_tokens=wanted.max_tokens,
        prompt_field="prompt",
        repeatable=wanted.temperature == 0,
    )


def read_embedding(body: bytes, call_id: str, now: float, key: str = "") -> Call:
    """POST /v1/embeddings."""
    if len(body) > LARGE:
        refuse_crowd(body, MOST_TOKENS)
    wanted = decode(embedding_body, body)
    if wanted.input == []:
        raise InvalidRequest("field `input` must not be empty", param="input")
    refuse_many("input", wanted.input)
    asked = read_model(wanted.model)
    return Call(
        id=call_id,
        kind=Kind.EMBEDDING,
        fields=_fields(Kind.EMBEDDING, body),
        received=now,
        key=key,
        surface="openai",
        model=asked.model,
        task=Task.EMBEDDING,
        requirements=asked.requirements,
        characters=len(body),
        prompt_field="input",
        repeatable=True,
    )


def render_request(call: Call, model: str, *, stream: bool) -> tuple[str, bytes]:
    """The path below the backend's `/v1` and the JSON body. Usage is always asked for: every token is counted."""
    body: dict[str, object] = {"model": model, **call.fields}
    if stream:
        body["stream"] = True
        body["stream_options"] = _WITH_USAGE
    return _PATHS[call.kind], msgspec.json.encode(body)
