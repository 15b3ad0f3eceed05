"""Shapes of what clients ask for, and their decoders; apart from what reads them so that that can be compiled."""

import msgspec

from orchestra_core.wire.bodies import Fraction, Temperature, Tokens
from orchestra_core.wire.messages import Message


class StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool = False


class Sampling(msgspec.Struct, gc=False):
    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Fraction | None = None


class Chat(Sampling, gc=False):
    messages: list[Message] = msgspec.field(default_factory=list)
    max_completion_tokens: Tokens | None = None
    tools: msgspec.Raw = msgspec.Raw()


class Completion(Sampling, gc=False):
    prompt: str | list[str | int | list[int]] = ""


class Embedding(msgspec.Struct, gc=False):
    model: str
    input: str | list[str | int | list[int]]


chat_body = msgspec.json.Decoder(Chat)
completion_body = msgspec.json.Decoder(Completion)
embedding_body = msgspec.json.Decoder(Embedding)
