"""Whole answers and errors in OpenAI's format: read from backends, rendered for clients."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from orchestra_core.domain.call import Kind
from orchestra_core.domain.errors import OrchestraError
from orchestra_core.domain.fault import Fault, WireError
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.reply import Delta, Embeddings, Usage
from orchestra_core.wire.framing import SseSplitter
from orchestra_core.wire.openai.shapes import (
    Detail,
    Identity,
    ToolFunction,
    answer_body,
    embeddings_body,
    error_body,
    tally_body,
)
from orchestra_core.wire.openai.streams import MALFORMED, given, read_calls, usage_of
from orchestra_core.wire.waiting import retry_after

_OBJECTS: Final = {
    Kind.CHAT: ("chat.completion", "chat.completion.chunk"),
    Kind.COMPLETION: ("text_completion",) * 2,
}


def _junk(error: Exception) -> WireError:
    return WireError(Fault(Verdict.FAILED, 200, f"the backend's answer is not in OpenAI's format: {error}"))


def tally(body: bytes) -> tuple[Usage | None, str | None]:
    """Usage and finish reason of a body that is passed on unread otherwise; WireError if it is no answer."""
    try:
        seen = tally_body.decode(body)
    except MALFORMED as error:
        raise _junk(error) from error
    usage, choices = seen.usage, seen.choices
    if not choices and not seen.data:
        raise _junk(ValueError("it has neither choices nor data"))
    return None if usage is None else usage_of(usage), choices[0].finish_reason if choices else None


def read_answer(kind: Kind, body: bytes) -> tuple[list[Delta], Usage]:  # noqa: ARG001  one signature for all formats
    """A non-streamed answer."""
    try:
        answer = answer_body.decode(body)
    except MALFORMED as error:
        raise _junk(error) from error
    deltas = [
        Delta(
            choice.text or (choice.message.content if choice.message else None) or "",
            (choice.message.reasoning_content if choice.message else None) or "",
            choice.message.tool_calls if choice.message and given(choice.message.tool_calls) else None,
            choice.finish_reason,
            choice.index,
        )
        for choice in answer.choices
    ]
    return deltas, usage_of(answer.usage) if answer.usage else Usage(estimated=True)


def read_embeddings(body: bytes) -> Embeddings:
    try:
        found = embeddings_body.decode(body)
    except MALFORMED as error:
        raise _junk(error) from error
    vectors = tuple(item.embedding for item in sorted(found.data, key=lambda item: item.index))
    return Embeddings(vectors, usage_of(found.usage) if found.usage else Usage(estimated=True))


# -- errors ----------------------------------------------------------------------------------------------

_BY_STATUS: Final = {
    401: Verdict.MISCONFIGURED,
    403: Verdict.MISCONFIGURED,
    404: Verdict.MISSING,
    408: Verdict.TIMEOUT,
    429: Verdict.LIMITED,
    504: Verdict.TIMEOUT,
}


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """What an error answer means, by status, code and the words llama.cpp, vLLM and OpenAI use."""
    try:
        parsed = error_body.decode(body)
        detail = parsed.error if isinstance(parsed.error, Detail) else Detail(parsed.error or parsed.message)
    except MALFORMED:
        detail = Detail(body[:300].decode("utf-8", "replace"))
    message = detail.message or f"HTTP {status}"
    return Fault(_verdict(status, detail, message.lower()), status, message, retry_after(headers))


def _verdict(status: int, detail: Detail, words: str) -> Verdict:
    kind = f"{detail.type or ''} {detail.code or ''}"
    if (
        "exceed_context_size" in kind
        or "context_length_exceeded" in kind
        or "maximum context length" in words
    ):
        return Verdict.CONTEXT_OVERFLOW
    if "content_filter" in kind or "content_policy" in kind:
        return Verdict.CONTENT_FILTER
    if "insufficient_quota" in kind or "billing" in kind:
        return Verdict.MISCONFIGURED
    if status in (503, 529) and ("overloaded" in kind or "overloaded" in words or "busy" in words):
        return Verdict.BUSY
    if status == 503 and "loading" in words:
        return Verdict.LOADING
    return _BY_STATUS.get(status) or _by_class(status)


def _by_class(status: int) -> Verdict:
    return Verdict.REJECTED if 400 <= status < 500 else Verdict.FAILED


def render_error(error: OrchestraError, request_id: str) -> bytes:
    """The error object of the OpenAI surface and, being the same shape, of the native one."""
    return msgspec.json.encode(
        {
            "error": {
                "type": error.type,
                "code": error.code,
                "message": error.message,
                "param": error.param,
                "request_id": request_id,
            }
        }
    )


# -- for clients -----------------------------------------------------------------------------------------


def _identity(events: bytes) -> Identity:
    """What the chunks of an answer are called; nothing when the backend does not say."""
    for payload in SseSplitter().feed(events):
        try:
            return msgspec.json.decode(payload, type=Identity)
        except MALFORMED:
            continue
    return Identity()


class Renderer:
    """Renders one answer in OpenAI's format from translated increments. `created` is Unix seconds."""

    def __init__(self, kind: Kind, answer_id: str, model: str, created: int) -> None:
        whole, piece = _OBJECTS[kind]
        prefix = "chatcmpl-" if kind is Kind.CHAT else "cmpl-"
        self._kind = kind
        self._head = {"id": prefix + answer_id, "object": piece, "created": created, "model": model}
        self._whole = {**self._head, "object": whole}
        self._first = True

    def go_on(self, first: bytes) -> None:
        """Takes the name of an answer whose beginning, `first`, was relayed; its role has been told."""
        name = _identity(first)
        self._head |= {key: value for key, value in msgspec.structs.asdict(name).items() if value}
        self._first = False

    def chunks(self, deltas: Sequence[Delta]) -> bytes:
        return b"".join(self._event({**self._head, "choices": [self._choice(delta)]}) for delta in deltas)

    def last(self, usage: Usage | None) -> bytes:
        """The end of a stream: usage if the client asked for it, then the marker."""
        tail = self._event({**self._head, "choices": [], "usage": usage_body(usage)}) if usage else b""
        return tail + b"data: [DONE]\n\n"

    def answer(self, deltas: Sequence[Delta], usage: Usage) -> bytes:
        text = "".join(delta.text for delta in deltas)
        # Null where the backend never said why it ended. The format wants a word, but "stop" would tell that the
        # answer is complete, and a word of our own breaks clients that read an enumeration; null breaks the fewest.
        finish = next((delta.finish for delta in reversed(deltas) if delta.finish), None)
        if self._kind is Kind.COMPLETION:
            choice: dict[str, object] = {"index": 0, "text": text, "finish_reason": finish, "logprobs": None}
        else:
            calls = merge_tool_calls([delta.tool_calls for delta in deltas if delta.tool_calls is not None])
            message: dict[str, object] = {"role": "assistant", "content": text if text or not calls else None}
            reasoning = "".join(delta.reasoning for delta in deltas)
            if reasoning:
                message["reasoning_content"] = reasoning
            if calls:
                message["tool_calls"] = calls
            choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        return msgspec.json.encode({**self._whole, "choices": [choice], "usage": usage_body(usage)})

    def _choice(self, delta: Delta) -> dict[str, object]:
        if self._kind is Kind.COMPLETION:
            return {"index": delta.index, "text": delta.text, "finish_reason": delta.finish, "logprobs": None}
        body: dict[str, object] = {}
        if self._first:
            body["role"] = "assistant"
            self._first = False
        if delta.text or not delta.finish:
            body["content"] = delta.text
        if delta.reasoning:
            body["reasoning_content"] = delta.reasoning
        if delta.tool_calls is not None:
            body["tool_calls"] = delta.tool_calls
        return {"index": delta.index, "delta": body, "finish_reason": delta.finish, "logprobs": None}

    @staticmethod
    def _event(value: object) -> bytes:
        return b"data: " + msgspec.json.encode(value) + b"\n\n"


