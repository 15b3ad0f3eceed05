"""JSON bodies in: typed decoding whose errors name the field and what is allowed."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import inspect

from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.wire.messages import Message
from orchestra_core.wire.strict import refuse_many

T = TypeVar("T")
_AT: Final = re.compile(r" - at `\$\.?(?P<path>.*)`$")
_MISSING: Final = re.compile(r"missing required field `(?P<field>.+?)`")
_UNKNOWN: Final = re.compile(r"contains unknown field `(?P<field>.*)`$", re.DOTALL)
_STEP: Final = re.compile(r"\[(?:\d+|\.\.\.)\]|[^.\[\]]+")
_IMAGES: Final = ("image_url", "input_image", "image")
_LONGEST_PROMPT_FIELD: Final = 2048
_MOST_NAMED: Final = 20

# Ten times the longest context there is; beyond it a number means something else, or nothing.
Tokens = Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]
Temperature = Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]
Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Cost = Annotated[float, msgspec.Meta(ge=0.0)]

raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """The typed body, or InvalidRequest naming the field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), decoder.type) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = "the body is empty" if not body else f"the body is not valid JSON: {error}"
        raise InvalidRequest(f"{what}; send a JSON object", code="invalid_json") from error


def _invalid(text: str, wanted: object) -> InvalidRequest:
    at = _AT.search(text)
    path = at["path"] if at else ""
    message = text[: at.start()] if at else text
    missing = _MISSING.search(message)
    if missing:
        field = f"{path}.{missing['field']}" if path else missing["field"]
        return InvalidRequest(f"field `{field}` is required", param=field)
    unknown = _UNKNOWN.search(message)
    if unknown:
        return _unknown(path, unknown["field"], wanted)
    field = f"field `{path}`: " if path else ""
    choices = [str(value) for kind in _types_at(wanted, path) for value in _choices(kind)]
    allowed = f"; allowed: {', '.join(choices)}" if choices else ""
    return InvalidRequest(f"{field}{message[:1].lower()}{message[1:]}{allowed}", param=path or None)


def _unknown(path: str, name: str, wanted: object) -> InvalidRequest:
    names = [
        field.encode_name
        for kind in _types_at(wanted, path)
        if isinstance(kind, inspect.StructType)
        for field in kind.fields
    ]
    near = get_close_matches(name, names, 1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    field = f"{path}.{name[:64]}" if path else name[:64]
    allowed = f"; allowed: {', '.join(sorted(names))}" if len(names) <= _MOST_NAMED else ""
    return InvalidRequest(f"unknown field `{field}`{hint}{allowed}", param=field)


def _types_at(wanted: object, path: str) -> list[inspect.Type]:
    """What a value at this path of the body may be."""
    kinds = list(_flat(inspect.type_info(wanted)))
    for step in _STEP.findall(path):
        kinds = [inner for kind in kinds for outer in _below(kind, step) for inner in _flat(outer)]
    return kinds


def _flat(kind: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _flat(one)
    elif isinstance(kind, inspect.Metadata):
        yield from _flat(kind.type)
    else:
        yield kind


def _below(kind: inspect.Type, step: str) -> Iterable[inspect.Type]:
    if isinstance(kind, inspect.StructType):
        return [field.type for field in kind.fields if field.encode_name == step]
    if isinstance(kind, inspect.ListType):
        return [kind.item_type]
    return [kind.value_type] if isinstance(kind, inspect.DictType) else []


def _choices(kind: inspect.Type) -> Iterable[object]:
    if isinstance(kind, inspect.EnumType):
        return [member.value for member in kind.cls]
    return kind.values if isinstance(kind, inspect.LiteralType) else ()


def last_user_text(messages: list[Message]) -> str:
    """The end of the last user message: what the task is inferred from."""
    for message in reversed(messages):
        if message.role == "user" and message.content:
            if isinstance(message.content, str):
                return message.content[-_LONGEST_PROMPT_FIELD:]
            return "".join(part.text for part in message.content)[-_LONGEST_PROMPT_FIELD:]
    return ""


def refuse_many_parts(messages: list[Message]) -> None:
    for message in messages:
        refuse_many("messages.content", message.content)


def has_images(messages: list[Message]) -> bool:
    for message in messages:
        if isinstance(message.content, list) and any(part.type in _IMAGES for part in message.content):
            return True
    return False
