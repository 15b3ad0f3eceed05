"""A process that forks engines, so that starting one costs nothing: `python -m tests.fakes.doomed_engine`.

Each line of its input is a home directory with a `config.toml`; a child runs the engine there, `serve` in all but the
command line, and logs to the output that all share. When it has ended, `ended`, the directory and its status are
written there.
"""

import os
import sys
from pathlib import Path

from orchestra_core.config import Config, load
from orchestra_core.engine.run import run


def live(home: Path) -> int:
    flags = {"config": str(home / "config.toml"), "port": 0, "socket": str(home / "engine.sock")}

    def read() -> Config:
        return load(flags, {"HOME": str(home)}, home)

    return run(read(), read)


def main() -> None:
    for home in map(str.strip, sys.stdin):
        child = os.fork()
        if child == 0:
            os.dup2(1, 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os._exit(live(Path(home)))
        os.write(1, f"born {home} {child}\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(1, f"ended {home} {status}\n".encode())


if __name__ == "__main__":
    main()
