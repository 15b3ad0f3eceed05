"""The chunks of a body on the wire (RFC 9112 section 7.1)."""

import pytest

from orchestra_core.http1.heads import chunk


@pytest.mark.parametrize("size", [1, 15, 16, 255, 1023, 1024, 1025, 70_000])
def test_a_chunk_says_its_size(size: int) -> None:
    """In hexadecimal, before and beyond the sizes that are looked up."""
    data = b"x" * size
    length, _, rest = chunk(data).partition(b"\r\n")

    assert int(length, 16) == size
    assert rest == data + b"\r\n"


def test_nothing_is_no_chunk() -> None:
    """A chunk of size 0 would end the body."""
    assert chunk(b"") == b""
