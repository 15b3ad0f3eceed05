"""What the simulated servers read of a prompt: its length in tokens, and how much of the answer is there.

The words of an answer depend on what was asked and on their position alone, so an answer that was cut can be
continued anywhere: whoever sends the text so far as the last message, the assistant's, gets the rest of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from orchestra_core.simulation.text import MARK, count_tokens, words

_PER_MESSAGE = 4
_PER_IMAGE = 256


class Asked(msgspec.Struct, frozen=True):
    """A prompt as the model sees it. `content` decides the answer's words, `position` is how many are there."""

    content: str
    tokens: int
    position: int = 0


def ask_chat(model: str, messages: Sequence[Mapping[str, object]]) -> Asked:
    """A conversation in either wire format; a last message of the assistant is the beginning of the answer."""
    begun = ""
    if messages and messages[-1].get("role") == "assistant":
        *messages, last = messages
        begun = _text(last)
    position = words(begun)
    content = _digest(model, *(part for one in messages for part in (str(one.get("role")), _text(one))))
    return Asked(content, message_tokens(messages) + position, position)


def ask_text(model: str, prompt: str, tokens: int) -> Asked:
    """A prompt without roles of so many tokens; from the mark every simulated answer begins with, it is one."""
    asked, mark, rest = prompt.rpartition(MARK)
    if not mark:
        return Asked(_digest(model, prompt), tokens)
    position = words(mark + rest)
    return Asked(_digest(model, asked), count_tokens(asked) + position, position)


def _digest(*parts: str) -> str:
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def message_tokens(messages: Iterable[Mapping[str, object]]) -> int:
    """Tokens of a conversation in either wire format: contents as text or as parts, images at a flat rate."""
    return sum(_PER_MESSAGE + _content_tokens(message) for message in messages)


def _content_tokens(message: Mapping[str, object]) -> int:
    content = message.get("content")
    images = message.get("images")
    count = _PER_IMAGE * len(images) if isinstance(images, Sequence) else 0
    if isinstance(content, list):
        return count + sum(_part_tokens(part) for part in content)
    return count + count_tokens(_text(message))


def _part_tokens(part: object) -> int:
    text = _part_text(part)
    if not isinstance(part, Mapping):
        return 0
    return count_tokens(text) if isinstance(part.get("text"), str) else _PER_IMAGE


def _text(message: Mapping[str, object]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(map(_part_text, content))
    return content if isinstance(content, str) else ""


def _part_text(part: object) -> str:
    text = part.get("text") if isinstance(part, Mapping) else None
    return text if isinstance(text, str) else ""
