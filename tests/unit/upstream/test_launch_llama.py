"""The command line of our own child."""

from pathlib import Path

from orchestra_core.domain.memory import Shape
from orchestra_core.upstream.launch import Wanted, launch_llama

WINDOWED = Shape(10**9, window_per_token=15360, window=512)


def argument(shape: Shape | None, name: str) -> str | None:
    """What a child of a model with that shape is started with."""
    argv = launch_llama(Wanted("m", Path("/m.gguf"), "/s", 4096, 2, False, False, shape)).argv
    return argv[argv.index(name) + 1] if name in argv else None


def test_what_a_child_keeps_is_bounded_as_it_is_predicted() -> None:
    """Past conversations and checkpoints of windowed layers are limited by what the prediction reserves for them."""
    assert argument(WINDOWED, "--checkpoints") == "4"
    assert argument(None, "--checkpoints") is None
    assert argument(None, "--conversations") == "128"
