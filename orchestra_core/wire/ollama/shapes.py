"""What requests and answers have in common."""

import msgspec

MALFORMED = (ValueError, RecursionError)  # msgspec's own errors and UnicodeDecodeError are ValueErrors
NOTHING = msgspec.Raw()


def given(raw: msgspec.Raw) -> bool:
    """Whether an optional raw field was there and not null."""
    return bytes(raw).strip() not in {b"", b"null"}


class Function(msgspec.Struct):
    """`arguments` is an object here and a string of JSON in OpenAI's shape; both are accepted."""

    name: str = ""
    arguments: msgspec.Raw = NOTHING


class ToolCall(msgspec.Struct):
    function: Function
    id: str | None = None
