"""Messages as far as analysis reads them: shapes, apart from what reads them so that that can be compiled."""

import msgspec


class Part(msgspec.Struct, gc=False):
    """One part of a multi-part message content; only what analysis reads."""

    type: str
    text: str = ""


class Message(msgspec.Struct, gc=False):
    role: str
    content: str | list[Part] | None = None
