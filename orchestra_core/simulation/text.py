"""The words of simulated answers: plainly said to be simulated, and the same for the same question."""

from hashlib import shake_256
from math import ceil, sqrt
from zlib import crc32

MARK = "[simulated]"
_MIX = 0x9E3779B1
_PREFACE = (
    MARK, " This", " answer", " is", " simulated:", " no", " model", " was", " run,",
    " and", " the", " words", " mean", " nothing.",
)  # fmt: skip
_WORDS = (
    " amber", " basin", " cedar", " delta", " ember", " field", " grain", " harbour",
    " island", " juniper", " kettle", " lantern", " meadow", " north", " orchard", " pebble",
    " quarry", " river", " stone", " timber", " umbra", " valley", " willow", " yarrow",
    " zephyr", " slowly", " under", " beside", " without", " again.", " there.", " then,",
)  # fmt: skip


def span(content: str, first: int, count: int) -> str:
    """Tokens `first` to `first + count - 1` of the answer to what was asked, as text."""
    return "".join(token(content, number) for number in range(first, first + count))


def token(content: str, number: int) -> str:
    if number < len(_PREFACE):
        return _PREFACE[number]
    # CRCs of equal length differ by the same bits at every position: without the product there were 32 texts.
    mixed = crc32(f"{content}:{number}".encode()) * _MIX >> 20
    return _WORDS[mixed % len(_WORDS)]


def words(text: str) -> int:
    """How many tokens of an answer this text is; each of them is one word."""
    return len(text.split())


def count_tokens(text: str) -> int:
    """Tokens of a prompt, at four characters each, as simulated tokenisers count."""
    return ceil(len(text) / 4)


def vector(text: str, length: int) -> list[float]:
    """A unit vector that depends on the text alone; near texts are not near, it is a hash."""
    digest = shake_256(text.encode()).digest(2 * length)
    raw = [int.from_bytes(digest[at : at + 2], "big") - 32767.5 for at in range(0, 2 * length, 2)]
    norm = sqrt(sum(value * value for value in raw))
    return [value / norm for value in raw]
