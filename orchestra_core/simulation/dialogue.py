"""What the simulated servers read of a prompt: its length in tokens, and the text an embedding hashes."""

from collections.abc import Iterable, Mapping, Sequence

from orchestra_core.simulation.text import count_tokens

_PER_MESSAGE = 4
_PER_IMAGE = 256


def message_tokens(messages: Iterable[Mapping[str, object]]) -> int:
    """Tokens of a conversation in either wire format: contents as text or as parts, images at a flat rate."""
    return sum(_PER_MESSAGE + _content_tokens(message) for message in messages)


def _content_tokens(message: Mapping[str, object]) -> int:
    content = message.get("content")
    images = message.get("images")
    count = _PER_IMAGE * len(images) if isinstance(images, Sequence) else 0
    if isinstance(content, str):
        return count + count_tokens(content)
    if isinstance(content, list):
        return count + sum(_part_tokens(part) for part in content)
    return count


def _part_tokens(part: object) -> int:
    if not isinstance(part, Mapping):
        return 0
    text = part.get("text")
    return count_tokens(text) if isinstance(text, str) else _PER_IMAGE
