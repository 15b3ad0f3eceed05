"""`python -m compiled`: compiles the hot path into this virtual environment, or into another directory."""

import argparse
import shutil
import sys
import sysconfig
from pathlib import Path

from compiled.making import MODULES, BuildError, make

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m compiled", description=__doc__)
    parser.add_argument("--into", type=Path, help="a directory on Python's path, instead of the environment")
    parser.add_argument("--remove", action="store_true", help="back to pure Python")
    chosen = parser.parse_args()
    if chosen.into is None and sys.prefix == sys.base_prefix:
        print("this Python is no virtual environment; name a directory with --into", file=sys.stderr)
        return 2
    into: Path = chosen.into or Path(sysconfig.get_path("purelib"))
    if chosen.remove:
        shutil.rmtree(into / "orchestra_fast", ignore_errors=True)
        return 0
    print(f"Compiling {len(MODULES)} modules; that takes about a minute.", flush=True)
    try:
        make(ROOT, MODULES, into)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        "Done: `ai-orchestra version` says so. ORCHESTRA_PURE=1 runs the sources, `--remove` removes the build."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