def usage_body(usage: Usage) -> dict[str, object]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


def merge_tool_calls(fragments: Sequence[msgspec.Raw]) -> list[dict[str, object]]:
    """Streamed call fragments joined by their index: names and ids come once, arguments in pieces."""
    calls: dict[int, dict[str, str]] = {}
    for fragment in fragments:
        for position, call in enumerate(read_calls(fragment)):
            slot = calls.setdefault(call.index if call.index is not None else position, {"arguments": ""})
            function = call.function or ToolFunction()
            slot["id"] = call.id or slot.get("id", "")
            slot["name"] = function.name or slot.get("name", "")
            slot["arguments"] += function.arguments or ""
    return [
        {
            "id": slot["id"],
            "type": "function",
            "function": {"name": slot["name"], "arguments": slot["arguments"]},
        }
        for _, slot in sorted(calls.items())
    ]


def render_embeddings(embeddings: Embeddings, model: str) -> bytes:
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(embeddings.vectors)]
    usage = {"prompt_tokens": embeddings.usage.prompt, "total_tokens": embeddings.usage.prompt}
    return msgspec.json.encode({"object": "list", "data": data, "model": model, "usage": usage})


def render_models(models: Sequence[tuple[str, int]]) -> bytes:
    """GET /v1/models from names and creation times (Unix seconds)."""
    data = [{"id": name, "object": "model", "created": at, "owned_by": "ai-orchestra"} for name, at in models]
    return msgspec.json.encode({"object": "list", "data": data})
