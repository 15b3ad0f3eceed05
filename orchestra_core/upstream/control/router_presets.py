"""What a llama-server router starts a model with, as its list tells (`status.args`): size, slots and weights.

A router's presets (`--models-preset`, `--models-dir`, its own options) decide the context and the slots of a model; the
API of a load names nothing but the model, so no call can change its size, and there is nothing to pin.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from orchestra_core.domain.memory import Shape
from orchestra_core.upstream import gguf

_CONTEXT, _PARALLEL, _MODEL = ("-c", "--ctx-size"), ("-np", "--parallel"), ("-m", "--model")


class Preset(msgspec.Struct, frozen=True):
    """None is "not told". `context` is one slot's; `path` that of the weights on the router's machine."""

    context: int | None = None
    parallel: int | None = None
    path: str | None = None


def read_preset(args: Sequence[str]) -> Preset:
    """Of a command line; the last of an option counts."""
    given = dict(pairwise(args))
    context, parallel = _number(given, _CONTEXT), _number(given, _PARALLEL)
    path = next((given[name] for name in _MODEL if name in given), None)
    return Preset(context and context // (parallel or 1), parallel, path)


def _number(given: dict[str, str], names: Sequence[str]) -> int | None:
    text = next((given[name] for name in names if name in given), "")
    return int(text) if text.isdecimal() and 0 < len(text) <= 9 and int(text) else None


class Weights:
    """The shapes of files on this machine, read once for each state of a file."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int], Shape | None]] = {}

    def shape(self, path: str) -> Shape | None:
        """None for what is not there or is no GGUF. Reads a file: call it in a thread."""
        try:
            stat = Path(path).stat()
            state = stat.st_size, stat.st_mtime_ns
            known = self._known.get(path)
            if known is None or known[0] != state:
                known = self._known[path] = state, gguf.read_header(Path(path)).shape
        except (OSError, ValueError):  # a GgufError is one, a path with a zero byte raises one
            return None
        return known[1]
