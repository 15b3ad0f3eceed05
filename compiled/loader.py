"""A compiled build of a package, made by `make fast`: its modules are taken where the sources are those it was made of.

All or none: compiled modules call each other directly, so one that is newer than the build would be passed by. This
file is the `__init__` of the build; ORCHESTRA_PURE=1 leaves the build unused.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType

_PLACE = os.path.dirname(os.path.abspath(__file__))


class Build(MetaPathFinder):
    """`problem`: why the build is not used, empty while it is; None as long as nobody has imported any of it."""

    def __init__(self, place: str) -> None:
        self._place = place
        with open(os.path.join(place, "modules.txt"), encoding="utf-8") as lines:
            suffix, *self.modules = lines.read().split()
        self._suffix = suffix
        self._names = frozenset(self.modules)
        self.problem: str | None = None

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  Python's signature
        target: ModuleType | None = None,  # noqa: ARG002  Python's signature
    ) -> ModuleSpec | None:
        if fullname not in self._names:
            return None
        if self.problem is None:
            self.problem = self._why_not(sys.modules[self.modules[-1].partition(".")[0]])
        if self.problem:
            return None
        place = os.path.join(self._place, *fullname.split(".")) + self._suffix
        return spec_from_file_location(fullname, place, loader=ExtensionFileLoader(fullname, place))

    def _why_not(self, package: ModuleType) -> str:
        if os.environ.get("ORCHESTRA_PURE", "") not in ("", "0"):
            return "ORCHESTRA_PURE is set"
        if self._suffix not in EXTENSION_SUFFIXES:
            return "the compiled build is for another Python; `make fast` makes a new one"
        here = os.path.dirname(package.__path__[0])
        for name in self.modules:
            file = os.path.join(*name.split(".")) + ".py"
            # What all modules share has no source.
            if "." in name and _read(os.path.join(here, file)) != _read(os.path.join(self._place, file)):
                return f"{file} has changed since the build; `make fast` makes a new one"
        return ""


def _read(file: str) -> bytes | None:
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except OSError:
        return None


build = Build(_PLACE)
sys.meta_path.insert(0, build)
