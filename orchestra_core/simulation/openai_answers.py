"""OpenAI's answers as bytes: chunks of a stream, and whole bodies, of chat and of text completions."""

from typing import ClassVar, Protocol

import msgspec

from orchestra_core.simulation.trace import Done

_encode = msgspec.json.encode


class Shape(Protocol):
    """The bytes of one answer. `usage` tells whether the stream ends with a usage chunk."""

    def __init__(self, id: str, model: str, created: int, usage: bool) -> None: ...

    def opening(self) -> bytes:
        """What comes before the first token."""

    def chunk(self, text: str) -> bytes: ...

    def ending(self, end: Done) -> bytes:
        """The finish reason, the usage if wanted, and `[DONE]`."""

    def whole(self, text: str, end: Done) -> dict[str, object]: ...


class _Answer:
    """Everything of a chunk but the text is the same for a whole stream, so it is encoded once."""

    whole_object: ClassVar[str]
    chunk_object: ClassVar[str]
    prefix: ClassVar[str]

    def __init__(self, id: str, model: str, created: int, usage: bool) -> None:
        self._usage = usage
        self._identity: dict[str, object] = {
            "id": f"{self.prefix}-{id}",
            "created": created,
            "model": model,
            "system_fingerprint": "simulated",
        }
        self._head = b"data: " + _encode({**self._identity, "object": self.chunk_object})[:-1]
        self._tail = b',"usage":null}\n\n' if usage else b"}\n\n"

    def _event(self, choice: bytes) -> bytes:
        return self._head + b',"choices":[' + choice + b"]" + self._tail

    def _close(self, last: bytes, end: Done) -> bytes:
        usage = b""
        if self._usage:
            usage = self._head + b',"choices":[],"usage":' + _encode(_usage(end)) + b"}\n\n"
        return self._event(last) + usage + b"data: [DONE]\n\n"


class ChatShape(_Answer):
    whole_object = "chat.completion"
    chunk_object = "chat.completion.chunk"
    prefix = "chatcmpl"

    def opening(self) -> bytes:
        return self._event(b'{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}')

    def chunk(self, text: str) -> bytes:
        return self._event(b'{"index":0,"delta":{"content":' + _encode(text) + b'},"finish_reason":null}')

    def ending(self, end: Done) -> bytes:
        return self._close(b'{"index":0,"delta":{},"finish_reason":"' + end.finish.encode() + b'"}', end)

    def whole(self, text: str, end: Done) -> dict[str, object]:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": end.finish}
        return {**self._identity, "object": self.whole_object, "choices": [choice], "usage": _usage(end)}


class CompletionShape(_Answer):
    whole_object = chunk_object = "text_completion"
    prefix = "cmpl"

    def opening(self) -> bytes:
        return b""

    def chunk(self, text: str) -> bytes:
        return self._event(b'{"index":0,"text":' + _encode(text) + b',"logprobs":null,"finish_reason":null}')

    def ending(self, end: Done) -> bytes:
        finish = end.finish.encode()
        return self._close(b'{"index":0,"text":"","logprobs":null,"finish_reason":"' + finish + b'"}', end)

    def whole(self, text: str, end: Done) -> dict[str, object]:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": end.finish}
        return {**self._identity, "object": self.whole_object, "choices": [choice], "usage": _usage(end)}


def _usage(end: Done) -> dict[str, int]:
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.output_tokens,
        "total_tokens": end.prompt_tokens + end.output_tokens,
    }
