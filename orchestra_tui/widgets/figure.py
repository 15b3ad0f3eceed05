"""Plotext, fetched after the first paint: importing it takes as long as a quarter of the start."""

import importlib
import sys
from typing import Any

# The module-level API of plotext shares one figure between all widgets; this one is free of that.
_MODULE = "plotext._figure"


def fetch() -> None:
    """Imports plotext. Takes some 50 ms: for a thread, not for the event loop."""
    importlib.import_module(_MODULE)


def figure() -> Any | None:
    """A figure of one's own; None before plotext is there."""
    module = sys.modules.get(_MODULE)
    made = getattr(module, "_figure_class", None)
    if made is None:
        return None
    figure = made()
    figure._limit_size(False, False)
    return figure
