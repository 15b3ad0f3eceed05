"""AI Model Orchestra Controller: the engine. This module holds the version and imports nothing of the engine.

Where the environment has a compiled build of these very sources (`make fast`), Python finds its modules first.
"""

import contextlib
import importlib

__version__ = "0.1.0"

with contextlib.suppress(ModuleNotFoundError):
    importlib.import_module("orchestra_fast")
