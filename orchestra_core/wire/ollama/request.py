"""Requests: OpenAI-shaped fields as Ollama wants them.

A field Ollama cannot honour is refused (`InvalidRequest`) where leaving it out would change the answer's
meaning, else left out. `num_ctx` is never a client's: another value than before makes Ollama reload the model, so
every call names the one it is loaded with. Nor is `keep_alive`: a call that names none resets it to the server's own.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.wire.bodies import decode
from orchestra_core.wire.ollama.shapes import MALFORMED, NOTHING, ToolCall, given

# Go reads these into an int, llama.cpp into 32 bits; larger values have crashed it (CVE-2026-21869).
_Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
_Tokens = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]


class _ImageUrl(msgspec.Struct):
    url: str


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    image_url: _ImageUrl | str | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class _JsonSchema(msgspec.Struct):
    schema: msgspec.Raw = NOTHING


class _ResponseFormat(msgspec.Struct):
    type: str
    json_schema: _JsonSchema | None = None


class _Fields(msgspec.Struct):
    """What of a call's OpenAI-shaped fields has an equivalent here."""

    messages: list[_Message] = []
    prompt: str | list[str] = ""
    suffix: str | None = None
    input: str | list[str] = ""
    dimensions: int | None = None
    max_tokens: _Tokens | None = None
    max_completion_tokens: _Tokens | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: _Int32 | None = None
    min_p: float | None = None
    seed: _Int32 | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    tools: msgspec.Raw = NOTHING
    tool_choice: msgspec.Raw = NOTHING
    response_format: _ResponseFormat | None = None
    reasoning_effort: str | None = None
    keep_alive: float | None = None


_fields = msgspec.json.Decoder(_Fields)
_SAME_OPTIONS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
)


def render_request(call: Call, model: str, *, stream: bool, context: int | None = None) -> tuple[str, bytes]:
    """Path and body of `call` for `model`, which has `context` tokens; raises `InvalidRequest` for what Ollama
    cannot be asked.
    """
    fields = decode(_fields, msgspec.json.encode(call.fields))
    if fields.n is not None and fields.n > 1:
        raise InvalidRequest("n: an Ollama backend answers with one choice only", param="n")
    if call.kind is Kind.EMBEDDING:
        return "/api/embed", msgspec.json.encode(_embed(fields, model, context))
    path, body = _chat(fields) if call.kind is Kind.CHAT else _generate(fields)
    body["model"] = model
    body["stream"] = stream
    if fields.keep_alive is not None:
        body["keep_alive"] = fields.keep_alive
    if options := _options(fields, context):
        body["options"] = options
    if (form := _format(fields.response_format)) is not None:
        body["format"] = form
    return path, msgspec.json.encode(body)


def _chat(fields: _Fields) -> tuple[str, dict[str, object]]:
    body: dict[str, object] = {"messages": _messages(fields.messages)}
    if given(fields.tools) and bytes(fields.tool_choice) != b'"none"':
        body["tools"] = fields.tools
    if fields.reasoning_effort is not None:
        effort = fields.reasoning_effort
        body["think"] = effort if effort in {"low", "medium", "high"} else effort not in {"none", "minimal"}
    return "/api/chat", body


def _generate(fields: _Fields) -> tuple[str, dict[str, object]]:
    prompt = fields.prompt
    if not isinstance(prompt, str):
        if len(prompt) != 1:
            raise InvalidRequest("prompt: an Ollama backend takes one text at a time", param="prompt")
        prompt = prompt[0]
    body: dict[str, object] = {"prompt": prompt}
    if fields.suffix:
        body["suffix"] = fields.suffix
    return "/api/generate", body


def _embed(fields: _Fields, model: str, context: int | None) -> dict[str, object]:
    """`truncate` is off, since a vector of half the text is a wrong answer without a sign of it."""
    body: dict[str, object] = {"model": model, "input": fields.input, "truncate": False}
    if fields.dimensions is not None:
        body["dimensions"] = fields.dimensions
    if context is not None:
        body["options"] = {"num_ctx": context}
    if fields.keep_alive is not None:
        body["keep_alive"] = fields.keep_alive
    return body


def _options(fields: _Fields, context: int | None) -> dict[str, object]:
    given = {name: getattr(fields, name) for name in _SAME_OPTIONS}
    given["num_predict"] = fields.max_completion_tokens or fields.max_tokens
    given["num_ctx"] = context
    given["stop"] = [fields.stop] if isinstance(fields.stop, str) else fields.stop
    return {name: value for name, value in given.items() if value is not None}


def _format(response_format: _ResponseFormat | None) -> object:
    if response_format is None or response_format.type == "text":
        return None
    schema = response_format.json_schema
    if response_format.type == "json_schema" and schema is not None and given(schema.schema):
        return schema.schema
    return "json"


def _messages(messages: Iterable[_Message]) -> list[dict[str, object]]:
    """OpenAI names the tool of a result by the call's id, Ollama by the tool's name; the last id wins."""
    names: dict[str, str] = {}
    rendered = []
    for message in messages:
        for tool_call in message.tool_calls or ():
            names[tool_call.id or ""] = tool_call.function.name
        rendered.append(_message(message, names))
    return rendered


def _message(message: _Message, names: Mapping[str, str]) -> dict[str, object]:
    text, images = _content(message.content)
    role = "system" if message.role == "developer" else message.role
    rendered: dict[str, object] = {"role": role, "content": text}
    if images:
        rendered["images"] = images
    if thinking := message.reasoning_content or message.reasoning:
        rendered["thinking"] = thinking
    if message.tool_calls:
        rendered["tool_calls"] = [_tool_call(tool_call) for tool_call in message.tool_calls]
    if message.tool_call_id is not None:
        rendered["tool_call_id"] = message.tool_call_id
    if role == "tool" and (name := message.name or names.get(message.tool_call_id or "")):
        rendered["tool_name"] = name
    return rendered


def _content(content: str | list[_Part] | None) -> tuple[str, list[str]]:
    if content is None or isinstance(content, str):
        return content or "", []
    texts: list[str] = []
    images: list[str] = []
    for part in content:
        if part.type == "text" and part.text is not None:
            texts.append(part.text)
        elif part.type == "image_url" and part.image_url is not None:
            images.append(_image(part.image_url))
        else:
            message = f"messages: an Ollama backend takes text and image_url parts, not {part.type!r}"
            raise InvalidRequest(message, param="messages")
    return "\n".join(texts), images


def _image(image: _ImageUrl | str) -> str:
    """The base64 of a data URL; Ollama fetches nothing by itself, and neither do we for a client."""
    url = image if isinstance(image, str) else image.url
    head, _, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not data:
        message = "messages: an Ollama backend takes images only as data:image/…;base64 URLs"
        raise InvalidRequest(message, param="messages")
    return data


def _tool_call(tool_call: ToolCall) -> dict[str, object]:
    """OpenAI carries arguments as a string of JSON, Ollama as the object itself."""
    try:
        arguments = msgspec.json.decode(tool_call.function.arguments or b"{}")
        if isinstance(arguments, str):
            arguments = msgspec.json.decode(arguments or b"{}")
        if not isinstance(arguments, dict):
            raise TypeError("arguments are not an object")  # noqa: TRY301  as the decoder says it
    except (*MALFORMED, TypeError) as error:
        message = f"messages: the arguments of tool call {tool_call.function.name!r} are not a JSON object"
        raise InvalidRequest(message, param="messages") from error
    rendered: dict[str, object] = {"function": {"name": tool_call.function.name, "arguments": arguments}}
    if tool_call.id is not None:
        rendered["id"] = tool_call.id
    return rendered
