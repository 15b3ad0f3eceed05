"""Virtual environments of their own for the programs we compare with, under benchmarks/.work/."""

import subprocess
import sys
from pathlib import Path

from compiled.making import MODULES, BuildError, is_of, make

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "benchmarks" / ".work"
COMPILED = WORK / "compiled"
VLLM_ROUTER = "0.1.17"
LITELLM = "1.100.0"
# Published by an attacker in place of the project; installing it runs their code.
COMPROMISED = {("litellm", "1.107.0")}


class InstallError(Exception):
    """A program to compare with is not available on this machine."""


def refuse_compromised(name: str, version: str) -> None:
    """Raises InstallError for releases that must never be installed or started."""
    if (name.partition("[")[0], version) in COMPROMISED:
        raise InstallError(f"{name} {version} is a compromised release and is refused")


def provide(name: str, version: str) -> Path:
    """The directory of programs of an environment with exactly this release; installed on first use."""
    refuse_compromised(name, version)
    distribution = name.partition("[")[0]
    place = WORK / "venvs" / distribution
    python = place / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(place)])
    if installed(python, distribution) != version:
        print(f"  installing {name} {version} (once)", flush=True)
        _run([str(python), "-m", "pip", "install", "--quiet", "--no-input", f"{name}=={version}"])
    found = installed(python, distribution)
    refuse_compromised(distribution, found)
    if found != version:
        raise InstallError(f"{distribution} {found or '(none)'} is installed, {version} was wanted")
    return python.parent


def compiled() -> None:
    """A build of the engine's hot path as it is now in `COMPILED`; made where there is none of these sources."""
    if is_of(ROOT, MODULES, COMPILED):
        return
    print(f"  compiling {len(MODULES)} modules (once)", flush=True)
    try:
        make(ROOT, MODULES, COMPILED)
    except BuildError as error:
        raise InstallError(str(error)) from error


def installed(python: Path, distribution: str) -> str:
    """The version in an environment, "" if there is none."""
    code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    except subprocess.TimeoutExpired as error:
        raise InstallError("installation took more than 15 minutes") from error
    if done.returncode != 0:
        raise InstallError("installation failed; run it by hand to see why")
