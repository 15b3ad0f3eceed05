"""The vocabulary of `chaos.ChaosBackend`: what a model server can do well or badly, one step each."""

import json
from collections.abc import Mapping, Sequence

from tests.fakes.chaos import Step, Talk

SSE = "text/event-stream"
NDJSON = "application/x-ndjson"
JSON = "application/json"


def wait(gate: str) -> Step:
    """Until the test opens the gate."""

    async def step(talk: Talk) -> None:
        await talk.backend.stand(gate)

    return step


def hang() -> Step:
    """For ever: until the peer leaves."""

    async def step(talk: Talk) -> None:
        await talk.backend.stand("never")

    return step


def reset() -> Step:
    """RST."""

    async def step(talk: Talk) -> None:
        talk.reset()

    return step


def eof() -> Step:
    """A close, with or without an end of the answer before it."""

    async def step(talk: Talk) -> None:
        talk.close()

    return step


def half_close() -> Step:
    """FIN in one direction: the server says no more but still listens."""

    async def step(talk: Talk) -> None:
        talk.transport.write_eof()

    return step


def raw(data: bytes) -> Step:
    """Bytes as they are, outside any framing."""

    async def step(talk: Talk) -> None:
        await talk.write(data)

    return step


def body(data: bytes) -> Step:
    """Bytes of the body, in the framing that the head announced."""

    async def step(talk: Talk) -> None:
        await talk.body(data)

    return step


def head(
    status: int = 200,
    kind: str = "",
    *,
    length: int | None = None,
    close: bool = False,
    **headers: str,
) -> Step:
    """The status line and headers; chunked unless a `length` is given or the end of it is a `close`.

    Without a kind it is a stream in the format of whoever asked. Header names with `_` for `-`.
    """

    async def step(talk: Talk) -> None:
        content_type = kind or (NDJSON if talk.seen.ollama else SSE)
        lines = [f"HTTP/1.1 {status} Chaos", f"content-type: {content_type}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        talk.seen.chunked = length is None and not close
        if talk.seen.chunked:
            lines.append("transfer-encoding: chunked")
        elif close:
            lines.append("connection: close")
        else:
            lines.append(f"content-length: {length}")
        await talk.write("\r\n".join([*lines, "", ""]).encode())

    return step


def event(value: object, name: str = "") -> Step:
    """One event of the asker's format: JSON unless it is text."""

    async def step(talk: Talk) -> None:
        await talk.body(_framed(talk, value, name))

    return step


def _framed(talk: Talk, value: object, name: str = "") -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    if talk.seen.ollama:
        return f"{text}\n".encode()
    return f"event: {name}\ndata: {text}\n\n".encode() if name else f"data: {text}\n\n".encode()


def piece(talk: Talk, text: str) -> bytes:
    """One token as the asker's format writes it."""
    if talk.seen.ollama:
        return _framed(talk, {"model": "m", "message": {"role": "assistant", "content": text}, "done": False})
    if talk.seen.path == "/v1/completions":
        return _framed(talk, {"id": "x", "choices": [{"index": 0, "text": text}]})
    return _framed(talk, {"id": "x", "choices": [{"index": 0, "delta": {"content": text}}]})


def token(text: str | None = None) -> Step:
    """One token; without a text it is one that no other token ever sent by this server equals."""

    async def step(talk: Talk) -> None:
        talk.backend.emitted += 1
        said = f"{talk.backend.name}-{talk.backend.emitted} " if text is None else text
        talk.seen.tokens.append(said)
        await talk.body(piece(talk, said))

    return step


def tokens(count: int) -> Sequence[Step]:
    return [token() for _ in range(count)]


def endless(size: int = 1000) -> Step:
    """Tokens of this many bytes until the peer leaves; waits whenever the peer does not read."""
    one = token("x" * size)

    async def step(talk: Talk) -> None:
        while not talk.transport.is_closing():
            await one(talk)

    return step


def drip(data: bytes, gate: str) -> Sequence[Step]:
    """Byte by byte, each after its own gate: `gate` with the number of the byte."""
    return [step for n, byte in enumerate(data) for step in (wait(f"{gate}{n}"), body(bytes([byte])))]


def finish(reason: str = "stop") -> Step:
    """The last event of an answer, with its usage; `end` still has to follow."""

    async def step(talk: Talk) -> None:
        count = len(talk.seen.tokens)
        if talk.seen.ollama:
            counts = {"prompt_eval_count": 3, "eval_count": count}
            message = {"role": "assistant", "content": ""}
            last = {"model": "m", "message": message, "done": True, "done_reason": reason, **counts}
        else:
            usage = {"prompt_tokens": 3, "completion_tokens": count, "total_tokens": 3 + count}
            last = {
                "id": "x",
                "choices": [{"index": 0, "delta": {}, "finish_reason": reason}],
                "usage": usage,
            }
        await talk.body(_framed(talk, last))

    return step


def end(*, marker: bool = True) -> Step:
    """`[DONE]` where the format has it, and the last chunk."""

    async def step(talk: Talk) -> None:
        if marker and not talk.seen.ollama:
            await talk.body(b"data: [DONE]\n\n")
        if talk.seen.chunked:
            await talk.write(b"0\r\n\r\n")

    return step


def whole(text: str | None = None) -> Step:
    """An answer in one piece."""

    async def step(talk: Talk) -> None:
        talk.backend.emitted += 1
        said = f"{talk.backend.name}-{talk.backend.emitted} " if text is None else text
        talk.seen.tokens.append(said)
        await talk.write(_answer(200, whole_body(talk, said)))

    return step


def whole_body(talk: Talk, text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    if talk.seen.ollama:
        counts = {"prompt_eval_count": 3, "eval_count": 1}
        return json.dumps(
            {"model": "m", "message": message, "done": True, "done_reason": "stop", **counts}
        ).encode()
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    return json.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()


def well(count: int = 3) -> Sequence[Step]:
    """A good answer, streamed if that was asked for."""
    streamed = [head(), *tokens(count), finish(), end()]

    async def step(talk: Talk) -> None:
        for one in streamed if talk.seen.streamed else [whole()]:
            await one(talk)

    return [step]


def refusal(
    status: int, message: str, headers: Mapping[str, str] | None = None, **fields: object
) -> Sequence[Step]:
    """An error with its object in the asker's format."""

    async def step(talk: Talk) -> None:
        error = (
            {"error": message}
            if talk.seen.ollama
            else {"error": {"message": message, "type": "t", "code": None, **fields}}
        )
        await talk.write(_answer(status, json.dumps(error).encode(), headers or {}))

    return [step]


def page(status: int = 200, text: str = "<html>Log in</html>", kind: str = "text/html") -> Sequence[Step]:
    """A body nobody asked for, as a proxy in between sends it."""
    return [raw(_answer(status, text.encode(), {"content-type": kind}))]


def _answer(status: int, content: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    named = {"content-type": JSON, "content-length": str(len(content)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Chaos\r\n{lines}\r\n".encode() + content
