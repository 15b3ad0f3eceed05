"""Whether what came back is the whole answer: status, full text, finish reason, and a stream's `[DONE]`."""

import msgspec


class Message(msgspec.Struct):
    content: str | None = None


class Choice(msgspec.Struct):
    message: Message = msgspec.field(default_factory=Message)
    delta: Message = msgspec.field(default_factory=Message)
    finish_reason: str | None = None


class Body(msgspec.Struct):
    choices: list[Choice] = []
    error: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder(Body).decode
DONE = b"[DONE]"


def wrong_with(body: bytes, *, stream: bool, text: str, finish: str) -> str:
    """Why this body of a 200 is not the complete answer; empty if it is."""
    try:
        found, ended = _read_stream(body) if stream else _read_whole(body)
    except msgspec.DecodeError as error:
        return f"unreadable: {error}"
    except BrokenOff as error:
        return str(error)
    if found != text:
        return "truncated" if text.startswith(found) else "wrong text"
    return "" if ended == finish else f"finish reason {ended}"


class BrokenOff(Exception):
    """The answer says itself that it is not complete, or lacks its end."""


def _read_whole(body: bytes) -> tuple[str, str | None]:
    answer = _decode(body)
    if answer.error or not answer.choices:
        raise BrokenOff(f"error in the answer: {bytes(answer.error).decode()[:200] or 'no choices'}")
    return answer.choices[0].message.content or "", answer.choices[0].finish_reason


def _read_stream(body: bytes) -> tuple[str, str | None]:
    text: list[str] = []
    finish = None
    events = [line[6:] for line in body.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data: ")]
    for event in events:
        if event == DONE:
            continue
        part = _decode(event)
        if part.error:
            raise BrokenOff(f"error event: {bytes(part.error).decode()[:200]}")
        for choice in part.choices:
            text.append(choice.delta.content or "")
            finish = choice.finish_reason or finish
    if not events or events[-1] != DONE:
        raise BrokenOff("no [DONE]")
    return "".join(text), finish
