"""What load and unload take in their bodies."""

import json
from collections.abc import Callable

import pytest

from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.wire.native import LoadWish, UnloadWish, read_load, read_unload


def test_no_body_wishes_nothing_in_particular() -> None:
    """Both bodies are optional; blank is nothing."""
    assert read_load(b"") == read_load(b" \n") == LoadWish(None, False)
    assert read_unload(b"") == UnloadWish(None, False, None, False)


def test_every_wish_is_read() -> None:
    """Each key is its own field; whole seconds are numbers too."""
    assert read_load(b'{"backend":"a","dry_run":true}') == LoadWish("a", True)
    assert read_unload(b'{"backend":"a","dry_run":true,"drain_seconds":30,"force":true}') == UnloadWish(
        "a", True, 30.0, True
    )


@pytest.mark.parametrize(
    ("read", "key", "value", "said"),
    [
        (read_load, "backend", 7, "expected `str"),
        (read_load, "dry_run", "yes", "expected `bool`"),
        (read_load, "dry_run", 1, "expected `bool`"),
        (read_load, "force", True, "unknown field"),
        (read_load, "drain_seconds", 3, "unknown field"),
        (read_unload, "dryrun", True, "did you mean `dry_run`"),
        (read_unload, "drain_seconds", "30", "expected `float"),
        (read_unload, "drain_seconds", True, "expected `float"),
        (read_unload, "drain_seconds", -0.5, ">= 0"),
        (read_unload, "drain_seconds", 600.5, "<= 600"),
        (read_unload, "force", None, "expected `bool`"),
    ],
)
def test_what_is_not_a_wish_names_the_field(
    read: Callable[[bytes], object], key: str, value: object, said: str
) -> None:
    """Unknown keys, wrong types and seconds out of bounds are 400 with the name of the field."""
    with pytest.raises(InvalidRequest) as caught:
        read(json.dumps({key: value}).encode())
    assert caught.value.param == key
    assert said in caught.value.message
