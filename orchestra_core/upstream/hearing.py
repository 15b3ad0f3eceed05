"""The words of a request and of its answer as a person would read them, up to a length, whatever format they are in."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from orchestra_core.domain.call import Call
from orchestra_core.domain.fault import WireError
from orchestra_core.domain.reply import Delta
from orchestra_core.wire.openai.answers import read_answer
from orchestra_core.wire.openai.streams import StreamReader


class Hearing:
    """One answer. `enough` is asked with the characters there are; after it nothing more is read."""

    def __init__(self, call: Call, enough: Callable[[int], bool]) -> None:
        self._kind = call.kind
        self._reader = StreamReader(call.kind)
        self._enough = enough
        self._texts: list[str] = []
        self._size = 0
        self._deaf = False

    def take(self, deltas: Iterable[Delta]) -> None:
        for delta in deltas:
            if delta.text and not self._deaf:
                self._texts.append(delta.text)
                self._size += len(delta.text)
                self._deaf = self._enough(self._size)

    def feed(self, data: bytes) -> None:
        """Whole events of a stream in OpenAI's format."""
        if not self._deaf:
            try:
                self.take(self._reader.feed(data))
            except WireError:
                self._deaf = True

    def whole(self, body: bytes) -> None:
        """An answer in one piece, in the same format."""
        try:
            self.take(read_answer(self._kind, body)[0])
        except WireError:
            self._deaf = True

    @property
    def text(self) -> str:
        return "".join(self._texts)


def asked(call: Call) -> str:
    """What the client said: each message after its role, or the prompt; of what is no text only its kind."""
    fields = call.fields
    if "messages" in fields:
        return "\n".join(
            f"{one.get('role', '')}: {_content(one.get('content'))}" for one in _plain(fields["messages"])
        )
    return _content(_plain(fields.get("prompt", fields.get("input", ""))))


def _plain(value: object) -> Any:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def _content(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return "\n".join(map(_part, value))
    return "" if value is None else str(value)


def _part(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    return str(value.get("text") or f"[{value.get('type', 'part')}]")
