"""A small form: fields a person types into, each read with its range."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

Read = Callable[[str], object]


class Field(msgspec.Struct, frozen=True):
    """One line of a form. `read` gives what is sent, or raises ValueError with a sentence that says what to type."""

    name: str
    label: str
    hint: str
    read: Read


def number(low: float, high: float) -> Read:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return value

    return read


def whole(low: int, high: int) -> Read:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 9 or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


def one_of(words: Sequence[str]) -> Read:
    def read(text: str) -> str:
        found = [word for word in words if word.startswith(text.lower())]
        if text.lower() in words:
            return text.lower()
        if len(found) != 1:
            raise ValueError(f"one of {', '.join(words)}")
        return found[0]

    return read


def mistakes(fields: Sequence[Field], typed: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with which field; an empty one is right, it is left out."""
    wrong: dict[str, str] = {}
    for field in fields:
        text = typed.get(field.name, "").strip()
        if text:
            try:
                field.read(text)
            except ValueError as error:
                wrong[field.name] = str(error)
    return wrong
