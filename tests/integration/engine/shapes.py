"""What an answer must look like, written as plain values: types, tuples of types, patterns, nested objects."""

import re
from collections.abc import Mapping
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SIZE = re.compile(r"\d+MB|\d+\.\dGB")
NUMBER = (int, float)
NONE = type(None)


class Listed:
    """A list of which every member has this shape; not empty unless said so."""

    def __init__(self, member: object, *, empty: bool = False) -> None:
        self.member = member
        self.empty = empty


class Maybe:
    """None, or this shape."""

    def __init__(self, shape: object) -> None:
        self.shape = shape


def fits(value: object, shape: Any, path: str = "answer") -> None:
    """Asserts that the value has the shape; further fields are allowed, as the contract says."""
    if isinstance(shape, Mapping):
        assert isinstance(value, dict), f"{path} is {value!r}, no object"
        for name, inner in shape.items():
            assert name in value, f"{path} has no {name}: {sorted(value)}"
            fits(value[name], inner, f"{path}.{name}")
    elif isinstance(shape, Maybe):
        if value is not None:
            fits(value, shape.shape, path)
    elif isinstance(shape, Listed):
        assert isinstance(value, list), f"{path} is {value!r}, no list"
        assert value or shape.empty, f"{path} is empty"
        for number, member in enumerate(value):
            fits(member, shape.member, f"{path}[{number}]")
    elif isinstance(shape, re.Pattern):
        assert isinstance(value, str), f"{path} is {value!r}, no text"
        assert shape.fullmatch(value), f"{path} is {value!r}, not {shape.pattern}"
    elif isinstance(shape, set):
        assert value in shape, f"{path} is {value!r}, none of {sorted(map(str, shape))}"
    elif isinstance(shape, type | tuple):
        wanted = shape if isinstance(shape, tuple) else (shape,)
        assert isinstance(value, wanted), f"{path} is {value!r}, not {shape}"
        assert not isinstance(value, bool) or bool in wanted, f"{path} is {value!r}, not {shape}"
    else:
        assert value == shape, f"{path} is {value!r}, not {shape!r}"
