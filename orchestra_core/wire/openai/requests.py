"""Requests in OpenAI's format: from clients into `Call`, from `Call` to a backend."""

from typing import Any, Final

import msgspec

from orchestra_core.domain.auto import read_model
from orchestra_core.domain.call import NO_REQUIREMENTS, TOLD_SECONDS, Call, Kind, Original, Task
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.wire.bodies import decode, has_images, last_user_text, raw_object, refuse_many_parts
from orchestra_core.wire.openai.asked import chat_body, completion_body, embedding_body
from orchestra_core.wire.openai.fields import PLAIN, TEXTS, check_fields
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


def _fields(kind: Kind, body: bytes, model: str, entries: int = 0) -> tuple[dict[str, Any], Original | None]:
    """What is passed on, and the body itself where nothing of it is left out."""
    fields: dict[str, Any] = decode(raw_object, body)
    if not PLAIN[kind].issuperset(fields):
        check_fields(kind, body, fields)
    refuse_odd(body, fields, TEXTS, entries)
    del fields["model"]
    if "stream" in fields or "stream_options" in fields:
        fields.pop("stream", None)
        fields.pop("stream_options", None)
        return fields, None
    return fields, Original(body, model, fields)


def read_chat(body: bytes, call_id: str, now: float, key: str = "") -> Call:
    """POST /v1/chat/completions. `now` is monotonic seconds, `key` whom it is counted for."""
    large = len(body) > LARGE
    if large:
        refuse_crowd(body)
    chat = decode(chat_body, body)
    messages, name = chat.messages, chat.model
    if not messages:
        raise InvalidRequest("field `messages` is required and must not be empty", param="messages")
    if large:
        refuse_many("messages", messages)
        refuse_many_parts(messages)
    fields, original = _fields(_CHAT, body, name, len(messages))
    model: str | None = name
    task, requirements = None, NO_REQUIREMENTS
    if name.startswith("auto"):
        asked = read_model(name)
        model, task, requirements = asked.model, asked.task, asked.requirements
    needs = _VISION if has_images(messages) else NOTHING
    tools, options = chat.tools, chat.stream_options
    if tools and bytes(tools).strip(_NO_TOOLS) not in (b"", b"null"):
        needs |= _TOOLS
    # By place: by name each field would cost 40 ns (measured).
    return Call(
        call_id, _CHAT, fields, now, "openai", model, task, chat.stream is True,
        options is not None and options.include_usage,
        last_user_text(messages), len(fields["messages"]),
        chat.max_completion_tokens or chat.max_tokens, needs, requirements,
        None, 0, "messages", key, None, chat.temperature == 0, None, TOLD_SECONDS, original,
    )  # fmt: skip


def read_completion(body: bytes, call_id: str, now: float, key: str = "") -> Call:
    """POST /v1/completions."""
    if len(body) > LARGE:
        refuse_crowd(body, MOST_TOKENS)
    wanted = decode(completion_body, body)
    refuse_many("prompt", wanted.prompt)
    fields, original = _fields(Kind.COMPLETION, body, wanted.model)
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
        original=original,
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
    fields, original = _fields(Kind.EMBEDDING, body, wanted.model)
    return Call(
        id=call_id,
        kind=Kind.EMBEDDING,
        fields=fields,
        received=now,
        key=key,
        surface="openai",
        model=asked.model,
        task=Task.EMBEDDING,
        requirements=asked.requirements,
        characters=len(body),
        prompt_field="input",
        repeatable=True,
        original=original,
    )


def render_request(call: Call, model: str, *, stream: bool) -> tuple[str, bytes]:
    """The path below the backend's `/v1` and the JSON body. Usage is always asked for: every token is counted."""
    path, fields, original = _PATHS[call.kind], call.fields, call.original
    if not stream and original is not None and original.fields is fields and original.model == model:
        return path, original.body
    body: dict[str, object] = {"model": model, **fields}
    if stream:
        body["stream"] = True
        body["stream_options"] = _WITH_USAGE
    return path, msgspec.json.encode(body)
