"""`python -m compiled.step PLACE SOURCES…`: one build, in the current directory."""

import sys
from pathlib import Path

from compiled.making import compile_here

if __name__ == "__main__":
    compile_here(Path(sys.argv[1]), sys.argv[2:])
