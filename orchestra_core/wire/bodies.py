"""JSON bodies in: typed decoding whose errors name the field and what is allowed."""

import re
from typing import Annotated, TypeVar

import msgspec

from orchestra_core.domain.errors import InvalidRequest

T = TypeVar("T")
_AT = re.compile(r" - at `\$\.?(?P<path>.*)`$")
_MISSING = re.compile(r"missing required field `(?P<field>.+?)`")
_LONGEST_PROMPT_FIELD = 2048

Tokens = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Temperature = Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]
Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]

raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """The typed body, or InvalidRequest naming the field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = "the body is empty" if not body else f"the body is not valid JSON: {error}"
        raise InvalidRequest(f"{what}; send a JSON object", code="invalid_json") from error


def _invalid(text: str) -> InvalidRequest:
    at = _AT.search(text)
    path = at["path"] if at else ""
    message = text[: at.start()] if at else text
    missing = _MISSING.search(message)
    if missing:
        field = f"{path}.{missing['field']}" if path else missing["field"]
        return InvalidRequest(f"field `{field}` is required", param=field)
    field = f"field `{path}`: " if path else ""
    return InvalidRequest(f"{field}{message[:1].lower()}{message[1:]}", param=path or None)


class Part(msgspec.Struct):
    """One part of a multi-part message content; only what analysis reads."""

    type: str
    text: str = ""


class Message(msgspec.Struct):
    role: str
    content: str | list[Part] | None = None


def last_user_text(messages: list[Message]) -> str:
    """The end of the last user message: what the task is inferred from."""
    for message in reversed(messages):
        if message.role == "user" and message.content:
            if isinstance(message.content, str):
                return message.content[-_LONGEST_PROMPT_FIELD:]
            return "".join(part.text for part in message.content)[-_LONGEST_PROMPT_FIELD:]
    return ""


def has_images(messages: list[Message]) -> bool:
    return any(
        part.type in ("image_url", "input_image", "image")
        for message in messages
        if isinstance(message.content, list)
        for part in message.content
    )
