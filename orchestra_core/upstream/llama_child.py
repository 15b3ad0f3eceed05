"""The program in our own child process: one model served by llama.cpp on a Unix socket.

`python -m orchestra_core.upstream.llama_child --path … --socket … --name …`. It ends at once by SIGTERM, and
by itself when its standard input closes, which the kernel sees to when the engine dies, however it dies.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence

import xllamacpp

from orchestra_core.upstream import plain_chat

_WARNINGS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until told to stop; 1 when the model could not be loaded, with the reason on standard error."""
    options = _parser().parse_args(arguments)
    threading.Thread(target=_end_with_engine, args=(options.socket,), daemon=True).start()
    try:
        server = xllamacpp.Server(_parameters(options))
    except RuntimeError as error:
        print(f"llama.cpp could not serve {options.path}: {error}", file=sys.stderr, flush=True)
        return 1
    while server is not None:
        signal.pause()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="llama_child")
    for name in ("--path", "--socket", "--name"):
        parser.add_argument(name, required=True)
    for name in ("--context", "--parallel", "--threads", "--conversations"):
        parser.add_argument(name, required=True, type=int)
    parser.add_argument("--checkpoints", type=int)
    parser.add_argument("--plain-chat", action="store_true")
    parser.add_argument("--embedding", action="store_true")
    return parser


def _parameters(options: argparse.Namespace) -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = options.path
    params.model_alias = {options.name}
    params.hostnames = [options.socket]
    params.port = 0
    params.n_parallel = options.parallel
    # llama.cpp divides its context among the slots.
    params.n_ctx = options.context * options.parallel
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    # Weights are read into memory of our own instead of being mapped: the kernel counts mapped pages as
    # available, so the memory gauge would not see them, and drops them under pressure in mid-answer.
    params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
    # Fitting to a GPU's memory costs a second loading of the model (2.5 s instead of 0.8 s, measured).
    params.fit_params = False
    # The server keeps states of past conversations in memory, by default up to 8 GiB: more than the model.
    params.cache_ram_mib = options.conversations
    if options.checkpoints is not None:
        params.n_ctx_checkpoints = options.checkpoints
    params.endpoint_metrics = True
    params.ui = False
    # No browser can reach the socket; any origin but the default one saves a warning about it in the log.
    params.cors_origins = "null"
    params.verbosity = _WARNINGS
    params.embedding = options.embedding
    if options.plain_chat:
        _converse(params)
    return params


def _converse(params: xllamacpp.CommonParams) -> None:
    params.chat_template = plain_chat.TEMPLATE
    # Used for a request that brings no stop sequences of its own; one that does has to repeat these.
    params.antiprompt = list(plain_chat.STOP)
    params.n_predict = plain_chat.ANSWER_TOKENS
    for name, value in plain_chat.SAMPLING.items():
        setattr(params.sampling, name, value)


def _end_with_engine(path: str) -> None:
    while os.read(0, 4096):
        continue
    try:
        os.unlink(path)
    finally:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
