"""Answers put together to be kept, and taken apart to be given again as increments."""

import re
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from orchestra_core.caching.stored import Stored
from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.fault import WireError
from orchestra_core.domain.reply import Delta
from orchestra_core.wire.openai.answers import merge_tool_calls
from orchestra_core.wire.openai.streams import MALFORMED, StreamReader

# Characters of one increment: clients read a stream line by line, and some of them lines of up to 64 KiB.
_PIECE = 4096
_WHOLE = frozenset({"stop", "tool_calls", "function_call"})
# What a message may have besides what increments tell, as long as it says nothing.
_TOLD = frozenset({"role", "content", "reasoning_content", "reasoning", "tool_calls"})


class Fold:
    """One answer of a single choice, out of its increments."""

    def __init__(self, call: Call) -> None:
        self._reader = StreamReader(call.kind)
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[msgspec.Raw] = []
        self._spoilt = False

    def take(self, deltas: Sequence[Delta]) -> None:
        for delta in deltas:
            if delta.index:
                self._spoilt = True
            if delta.text:
                self._texts.append(delta.text)
            if delta.reasoning:
                self._reasoning.append(delta.reasoning)
            if delta.tool_calls is not None:
                self._calls.append(delta.tool_calls)

    def feed(self, data: bytes) -> None:
        try:
            self.take(self._reader.feed(data))
        except WireError:
            self._spoilt = True

    def whole(self, stored: Stored) -> Stored | None:
        """An answer that came in one piece, if each of its choices says something and none of several was cut."""
        try:
            choices = _answer.decode(stored.body).choices
        except MALFORMED:
            return None
        if len(choices) > 1 and any(choice.finish_reason not in _WHOLE for choice in choices):
            return None
        return stored if all(_says(choice) for choice in choices) else None

    def into(self, stored: Stored) -> Stored | None:
        """An answer with nothing in it is more likely a fault than an answer."""
        text, reasoning = "".join(self._texts), "".join(self._reasoning)
        if self._spoilt or not (text or reasoning or self._calls):
            return None
        try:
            calls = msgspec.json.encode(merge_tool_calls(self._calls)) if self._calls else b""
        except WireError:
            return None
        return replace(stored, text=text, reasoning=reasoning, calls=calls)


def increments(kind: Kind, stored: Stored) -> list[Delta] | None:
    """A stored answer as increments; None if they cannot tell all that is in it."""
    if stored.body:
        found = _read(kind, stored)
        if found is None:
            return None
        stored = found
    deltas = [Delta(reasoning=piece) for piece in _pieces(stored.reasoning)]
    deltas += [Delta(piece) for piece in _pieces(stored.text)]
    if stored.calls:
        deltas.append(Delta(tool_calls=_numbered(stored.calls)))
    return [*deltas, Delta(finish=stored.finish)]


class Folding:
    """Both, for whoever must not know of wire formats."""

    fold = staticmethod(Fold)
    increments = staticmethod(increments)


class _Choice(msgspec.Struct):
    message: dict[str, msgspec.Raw] = {}
    text: str | None = None
    logprobs: msgspec.Raw = msgspec.Raw(b"null")
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []


_answer = msgspec.json.Decoder(_Answer)
_text = msgspec.json.Decoder(str | None)
_silent = re.compile(rb"null|\[\s*\]|\{\s*\}|\"\"")


def _says(choice: _Choice) -> bool:
    return bool(choice.text) or any(
        name != "role" and not _silent.fullmatch(bytes(value)) for name, value in choice.message.items()
    )


def _read(kind: Kind, stored: Stored) -> Stored | None:
    try:
        choices = _answer.decode(stored.body).choices
        if len(choices) != 1 or not _silent.fullmatch(bytes(choices[0].logprobs)):
            return None
        if kind is Kind.COMPLETION:
            return replace(stored, body=b"", text=choices[0].text or "")
        said = {
            name: value for name, value in choices[0].message.items() if not _silent.fullmatch(bytes(value))
        }
        if not said.keys() <= _TOLD:
            return None
        return replace(
            stored,
            body=b"",
            text=_text.decode(said.get("content", b"null")) or "",
            reasoning=_text.decode(said.get("reasoning_content", said.get("reasoning", b"null"))) or "",
            calls=bytes(said.get("tool_calls", b"")),
        )
    except MALFORMED:
        return None


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def _numbered(calls: bytes) -> msgspec.Raw:
    """Fragments of a stream say which call they are of (OpenAI's reference)."""
    whole = msgspec.json.decode(calls, type=list[dict[str, msgspec.Raw]])
    numbered = [
        {"index": place, **{k: v for k, v in call.items() if k != "index"}}
        for place, call in enumerate(whole)
    ]
    return msgspec.Raw(msgspec.json.encode(numbered))
