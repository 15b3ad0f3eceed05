"""`python -m tests.fakes.forking N`: becomes one program of ours after the other, by forks that have imported it.

Each order comes over the Unix socket with the descriptor N, as JSON and four descriptors: standard input, output and
error, and a pipe that is told the process's id and at its end its exit code. `tests.fakes.programs` sends them.
"""

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from typing import Any

import orchestra_core

ORDER_BYTES = 65536
DESCRIPTORS = 4
# As many as any of these processes has open.
HIGHEST = 256


def import_everything() -> None:
    """What our programs import when they start, and later."""
    for module in pkgutil.walk_packages(orchestra_core.__path__, "orchestra_core."):
        if not module.name.endswith(("__main__", "llama_child")):
            importlib.import_module(module.name)
    # What is there now is never garbage; and to look at it would copy its pages.
    gc.freeze()


def next_program(orders: socket.socket) -> dict[str, Any] | None:
    """Returns in a new process what that is to become; in this one None, when no more orders come."""
    while True:
        order, given, _, _ = socket.recv_fds(orders, ORDER_BYTES, DESCRIPTORS)
        if not order:
            return None
        if os.fork() == 0:
            orders.close()
            return keep(json.loads(order), given)
        for descriptor in given:
            os.close(descriptor)
        forget_the_ended()


def forget_the_ended() -> None:
    """Those that were forked here report of their programs by themselves."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def keep(order: dict[str, Any], given: Sequence[int]) -> dict[str, Any]:
    """Waits for the end of a process and reports it; returns in that process only."""
    *streams, report = given
    program = os.fork()
    if program == 0:
        os.close(report)
        dress(order, streams)
        return order
    os.closerange(0, report)
    os.closerange(report + 1, HIGHEST)
    os.write(report, b"%d\n" % program)
    _, status = os.waitpid(program, 0)
    os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def dress(order: dict[str, Any], streams: Sequence[int]) -> None:
    """Streams, directory, environment and arguments as of a process that was started with them."""
    if order["session"]:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = [order["module"], *order["arguments"]]
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = sys.__stdout__ = unbuffered(1, "strict")
    sys.stderr = sys.__stderr__ = unbuffered(2, "backslashreplace")


def unbuffered(number: int, errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.FileIO(number, "w", closefd=False), encoding="utf-8", errors=errors, write_through=True
    )


def become(module: str) -> None:
    """Runs it and ends as the interpreter ends, except that nothing of what was imported is taken down."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise
        code = ended.code or 0
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    import_everything()
    order = next_program(socket.socket(fileno=int(sys.argv[1])))
    if order is not None:
        become(order["module"])


if __name__ == "__main__":
    main()
