"""Answers: streamed lines, whole objects and vectors."""

from hashlib import blake2b

import msgspec

from orchestra_core.domain.call import Kind
from orchestra_core.domain.reply import Delta, Embeddings, Usage
from orchestra_core.wire.framing import NdjsonSplitter
from orchestra_core.wire.ollama.fault import in_stream, malformed
from orchestra_core.wire.ollama.shapes import MALFORMED, NOTHING, ToolCall, given


class _Said(msgspec.Struct, gc=False):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[ToolCall] | None = None


class _Line(msgspec.Struct, gc=False):
    error: msgspec.Raw = NOTHING
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    thinking: str | None = None


class _ChatLine(_Line, gc=False):
    message: _Said | None = None

    def said(self) -> _Said | None:
        return self.message


class _GenerateLine(_Line, gc=False):
    response: str | None = None

    def said(self) -> _Said | None:
        return None if self.response is None else _Said(self.response, self.thinking)


_chat_line = msgspec.json.Decoder(_ChatLine)
_generate_line = msgspec.json.Decoder(_GenerateLine)


class StreamReader:
    """Reads one streamed answer. Bytes after the final line are ignored; without it `done` stays false."""

    __slots__ = ("_decoder", "_splitter", "_tools", "done", "finish", "usage")

    def __init__(self, kind: Kind) -> None:
        self._decoder: msgspec.json.Decoder[_ChatLine] | msgspec.json.Decoder[_GenerateLine]
        self._decoder = _chat_line if kind is Kind.CHAT else _generate_line
        self._splitter = NdjsonSplitter()
        self._tools = 0
        self.done = False
        self.usage: Usage | None = None
        self.finish: str | None = None

    def feed(self, data: bytes) -> list[Delta]:
        """Increments with something in them; raises `WireError` at the first malformed or error line."""
        deltas: list[Delta] = []
        if self.done:
            return deltas
        for payload in self._splitter.feed(data):
            self._take(payload, deltas)
            if self.done:
                break
        return deltas

    def whole(self, body: bytes) -> list[Delta]:
        """The same for an answer that was not streamed: one object, complete by its HTTP framing."""
        deltas: list[Delta] = []
        line = self._take(body, deltas)
        if line.said() is None and not self.done:
            raise malformed(body)
        if not self.done:
            self._end(line, deltas)
        return deltas

    def _take(self, payload: bytes, deltas: list[Delta]) -> _ChatLine | _GenerateLine:
        try:
            line = self._decoder.decode(payload)
        except MALFORMED as error:
            raise malformed(payload) from error
        if given(line.error):
            raise in_stream(payload)
        said = line.said()
        if said is not None and (said.content or said.thinking or said.tool_calls):
            fragments = self._fragments(said.tool_calls, payload) if said.tool_calls else None
            deltas.append(Delta(said.content or "", said.thinking or "", fragments))
        if line.done:
            self._end(line, deltas)
        return line

    def _fragments(self, tool_calls: list[ToolCall], payload: bytes) -> msgspec.Raw:
        """Ollama sends each call whole, and older versions without an id: it is then made from the line."""
        digest = blake2b(payload, digest_size=6).hexdigest()
        fragments = []
        for tool_call in tool_calls:
            arguments = bytes(tool_call.function.arguments).decode() or "{}"
            function = {"name": tool_call.function.name, "arguments": arguments}
            identity = tool_call.id or f"call_{digest}{self._tools}"
            fragments.append({"index": self._tools, "id": identity, "type": "function", "function": function})
            self._tools += 1
        return msgspec.Raw(msgspec.json.encode(fragments))

    def _end(self, line: _Line, deltas: list[Delta]) -> None:
        """Counts are absent when zero, and all absent from emulations that do not count."""
        self.done = True
        self.finish = "tool_calls" if self._tools else "length" if line.done_reason == "length" else "stop"
        deltas.append(Delta(finish=self.finish))
        if line.prompt_eval_count is not None or line.eval_count is not None:
            prompt, completion = line.prompt_eval_count or 0, line.eval_count or 0
            self.usage = Usage(max(prompt, 0), max(completion, 0), estimated=prompt <= 0)


def read_answer(kind: Kind, body: bytes) -> tuple[list[Delta], Usage]:
    """An answer that was not streamed; `Usage.estimated` when it carries no counts."""
    reader = StreamReader(kind)
    deltas = reader.whole(body)
    return deltas, reader.usage or Usage(estimated=True)


class _Embedded(msgspec.Struct, gc=False):
    error: msgspec.Raw = NOTHING
    embeddings: tuple[tuple[float, ...], ...] = ()
    prompt_eval_count: int | None = None


_embedded = msgspec.json.Decoder(_Embedded)


def read_embeddings(body: bytes) -> Embeddings:
    """The vectors in the order of the inputs; raises `WireError` when there are none."""
    try:
        answer = _embedded.decode(body)
    except MALFORMED as error:
        raise malformed(body) from error
    if not answer.embeddings:
        raise in_stream(body) if given(answer.error) else malformed(body)
    count = answer.prompt_eval_count
    return Embeddings(answer.embeddings, Usage(prompt=max(count or 0, 0), estimated=count is None))
