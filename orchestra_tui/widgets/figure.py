"""Plotext, fetched after the first paint: importing it takes as long as a quarter of the start."""

import importlib
import sys
from typing import Any

# The module-level API of plotext shares one figure between all widgets; this one is free of that.
_MODULE = "plotext._figure"


def fetch() -> None:
    """Imports plotext. Takes some 50 ms: for a thread, not for the event loop."""
    importlib.import_module(_MODULE)


def fetched() -> bool:
    """Whether it is there, and all of it."""
    return hasattr(sys.modules.get(_MODULE), "_figure_class")


def figure() -> Any:
    """A figure of one's own."""
    fetch()
    made = sys.modules[_MODULE]._figure_class()
    made._limit_size(False, False)
    return made
