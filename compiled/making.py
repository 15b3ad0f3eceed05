"""Makes the build: mypyc turns modules into C, the machine's compiler makes extension modules of that.

Which modules: those that every request passes through. Structs stay Python (msgspec makes them in C already, and
mypyc cannot), so they live in modules of their own.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

MODULES = (
    "orchestra_core.accounting.counterfactual",
    "orchestra_core.accounting.days",
    "orchestra_core.accounting.pricing",
    "orchestra_core.caching.tape",
    "orchestra_core.domain.catalog",
    "orchestra_core.http1.heads",
    "orchestra_core.http1.known",
    "orchestra_core.http1.outgoing",
    "orchestra_core.pipeline.announcing",
    "orchestra_core.pipeline.completion",
    "orchestra_core.pipeline.lanes",
    "orchestra_core.pipeline.learning",
    "orchestra_core.pipeline.placement",
    "orchestra_core.pipeline.planning",
    "orchestra_core.pipeline.service",
    "orchestra_core.resilience.admission",
    "orchestra_core.resilience.breaker",
    "orchestra_core.resilience.limit",
    "orchestra_core.resilience.waiting",
    "orchestra_core.routing.analyzer",
    "orchestra_core.routing.catalog",
    "orchestra_core.routing.filters",
    "orchestra_core.routing.selector",
    "orchestra_core.server.answers",
    "orchestra_core.server.connection",
    "orchestra_core.server.date",
    "orchestra_core.server.exchange",
    "orchestra_core.server.facades.openai",
    "orchestra_core.server.gate",
    "orchestra_core.server.intake",
    "orchestra_core.server.room",
    "orchestra_core.server.routes",
    "orchestra_core.storage.bell",
    "orchestra_core.storage.journal.frames",
    "orchestra_core.storage.journal.segments",
    "orchestra_core.storage.journal.writing",
    "orchestra_core.storage.ledger",
    "orchestra_core.telemetry.buckets",
    "orchestra_core.telemetry.ended",
    "orchestra_core.telemetry.performance",
    "orchestra_core.telemetry.tally",
    "orchestra_core.telemetry.window",
    "orchestra_core.upstream.attempt",
    "orchestra_core.upstream.execution",
    "orchestra_core.upstream.kept",
    "orchestra_core.upstream.transport",
    "orchestra_core.wire.bodies",
    "orchestra_core.wire.framing",
    "orchestra_core.wire.openai.answers",
    "orchestra_core.wire.openai.requests",
    "orchestra_core.wire.openai.streams",
    "orchestra_core.wire.strict",
)
SHARED = "orchestra__mypyc"
# Names of members that the C compilers of Unix take for macros of theirs.
_NO_MACROS = ("-U__unix", "-U__linux")


_SUFFIX: str = sysconfig.get_config_var("EXT_SUFFIX")


class BuildError(Exception):
    """It could not be made; the message says why."""


def compiler() -> str | None:
    """The C compiler this Python was made for, if it is here."""
    command = (sysconfig.get_config_var("CC") or "cc").split()[0]
    return shutil.which(command) or shutil.which("cc")


def source(module: str) -> str:
    return module.replace(".", "/") + ".py"


def is_of(root: Path, modules: Sequence[str], into: Path) -> bool:
    """Whether `into` has a build of these modules as they are now, for this Python."""
    built = into / "orchestra_fast"
    try:
        return (built / "modules.txt").read_text() == _listing(modules) and all(
            (root / source(module)).read_bytes() == (built / source(module)).read_bytes()
            for module in modules
        )
    except OSError:
        return False


def make(root: Path, modules: Sequence[str], into: Path) -> None:
    """`into/orchestra_fast` from the modules below `root`; what was there before stays until it is done."""
    if compiler() is None:
        raise BuildError("no C compiler here: the engine runs as pure Python")
    root, into = root.resolve(), into.resolve()
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fast-", dir=into) as name:
        place = Path(name)
        _compile(root, modules, place)
        built = place / "orchestra_fast"
        _describe(root, modules, built)
        _try(root, modules, place)
        shutil.rmtree(into / "orchestra_fast", ignore_errors=True)
        built.rename(into / "orchestra_fast")


def _compile(root: Path, modules: Sequence[str], place: Path) -> None:
    """In a process of its own: mypyc ends its process where it finds a mistake."""
    command = [sys.executable, "-m", "compiled.step", str(place), *map(source, modules)]
    here = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        command,
        cwd=root,
        env={"PATH": _search_path(), "PYTHONPATH": here, "MYPYPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"the build failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


def _try(root: Path, modules: Sequence[str], place: Path) -> None:
    """Some mistakes show only when a module is imported: better here than when the engine starts."""
    code = f"import importlib, orchestra_fast\nfor name in {tuple(modules)!r}: importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={"PATH": _search_path(), "PYTHONPATH": f"{place}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"the build cannot be imported:\n{done.stderr[-4000:]}")


def _listing(modules: Sequence[str]) -> str:
    """What the loader reads: the ending of the files, then their modules, the shared one first."""
    return "\n".join((_SUFFIX, SHARED, *modules)) + "\n"


def _search_path() -> str:
    found = compiler()
    return f"{Path(found).parent if found else ''}:/usr/bin:/bin"


def _describe(root: Path, modules: Sequence[str], built: Path) -> None:
    """The sources it was made of, what is in it, and what finds it."""
    if not (built / f"{SHARED}{_SUFFIX}").exists():
        raise BuildError("the build failed: it made nothing")
    for module in modules:
        shutil.copyfile(root / source(module), built / source(module))
    (built / "modules.txt").write_text(_listing(modules))
    shutil.copyfile(Path(__file__).with_name("loader.py"), built / "__init__.py")


def compile_here(place: Path, sources: Sequence[str]) -> None:
    """The step that `compiled.step` is: sources below the current directory to `place/orchestra_fast`."""
    from mypyc.build import mypycify  # noqa: PLC0415  slow to import, and not there where nobody compiles
    from setuptools import Distribution  # noqa: PLC0415  as above
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415  as above

    extensions = mypycify(
        [f"--cache-dir={place / 'cache'}", *sources],
        opt_level="3",
        debug_level="0",
        group_name=SHARED.removesuffix("__mypyc"),
        target_dir=str(place / "c"),
    )
    for extension in extensions:
        extension.extra_compile_args = [*extension.extra_compile_args, *_NO_MACROS]
    command = build_ext(Distribution({"name": "orchestra_fast", "ext_modules": extensions, "packages": []}))
    command.build_lib, command.build_temp = str(place / "orchestra_fast"), str(place / "objects")
    command.ensure_finalized()
    command.run()
