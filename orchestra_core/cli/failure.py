"""The exit codes of the contract, and the exception that ends a command with one."""

from enum import IntEnum


class Code(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    UNHEALTHY = 4
    INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class Failure(Exception):
    """Ends the command: `message` goes to standard error, `code` to the shell.

    `reason` is the engine's own code of what went wrong, where it was the engine, or its ledger, that said so.
    """

    def __init__(self, message: str, code: Code = Code.FAILED, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
